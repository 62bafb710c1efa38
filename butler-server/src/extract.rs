//! What routes take from requests.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::response::IntoResponse as _;
use butler_core::dimensions::DimensionUniverse;
use butler_core::error::Result;
use http::request::Parts;
use http::{StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::auth::User;
use crate::error::{ApiError, ApiResult};
use crate::observability::context::RequestContext;
use crate::repositories::Repository;
use crate::shape::{Shaped, refusal};

/// The most bytes of a request that is no query.
const MAX_BYTES: usize = 1 << 20;

/// The repository of a request whose sender may use it.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) repository: Arc<Repository>,
    pub(crate) user: User,
}

impl FromRequestParts<App> for Access {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let label = path_parameter(parts, app, "repository").await?;
        let served = app.repositories.get(&label);
        let groups = served.map(|found| found.groups.as_slice());
        let authorized = app.authenticator.authorize(&parts.headers, &label, groups);
        let user = authorized.await?;
        if let Some(context) = parts.extensions.get::<RequestContext>() {
            context.set_user(&user);
        }
        let served =
            served.ok_or_else(|| ApiError::not_found(format!("Unknown repository '{label}'")))?;
        let repository = Arc::clone(served.repository().ok_or_else(ApiError::closed)?);
        Ok(Self { repository, user })
    }
}

/// A part of the path.
async fn path_parameter(parts: &mut Parts, app: &App, name: &str) -> ApiResult<String> {
    let parameters = RawPathParams::from_request_parts(parts, app).await;
    let parameters = parameters.map_err(|error| {
        ApiError::refused(error.into_response().status(), "The path is not valid")
    })?;
    let found = parameters.iter().find(|(key, _)| *key == name);
    Ok(found.map_or_else(String::new, |(_, value)| value.to_owned()))
}

/// The name in the path.
#[derive(Debug)]
pub(crate) struct NameInPath(pub(crate) String);

impl FromRequestParts<App> for NameInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        path_parameter(parts, app, "name").await.map(Self)
    }
}

/// The repository's label in the path, of a request that needs no authentication.
#[derive(Debug)]
pub(crate) struct LabelInPath(pub(crate) String);

impl FromRequestParts<App> for LabelInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        path_parameter(parts, app, "repository").await.map(Self)
    }
}

/// The dataset ID in the path.
#[derive(Debug)]
pub(crate) struct IdInPath(pub(crate) Uuid);

impl FromRequestParts<App> for IdInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let text = path_parameter(parts, app, "id").await?;
        Uuid::try_parse(&text).map(Self).map_err(|error| {
            let message = format!("Input should be a valid UUID, {error}");
            ApiError::malformed("uuid_parsing", ["path", "id"], message, text)
        })
    }
}

/// The parameters in the query part of the URL.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl FromRequestParts<App> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> ApiResult<Self> {
        let text = parts.uri.query().unwrap_or_default();
        let parsed = url::form_urlencoded::parse(text.as_bytes());
        Ok(Self(parsed.into_owned().collect()))
    }
}

impl Params {
    /// A parameter; the last one of that name counts.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().rev();
        let found = found.find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A parameter that must be there.
    pub(crate) fn require(&self, name: &str) -> ApiResult<&str> {
        self.get(name).ok_or_else(|| {
            ApiError::malformed("missing", ["query", name], "Field required", Value::Null)
        })
    }

    /// A parameter that is true or false; false if it is not there.
    pub(crate) fn flag(&self, name: &str) -> ApiResult<bool> {
        let Some(text) = self.get(name) else {
            return Ok(false);
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "t" | "y" | "yes" => Ok(true),
            "false" | "0" | "off" | "f" | "n" | "no" => Ok(false),
            _ => Err(ApiError::malformed(
                "bool_parsing",
                ["query", name],
                "Input should be a valid boolean, unable to interpret input",
                text,
            )),
        }
    }
}

/// A body in JSON.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned + Shaped> FromRequest<App> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        let bytes = collect(request, MAX_BYTES, app).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            refusal(&bytes, &T::SHAPE, || {
                ApiError::malformed("value_error", ["body"], error.to_string(), json!({}))
            })
        })
    }
}

/// The body of a query: JSON, which is read with the repository's universe.
#[derive(Debug)]
pub(crate) struct QueryBody(Vec<u8>);

impl QueryBody {
    /// Reads the query.
    pub(crate) fn read<T: Shaped>(
        self,
        access: &Access,
        read: impl Fn(&str, DimensionUniverse) -> Result<T>,
    ) -> ApiResult<T> {
        let universe = access.repository.lookups().universe();
        let text = std::str::from_utf8(&self.0).unwrap_or_default();
        read(text, universe).map_err(|error| refusal(&self.0, &T::SHAPE, || error.into()))
    }
}

impl FromRequest<App> for QueryBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        let bytes = collect(request, app.settings.max_query_bytes, app).await?;
        Ok(Self(bytes))
    }
}

async fn collect(request: Request, most: usize, app: &App) -> ApiResult<Vec<u8>> {
    let too_large = || {
        let detail = format!("The request is too large; it may have {most} bytes at most");
        ApiError::refused(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), most).collect();
    match tokio::time::timeout(app.settings.body_timeout, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(ApiError::refused(
            StatusCode::BAD_REQUEST,
            "The request's body cannot be read",
        )),
        Err(_) => Err(ApiError::refused(
            StatusCode::REQUEST_TIMEOUT,
            "The request's body did not arrive in time",
        )),
    }
}
