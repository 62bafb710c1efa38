//! What goes wrong, as responses.

use axum::Json;
use axum::response::{IntoResponse, Response};
use butler_core::Error;
use butler_core::wire::ErrorResponse;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The result of a route.
pub type ApiResult<T = Response> = Result<T, ApiError>;

/// An error on its way to the client.
#[derive(Debug)]
pub enum ApiError {
    /// A mistake of the user that the protocol has a name for: 422.
    User(ErrorResponse),
    /// A request that is not what the protocol says: 422, in the form of FastAPI.
    Malformed(Vec<Complaint>),
    /// Any other refusal, with what the client may do about it.
    Refused {
        /// The status.
        status: StatusCode,
        /// Why, for people.
        detail: String,
        /// A header that goes with the status.
        header: Option<(header::HeaderName, HeaderValue)>,
    },
    /// The database is gone, too busy or too slow, which may pass: 503.
    Unavailable(Error),
    /// A fault of the server, of which the client is told nothing: 500.
    Internal(Error),
}

/// What a client is told of a database that does not answer.
pub(crate) const UNAVAILABLE: &str =
    "The repository's database does not answer, is too busy or takes too long. Try again later.";

/// What is wrong with a part of a request.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Complaint {
    /// The kind of the mistake.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where in the request it is: `["body", "dataset_ids"]`.
    #[schema(value_type = Vec<Value>)]
    pub loc: Vec<Value>,
    /// What is wrong, for people.
    pub msg: String,
    /// What was given.
    pub input: Value,
}

/// Kept with a response of status 500 or 503, for the log.
#[derive(Debug, Clone)]
pub struct Fault(pub Arc<Error>);

impl ApiError {
    /// A refusal without further headers.
    pub fn refused(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::Refused {
            status,
            detail: detail.into(),
            header: None,
        }
    }

    /// Something that is not there: 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::NOT_FOUND, detail)
    }

    /// The refusal of a request for a repository that is not open yet: 503.
    pub fn closed() -> Self {
        Self::refused(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE)
    }

    /// A refusal for now, with the seconds after which to try again.
    pub fn try_again(status: StatusCode, seconds: u64, detail: impl Into<String>) -> Self {
        Self::Refused {
            status,
            detail: detail.into(),
            header: Some((header::RETRY_AFTER, seconds.into())),
        }
    }

    /// A malformed part of the request.
    pub fn malformed(
        kind: &'static str,
        loc: impl IntoIterator<Item = impl Into<Value>>,
        msg: impl Into<String>,
        input: impl Into<Value>,
    ) -> Self {
        Self::Malformed(vec![Complaint {
            kind,
            loc: loc.into_iter().map(Into::into).collect(),
            msg: msg.into(),
            input: input.into(),
        }])
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        if let Some(named) = ErrorResponse::of(&error) {
            return Self::User(named);
        }
        if error.is_user_error() {
            // The protocol has no name for these. A client that is told of an invalid query shows
            // its user what the message says.
            return Self::User(ErrorResponse {
                error_type: "invalid_query".to_owned(),
                detail: error.to_string(),
            });
        }
        match error {
            Error::Unavailable { .. } => Self::Unavailable(error),
            error => Self::Internal(error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::User(body) => (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response(),
            Self::Malformed(complaints) => {
                let body = json!({ "detail": complaints });
                (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
            }
            Self::Refused {
                status,
                detail,
                header,
            } => {
                let mut response = (status, Json(json!({ "detail": detail }))).into_response();
                if let Some((name, value)) = header {
                    response.headers_mut().insert(name, value);
                }
                response
            }
            Self::Unavailable(error) => with_fault(Self::closed().into_response(), error),
            Self::Internal(error) => with_fault(internal_error(), error),
        }
    }
}

fn with_fault(mut response: Response, error: Error) -> Response {
    response.extensions_mut().insert(Fault(Arc::new(error)));
    response
}

/// The response that tells nothing.
pub fn internal_error() -> Response {
    let body = json!({ "detail": "Internal Server Error" });
    (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_tell_the_client_nothing() {
        let error = Error::database("reading passwords", "connection reset");
        let response = ApiError::from(error).into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.extensions().get::<Fault>().is_some());
    }

    #[test]
    fn of_a_database_that_is_gone_the_client_is_told_to_come_back() {
        let error = Error::Unavailable {
            context: "reading passwords".to_owned(),
            source: "connection reset".into(),
        };
        let response = ApiError::from(error).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.extensions().get::<Fault>().is_some());
    }

    #[test]
    fn mistakes_that_the_protocol_does_not_name_are_told_all_the_same() {
        let error = ApiError::from(Error::InvalidArgument("name a collection".to_owned()));
        assert!(matches!(error, ApiError::User(body) if body.detail == "name a collection"));
    }
}
