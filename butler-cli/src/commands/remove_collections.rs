//! `butler remove-collections`.

use std::collections::HashSet;

use butler_core::collections::{CollectionInfo, CollectionType, CollectionWildcard};
use butler_core::error::Error;
use butler_core::registry::{CollectionQuery, Registry};
use butler_direct::DirectButler;
use butler_direct::registry::chains::ChainEdit;
use clap::Args;

use crate::confirm::{Confirm, ask};
use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::Repository;
use crate::output::{Cell, Column, Kind, Rows, say, show};

/// Removes collections other than runs.
#[derive(Debug, Args)]
pub(crate) struct RemoveCollections {
    #[command(flatten)]
    repository: Repository,

    /// The name of the collection, or a glob pattern of the collections, to remove; runs are left
    /// alone, see remove-runs
    collection: String,

    #[command(flatten)]
    confirm: Confirm,

    /// Take the collections out of the chains that they are in
    #[arg(long)]
    remove_from_parents: bool,
}

impl RemoveCollections {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::writer(&self.repository.repo).await?;
        let found = self.find(&butler).await?;
        let (runs, others): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|info| info.collection_type == CollectionType::Run);
        let chains = self.chains(&others);
        let runs = table(
            &[("Collection", "collection")],
            runs.iter().map(|run| vec![&*run.name]),
        );
        if others.is_empty() {
            say("No non-RUN collections were found.")?;
            return shown(
                &runs,
                "The following RUN collections were found but can NOT be removed by this command:",
            );
        }
        let removed = table(
            &[("Collection", "collection"), ("Collection Type", "type")],
            others
                .iter()
                .map(|info| vec![&*info.name, info.collection_type.name()]),
        );
        if self.confirm.get() {
            shown(&removed, "The following collections will be removed:")?;
            shown(
                &chains,
                "Collections to be removed from their parent collection chains:",
            )?;
            shown(
                &runs,
                "The following RUN collections were found but can NOT be removed by this command:",
            )?;
            if !ask()? {
                return say("Aborted.");
            }
            self.remove(&butler, &others).await?;
            return say("Removed collections.");
        }
        self.remove(&butler, &others).await?;
        shown(&removed, "Removed collections:")?;
        shown(
            &chains,
            "Removed collections from their parent collection chains:",
        )?;
        shown(
            &runs,
            "Found RUN collections but they can NOT be removed by this command:",
        )
    }

    async fn find(&self, butler: &DirectButler) -> Outcome<Vec<CollectionInfo>> {
        let mut query =
            CollectionQuery::new(CollectionWildcard::from_expression([&self.collection])?);
        query.include_chains = Some(true);
        query.with_parents = self.remove_from_parents;
        match butler.registry().collections(&query).await {
            Ok(mut found) => {
                found.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(found)
            }
            Err(Error::MissingCollection(_)) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Which collections are taken out of which chains; a name is not repeated.
    fn chains(&self, infos: &[CollectionInfo]) -> Rows {
        let rows = infos.iter().flat_map(|info| {
            let parents = info.parents.iter().flatten().enumerate();
            parents.map(|(place, parent)| {
                let child = if place == 0 { &*info.name } else { "" };
                vec![child, parent.as_str()]
            })
        });
        table(
            &[
                ("Child Collection", "child"),
                ("Parent Collection", "parent"),
            ],
            rows,
        )
    }

    /// Removes the collections, all or none. Chains go before what is in them.
    async fn remove(&self, butler: &DirectButler, infos: &[CollectionInfo]) -> Outcome {
        let mut transaction = butler.registry().begin().await?;
        let mut gone: HashSet<&str> = HashSet::new();
        let (chains, others): (Vec<_>, Vec<_>) = infos
            .iter()
            .partition(|info| info.collection_type == CollectionType::Chained);
        for info in chains.into_iter().chain(others) {
            for parent in info.parents.iter().flatten() {
                if !gone.contains(parent.as_str()) {
                    transaction
                        .edit_chain(parent, ChainEdit::Remove, &[&info.name])
                        .await?;
                }
            }
            match transaction.remove_collection(&info.name).await {
                Err(error @ Error::OrphanedRecord(_)) => {
                    return Err(Failure::from(error).hint(
                        "--remove-from-parents takes collections out of the chains that they are in",
                    ));
                }
                other => other?,
            }
            gone.insert(&info.name);
        }
        Ok(transaction.commit().await?)
    }
}

fn table<'a>(columns: &[(&str, &str)], rows: impl Iterator<Item = Vec<&'a str>>) -> Rows {
    let columns = columns
        .iter()
        .map(|(title, name)| Column::new(*name, Kind::Text).titled(title));
    let mut table = Rows::new(columns.collect());
    for row in rows {
        table.push(row.into_iter().map(Cell::text).collect());
    }
    table
}

/// Shows a table below a line that says what it is, unless it has no rows.
fn shown(rows: &Rows, line: &str) -> Outcome {
    if rows.is_empty() {
        return Ok(());
    }
    say(format!("\n{line}"))?;
    show(rows)
}
