//! RemoteButler: repositories behind a Butler server.
//!
//! [`RemoteButler`] speaks the `v1` protocol to servers of this workspace and of the reference. It
//! is a [`Registry`](butler_core::registry::Registry), a
//! [`Datastore`](butler_core::datastore::Datastore) and a
//! [`QuerySource`](butler_core::query::QuerySource), so that
//! [`Butler`](butler_core::butler::Butler) works on it as on any other repository, and a
//! [`TransferSource`](butler_core::transfer::TransferSource), so that other repositories can take
//! datasets from it.
//!
//! Every error that comes from a server names the request as the server's logs do.

mod auth;
mod butler;
mod config;
mod connection;
mod datastore;
mod download;
mod expand;
mod failure;
mod files;
mod lines;
mod public_files;
mod queries;
mod registry;
mod retrieve;
mod retry;
mod transfer;
mod zip;

pub use auth::{AuthenticationMode, Credentials};
pub use butler::{RemoteButler, RemoteButlerFactory, RemoteOptions};
pub use config::RemoteConfig;
pub use datastore::RemoteDatastore;
pub use public_files::PublicFiles;
pub use queries::RemoteQueryDriver;
pub use registry::RemoteRegistry;
pub use retrieve::RetrieveOptions;
pub use retry::RetryPolicy;
