//! [`ResourceStore`] for S3.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::{ByteStream as Body, DateTime};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use super::client::{Clients, S3Client, S3Settings};
use super::endpoint::{is_valid_bucket, validates_buckets};
use super::failure::{status, translate};
use super::write::{copy_parts, copy_source, put, put_stream};
use crate::environment::Environment;
use crate::resource::error::Result;
use crate::resource::store::{ByteStream, ResourceInfo, ResourceStore, Signer};
use crate::resource::{ResourceError, ResourcePath, WORKERS, quoting};

/// The most keys one request can delete.
const DELETE_BATCH: usize = 1000;

/// How often a download that breaks off is taken up again where it stopped.
const RESUMES: u32 = 4;

/// Every S3 server that addresses may name.
#[derive(Clone, Debug)]
pub struct S3Store {
    clients: Arc<Clients>,
}

/// An object in a bucket.
#[derive(Clone, Debug)]
pub(super) struct ObjectKey {
    pub(super) uri: ResourcePath,
    pub(super) bucket: String,
    pub(super) key: String,
}

impl S3Store {
    /// Servers and credentials are taken from the environment when they are first needed.
    pub fn new(environment: Environment, settings: S3Settings) -> Self {
        Self {
            clients: Arc::new(Clients::new(environment, settings)),
        }
    }

    async fn locate(&self, uri: &ResourcePath) -> Result<(Arc<S3Client>, ObjectKey)> {
        let (Some(bucket), Some(key)) = (uri.s3_bucket(), uri.s3_key()) else {
            return Err(ResourceError::UnsupportedScheme {
                scheme: uri.scheme().as_str().to_owned(),
                uri: uri.to_string(),
            });
        };
        if !is_valid_bucket(bucket) && validates_buckets(self.clients.environment()) {
            return Err(ResourceError::invalid(
                uri.to_string(),
                "bucket names consist of letters, digits, '.', '-' and '_' (set \
                 LSST_DISABLE_BUCKET_VALIDATION=1 for a server with other rules)",
            ));
        }
        let client = self.clients.get(uri.s3_profile()).await?;
        Ok((
            client,
            ObjectKey {
                uri: uri.clone(),
                bucket: bucket.to_owned(),
                key,
            },
        ))
    }

    /// Copies an object of `size` bytes inside the server in parts, which objects beyond 5 GiB
    /// need. [`ResourceStore::copy`] does so by itself when the server asks for it.
    pub async fn copy_in_parts(
        &self,
        from: &ResourcePath,
        to: &ResourcePath,
        size: u64,
        part_size: u64,
    ) -> Result<()> {
        let (client, source) = self.locate(from).await?;
        let (_, target) = self.locate(to).await?;
        copy_parts(&client.client, &source, &target, size, part_size).await
    }

