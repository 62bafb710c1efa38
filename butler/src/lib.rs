//! Opens repositories, whatever kind they are of.
//!
//! [`open()`] takes the label of a repository, its directory, or the address of its configuration
//! file, and decides from that configuration whether it is reached through its database and files
//! or through a server. Services that act for many users open repositories by a
//! [`LabeledButlerFactory`].
//!
//! ```no_run
//! use butler::{OpenOptions, SimpleQuery};
//!
//! # async fn example() -> butler::Result<()> {
//! let options = OpenOptions::default().collections(["LSSTComCam/DP1"]);
//! let repository = butler::open("dp1", options).await?;
//! let butler = repository.reader();
//! for raw in butler.query_datasets("raw", None, &SimpleQuery::default()).await? {
//!     println!("{raw} is at {:?}", butler.uris(&raw).await?);
//! }
//! # Ok(())
//! # }
//! ```

mod factory;
mod open;
mod repository;

pub use butler_core::butler::Butler;
pub use butler_core::datasets::{DatasetRef, DatasetUri};
pub use butler_core::query::SimpleQuery;
pub use butler_core::{Error, Result};
pub use factory::{BoundFactory, LabeledButlerFactory};
pub use open::{OpenOptions, open, open_dataset_uri};
pub use repository::Repository;

/// The examples in the documents, which are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../docs/user-guide.md")]
struct Documents;
