//! The collections of the public repositories (DMTN-330, "Butler Collection Structure"):
//!
//! ```text
//! Prompt/All                        CHAINED
//!     Prompt/Available              CHAINED
//!         LSSTCam/raw/all           RUN
//!         Prompt/Outputs/Available  TAGGED
//!         Prompt/Calibs             CHAINED
//!     Prompt/Outputs/Expired        TAGGED
//! ```

use butler_core::collections::{CollectionType, CollectionWildcard};
use butler_core::error::{Error, Result};
use butler_core::registry::{CollectionQuery, Registry as _};
use butler_direct::DirectButler;
use butler_direct::registry::chains::ChainEdit;

/// What a user searches to find everything that ever was.
pub const ALL: &str = "Prompt/All";
/// What a user searches to find what can be fetched.
pub const AVAILABLE: &str = "Prompt/Available";
/// Outputs that can be fetched.
pub const OUTPUTS: &str = "Prompt/Outputs/Available";
/// Outputs of which the registry alone knows.
pub const EXPIRED: &str = "Prompt/Outputs/Expired";
/// Calibrations, which others look after.
pub const CALIBS: &str = "Prompt/Calibs";

/// Makes the collections that are not there, and puts them into their chains. What else is in the
/// chains stays. Repeating it changes nothing.
///
/// # Errors
/// [`Error::ConflictingDefinition`] if there is a collection of such a name, but of another type.
pub async fn ensure(butler: &DirectButler, raws: &[String]) -> Result<()> {
    let raws_and_outputs = raws
        .iter()
        .map(String::as_str)
        .chain([OUTPUTS, CALIBS])
        .map(str::to_owned)
        .collect();
    let chains: [(&str, Vec<String>); 2] = [
        (AVAILABLE, raws_and_outputs),
        (ALL, vec![AVAILABLE.to_owned(), EXPIRED.to_owned()]),
    ];
    let mut additions = Vec::new();
    for (chain, children) in chains {
        let present = children_of(butler, chain).await?;
        let missing = children
            .into_iter()
            .filter(|child| !present.contains(child));
        additions.push((chain, missing.collect::<Vec<_>>()));
    }
    if additions.iter().all(|(_, missing)| missing.is_empty()) {
        return Ok(());
    }
    let mut transaction = butler.registry().begin().await?;
    for raw in raws {
        transaction
            .register_collection(raw, CollectionType::Run, None)
            .await?;
    }
    for (name, kind, doc) in [
        (
            OUTPUTS,
            CollectionType::Tagged,
            "Prompt data products that are available.",
        ),
        (
            EXPIRED,
            CollectionType::Tagged,
            "Prompt data products that have been deleted; their records are kept.",
        ),
        (
            CALIBS,
            CollectionType::Chained,
            "Calibrations for prompt processing.",
        ),
        (
            AVAILABLE,
            CollectionType::Chained,
            "All prompt data that are available.",
        ),
        (
            ALL,
            CollectionType::Chained,
            "All prompt data that ever were available.",
        ),
    ] {
        transaction
            .register_collection(name, kind, Some(doc))
            .await?;
    }
    for (chain, missing) in additions {
        if !missing.is_empty() {
            transaction
                .edit_chain(chain, ChainEdit::Extend, &missing)
                .await?;
        }
    }
    transaction.commit().await
}

/// The members of a chain; none if there is no such collection.
async fn children_of(butler: &DirectButler, chain: &str) -> Result<Vec<String>> {
    let query = CollectionQuery::new(CollectionWildcard::from_names([chain]));
    match butler.registry().collections(&query).await {
        Ok(found) => Ok(found.into_iter().flat_map(|info| info.children).collect()),
        Err(Error::MissingCollection(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