    async fn bucket_exists(&self, client: &S3Client, object: &ObjectKey) -> Result<bool> {
        match client
            .client
            .head_bucket()
            .bucket(&object.bucket)
            .send()
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if status(&error) == Some(404) => Ok(false),
            Err(error) => Err(translate(&object.uri, "look for", error)),
        }
    }

    /// Whether a directory exists: it does when an object lies in it or marks it.
    async fn prefix_exists(&self, client: &S3Client, object: &ObjectKey) -> Result<bool> {
        if object.key.is_empty() {
            return self.bucket_exists(client, object).await;
        }
        let listed = client
            .client
            .list_objects_v2()
            .bucket(&object.bucket)
            .prefix(&object.key)
            .max_keys(1)
            .send()
            .await;
        match listed {
            Ok(page) => Ok(page.contents.is_some_and(|found| !found.is_empty())),
            Err(error) if status(&error) == Some(404) => Ok(false),
            Err(error) => Err(translate(&object.uri, "look for", error)),
        }
    }

    async fn refuse_existing(&self, uri: &ResourcePath, overwrite: bool) -> Result<()> {
        if !overwrite && self.exists(uri).await? {
            return Err(ResourceError::AlreadyExists {
                uri: uri.to_string(),
            });
        }
        Ok(())
    }

    /// Deletes keys of one bucket and returns the refusals by key.
    async fn delete_keys(
        &self,
        uris: &[&ResourcePath],
    ) -> Result<HashMap<String, (String, String)>> {
        let Some(first) = uris.first() else {
            return Ok(HashMap::new());
        };
        let (client, object) = self.locate(first).await?;
        let keys = uris
            .iter()
            .filter_map(|uri| uri.s3_key())
            .map(|key| ObjectIdentifier::builder().key(key).build())
            .collect::<Result<Vec<_>, _>>()
            .and_then(|keys| {
                Delete::builder()
                    .set_objects(Some(keys))
                    .quiet(true)
                    .build()
            })
            .map_err(|error| ResourceError::invalid(first.to_string(), error.to_string()))?;
        let answer = client
            .client
            .delete_objects()
            .bucket(&object.bucket)
            .delete(keys)
            .send()
            .await
            .map_err(|error| translate(&first.root(), "delete from", error))?;
        Ok(answer
            .errors
            .unwrap_or_default()
            .into_iter()
            .map(|e| {
                let code = e.code.unwrap_or_default();
                (
                    e.key.unwrap_or_default(),
                    (code, e.message.unwrap_or_default()),
                )
            })
            .collect())
    }
}

#[async_trait]
impl ResourceStore for S3Store {
    async fn info(&self, uri: &ResourcePath) -> Result<ResourceInfo> {
        let (client, object) = self.locate(uri).await?;
        if object.key.is_empty() || uri.is_directory() == Some(true) {
            return match self.prefix_exists(&client, &object).await? {
                true => Ok(ResourceInfo {
                    uri: uri.clone(),
                    size: 0,
                    modified: None,
                    is_directory: true,
                }),
                false => Err(ResourceError::NotFound {
                    uri: uri.to_string(),
                }),
            };
        }
        let found = client
            .client
            .head_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .send()
            .await
            .map_err(|error| translate(uri, "inspect", error))?;
        Ok(ResourceInfo {
            uri: uri.clone(),
            size: length(found.content_length),
            modified: found.last_modified.and_then(time),
            is_directory: false,
        })
    }

