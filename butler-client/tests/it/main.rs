//! What a client does when servers and networks do not do what they should.
#![allow(clippy::unwrap_used, missing_docs)]

mod downloads;
mod requests;
mod scripted;
mod streams;
