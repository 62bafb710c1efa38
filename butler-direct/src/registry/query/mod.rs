//! Queries: from a query tree to rows.
//!
//! The way of a query: [`Catalogue`](catalogue::Catalogue) fetches, in one statement, what must be
//! known of collections and dataset types; [`Analysis`](analysis::Analysis) decides what the tree
//! means in this repository; [`Planner`](plan::Planner) makes one `SELECT` of it, with
//! [`Scope`](scope::Scope)s for everything that is joined; rows are streamed, pass the
//! [`Postprocessing`](postprocess::Postprocessing), and become pages of results.
//!
//! # Round trips
//!
//! - One statement for the catalogue, unless the query searches for no datasets; one more for each
//!   query in its predicate that does.
//! - One more for dataset types that are named for the first time, or have changed.
//! - One for each element whose records are fetched beforehand, if records are asked for.
//! - One for the rows, however many.
//!
//! Uploads and materializations need none of their own, apart from the query that is materialized.
//!
//! # Cancellation
//!
//! When a stream of pages or a future is dropped before its end, or the rest of the rows is of no
//! use, the connection is given back if the rest is short; if not, it is closed and the PostgreSQL
//! server told to stop, see [`Running`](running::Running).

mod analysis;
mod catalogue;
mod column;
mod datasets;
mod dimensions;
mod driver;
mod expression;
mod overlaps;
mod pages;
mod plan;
mod postprocess;
mod prepare;
mod rows;
mod running;
mod scope;
mod uploads;

pub use driver::SqlQueryDriver;
