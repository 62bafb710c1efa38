//! `butler get`.

use std::io::{self, Write as _};
use std::path::PathBuf;

use butler_core::butler::Butler;
use butler_core::datasets::DatasetRef;
use butler_core::error::Error;
use clap::Args;
use uuid::Uuid;

use super::data_id::{KeyValue, key_value, value};
use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::Repository;

/// Fetches a dataset.
#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    repository: Repository,

    /// The identifier of the dataset, or its dataset type
    dataset: String,

    /// With a dataset type: the data ID
    #[arg(value_name = "DIMENSION=VALUE", value_parser = key_value)]
    data_id: Vec<KeyValue>,

    /// With a dataset type: the collections to search, in order, separated by commas
    #[arg(long, value_name = "COLLECTION", value_delimiter = ',')]
    collections: Vec<String>,

    /// The file to write to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Get {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::reader(&self.repository.repo).await?;
        let dataset = self.find(&butler).await?;
        let contents = butler.get_bytes(&dataset).await?;
        let written = match &self.output {
            Some(path) => std::fs::write(path, contents),
            None => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(&contents).and_then(|()| stdout.flush())
            }
        };
        written.map_err(|error| Failure::writing(self.output.as_deref(), &error))
    }

    async fn find(&self, butler: &Butler) -> Outcome<DatasetRef> {
        if let Ok(id) = Uuid::parse_str(&self.dataset) {
            return Ok(butler.dataset(id).await?);
        }
        if self.collections.is_empty() {
            return Err(Failure::Usage(format!(
                "'{}' is no dataset identifier; with a dataset type, name --collections",
                self.dataset
            )));
        }
        let universe = butler.universe();
        let pairs = self.data_id.iter();
        let data_id = pairs.map(|(name, text)| (name, value(universe, name, text)));
        let found = butler.find_dataset(&self.dataset, data_id, Some(&self.collections), None);
        found.await?.ok_or_else(|| {
            let shown: Vec<String> = self
                .data_id
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            Failure::from(Error::DatasetNotFound(format!(
                "there is no dataset of type '{}' with {} in {}",
                self.dataset,
                shown.join(", "),
                self.collections.join(", ")
            )))
            .hint("`butler query-datasets` lists the datasets that there are")
        })
    }
}
