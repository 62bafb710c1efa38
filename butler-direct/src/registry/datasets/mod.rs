//! Datasets: their insertion, membership in collections, look-up and removal.

mod associate;
pub(super) mod by_id;
mod certify;
pub(super) mod find;
mod implied;
mod import;
pub(super) mod lookup;
mod remove;
mod rows;
