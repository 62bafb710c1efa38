//! Behaviour of the vocabulary, judged by what the Python package says.
#![allow(clippy::unwrap_used)]

mod corpora;
mod data_ids;
mod datasets;
mod exports;
mod expressions;
mod files;
mod groups;
mod mutations;
mod pages;
mod query_api;
mod query_fake;
mod query_hostile;
mod query_simple;
mod query_steps;
mod query_trees;
mod storage;
mod support;
mod times;
mod timespans;
mod universes;
mod yaml;
