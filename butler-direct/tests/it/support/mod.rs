//! Servers that tests need.

pub(crate) mod s3;
