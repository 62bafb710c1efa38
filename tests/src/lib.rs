//! Support for tests of several crates: a PostgreSQL schema of one's own, an S3 server, a browser, and the
//! reference implementation in Python.
//!
//! `cargo xtask test` provides what these need through environment variables; a test that runs without it
//! fails and says so. The library knows nothing of the butler crates, so their own tests may use it.
//!
//! Support stops the test with a panic whose message says what is wrong: there is nobody to return an error
//! to.

pub mod browser;
pub mod canonical;
pub mod faults;
pub mod kafka;
pub mod meter;
pub mod ports;
pub mod postgres;
pub mod python;
pub mod s3;
pub mod server;
pub mod settings;

/// Reads a variable that `cargo xtask test` sets.
///
/// # Panics
/// When it is not set.
fn provided(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests with `cargo xtask test`, which sets it up")
    })
}
