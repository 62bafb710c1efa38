//! Credentials that are asked for once in a while only.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::Mutex;

/// How long credentials are used that do not say when they expire: as long as the SDK does.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// How long before they expire others are asked for.
const MARGIN: Duration = Duration::from_secs(60);

/// Remembers what a provider gave until that is about to expire. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct CachedCredentials {
    provider: SharedCredentialsProvider,
    current: Arc<Mutex<Option<Current>>>,
}

#[derive(Debug)]
struct Current {
    credentials: Credentials,
    until: SystemTime,
}

impl CachedCredentials {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider,
            current: Arc::default(),
        }
    }

    async fn load(&self) -> aws_credential_types::provider::Result {
        let mut current = self.current.lock().await;
        let now = SystemTime::now();
        if let Some(known) = &*current
            && now < known.until
        {
            return Ok(known.credentials.clone());
        }
        let credentials = self.provider.provide_credentials().await?;
        let until = match credentials.expiry() {
            Some(expiry) => expiry - MARGIN,
            None => now + LIFETIME,
        };
        *current = Some(Current {
            credentials: credentials.clone(),
            until,
        });
        Ok(credentials)
    }

    /// The credentials, if there are any. Why there are none, the SDK tells better.
    pub(super) async fn get(&self) -> Option<Credentials> {
        self.load().await.ok()
    }
}

impl ProvideCredentials for CachedCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}
