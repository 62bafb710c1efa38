//! Finding, reading and completing the configuration of a repository, and writing that of a new
//! one.
//!
//! What a configuration *is* — the tree, its merging, the defaults — lives in
//! [`butler_core::config`]; this module brings in files, environment variables and credentials.

mod butler_config;
mod database_url;
mod db_auth;
mod fnmatch;
mod loader;
mod passfile;
mod repository_index;
mod search_path;
mod seed;

#[cfg(test)]
mod tests;

pub use butler_config::{ButlerConfig, ButlerKind, ConfigReader};
pub use database_url::{DatabaseUrl, PostgresUrl, Secret};
pub use db_auth::{Credentials, DbAuth};
pub use loader::ConfigLoader;
pub use repository_index::RepositoryIndex;
pub use search_path::LayeredDefaults;
pub use seed::{Seed, SeedOptions};
