//! Queries as values: nothing here opens a repository.

pub mod language;
