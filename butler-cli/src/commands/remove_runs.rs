//! `butler remove-runs`.

use std::collections::{BTreeMap, BTreeSet};

use butler_core::butler::Butler;
use butler_core::collections::{CollectionInfo, CollectionType, CollectionWildcard};
use butler_core::error::Error;
use butler_core::registry::CollectionQuery;
use clap::Args;

use crate::confirm::{Confirm, ask};
use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::Repository;
use crate::output::say;
use crate::progress::Bars;

/// Removes runs.
#[derive(Debug, Args)]
pub(crate) struct RemoveRuns {
    #[command(flatten)]
    repository: Repository,

    /// The name of the run, or a glob pattern of the runs, to remove with their datasets
    collection: String,

    #[command(flatten)]
    confirm: Confirm,

    /// With --no-confirm, also take the runs out of the chains that they are in
    #[arg(long)]
    force: bool,
}

impl RemoveRuns {
    pub(crate) async fn run(self, bars: &Bars) -> Outcome {
        let butler = open::writer(&self.repository.repo).await?;
        let reader = butler.reader();
        let runs = self.find(&reader).await?;
        if runs.is_empty() {
            return say("No RUN collections were found.");
        }
        let counts = counts(&reader, &runs).await?;
        let names: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
        if self.confirm.get() {
            report(&runs, &counts, "will be")?;
            if !ask()? {
                return say("Aborted.");
            }
            butler.remove_runs(&names, true, bars).await?;
            return say("Removed collections");
        }
        let chained: Vec<&str> = runs
            .iter()
            .filter(|run| run.parents.as_ref().is_some_and(|p| !p.is_empty()))
            .map(|run| run.name.as_str())
            .collect();
        if !chained.is_empty() && !self.force {
            return Err(Failure::new(format!(
                "these runs are in chains, so that removing them must be confirmed: {}",
                chained.join(", ")
            ))
            .hint("leave out --no-confirm, or take the runs out of the chains with --force"));
        }
        butler.remove_runs(&names, true, bars).await?;
        report(&runs, &counts, "were")
    }

    async fn find(&self, butler: &Butler) -> Outcome<Vec<CollectionInfo>> {
        let mut query =
            CollectionQuery::new(CollectionWildcard::from_expression([&self.collection])?);
        query.types = vec![CollectionType::Run];
        query.include_chains = Some(false);
        query.with_parents = true;
        query.with_dataset_types = true;
        match butler.registry().collections(&query).await {
            Err(Error::MissingCollection(_)) => Ok(Vec::new()),
            other => Ok(other?),
        }
    }
}

/// How many datasets of each type are in the runs.
async fn counts(butler: &Butler, runs: &[CollectionInfo]) -> Outcome<BTreeMap<String, u64>> {
    let types: BTreeSet<&String> = runs
        .iter()
        .flat_map(|run| run.dataset_types.iter().flatten())
        .collect();
    let names: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
    let query = butler.query()?;
    let mut counts = BTreeMap::new();
    for name in types {
        let datasets = query.datasets_with(name, Some(&names), false).await?;
        let count = datasets.count(false, false).await?;
        if count > 0 {
            counts.insert(name.clone(), count);
        }
    }
    Ok(counts)
}

fn report(runs: &[CollectionInfo], counts: &BTreeMap<String, u64>, verb: &str) -> Outcome {
    say(format!("The following RUN collections {verb} removed:"))?;
    for run in runs {
        let parents: Vec<String> = run
            .parents
            .iter()
            .flatten()
            .map(|parent| format!("\"{parent}\""))
            .collect();
        let unlinked = if parents.is_empty() {
            String::new()
        } else {
            format!(": {verb} unlinked from {}", parents.join(", "))
        };
        say(format!("{}{unlinked}", run.name))?;
    }
    say(format!("\nThe following datasets {verb} removed:"))?;
    let shown: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{name}({count})"))
        .collect();
    say(shown.join(", "))?;
    let total: u64 = counts.values().sum();
    say(format!("Total number of datasets: {total}"))
}
