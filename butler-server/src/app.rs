//! What all routes share.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use butler_core::error::{Error, Result};
use bytes::Bytes;
use futures::future::try_join_all;
use serde_json::json;

use crate::auth::Authenticator;
use crate::file_urls::FileUrls;
use crate::limits::QueryLimits;
use crate::observability::metrics::Metrics;
use crate::repositories::Served;
use crate::settings::Settings;

/// The server: settings, repositories and what keeps order. Clones share everything.
#[derive(Debug, Clone)]
pub struct App {
    shared: Arc<Shared>,
}

/// What clones of an [`App`] share.
#[derive(Debug)]
pub struct Shared {
    /// The settings.
    pub settings: Settings,
    /// The repositories by label.
    pub repositories: BTreeMap<String, Arc<Served>>,
    /// Who may do what.
    pub authenticator: Authenticator,
    /// How many queries stream.
    pub limits: QueryLimits,
    /// What is counted.
    pub metrics: Metrics,
    /// URLs of files on disk.
    pub file_urls: FileUrls,
    /// The body of `butler.yaml`, which is the same for all repositories.
    pub client_config: Bytes,
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl App {
    /// Opens all repositories. One whose database does not answer is opened later.
    ///
    /// # Errors
    /// A repository can never be opened as it is; the message names it.
    pub async fn open(settings: Settings) -> Result<Self> {
        let repositories = try_join_all(settings.repositories.iter().map(|(name, given)| {
            let settings = &settings;
            async move {
                let opened = Served::open(name, given, settings).await;
                let opened = opened.map_err(|error| {
                    Error::Configuration(format!(
                        "repository '{name}' ({}): {error}",
                        given.config_uri
                    ))
                });
                Ok::<_, Error>((name.clone(), opened?))
            }
        }));
        let (repositories, authenticator) =
            tokio::try_join!(repositories, Authenticator::new(&settings))?;
        let client_config = json!({
            "cls": "lsst.daf.butler.remote_butler.RemoteButler",
            "remote_butler": {
                "url": "<butlerRoot>",
                "authentication": settings.file_access.name(),
            },
        });
        let limits = QueryLimits::new(
            settings.max_streaming_queries,
            settings.max_user_queries,
            settings.retry_after_seconds,
        );
        let shared = Shared {
            repositories: repositories.into_iter().collect(),
            authenticator,
            metrics: Metrics::new(limits.clone()),
            limits,
            file_urls: FileUrls::new(settings.url_signing_key.as_deref()),
            client_config: client_config.to_string().into(),
            settings,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }
}
