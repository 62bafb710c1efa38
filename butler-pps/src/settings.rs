//! How the publication service is configured: by flags, by the environment (the variables of the
//! deployed service and some more), and by a file, in this order of precedence.

/// What is wrong with the settings, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(pub(crate) String);
