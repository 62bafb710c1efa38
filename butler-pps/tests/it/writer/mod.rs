//! The Butler writer against a real broker and repositories.

mod agreement;
mod fencing;
pub(crate) mod fixture;
mod ingesting;
mod killing;
mod refusing;
mod running;
