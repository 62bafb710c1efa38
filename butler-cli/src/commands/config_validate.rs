//! `butler config-validate`.

use clap::Args;

use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::Repository;
use crate::output::{note, say};

/// Checks a configuration.
#[derive(Debug, Args)]
pub(crate) struct ConfigValidate {
    #[command(flatten)]
    repository: Repository,

    /// Do not say what is wrong
    #[arg(short, long)]
    quiet: bool,

    /// Check only what concerns these dataset types, separated by commas
    #[arg(short, long, value_name = "NAME", value_delimiter = ',')]
    dataset_type: Vec<String>,

    /// Dataset types that are passed over, separated by commas
    #[arg(short, long, value_name = "NAME", value_delimiter = ',')]
    ignore: Vec<String>,
}

impl ConfigValidate {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::direct(&self.repository.repo).await?;
        let faults = butler
            .validate_configuration(&self.dataset_type, &self.ignore)
            .await?;
        if faults.is_empty() {
            return say("No problems encountered with configuration.");
        }
        if !self.quiet {
            for fault in &faults {
                note(fault);
            }
        }
        Err(Failure::Said)
    }
}
