//! The butler command.
