//! `butler create`.

use butler_core::config::Config;
use butler_direct::DirectButler;
use butler_direct::config::ConfigLoader;
use butler_direct::ops::create::CreateOptions;
use butler_direct::resource::{ResourcePath, Resources};
use clap::Args;

use crate::failure::{Failure, Outcome};

/// Makes a repository.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The directory of the new repository, or its address; it is made if it does not exist
    repo: String,

    /// A YAML file with configuration that is laid over the defaults
    #[arg(long, value_name = "FILE")]
    seed_config: Option<String>,

    /// A YAML or JSON file with the dimension universe
    #[arg(long, value_name = "FILE")]
    dimension_config: Option<String>,

    /// Write all defaults into the repository's configuration, so that later changes of them have
    /// no effect
    #[arg(long)]
    standalone: bool,

    /// Let the seed configuration say where the database and the datastore are
    #[arg(long = "override")]
    override_roots: bool,

    /// The configuration file to write [default: butler.yaml in the repository]
    #[arg(short = 'f', long, value_name = "FILE")]
    outfile: Option<String>,
}

impl Create {
    pub(crate) async fn run(self) -> Outcome {
        let resources = Resources::default();
        let config = match &self.seed_config {
            None => Config::new(),
            Some(file) => {
                let loader = ConfigLoader::new(resources.clone());
                loader.load(&path(file)?).await?
            }
        };
        let dimension_config = match &self.dimension_config {
            None => None,
            Some(file) => {
                let text = resources.read(&path(file)?).await.map_err(failure)?;
                let text = String::from_utf8(text.into())
                    .map_err(|_| Failure::new(format!("{file} is not text in UTF-8")))?;
                Some(text)
            }
        };
        let options = CreateOptions {
            config,
            dimension_config,
            standalone: self.standalone,
            keep_roots: self.override_roots,
            outfile: self.outfile.as_deref().map(path).transpose()?,
            resources: Some(resources),
            ..CreateOptions::default()
        };
        DirectButler::create(&self.repo, options)
            .await?
            .close()
            .await;
        Ok(())
    }
}

fn path(text: &str) -> Outcome<ResourcePath> {
    ResourcePath::new(text).map_err(failure)
}

fn failure(error: impl Into<butler_core::Error>) -> Failure {
    error.into().into()
}