    async fn read_stream(
        &self,
        uri: &ResourcePath,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream> {
        let (client, object) = self.locate(uri).await?;
        Download::begin(client, object, range)
            .await
            .map(Download::stream)
    }

    async fn write(&self, uri: &ResourcePath, data: Bytes, overwrite: bool) -> Result<()> {
        if data.len() > self.clients.settings().part_size {
            let stream = futures::stream::once(async { Ok(data) }).boxed();
            return self.write_stream(uri, stream, overwrite).await.map(drop);
        }
        let (client, object) = self.locate_file(uri).await?;
        self.refuse_existing(uri, overwrite).await?;
        put(&client.client, &object, data).await.map(drop)
    }

    async fn write_stream(
        &self,
        uri: &ResourcePath,
        data: ByteStream,
        overwrite: bool,
    ) -> Result<u64> {
        let (client, object) = self.locate_file(uri).await?;
        self.refuse_existing(uri, overwrite).await?;
        put_stream(&client.client, &object, data, self.clients.settings()).await
    }

    async fn copy(&self, from: &ResourcePath, to: &ResourcePath, overwrite: bool) -> Result<bool> {
        let (client, source) = self.locate_file(from).await?;
        let (other, target) = self.locate_file(to).await?;
        if client.endpoint != other.endpoint {
            return Ok(false);
        }
        self.refuse_existing(to, overwrite).await?;
        let copied = client
            .client
            .copy_object()
            .copy_source(copy_source(&source))
            .bucket(&target.bucket)
            .key(&target.key)
            .send()
            .await;
        let error = match copied {
            Ok(_) => return Ok(true),
            Err(error) => error,
        };
        // Servers refuse objects beyond 5 GiB here, each with a code of its own.
        const SINGLE: u64 = 5 << 30;
        if status(&error).is_some_and(|s| s == 400 || s == 413) {
            let size = self.size(from).await?;
            if size > SINGLE {
                copy_parts(&client.client, &source, &target, size, 512 << 20).await?;
                return Ok(true);
            }
        }
        Err(translate(from, "copy", error))
    }

    async fn delete(&self, uri: &ResourcePath) -> Result<()> {
        let (client, object) = self.locate(uri).await?;
        client
            .client
            .delete_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .send()
            .await
            .map_err(|error| translate(uri, "delete", error))?;
        Ok(())
    }

    async fn delete_many(&self, uris: &[ResourcePath]) -> Vec<Result<()>> {
        let mut buckets: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, uri) in uris.iter().enumerate() {
            buckets.entry(uri.authority()).or_default().push(at);
        }
        let batches: Vec<Vec<usize>> = buckets
            .values()
            .flat_map(|b| b.chunks(DELETE_BATCH))
            .map(<[_]>::to_vec)
            .collect();
        let outcomes: Vec<Vec<(usize, Result<()>)>> = futures::stream::iter(batches)
            .map(|batch| async move {
                let members: Vec<&ResourcePath> = batch.iter().map(|&at| &uris[at]).collect();
                let answer = self.delete_keys(&members).await;
                batch
                    .into_iter()
                    .map(|at| (at, outcome(&uris[at], &answer)))
                    .collect()
            })
            .buffer_unordered(WORKERS)
            .collect()
            .await;
        let mut ordered: Vec<(usize, Result<()>)> = outcomes.into_iter().flatten().collect();
        ordered.sort_by_key(|(at, _)| *at);
        ordered.into_iter().map(|(_, result)| result).collect()
    }

    fn list(&self, directory: &ResourcePath) -> BoxStream<'static, Result<ResourceInfo>> {
        let (store, directory) = (self.clone(), directory.clone());
        futures::stream::once(async move {
            let (client, object) = store.locate(&directory).await?;
            let prefix = match object.key.as_str() {
                "" => String::new(),
                key if key.ends_with('/') => key.to_owned(),
                key => format!("{key}/"),
            };
            let pages = client
                .client
                .list_objects_v2()
                .bucket(&object.bucket)
                .prefix(prefix)
                .into_paginator()
                .send();
            let root = directory.root();
            let failed = directory.clone();
            let pages = futures::stream::unfold(pages, |mut pages| async move {
                pages.next().await.map(|page| (page, pages))
            });
            Ok(pages
                .map_err(move |error| translate(&failed, "list", error))
                .map_ok(move |page| {
                    let root = root.clone();
                    let found = page.contents.unwrap_or_default();
                    futures::stream::iter(found.into_iter().filter_map(move |object| {
                        let key = object.key?;
                        // Keys ending in a separator only mark directories.
                        (!key.ends_with('/')).then(|| {
                            Ok(ResourceInfo {
                                uri: root.with_key(&key),
                                size: length(object.size),
                                modified: object.last_modified.and_then(time),
                                is_directory: false,
                            })
                        })
                    }))
                })
                .try_flatten())
        })
        .try_flatten()
        .boxed()
    }

    async fn make_directory(&self, uri: &ResourcePath) -> Result<()> {
        let directory = uri.as_directory()?;
        let (client, object) = self.locate(&directory).await?;
        if !self.bucket_exists(&client, &object).await? {
            return Err(ResourceError::NotFound {
                uri: uri.root().to_string(),
            });
        }
        if object.key.is_empty() {
            return Ok(());
        }
        // An empty object marks the directory, for readers that look for one.
        put(&client.client, &object, Bytes::new()).await.map(drop)
    }
}

