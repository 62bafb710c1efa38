//! The Butler writer against a real broker and repositories.

mod agreement;
mod fencing;
mod fixture;
mod ingesting;
mod killing;
mod refusing;
mod running;
