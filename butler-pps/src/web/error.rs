//! What goes wrong, as responses.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use butler_core::error::Error;
use butler_server::error::ApiError;
use http::StatusCode;

/// The result of a route.
pub(super) type WebResult<T> = Result<T, WebError>;

/// An error on its way to the client, who is told nothing of faults.
#[derive(Debug)]
pub(super) struct WebError(ApiError);

impl WebError {
    pub(super) fn refused(status: StatusCode, detail: impl Into<String>) -> Self {
        Self(ApiError::refused(status, detail))
    }

    pub(super) fn not_found() -> Self {
        Self(ApiError::not_found("Not Found"))
    }
}

impl From<ApiError> for WebError {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<Error> for WebError {
    fn from(error: Error) -> Self {
        if error.is_user_error() {
            return Self::refused(StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
        }
        tracing::error!(%error, "a request to the web app failed");
        Self(match error {
            Error::Unavailable { .. } => ApiError::try_again(
                StatusCode::SERVICE_UNAVAILABLE,
                5,
                "The state database does not answer. Try again later.",
            ),
            error => ApiError::Internal(error),
        })
    }
}

impl From<std::fmt::Error> for WebError {
    fn from(error: std::fmt::Error) -> Self {
        Error::Internal(format!("numbers cannot be written: {error}")).into()
    }
}

macro_rules! from_rejection {
    ($($rejection:ty),*) => {$(
        impl From<$rejection> for WebError {
            fn from(rejection: $rejection) -> Self {
                Self::refused(rejection.status(), rejection.body_text())
            }
        }
    )*};
}

from_rejection!(JsonRejection, PathRejection, QueryRejection);

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}
