//! Where the publication service learns of new datasets. All inputs are idempotent.

pub mod kafka;
