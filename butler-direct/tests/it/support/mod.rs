//! Servers that tests need.

pub(crate) mod http;
pub(crate) mod s3;
