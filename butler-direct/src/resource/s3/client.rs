//! S3 clients, one for each server and identity.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::{
    EnvConfigFileKind as ProfileFileKind, EnvConfigFiles as ProfileFiles,
};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction, RetryConfig};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Region, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};

use super::credentials::CachedCredentials;
use super::endpoint::Endpoint;
use super::presign::{Presigner, SignatureVersion};
use crate::environment::Environment;
use crate::resource::error::Result;

/// How S3 servers are used.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// Objects larger than this many bytes are sent in parts of this size (at least 5 MiB for
    /// Amazon's servers, which take at most 10,000 parts).
    pub part_size: usize,
    /// Parts of one object under way at once. Together they bound the memory a write needs.
    pub parallel_parts: usize,
    /// How often a request is tried before its failure is reported.
    pub max_attempts: u32,
    /// How addresses for reading are signed.
    pub signature_version: SignatureVersion,
}

impl Default for S3Settings {
    fn default() -> Self {
        Self {
            part_size: 16 << 20,
            parallel_parts: 4,
            max_attempts: 6,
            signature_version: SignatureVersion::default(),
        }
    }
}

/// A client and what distinguishes it from others.
#[derive(Debug)]
pub(super) struct S3Client {
    pub(super) endpoint: Endpoint,
    pub(super) client: Client,
    /// None if there is nowhere to take credentials from.
    pub(super) presigner: Option<Presigner>,
}

/// The clients in use, made when first needed.
#[derive(Debug)]
pub(super) struct Clients {
    environment: Environment,
    settings: S3Settings,
    made: Mutex<HashMap<Endpoint, Arc<S3Client>>>,
}

impl Clients {
    pub(super) fn new(environment: Environment, settings: S3Settings) -> Self {
        Self {
            environment,
            settings,
            made: Mutex::default(),
        }
    }

    pub(super) fn settings(&self) -> &S3Settings {
        &self.settings
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The client for a profile.
    pub(super) async fn get(&self, profile: Option<&str>) -> Result<Arc<S3Client>> {
        let endpoint = Endpoint::find(&self.environment, profile)?;
        let lock = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = lock().get(&endpoint) {
            return Ok(found.clone());
        }
        let made = Arc::new(self.connect(&endpoint).await);
        // Two tasks may have raced here; everybody uses the one that came first.
        Ok(lock().entry(endpoint).or_insert(made).clone())
    }

    async fn connect(&self, endpoint: &Endpoint) -> S3Client {
        let files = self.profile_files();
        let profile = endpoint
            .profile
            .clone()
            .or_else(|| self.environment.get("AWS_PROFILE"));
        let region = self.region(&files, profile.as_deref()).await;
        let credentials = self.credentials(endpoint, &files, profile.as_deref());
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .profile_files(files)
            .region(region);
        if let Some(name) = profile {
            loader = loader.profile_name(name);
        }
        if let Some(credentials) = credentials {
            loader = loader.credentials_provider(credentials);
        }
        let shared = loader.load().await;
        let path_style = endpoint.url.is_some() || shared.endpoint_url().is_some();
        let mut config = aws_sdk_s3::config::Builder::from(&shared)
            .force_path_style(path_style)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_config(
                RetryConfig::standard().with_max_attempts(self.settings.max_attempts.max(1)),
            )
            .retry_classifier(TooManyRequests)
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(10))
                    .read_timeout(Duration::from_secs(180))
                    .build(),
            )
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled()
                    .grace_period(Duration::from_secs(60))
                    .build(),
            );
        if let Some(url) = &endpoint.url {
            config = config.endpoint_url(url);
        }
        let credentials = shared.credentials_provider().map(CachedCredentials::new);
        if let Some(credentials) = &credentials {
            config = config.credentials_provider(credentials.clone());
        }
        S3Client {
            endpoint: endpoint.clone(),
            client: Client::from_conf(config.build()),
            presigner: credentials.map(Presigner::new),
        }
    }

    fn profile_files(&self) -> ProfileFiles {
        let mut files = ProfileFiles::builder();
        for (variable, kind) in [
            ("AWS_CONFIG_FILE", ProfileFileKind::Config),
            ("AWS_SHARED_CREDENTIALS_FILE", ProfileFileKind::Credentials),
        ] {
            let named = self.environment.get_non_empty(variable);
            files = match (named, kind) {
                (Some(path), kind) => files.with_file(kind, path),
                (None, ProfileFileKind::Config) => files.include_default_config_file(true),
                (None, _) => files.include_default_credentials_file(true),
            };
        }
        files.build()
    }

    async fn region(&self, files: &ProfileFiles, profile: Option<&str>) -> Region {
        for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            if let Some(name) = self.environment.get_non_empty(variable) {
                return Region::new(name);
            }
        }
        let mut provider = ProfileFileRegionProvider::builder().profile_files(files.clone());
        if let Some(name) = profile {
            provider = provider.profile_name(name);
        }
        // What servers other than Amazon's expect in signatures when nothing is configured.
        provider
            .build()
            .region()
            .await
            .unwrap_or(Region::from_static("us-east-1"))
    }

    /// Where credentials come from; `None` for the AWS SDK's own search. Keys in the endpoint's
    /// address come first. A profile that was asked for goes before keys in the environment.
    fn credentials(
        &self,
        endpoint: &Endpoint,
        files: &ProfileFiles,
        profile: Option<&str>,
    ) -> Option<SharedCredentialsProvider> {
        if let Some((id, secret)) = &endpoint.keys {
            let keys = Credentials::new(id, secret, None, None, "endpoint address");
            return Some(SharedCredentialsProvider::new(keys));
        }
        let variable = |name| self.environment.get_non_empty(name);
        if endpoint.profile.is_none()
            && let (Some(id), Some(secret)) = (
                variable("AWS_ACCESS_KEY_ID"),
                variable("AWS_SECRET_ACCESS_KEY"),
            )
        {
            let token = variable("AWS_SESSION_TOKEN");
            let keys = Credentials::new(id, secret, token, None, "environment");
            return Some(SharedCredentialsProvider::new(keys));
        }
        let is_process = matches!(self.environment, Environment::Process);
        if is_process && endpoint.profile.is_none() {
            return None;
        }
        let mut provider = ProfileFileCredentialsProvider::builder().profile_files(files.clone());
        if let Some(name) = profile {
            provider = provider.profile_name(name);
        }
        Some(SharedCredentialsProvider::new(provider.build()))
    }
}

/// Tries again when a server is too busy: the SDK knows the error codes of Amazon's servers
/// for that, but not the plain HTTP status 429.
#[derive(Debug)]
struct TooManyRequests;

impl ClassifyRetry for TooManyRequests {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response() {
            Some(response) if response.status().as_u16() == 429 => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "HTTP status 429"
    }
}
