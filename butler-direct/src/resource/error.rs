//! What can go wrong with a resource.

use std::io;

use super::TransferMode;

/// An error from naming, reading, writing or moving a resource.
///
/// Every message names the resource; messages never contain credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceError {
    /// There is nothing at this address.
    #[error("{uri} does not exist")]
    NotFound {
        /// The address asked for.
        uri: String,
    },
    /// Something is there already and overwriting was not asked for.
    #[error("{uri} exists already and overwriting it was not requested")]
    AlreadyExists {
        /// The address of the resource in the way.
        uri: String,
    },
    /// The storage refused the operation.
    #[error("permission denied to {operation} {uri}: {detail}")]
    PermissionDenied {
        /// The address of the resource.
        uri: String,
        /// The operation that was refused, as a verb.
        operation: &'static str,
        /// The storage's own explanation.
        detail: String,
    },
    /// A directory stands where a file was expected.
    #[error("{uri} is a directory, but a file is needed here")]
    IsADirectory {
        /// The address of the directory.
        uri: String,
    },
    /// A file stands where a directory was expected.
    #[error("{uri} is not a directory, but one is needed here")]
    NotADirectory {
        /// The address of the file.
        uri: String,
    },
    /// The text cannot be understood as the address of a resource.
    #[error("{uri:?} is not a usable resource address: {reason}")]
    InvalidUri {
        /// The text given.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No backend handles this kind of address.
    #[error(
        "no support for the scheme {scheme:?} of {uri} (supported: file, s3, mem, plain paths)"
    )]
    UnsupportedScheme {
        /// The scheme given.
        scheme: String,
        /// The whole address.
        uri: String,
    },
    /// The backend cannot do this.
    #[error("cannot {operation} {uri}: {reason}")]
    Unsupported {
        /// The address of the resource.
        uri: String,
        /// The operation, as a verb.
        operation: &'static str,
        /// Why it is not possible, and what is.
        reason: String,
    },
    /// This transfer mode is impossible between these two places.
    #[error("cannot transfer {from} to {to} with mode {mode:?}: {reason}")]
    UnsupportedTransfer {
        /// The mode asked for.
        mode: TransferMode,
        /// The source's address.
        from: String,
        /// The destination's address.
        to: String,
        /// Why it is not possible, and what is.
        reason: &'static str,
    },
    /// Not the name of a transfer mode.
    #[error(
        "unknown transfer mode {name:?}; expected one of auto, direct, copy, link, hardlink, \
         symlink, relsymlink, move"
    )]
    UnknownTransferMode {
        /// The name given.
        name: String,
    },
    /// A relative path climbs out of the root it is relative to.
    #[error("path {path:?} leads outside of its root {root}")]
    PathEscapesRoot {
        /// The offending path.
        path: String,
        /// The root it has to stay in.
        root: String,
    },
    /// Fewer bytes arrived than the storage announced.
    #[error("{uri} is truncated: expected {expected} bytes, received {received}")]
    Truncated {
        /// The address of the resource.
        uri: String,
        /// The size announced, in bytes.
        expected: u64,
        /// The size received, in bytes.
        received: u64,
    },
    /// The name of a checksum algorithm which is not available.
    #[error("checksum algorithm {name:?} is not supported (supported: {supported})")]
    UnsupportedChecksum {
        /// The name given.
        name: String,
        /// The names that would work.
        supported: String,
    },
    /// A zip archive is unreadable or lacks a member.
    #[error("cannot read member {member:?} of zip archive {uri}: {reason}")]
    Zip {
        /// The address of the archive.
        uri: String,
        /// The member asked for.
        member: String,
        /// What is wrong.
        reason: String,
    },
    /// The operating system reported an error.
    #[error("cannot {operation} {uri}: {source}")]
    Io {
        /// The address of the resource.
        uri: String,
        /// The operation that failed, as a verb.
        operation: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
    /// An object store could not be reached, or answered with an error of its own.
    #[error("cannot {operation} {uri}: {detail}")]
    Remote {
        /// The address of the resource.
        uri: String,
        /// The operation that failed, as a verb.
        operation: &'static str,
        /// The object store's code and message.
        detail: String,
        /// The client library's error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The settings of an object store client are wrong.
    #[error("S3 settings in {setting}: {reason}")]
    Settings {
        /// The environment variable or profile at fault.
        setting: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ResourceError {
    /// Classifies an operating system error met while doing `operation` to `uri`.
    pub(crate) fn io(
        uri: impl ToString,
        operation: &'static str,
    ) -> impl FnOnce(io::Error) -> ResourceError {
        let uri = uri.to_string();
        move |source| match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { uri },
            io::ErrorKind::AlreadyExists => Self::AlreadyExists { uri },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied {
                uri,
                operation,
                detail: source.to_string(),
            },
            io::ErrorKind::IsADirectory => Self::IsADirectory { uri },
            io::ErrorKind::NotADirectory => Self::NotADirectory { uri },
            _ => Self::Io {
                uri,
                operation,
                source,
            },
        }
    }

    /// Whether this says that the resource does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// An [`ResourceError::InvalidUri`].
    pub(crate) fn invalid(uri: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidUri {
            uri: uri.into(),
            reason: reason.into(),
        }
    }
}

/// The result of an operation on a resource.
pub type Result<T, E = ResourceError> = std::result::Result<T, E>;

impl From<ResourceError> for butler_core::error::Error {
    fn from(error: ResourceError) -> Self {
        let message = error.to_string();
        match error {
            ResourceError::NotFound { uri } => Self::FileNotFound(uri),
            ResourceError::AlreadyExists { uri } => Self::FileExists(uri),
            ResourceError::PathEscapesRoot { path, root } => Self::PathEscapesRoot { path, root },
            ResourceError::UnsupportedTransfer {
                from,
                to,
                reason,
                mode,
            } => Self::Transfer {
                from,
                to,
                detail: format!("mode {mode}: {reason}"),
            },
            ResourceError::Truncated { uri, .. } | ResourceError::Zip { uri, .. } => {
                Self::FileIntegrity {
                    path: uri,
                    detail: message,
                }
            }
            ResourceError::Settings { .. } | ResourceError::UnsupportedChecksum { .. } => {
                Self::Configuration(message)
            }
            ResourceError::InvalidUri { .. }
            | ResourceError::UnsupportedScheme { .. }
            | ResourceError::UnknownTransferMode { .. }
            | ResourceError::Unsupported { .. }
            | ResourceError::IsADirectory { .. }
            | ResourceError::NotADirectory { .. } => Self::InvalidArgument(message),
            ResourceError::Io { uri, source, .. } => Self::io(uri, source),
            ResourceError::PermissionDenied {
                ref uri, operation, ..
            }
            | ResourceError::Remote {
                ref uri, operation, ..
            } => Self::storage(format!("{operation} {uri}"), error),
        }
    }
}
