//! The one error type of the workspace.
//!
//! *User errors* are mistakes a caller can mend; those the protocol knows carry an
//! [`error_type`](Error::error_type) string and travel over the wire as `{error_type, detail}`.
//! All other variants are *internal*: a server logs them and tells its client nothing of them.

use std::path::PathBuf;

/// The source of an internal error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What every fallible function of the workspace returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, as a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // ---- user errors the protocol has a name for -------------------------------------------
    /// A calibration dataset cannot be found unambiguously.
    #[error("{0}")]
    CalibrationLookup(String),
    /// A CHAINED collection would contain itself.
    #[error("{0}")]
    CollectionCycle(String),
    /// A collection is of another type than the operation needs.
    #[error("{0}")]
    CollectionType(String),
    /// A data ID value does not exist in the repository.
    #[error("{0}")]
    DataIdValue(String),
    /// The dataset asked for does not exist.
    #[error("{0}")]
    DatasetNotFound(String),
    /// A dataset type expression cannot be understood.
    #[error("{0}")]
    DatasetTypeExpression(String),
    /// A dimension is unknown, or a required one is missing.
    #[error("{0}")]
    DimensionName(String),
    /// A dimension's value is of the wrong type or not usable.
    #[error("{0}")]
    DimensionValue(String),
    /// A data ID contradicts itself.
    #[error("{0}")]
    InconsistentDataId(String),
    /// A query is not valid.
    #[error("{0}")]
    InvalidQuery(String),
    /// A collection does not exist.
    #[error("{0}")]
    MissingCollection(String),
    /// A dataset type does not exist.
    #[error("{0}")]
    MissingDatasetType(String),
    /// A valid query that is not supported.
    #[error("{0}")]
    UnimplementedQuery(String),
    /// A dataset type has no such component.
    #[error("{0}")]
    UnknownComponent(String),
    /// A server sent an error type unknown to this release.
    #[error("unknown error type '{error_type}': {detail}")]
    UnknownUserError {
        /// The name the server sent.
        error_type: String,
        /// The server's message.
        detail: String,
    },

    // ---- user errors without a name in the protocol ----------------------------------------
    /// A definition conflicts with one that exists (a dataset, dataset type, record or collection).
    #[error("{0}")]
    ConflictingDefinition(String),
    /// No handler is configured for a dataset type.
    #[error("{0}")]
    DatasetTypeNotSupported(String),
    /// A collection expression cannot be understood.
    #[error("{0}")]
    CollectionExpression(String),
    /// A query has no result; the reasons are listed.
    #[error("Possible reasons for empty result:\n{}", .0.join("\n"))]
    EmptyQueryResult(Vec<String>),
    /// A consistency check of configuration or repository has failed.
    #[error("{0}")]
    Validation(String),
    /// Two dimension universes are used together that are not compatible.
    #[error("{0}")]
    InconsistentUniverse(String),
    /// Something that is still referred to was to be removed.
    #[error("{0}")]
    OrphanedRecord(String),
    /// An argument's value is out of range or malformed.
    #[error("{0}")]
    InvalidArgument(String),
    /// A write was attempted on something opened for reading.
    #[error("{0}")]
    ReadOnly(String),

    // ---- internal errors -------------------------------------------------------------------
    /// The configuration is wrong: what, where and what was expected.
    #[error("configuration: {0}")]
    Configuration(String),
    /// Stored data cannot be decoded.
    #[error("corrupt record in {what}: {detail}")]
    CorruptRecord {
        /// The table, file or field that holds the record.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A version of a manager, universe or file format that cannot be handled.
    #[error("{what} has version {found}, which is not supported; this release handles {supported}")]
    UnsupportedVersion {
        /// The thing that carries the version.
        what: String,
        /// The version found.
        found: String,
        /// The versions this release can handle.
        supported: String,
    },
    /// An operation of the operating system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder concerned.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The database refused a statement or went away.
    #[error("database: {context}: {source}")]
    Database {
        /// What was being done.
        context: String,
        /// The driver's error.
        source: BoxError,
    },
    /// The database cannot be reached, is too busy or took too long. The same may work later.
    #[error("database: {context}: {source}")]
    Unavailable {
        /// What was being done.
        context: String,
        /// The driver's error.
        source: BoxError,
    },
    /// An object store or file system refused an operation.
    #[error("storage: {context}: {source}")]
    Storage {
        /// What was being done, and on which URI.
        context: String,
        /// The client library's error.
        source: BoxError,
    },
    /// A file or object that must exist does not.
    #[error("file not found: {0}")]
    FileNotFound(String),
    /// A file or object exists that must not be overwritten.
    #[error("file exists already: {0}")]
    FileExists(String),
    /// A file's size or checksum differs from its record.
    #[error("{path}: {detail}")]
    FileIntegrity {
        /// The file concerned.
        path: String,
        /// What was expected and what was found.
        detail: String,
    },
    /// A file could not be brought from one place to another.
    #[error("transfer of {from} to {to}: {detail}")]
    Transfer {
        /// Where the file is.
        from: String,
        /// Where it was to go.
        to: String,
        /// Why it could not.
        detail: String,
    },
    /// A path would lead out of the datastore's root.
    #[error("path '{path}' leads out of the root '{root}'")]
    PathEscapesRoot {
        /// The offending path.
        path: String,
        /// The root that must contain it.
        root: String,
    },
    /// A Butler server cannot be reached, or gave an answer that is none.
    #[error("Butler server: {detail} (client request ID: {request_id})")]
    Server {
        /// What went wrong.
        detail: String,
        /// The status of the answer, if there was one.
        status: Option<u16>,
        /// What the server's logs call the request.
        request_id: String,
    },
    /// A limit in time or an external request ended the operation.
    #[error("interrupted: {0}")]
    Interrupted(String),
    /// An invariant of this library does not hold.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// The protocol's name for this error, or `None` if it has none.
    ///
    /// Errors without a name must not be shown to a remote client.
    #[must_use]
    pub fn error_type(&self) -> Option<&'static str> {
        Some(match self {
            Self::CalibrationLookup(_) => "calibration_lookup",
            Self::CollectionCycle(_) => "collection_cycle",
            Self::CollectionType(_) => "collection_type",
            Self::DataIdValue(_) => "data_id_value",
            Self::DatasetNotFound(_) => "dataset_not_found",
            Self::DatasetTypeExpression(_) => "dataset_type_expression",
            Self::DimensionName(_) => "dimension_name",
            Self::DimensionValue(_) => "dimension_value",
            Self::InconsistentDataId(_) => "inconsistent_data_id",
            Self::InvalidQuery(_) => "invalid_query",
            Self::MissingCollection(_) => "missing_collection",
            Self::MissingDatasetType(_) => "missing_dataset_type",
            Self::UnimplementedQuery(_) => "unimplemented_query",
            Self::UnknownComponent(_) => "unknown_component",
            Self::UnknownUserError { .. } => "unknown",
            _ => return None,
        })
    }

    /// Builds the error a server named by its protocol name.
    ///
    /// A name that is not known gives [`Error::UnknownUserError`].
    #[must_use]
    pub fn from_error_type(error_type: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        match error_type {
            "calibration_lookup" => Self::CalibrationLookup(detail),
            "collection_cycle" => Self::CollectionCycle(detail),
            "collection_type" => Self::CollectionType(detail),
            "data_id_value" => Self::DataIdValue(detail),
            "dataset_not_found" => Self::DatasetNotFound(detail),
            "dataset_type_expression" => Self::DatasetTypeExpression(detail),
            "dimension_name" => Self::DimensionName(detail),
            "dimension_value" => Self::DimensionValue(detail),
            "inconsistent_data_id" => Self::InconsistentDataId(detail),
            "invalid_query" => Self::InvalidQuery(detail),
            "missing_collection" => Self::MissingCollection(detail),
            "missing_dataset_type" => Self::MissingDatasetType(detail),
            "unimplemented_query" => Self::UnimplementedQuery(detail),
            "unknown_component" => Self::UnknownComponent(detail),
            other => Self::UnknownUserError {
                error_type: other.to_owned(),
                detail,
            },
        }
    }

    /// Whether the caller, not the library or the repository, is at fault.
    #[must_use]
    pub fn is_user_error(&self) -> bool {
        self.error_type().is_some()
            || matches!(
                self,
                Self::ConflictingDefinition(_)
                    | Self::DatasetTypeNotSupported(_)
                    | Self::CollectionExpression(_)
                    | Self::EmptyQueryResult(_)
                    | Self::Validation(_)
                    | Self::InconsistentUniverse(_)
                    | Self::OrphanedRecord(_)
                    | Self::InvalidArgument(_)
                    | Self::ReadOnly(_)
            )
    }

    /// An [`Error::Io`] for `path`.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }

    /// An [`Error::Database`] with what was being done.
    pub fn database(context: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Database {
            context: context.into(),
            source: source.into(),
        }
    }

    /// An [`Error::Storage`] with what was being done, and on which URI.
    pub fn storage(context: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Storage {
            context: context.into(),
            source: source.into(),
        }
    }

    /// An [`Error::CorruptRecord`]: what holds the record, and what is wrong with it.
    pub fn corrupt(what: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Self::CorruptRecord {
            what: what.into(),
            detail: detail.to_string(),
        }
    }

    /// An [`Error::UnsupportedVersion`] that names both versions.
    pub fn unsupported_version(
        what: impl Into<String>,
        found: impl std::fmt::Display,
        supported: impl std::fmt::Display,
    ) -> Self {
        Self::UnsupportedVersion {
            what: what.into(),
            found: found.to_string(),
            supported: supported.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn protocol_names_survive_the_way_over_the_wire() {
        for name in [
            "calibration_lookup",
            "collection_cycle",
            "collection_type",
            "data_id_value",
            "dataset_not_found",
            "dataset_type_expression",
            "dimension_name",
            "dimension_value",
            "inconsistent_data_id",
            "invalid_query",
            "missing_collection",
            "missing_dataset_type",
            "unimplemented_query",
            "unknown_component",
        ] {
            let error = Error::from_error_type(name, "what went wrong");
            assert_eq!(error.error_type(), Some(name));
            assert_eq!(error.to_string(), "what went wrong");
            assert!(error.is_user_error());
        }
    }

    #[test]
    fn names_of_newer_servers_become_unknown_errors_that_keep_the_text() {
        let error = Error::from_error_type("from_the_future", "detail");
        assert_eq!(error.error_type(), Some("unknown"));
        assert!(error.to_string().contains("from_the_future"));
        assert!(error.to_string().contains("detail"));
    }

    #[test]
    fn internal_errors_have_no_protocol_name() {
        let error = Error::database("insert into dataset", "connection reset");
        assert_eq!(error.error_type(), None);
        assert!(!error.is_user_error());
        assert_eq!(
            error.to_string(),
            "database: insert into dataset: connection reset"
        );
    }

    #[test]
    fn a_refused_version_names_both_versions() {
        let text = Error::unsupported_version("datasets manager", "3.0.0", "1.0.0, 2.0.0");
        let text = text.to_string();
        assert!(text.contains("3.0.0") && text.contains("1.0.0, 2.0.0"));
    }
}
