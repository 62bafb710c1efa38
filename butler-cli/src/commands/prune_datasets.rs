//! `butler prune-datasets`.

use butler_core::butler::Butler;
use butler_core::collections::{CollectionType, CollectionWildcard};
use butler_core::registry::CollectionQuery;
use butler_direct::ops::prune::Prune;
use clap::Args;

use crate::confirm::{Confirm, ask};
use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::Repository;
use crate::output::{dataset_tables, say, show};
use crate::progress::Bars;
use crate::select::Selection;

/// Removes datasets.
#[derive(Debug, Args)]
pub(crate) struct PruneDatasets {
    #[command(flatten)]
    repository: Repository,

    /// Names of the collections to search, and with --find-all glob patterns of them [default: the
    /// run of --purge, or the collections of --disassociate]
    #[arg(value_delimiter = ',')]
    collections: Vec<String>,

    /// Names and glob patterns of dataset types, separated by commas [default: all]
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    datasets: Vec<String>,

    /// Remove the datasets of a data ID in all the collections, not only that in the first one that
    /// has one
    #[arg(long)]
    find_all: bool,

    /// An expression like that of SQL's WHERE over dimensions and their fields
    #[arg(
        long = "where",
        value_name = "EXPRESSION",
        default_value = "",
        hide_default_value = true
    )]
    condition: String,

    /// Take the datasets out of these TAGGED collections
    #[arg(
        long,
        value_name = "TAG",
        value_delimiter = ',',
        conflicts_with = "purge"
    )]
    disassociate: Vec<String>,

    /// Remove the datasets and their files completely. The run is what is searched if no
    /// collections are given
    #[arg(long, value_name = "RUN")]
    purge: Option<String>,

    /// Delete the files of the datasets; they cannot be read any more in any collection
    #[arg(long)]
    unstore: bool,

    /// Show what would be removed, and remove nothing
    #[arg(long, conflicts_with = "quiet")]
    dry_run: bool,

    #[command(flatten)]
    confirm: Confirm,

    /// Do it without asking or saying anything
    #[arg(long)]
    quiet: bool,
}

impl PruneDatasets {
    pub(crate) async fn run(self, bars: &Bars) -> Outcome {
        let how = self.how()?;
        let collections = self.collections()?;
        let butler = if self.dry_run {
            open::direct(&self.repository.repo).await?
        } else {
            open::writer(&self.repository.repo).await?
        };
        let reader = butler.reader();
        if let Some(run) = &self.purge {
            require_run(&reader, run).await?;
        }
        let search = Selection::within(
            &self.datasets,
            &collections,
            &self.condition,
            !self.find_all,
        );
        let datasets = search.run(&reader).await?;
        let tables = dataset_tables(&datasets, None, true);
        let list = || {
            tables.iter().try_for_each(|table| {
                say("")?;
                show(table)
            })
        };
        if self.dry_run {
            say(self.would_do(&how, &collections))?;
            return list();
        }
        if datasets.is_empty() {
            return match self.quiet {
                true => Ok(()),
                false => say("Did not find any datasets."),
            };
        }
        if self.confirm.get() && !self.quiet {
            say("The following datasets will be removed:")?;
            list()?;
            if !ask()? {
                return say("Did not remove the datasets.");
            }
        }
        butler.prune_datasets(&datasets, &how, bars).await?;
        if self.quiet {
            return Ok(());
        }
        if self.confirm.get() {
            return say("The datasets were removed.");
        }
        say("Removed the following datasets:")?;
        list()
    }

    fn how(&self) -> Outcome<Prune> {
        match (&*self.disassociate, &self.purge, self.unstore) {
            ([], Some(_), _) => Ok(Prune::Purge),
            ([], None, true) => Ok(Prune::Unstore),
            ([], None, false) => Err(Failure::Usage(
                "say what to do: --purge, --unstore or --disassociate".to_owned(),
            )),
            (tags, _, unstore) => Ok(Prune::Disassociate {
                tags: tags.to_vec(),
                unstore,
            }),
        }
    }

    /// The collections to search.
    fn collections(&self) -> Outcome<Vec<String>> {
        if !self.collections.is_empty() {
            return Ok(self.collections.clone());
        }
        if let Some(run) = &self.purge {
            return Ok(vec![run.clone()]);
        }
        if self.disassociate.is_empty() {
            return Err(Failure::Usage(
                "name the collections to search; with --find-all, '*' means all".to_owned(),
            ));
        }
        Ok(self.disassociate.clone())
    }

    fn would_do(&self, how: &Prune, collections: &[String]) -> String {
        match how {
            Prune::Disassociate { unstore, .. } => {
                let removed = match unstore {
                    true => ", and removed from any datastores in which they are present",
                    false => "",
                };
                format!(
                    "The following datasets will be disassociated from {} if they are in \
                     it{removed}:",
                    self.disassociate.join(", ")
                )
            }
            Prune::Unstore => {
                "The following datasets will be removed from any datastores in which they are \
                 present:"
                    .to_owned()
            }
            Prune::Purge => format!(
                "The following datasets in {} will be removed completely:",
                collections.join(", ")
            ),
        }
    }
}

async fn require_run(butler: &Butler, name: &str) -> Outcome {
    let query = CollectionQuery::new(CollectionWildcard::from_names([name]));
    for info in butler.registry().collections(&query).await? {
        if info.collection_type != CollectionType::Run {
            return Err(Failure::new(format!(
                "datasets are purged from runs only, but '{name}' is {}",
                info.collection_type
            )));
        }
    }
    Ok(())
}
