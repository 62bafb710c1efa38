//! `butler-pps register`.

use std::sync::Arc;

use butler_direct::resource::{ResourcePath, Resources};
use clap::{Args, Subcommand};

use super::failure::print;
use super::{Failure, Outcome};
use crate::clock::Clock;
use crate::inputs::{Registered, Registrar};
use crate::repositories::{Repositories, RepositoryOptions};
use crate::settings::StateOptions;
use crate::state::{Origin, RepositoryName, State};

/// Register datasets of the embargo repository for publication.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Register all datasets of collections
    Collections {
        #[command(flatten)]
        place: Place,
        /// Names or globs of collections.
        #[arg(required = true, value_name = "COLLECTION")]
        collections: Vec<String>,
        /// Names or globs of dataset types; all if there are none.
        #[arg(long = "dataset-type", short = 'd', value_name = "GLOB")]
        dataset_types: Vec<String>,
    },
    /// Register the datasets that batch files (JSON) or lists (CSV) name
    Files {
        #[command(flatten)]
        place: Place,
        /// The files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Place {
    #[command(flatten)]
    state: StateOptions,

    /// The repository that the datasets are in.
    #[arg(long, env = "PROMPTPUB_EMBARGO_REPO_PATH", value_name = "REPO")]
    embargo_repo_path: String,

    /// Who made the datasets: prompt_processing or catchup.
    #[arg(long, value_name = "NAME", default_value = "prompt_processing")]
    origin: Origin,
}

impl Place {
    async fn registrar(&self) -> Outcome<Registrar> {
        let state = State::open(&self.state.location()?, 2).await?;
        let embargo = (RepositoryName::Embargo, self.embargo_repo_path.clone());
        let repositories = Repositories::new([embargo], RepositoryOptions::default());
        Ok(Registrar::new(
            state,
            Arc::new(repositories),
            Clock::system(),
        ))
    }
}

impl Command {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Collections {
                place,
                collections,
                dataset_types,
            } => {
                let registrar = place.registrar().await?;
                let registered = registrar
                    .register_collections(&collections, &dataset_types, place.origin)
                    .await?;
                tell(registered)
            }
            Self::Files { place, files } => {
                let registrar = place.registrar().await?;
                let resources = Resources::default();
                let mut total = Registered::default();
                for file in files {
                    let path = ResourcePath::new(&file).map_err(butler_core::Error::from)?;
                    total.add(registrar.read_file(&resources, &path).await?);
                    let uri = path.to_string();
                    let read = registrar.state().input_files(&[uri]).await?;
                    if let Some(error) = read.into_iter().find_map(|file| file.error) {
                        return Err(Failure::new(error));
                    }
                }
                tell(total)
            }
        }
    }
}

fn tell(registered: Registered) -> Outcome {
    print(&format!(
        "{} new, {} known before, {} unknown to the repository\n",
        registered.new, registered.known, registered.unknown
    ))
}