#[async_trait]
impl Signer for S3Store {
    async fn presign_get(&self, uri: &ResourcePath, valid_for: Duration) -> Result<String> {
        let (client, object) = self.locate_file(uri).await?;
        let now = SystemTime::now();
        let address = match self.presign_here(&client, &object, now, valid_for).await? {
            Some(address) => address,
            None => presign_by_sdk(&client, &object, now, valid_for).await?,
        };
        Ok(with_fragment(uri, address))
    }

    async fn presign_put(&self, uri: &ResourcePath, valid_for: Duration) -> Result<String> {
        let (client, object) = self.locate_file(uri).await?;
        let request = client.client.put_object();
        let request = request.bucket(&object.bucket).key(&object.key);
        let validity = validity(uri, SystemTime::now(), valid_for)?;
        let request = signed(uri, request.presigned(validity).await)?;
        Ok(with_fragment(uri, request.uri().to_owned()))
    }
}

impl S3Store {
    /// The address of an object, signed without the SDK; none if only the SDK can do so.
    async fn presign_here(
        &self,
        client: &S3Client,
        object: &ObjectKey,
        now: SystemTime,
        valid_for: Duration,
    ) -> Result<Option<String>> {
        // The SDK refuses what is too short or too long.
        validity(&object.uri, now, valid_for)?;
        let Some(presigner) = &client.presigner else {
            return Ok(None);
        };
        let (name, key) = (&object.bucket, &object.key);
        let bucket = match presigner.bucket(name) {
            Some(bucket) => bucket,
            None => {
                let address = presign_by_sdk(client, object, now, valid_for).await?;
                presigner.learn(name, key, &address, now, valid_for).await
            }
        };
        let Some(bucket) = bucket else {
            return Ok(None);
        };
        let version = self.clients.settings().signature_version;
        Ok(presigner.sign(version, &bucket, key, now, valid_for).await)
    }

    async fn locate_file(&self, uri: &ResourcePath) -> Result<(Arc<S3Client>, ObjectKey)> {
        let (client, object) = self.locate(uri).await?;
        if object.key.is_empty() || uri.is_directory() == Some(true) {
            return Err(ResourceError::IsADirectory {
                uri: uri.to_string(),
            });
        }
        Ok((client, object))
    }
}

impl ResourcePath {
    /// The object with this key in the same bucket.
    fn with_key(&self, key: &str) -> Self {
        Self {
            path: format!("/{}", quoting::quote(key)),
            directory: Some(false),
            ..self.without_fragment()
        }
    }
}

/// A download that survives broken connections.
struct Download {
    client: Arc<S3Client>,
    object: ObjectKey,
    body: Body,
    tag: Option<String>,
    /// The bytes still to come, as positions in the object.
    rest: Range<u64>,
    expected: u64,
    resumes: u32,
}

impl Download {
    async fn begin(
        client: Arc<S3Client>,
        object: ObjectKey,
        range: Option<Range<u64>>,
    ) -> Result<Self> {
        if object.key.is_empty() {
            return Err(ResourceError::IsADirectory {
                uri: object.uri.to_string(),
            });
        }
        let request = client
            .client
            .get_object()
            .bucket(&object.bucket)
            .key(&object.key);
        let wanted = range
            .as_ref()
            .map(|r| format!("bytes={}-{}", r.start, r.end.max(1) - 1));
        let answer = request
            .set_range(wanted)
            .send()
            .await
            .map_err(|error| match &range {
                Some(range) if status(&error) == Some(416) => ResourceError::Truncated {
                    uri: object.uri.to_string(),
                    expected: range.end - range.start,
                    received: 0,
                },
                _ => translate(&object.uri, "read", error),
            })?;
        let expected = length(answer.content_length);
        let start = range.map_or(0, |r| r.start);
        Ok(Self {
            client,
            object,
            body: answer.body,
            tag: answer.e_tag,
            rest: start..start + expected,
            expected,
            resumes: 0,
        })
    }

