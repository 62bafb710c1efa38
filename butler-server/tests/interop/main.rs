//! The reference implementation's client and tests against the server, in processes of their own.
#![allow(clippy::unwrap_used, missing_docs)]

mod client;
mod conformance;
mod differential;
mod places;
mod requests;
mod separation;
