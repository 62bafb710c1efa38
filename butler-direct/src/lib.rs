//! Direct access to Butler repositories: the SQL registry, the datastores, configuration and
//! files, and the operations that join them.
//!
//! ```no_run
//! use butler_core::dimensions::DataIdValue;
//! use butler_direct::{DirectButler, OpenOptions};
//!
//! # async fn example() -> butler_core::Result<()> {
//! let options = OpenOptions::default().collections(["LATISS/runs/test"]);
//! let butler = DirectButler::open("/repo/latiss", options).await?;
//! let data_id = [
//!     ("instrument", DataIdValue::from("LATISS")),
//!     ("visit", DataIdValue::from(2_022_110_800_235_i64)),
//!     ("detector", DataIdValue::from(0_i64)),
//! ];
//! let image = butler.require_dataset("calexp", data_id, None, None).await?;
//! println!("{image} has {} bytes", butler.get_bytes(&image).await?.len());
//! # Ok(())
//! # }
//! ```

pub mod butler;
pub mod cache;
pub mod config;
pub mod datastores;
pub mod db;
pub mod ops;
pub mod registry;
pub mod resource;

pub use butler::{DirectButler, OpenOptions};
pub use butler_core::environment;
