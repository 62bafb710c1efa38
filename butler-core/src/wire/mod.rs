//! What travels between servers and clients.

pub mod pages;
