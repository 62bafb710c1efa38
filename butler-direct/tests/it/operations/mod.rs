//! Operations on whole repositories, on both databases.

mod atomic;
mod concurrent;
pub(crate) mod fixture;
mod plans;
mod sharing;
mod statements;
mod universes;
mod validating;
mod zips;
