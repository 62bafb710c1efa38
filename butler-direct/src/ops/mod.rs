//! What is done with whole repositories: each file is one operation of
//! [`DirectButler`](crate::butler::DirectButler).

pub mod compatibility;
pub mod create;
mod definitions;
pub mod existence;
pub mod export;
pub mod get;
pub mod import;
pub mod in_place;
pub mod ingest;
pub mod prune;
pub mod put;
pub mod records;
pub mod retrieve_zip;
mod settle;
pub mod transfer;
pub mod validate;
