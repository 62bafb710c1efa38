//! Whole command lines: what they print, how they end, and what they do to a repository.
#![allow(clippy::unwrap_used, missing_docs)]

mod changing;
mod comparing;
mod failing;
mod files;
mod formats;
mod help;
mod listing;
mod serving;
mod support;
