//! The web app.

mod access;
mod api;
mod browser;
mod filled;
mod openapi;
mod running;
