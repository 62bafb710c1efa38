//! The web app for Data Curation: a page, and the JSON API that it and others use.
//!
//! It looks at the state database and gives commands through it, as the command line does; it touches no
//! repository, and no task. So it serves as well where another instance is active.
//!
//! One file per resource, with what travels beside the handlers. Who somebody is, the server's
//! authentication says. Commands need membership in a group, a confirmation that repeats what is
//! commanded, and must not come from another site.

mod access;
mod ages;
mod app;
mod audit;
mod commands;
mod counts;
mod datasets;
mod error;
mod health;
mod holds;
mod metrics;
mod models;
mod openapi;
mod overview;
mod pages;
mod problems;
mod router;
mod settings;
mod tasks;
mod throughput;
mod user;
mod webhooks;

pub use app::WebApp;
pub use openapi::text as openapi_text;
pub use router::{PREFIX, health_router, router};
pub use settings::{WebOptions, WebSettings};
