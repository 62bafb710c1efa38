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
//! One statement for the catalogue, unless the query searches for no datasets; one for each
//! element whose records are fetched beforehand, if records are asked for; one for the rows. The
//! first query that names a dataset type needs one more, to learn of it.

mod analysis;
mod catalogue;
mod column;
mod datasets;
mod dimensions;
mod driver;
mod expression;
mod overlaps;
mod plan;
mod postprocess;
mod prepare;
mod rows;
mod scope;
mod uploads;

pub use driver::SqlQueryDriver;
