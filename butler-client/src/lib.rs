//! RemoteButler: repositories behind a Butler server.
