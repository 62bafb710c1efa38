//! What kind of failure an error is.

use butler_core::error::Error;

/// Whether an error has to do with the datasets that were being acted on, so that others may go
/// through; otherwise a repository, a storage or the network is at fault, and all have to wait.
pub(super) fn is_about_datasets(error: &Error) -> bool {
    !matches!(
        error,
        Error::Database { .. }
            | Error::Unavailable { .. }
            | Error::Storage { .. }
            | Error::Io { .. }
            | Error::Interrupted(_)
            | Error::Configuration(_)
            | Error::ReadOnly(_)
            | Error::UnsupportedVersion { .. }
            | Error::InconsistentUniverse(_)
            | Error::MissingCollection(_)
            | Error::CollectionType(_)
            | Error::Server { .. }
    )
}
