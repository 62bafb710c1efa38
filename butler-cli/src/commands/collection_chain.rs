//! `butler collection-chain`.

use butler_core::collections::{CollectionInfo, CollectionType, CollectionWildcard};
use butler_core::error::Error;
use butler_core::registry::{CollectionQuery, Registry};
use butler_direct::DirectButler;
use butler_direct::registry::chains::ChainEdit;
use clap::{Args, ValueEnum};

use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::Repository;
use crate::output::say;
use crate::switch::switch;

switch!(
    Flatten,
    flatten / no_flatten,
    default off,
    "Replace chains among the children by what is in them"
);

/// Changes a chain.
#[derive(Debug, Args)]
pub(crate) struct CollectionChain {
    #[command(flatten)]
    repository: Repository,

    /// The chain; it is made if it does not exist
    parent: String,

    /// The collections to change the chain by; with --mode pop, their numbers in it, where negative
    /// ones count from its end
    #[arg(value_delimiter = ',', allow_negative_numbers = true)]
    children: Vec<String>,

    /// The documentation of the chain, if it is new
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    doc: String,

    #[command(flatten)]
    flatten: Flatten,

    /// What is done to the chain
    #[arg(long, value_enum, default_value_t = Mode::Redefine)]
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// The children become its only ones
    Redefine,
    /// The children come last
    Extend,
    /// The children are taken out
    Remove,
    /// The children come first
    Prepend,
    /// The children with these numbers are taken out [default: 0, the first]
    Pop,
}

impl CollectionChain {
    pub(crate) async fn run(self) -> Outcome {
        self.check()?;
        let butler = open::writer(&self.repository.repo).await?;
        let parent = match info(&butler, &self.parent).await {
            Ok(parent) => Some(parent),
            Err(Error::MissingCollection(_)) if self.makes_chains() => None,
            Err(error) => return Err(error.into()),
        };
        let children = match &parent {
            Some(parent) if self.mode == Mode::Pop => popped(parent, &self.children)?,
            _ => self.given(&butler).await?,
        };
        let edit = match self.mode {
            Mode::Redefine => ChainEdit::Replace,
            Mode::Extend => ChainEdit::Extend,
            Mode::Prepend => ChainEdit::Prepend,
            Mode::Remove | Mode::Pop => ChainEdit::Remove,
        };
        let mut transaction = butler.registry().begin().await?;
        if parent.is_none() {
            let doc = Some(self.doc.as_str()).filter(|doc| !doc.is_empty());
            transaction
                .register_collection(&self.parent, CollectionType::Chained, doc)
                .await?;
        }
        transaction
            .edit_chain(&self.parent, edit, &children)
            .await?;
        transaction.commit().await?;
        let children = info(&butler, &self.parent).await?.children;
        say(format!("[{}]", children.join(", ")))
    }

    /// Whether a chain that does not exist is made.
    fn makes_chains(&self) -> bool {
        matches!(self.mode, Mode::Redefine | Mode::Extend | Mode::Prepend)
    }

    fn check(&self) -> Outcome {
        if self.children.is_empty() && self.mode != Mode::Pop {
            return Err(Failure::Usage(
                "name the children; only --mode pop does without".to_owned(),
            ));
        }
        if self.flatten.get() && !self.makes_chains() {
            return Err(Failure::Usage(
                "--flatten goes with the modes redefine, extend and prepend only".to_owned(),
            ));
        }
        Ok(())
    }

    /// The children as given, with chains replaced by what is in them if that is asked for.
    async fn given(&self, butler: &DirectButler) -> Outcome<Vec<String>> {
        if !self.flatten.get() {
            return Ok(self.children.clone());
        }
        let wildcard = CollectionWildcard::from_expression(&self.children)?;
        let query = CollectionQuery::new(wildcard).flattened();
        let found = butler.registry().collections(&query).await?;
        Ok(found.into_iter().map(|info| info.name).collect())
    }
}

async fn info(butler: &DirectButler, name: &str) -> butler_core::Result<CollectionInfo> {
    let query = CollectionQuery::new(CollectionWildcard::from_names([name]));
    let mut found = butler.registry().collections(&query).await?;
    found
        .pop()
        .ok_or_else(|| Error::MissingCollection(format!("there is no collection '{name}'")))
}

/// The children at these places of a chain.
fn popped(parent: &CollectionInfo, places: &[String]) -> Outcome<Vec<String>> {
    let first = ["0".to_owned()];
    let places = if places.is_empty() { &first } else { places };
    let children = &parent.children;
    let child = |text: &String| {
        let number: isize = text
            .parse()
            .map_err(|_| Failure::Usage(format!("'{text}' is not the number of a child")))?;
        let place = match usize::try_from(number) {
            Ok(place) => Some(place),
            Err(_) => children.len().checked_add_signed(number),
        };
        place
            .and_then(|place| children.get(place))
            .cloned()
            .ok_or_else(|| {
                Failure::new(format!(
                    "the chain '{}' has {} children, so there is no number {number}",
                    parent.name,
                    children.len()
                ))
            })
    };
    places.iter().map(child).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn chain() -> CollectionInfo {
        let mut info = CollectionInfo::new("chain", CollectionType::Chained);
        info.children = ["a", "b", "c"].map(str::to_owned).into();
        info
    }

    #[test]
    fn the_first_child_is_popped_by_default() {
        assert_eq!(popped(&chain(), &[]).unwrap(), ["a"]);
    }

    #[test]
    fn negative_numbers_count_from_the_end() {
        assert_eq!(popped(&chain(), &["-1".to_owned()]).unwrap(), ["c"]);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for number in ["3", "-4", "x"] {
            assert!(popped(&chain(), &[number.to_owned()]).is_err(), "{number}");
        }
    }
}
