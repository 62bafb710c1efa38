//! The end of every operation that stores datasets.

use butler_core::error::Result;

use crate::datastores::Staged;

/// Finishes the work of staged datasets if they have been recorded, else takes them back.
pub(super) async fn settle<T>(staged: Staged, outcome: Result<T>) -> Result<T> {
    match outcome {
        Ok(value) => {
            staged.finish().await;
            Ok(value)
        }
        Err(error) => {
            if let Err(left) = staged.undo().await {
                tracing::warn!(
                    "files that are not recorded stay behind and will be overwritten: {left}"
                );
            }
            Err(error)
        }
    }
}
