//! Room in TAGGED collections, which have one dataset of each type and data ID.

use butler_core::datasets::DatasetRef;
use butler_core::error::Result;
use butler_core::registry::{Registry as _, RegistryWriter as _};
use butler_direct::DirectButler;

/// Takes another dataset of the same type and data ID out of a TAGGED collection, if there is one:
/// what was processed again takes the place of what was there. It can still be found in its run.
pub(super) async fn make_room(
    butler: &DirectButler,
    tag: &str,
    dataset: &DatasetRef,
) -> Result<()> {
    let name = dataset.dataset_type().name();
    let registry = butler.registry();
    let there = registry
        .find_dataset(name, dataset.data_id(), &[tag.to_owned()], None)
        .await?;
    if let Some(there) = there.filter(|there| there.id() != dataset.id()) {
        tracing::info!(replaced = %there, by = %dataset, tag, "processed again");
        registry.disassociate(tag, &[there]).await?;
    }
    Ok(())
}
