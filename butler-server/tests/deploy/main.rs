//! How the server is deployed, and how it stands up to those who reach it: the program in a process of its own.
#![allow(clippy::unwrap_used, missing_docs)]

mod charts;
mod checking;
mod guide;
mod http;
mod machines;
mod places;
mod rendered;
mod secrecy;
mod support;
