//! S3 object stores.
//!
//! Addresses are `s3://bucket/key` and `s3://profile@bucket/key`. The endpoint comes from
//! `LSST_RESOURCES_S3_PROFILE_<profile>` or `S3_ENDPOINT_URL`
//! (`https://key:secret@host/`, the keys optional), else from the AWS configuration. Custom
//! endpoints are addressed path-style, and checksums beyond those which S3 itself requires are
//! neither sent nor asked for, since many servers other than Amazon's refuse them.
//!
//! Objects appear whole or not at all; large ones are sent in parts. Refusing to overwrite is a
//! check before the write, so of two writers at the same moment the later wins.

mod client;
mod credentials;
mod endpoint;
mod failure;
mod presign;
mod store;
mod write;

pub use client::S3Settings;
pub use presign::SignatureVersion;
pub use store::S3Store;
