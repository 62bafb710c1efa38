//! `butler-pps simulate`.

use std::path::PathBuf;

use clap::Args;

use super::failure::print;
use super::run::asked_to_stop;
use super::{Failure, Outcome};
use crate::simulate::{self, Place, Plan, Progress, Until};
use crate::state::RepositoryName;

/// Publish a simulated night on this machine, from Prompt Processing until it expires
///
/// Five repositories on embedded databases are made in a directory, and a clock that runs fast takes a night's outputs
/// through all steps. What an earlier simulation has left in the directory is replaced.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the repositories are made.
    #[arg(default_value = "simulated-observatory", value_name = "DIRECTORY")]
    directory: PathBuf,

    /// Visits of the night; each has 20 datasets.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    visits: u32,

    /// How many hours pass in a second.
    #[arg(long, value_name = "HOURS", default_value_t = 24.0)]
    speed: f64,

    /// When to stop: as soon as everything is public, or has expired.
    #[arg(long, value_enum, default_value = "expired")]
    until: Until,
}

impl Arguments {
    pub(super) async fn run(self) -> Outcome {
        if !(self.speed.is_finite() && (0.01..=1_000.0).contains(&self.speed)) {
            return Err(Failure::new(format!(
                "--speed must be from 0.01 to 1000 hours in a second, not {}",
                self.speed
            )));
        }
        let stop = asked_to_stop()?;
        let place = Place::make(&self.directory).await?;
        let plan = Plan {
            visits: self.visits,
            speed: self.speed,
            until: self.until,
        };
        let progress = Progress::new(|line| {
            // Nobody who closed the output is kept from the repositories.
            let _ = print(line);
        });
        simulate::run(&place, plan, &progress, &stop).await?;
        print(&guide(&place))
    }
}

/// What there is now, and what to do with it.
fn guide(place: &Place) -> String {
    let root = |name| place.repository(name).display().to_string();
    let [embargo, prep, main, int, prod] = RepositoryName::ALL.map(root);
    let state = place.state_file().display().to_string();
    let lists = place.lists().display().to_string();
    format!(
        "
embargo      {embargo}
prompt_prep  {prep}
repo_main    {main}
google_int   {int}
google_prod  {prod}

Try:
  butler query-collections {prod} Prompt/All --chains tree
  butler query-datasets {prod} difference_image --collections Prompt/Outputs/Expired
  butler-pps state counts --state-database-uri sqlite:///{state}
  cat {lists}/index.json
  butler-server --listen 127.0.0.1:8080 --gafaelfawr-url DISABLED \\
    --repositories '{{\"prompt\": {{\"config_uri\": \"{prod}\", \"authorized_groups\": [\"*\"]}}}}'
  python -c 'from lsst.daf.butler import Butler
butler = Butler(\"{prod}\", collections=\"Prompt/Available\")
print(butler.get(butler.query_datasets(\"preliminary_visit_image\")[0]))'
"
    )
}
