//! What is to become of datasets, by their type.
