//! The Butler server: repositories over REST, read-only.
