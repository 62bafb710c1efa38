//! Where the publication service learns of new datasets: batches that the Butler writer announces
//! through Kafka, files in a directory that is looked at now and then, and collections of the embargo
//! repository by command. All of them come to [`Registrar`], and may come again.

pub mod collections;
pub mod directory;
pub mod kafka;
mod registrar;

pub use registrar::{Registered, Registrar};
