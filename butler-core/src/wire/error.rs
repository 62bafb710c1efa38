//! Errors that are the user's to mend.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The body of a response with status 422, and the `error` of a line in a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorResponse {
    /// The protocol's name of the error; see [`Error::error_type`].
    pub error_type: String,
    /// What went wrong, for people.
    pub detail: String,
}

impl ErrorResponse {
    /// The form of an error that the protocol has a name for; none for all others, which a client
    /// must not be told.
    #[must_use]
    pub fn of(error: &Error) -> Option<Self> {
        Some(match error {
            // A name that is not known here is passed on.
            Error::UnknownUserError { error_type, detail } => Self {
                error_type: error_type.clone(),
                detail: detail.clone(),
            },
            known => Self {
                error_type: known.error_type()?.to_owned(),
                detail: known.to_string(),
            },
        })
    }

    /// The error that was sent.
    #[must_use]
    pub fn into_error(self) -> Error {
        Error::from_error_type(&self.error_type, self.detail)
    }
}
