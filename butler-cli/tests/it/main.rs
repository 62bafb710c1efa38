//! Whole command lines: what they print, how they end, and what they do to a repository.
#![allow(clippy::unwrap_used, missing_docs)]

mod browser;
mod changing;
mod comparing;
mod demo;
mod documents;
mod failing;
mod files;
mod formats;
mod help;
mod listing;
mod serving;
mod support;
