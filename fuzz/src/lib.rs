//! What the fuzz targets do. The tests of `butler-core` do it as well, with the seeds and mutations of them.

pub mod targets;
