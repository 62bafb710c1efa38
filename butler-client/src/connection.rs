//! Requests to a server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use butler_core::wire::CLIENT_REQUEST_ID_HEADER;
use butler_core::{Error, Result};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;

use crate::auth::Credentials;
use crate::failure;
use crate::lines::Lines;
use crate::retry::{Attempts, RetryPolicy};

/// How long the network may take to reach a server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The connections that all clients of a process, or of a part of it, share.
pub(crate) fn http_client(policy: RetryPolicy) -> Result<Client> {
    Client::builder()
        .user_agent(concat!("butler-client/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        // Not for a whole answer: streams are alive as long as something comes.
        .read_timeout(policy.silence)
        .build()
        .map_err(|error| {
            Error::Configuration(format!(
                "HTTP cannot be used: {}",
                failure::network_text(error)
            ))
        })
}

/// The way to one repository of a server, for one user. Clones share connections.
#[derive(Clone)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    http: Client,
    server: Url,
    credentials: Credentials,
    policy: RetryPolicy,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("server", &self.shared.server.as_str())
            .field("credentials", &self.shared.credentials)
            .finish_non_exhaustive()
    }
}

/// A request, which may be sent several times under one name.
struct Request {
    method: Method,
    url: Url,
    body: Option<Bytes>,
    id: String,
}

impl Connection {
    pub(crate) fn new(
        http: Client,
        server: Url,
        credentials: Credentials,
        policy: RetryPolicy,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                http,
                server,
                credentials,
                policy,
            }),
        }
    }

    /// The address of the repository on the server.
    pub(crate) fn server(&self) -> &Url {
        &self.shared.server
    }

    pub(crate) fn http(&self) -> &Client {
        &self.shared.http
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.shared.credentials
    }

    pub(crate) fn policy(&self) -> RetryPolicy {
        self.shared.policy
    }

    /// The answer to a GET of a path made of segments, which may hold any text.
    ///
    /// # Errors
    /// What the server says, or [`Error::Server`].
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T> {
        let mut url = self.url(segments)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.exchange(Request::new(Method::GET, url, None)).await
    }

    /// The answer to a POST.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T> {
        let request = Request::new(Method::POST, self.url(path)?, Some(json(body)?));
        self.exchange(request).await
    }

    /// The lines of the answer to a POST, as they come, and the name of the request.
    ///
    /// # Errors
    /// As [`get`](Self::get), all before the first line.
    pub(crate) async fn post_for_lines(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<(BoxStream<'static, Result<Bytes>>, String)> {
        let request = Request::new(Method::POST, self.url(path)?, Some(json(body)?));
        let mut attempts = Attempts::new(self.policy());
        let response = self.send(&request, &mut attempts).await?;
        let id = request.id.clone();
        let pieces = response
            .bytes_stream()
            .map_err(move |error| failure::of_network(error, &id));
        Ok((Lines::new(pieces).into_stream().boxed(), request.id))
    }

    fn url(&self, segments: &[&str]) -> Result<Url> {
        let mut url = self.server().clone();
        url.path_segments_mut()
            .map_err(|()| Error::Internal("the server has an address without a path".to_owned()))?
            .pop_if_empty()
            .push("v1")
            .extend(segments);
        Ok(url)
    }

    /// Sends a request and reads the answer as a whole.
    async fn exchange<T: DeserializeOwned>(&self, request: Request) -> Result<T> {
        let mut attempts = Attempts::new(self.policy());
        loop {
            let response = self.send(&request, &mut attempts).await?;
            match response.bytes().await {
                Ok(body) => {
                    return serde_json::from_slice(&body)
                        .map_err(|error| failure::unreadable(&error, &request.id));
                }
                Err(error) => self.pause(error, &request, &mut attempts).await?,
            }
        }
    }

    /// Sends a request until there is an answer to be read: no request changes anything, so that
    /// each may be sent again.
    async fn send(&self, request: &Request, attempts: &mut Attempts) -> Result<Response> {
        loop {
            let response = match self.send_once(request).await {
                Ok(response) => response,
                Err(error) => {
                    self.pause(error, request, attempts).await?;
                    continue;
                }
            };
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            if let Some(pause) = attempts.after_answer(status, response.headers()) {
                tracing::debug!(%status, ?pause, request = request.id, "the server is busy");
                drop(response);
                tokio::time::sleep(pause).await;
                continue;
            }
            if let Some(error) = self.credentials().refusal(status) {
                return Err(error);
            }
            let body = response.bytes().await.unwrap_or_default();
            return Err(failure::of_answer(status, &body, &request.id));
        }
    }

    async fn send_once(&self, request: &Request) -> reqwest::Result<Response> {
        let mut builder = self
            .http()
            .request(request.method.clone(), request.url.clone())
            .header(CLIENT_REQUEST_ID_HEADER, &request.id)
            .header(ACCEPT, "application/json, application/jsonlines");
        if let Some(token) = self.credentials().for_server() {
            builder = builder.header(AUTHORIZATION, token.clone());
        }
        if let Some(body) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        builder.send().await
    }

    /// Waits after a failure of the network, unless there were too many.
    async fn pause(
        &self,
        error: reqwest::Error,
        request: &Request,
        attempts: &mut Attempts,
    ) -> Result<()> {
        // Who has been silent for long will be silent again.
        let pause = if error.is_timeout() && !error.is_connect() {
            None
        } else {
            attempts.after_failure()
        };
        let error = failure::of_network(error, &request.id);
        let Some(pause) = pause else {
            return Err(error);
        };
        tracing::debug!(%error, ?pause, "trying again");
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

impl Request {
    fn new(method: Method, url: Url, body: Option<Bytes>) -> Self {
        Self {
            method,
            url,
            body,
            id: Uuid::new_v4().to_string(),
        }
    }
}

fn json(body: &impl Serialize) -> Result<Bytes> {
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|error| Error::Internal(format!("writing a request: {error}")))
}
