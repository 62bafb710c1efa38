//! How commands fail: one line.

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

/// What commands return.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command ends without success.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    /// A failure that a message describes.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// Says on standard error what went wrong, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let lines: Vec<&str> = self.0.lines().map(str::trim).collect();
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(io::stderr().lock(), "butler-pps: {}", lines.join("; "));
        ExitCode::FAILURE
    }
}

impl From<butler_core::Error> for Failure {
    fn from(error: butler_core::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<crate::settings::SettingsError> for Failure {
    fn from(error: crate::settings::SettingsError) -> Self {
        Self(error.to_string())
    }
}

/// Writes lines to standard output. Whoever closed it has seen enough.
pub(crate) fn print(text: &str) -> Outcome {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::new(format!(
            "cannot write to the standard output: {error}"
        ))),
        _ => Ok(()),
    }
}