    fn stream(self) -> ByteStream {
        futures::stream::try_unfold(self, |mut download| async move {
            Ok(download.next().await?.map(|chunk| (chunk, download)))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let broken = match self.body.next().await {
                Some(Ok(chunk)) => {
                    self.rest.start += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                None if self.rest.start >= self.rest.end => return Ok(None),
                None => None,
                Some(Err(error)) => Some(error),
            };
            tracing::debug!(uri = %self.object.uri, at = self.rest.start, "download broke off");
            if self.resumes == RESUMES || self.tag.is_none() {
                let received = self.expected - (self.rest.end - self.rest.start);
                return Err(match broken {
                    Some(error) if received == self.expected => ResourceError::Remote {
                        uri: self.object.uri.to_string(),
                        operation: "read",
                        detail: error.to_string(),
                        source: Some(Box::new(error)),
                    },
                    _ => ResourceError::Truncated {
                        uri: self.object.uri.to_string(),
                        expected: self.expected,
                        received,
                    },
                });
            }
            self.resumes += 1;
            self.resume().await?;
        }
    }

    async fn resume(&mut self) -> Result<()> {
        let answer = self
            .client
            .client
            .get_object()
            .bucket(&self.object.bucket)
            .key(&self.object.key)
            .range(format!("bytes={}-{}", self.rest.start, self.rest.end - 1))
            .set_if_match(self.tag.clone())
            .send()
            .await
            .map_err(|error| translate(&self.object.uri, "read", error))?;
        self.body = answer.body;
        Ok(())
    }
}

fn outcome(uri: &ResourcePath, answer: &Result<HashMap<String, (String, String)>>) -> Result<()> {
    let detail = match answer {
        Ok(refused) => match uri.s3_key().and_then(|key| refused.get(&key)) {
            None => return Ok(()),
            Some((code, _)) if code == "NoSuchKey" => return Ok(()),
            Some((code, message)) => format!("{code}, {message}"),
        },
        Err(ResourceError::NotFound { uri }) => {
            return Err(ResourceError::NotFound { uri: uri.clone() });
        }
        Err(ResourceError::PermissionDenied { detail, .. }) => {
            return Err(ResourceError::PermissionDenied {
                uri: uri.to_string(),
                operation: "delete",
                detail: detail.clone(),
            });
        }
        Err(error) => error.to_string(),
    };
    Err(ResourceError::Remote {
        uri: uri.to_string(),
        operation: "delete",
        detail,
        source: None,
    })
}

async fn presign_by_sdk(
    client: &S3Client,
    object: &ObjectKey,
    now: SystemTime,
    valid_for: Duration,
) -> Result<String> {
    let request = client.client.get_object();
    let request = request.bucket(&object.bucket).key(&object.key);
    let validity = validity(&object.uri, now, valid_for)?;
    let signed = signed(&object.uri, request.presigned(validity).await)?;
    Ok(signed.uri().to_owned())
}

fn validity(uri: &ResourcePath, from: SystemTime, valid_for: Duration) -> Result<PresigningConfig> {
    let validity = PresigningConfig::builder().start_time(from);
    validity
        .expires_in(valid_for)
        .build()
        .map_err(|error| ResourceError::Unsupported {
            uri: uri.to_string(),
            operation: "sign an address for",
            reason: error.to_string(),
        })
}

fn signed<E>(
    uri: &ResourcePath,
    outcome: std::result::Result<PresignedRequest, SdkError<E>>,
) -> Result<PresignedRequest>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    outcome.map_err(|error| translate(uri, "sign an address for", error))
}

/// A signed address with the fragment of the unsigned one.
fn with_fragment(uri: &ResourcePath, address: String) -> String {
    match uri.fragment() {
        "" => address,
        fragment => format!("{address}#{fragment}"),
    }
}

fn length(value: Option<i64>) -> u64 {
    value.and_then(|v| u64::try_from(v).ok()).unwrap_or(0)
}

fn time(at: DateTime) -> Option<SystemTime> {
    SystemTime::try_from(at).ok()
}
