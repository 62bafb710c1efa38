//! `butler transfer-from`.

use std::io;
use std::path::PathBuf;

use clap::Args;
use uuid::Uuid;

use super::transfer_datasets::How;
use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::Repository;
use crate::progress::Bars;

/// Brings the datasets with given identifiers from another repository.
#[derive(Debug, Args)]
pub(crate) struct TransferFrom {
    #[command(flatten)]
    repository: Repository,

    /// The repository that the datasets are in
    source: String,

    /// The identifiers of the datasets
    #[arg(required_unless_present = "ids_file")]
    ids: Vec<Uuid>,

    /// A file with more identifiers, separated by white space; `-` is standard input
    #[arg(long, value_name = "FILE")]
    ids_file: Option<PathBuf>,

    #[command(flatten)]
    how: How,
}

impl TransferFrom {
    pub(crate) async fn run(self, bars: &Bars) -> Outcome {
        let mut ids = self.ids.clone();
        ids.extend(self.listed()?);
        ids.sort_unstable();
        ids.dedup();
        let source = open::repository(&self.source).await?;
        let mut found = source.registry().datasets(&ids).await?;
        if let Some(missing) = ids.iter().find(|id| !found.contains_key(id)) {
            return Err(Failure::new(format!(
                "{} of the datasets are not in {}, for example {missing}",
                ids.len() - found.len(),
                self.source
            )));
        }
        let datasets: Vec<_> = ids.iter().filter_map(|id| found.remove(id)).collect();
        self.how
            .transfer(source.source(), &self.repository.repo, &datasets, bars)
            .await
    }

    /// The identifiers in the file.
    fn listed(&self) -> Outcome<Vec<Uuid>> {
        let Some(path) = &self.ids_file else {
            return Ok(Vec::new());
        };
        let text = if path.as_os_str() == "-" {
            io::read_to_string(io::stdin())
        } else {
            std::fs::read_to_string(path)
        };
        let text =
            text.map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
        let ids = text.split_whitespace().map(|word| {
            Uuid::parse_str(word).map_err(|_| {
                Failure::new(format!(
                    "'{word}' in {} is no dataset identifier",
                    path.display()
                ))
            })
        });
        ids.collect()
    }
}
