//! Batches that the Butler writer announces.
