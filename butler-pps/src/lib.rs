//! Publication of prompt data products: how datasets travel from Prompt Processing into the hands of
//! astronomers, and vanish when their time is over (technote DMTN-330).
//!
//! Two services share this crate and its command. The *Butler writer* ([`writer`]) takes what Prompt
//! Processing has made from Kafka into the embargo repository. The *publication service* takes it from
//! there to the public: [`inputs`] tell it of datasets, [`state`] remembers how far each one is,
//! [`policy`] says when and whether it goes on, [`tasks`] move it one step each, [`notify`] tells users
//! what is public now, and the [`scheduler`] runs them all. People look on, and give [`commands`],
//! through [`web`].
//!
//! Steps are joined by nothing but the state database. Each does something idempotent and then records
//! that it is done, so that the process may be killed at any point.

pub mod clock;
pub mod collections;
pub mod commands;
pub mod events;
pub mod inputs;
pub mod kafka;
pub mod notify;
pub mod policy;
pub mod repositories;
pub mod scheduler;
pub mod settings;
pub mod state;
pub mod tasks;
pub mod web;
pub mod writer;

mod backoff;
mod cli;
mod simulate;

pub use cli::run;
