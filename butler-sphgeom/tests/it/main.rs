//! Integration tests.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod differential;
mod properties;
