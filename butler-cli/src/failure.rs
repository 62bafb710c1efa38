//! How commands fail: one line, perhaps a hint, and an exit code.

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use butler_core::error::Error;
use console::Style;

/// What commands return.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command ends without success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something went wrong.
    Error {
        /// What, in one line.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The command line makes no sense.
    Usage(String),
    /// What is wrong has been said already.
    Said,
    /// Whoever read the output has seen enough.
    OutputClosed,
}

impl Failure {
    /// A failure that is described by a message alone.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Error {
            message: message.into(),
            hint: None,
        }
    }

    /// The same with a hint instead of the one it may have.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Error { message, .. } => Self::Error {
                message,
                hint: Some(hint.into()),
            },
            other => other,
        }
    }

    /// A failure to write to a file, or to standard output if none is named.
    pub(crate) fn writing(file: Option<&std::path::Path>, error: &io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe {
            return Self::OutputClosed;
        }
        let place = file.map_or("the standard output".into(), |file| file.to_string_lossy());
        Self::new(format!("cannot write to {place}: {error}"))
    }

    /// Says on standard error what went wrong, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let (message, hint, code) = match self {
            Self::Error { message, hint } => (message, hint, 1),
            Self::Usage(message) => {
                let hint = "`butler SUBCOMMAND --help` lists the options".to_owned();
                (message, Some(hint), 2)
            }
            Self::Said => return ExitCode::FAILURE,
            Self::OutputClosed => return ExitCode::SUCCESS,
        };
        let mut stderr = io::stderr().lock();
        let style = |style: Style| style.for_stderr().bold();
        let error = style(Style::new().red()).apply_to("error:");
        let lines: Vec<&str> = message.lines().map(str::trim).collect();
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(stderr, "{error} {}", lines.join("; "));
        if let Some(hint) = hint {
            let word = style(Style::new().cyan()).apply_to("hint:");
            let _ = writeln!(stderr, "{word} {hint}");
        }
        ExitCode::from(code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let hint = hint(&error).map(str::to_owned);
        let message = match error {
            Error::EmptyQueryResult(reasons) if reasons.is_empty() => {
                "the query has no results".to_owned()
            }
            Error::EmptyQueryResult(reasons) => {
                let reasons: Vec<&str> = reasons
                    .iter()
                    .map(|reason| reason.trim_end_matches('.'))
                    .collect();
                format!("the query has no results: {}", reasons.join("; "))
            }
            other => without_pointer(&other.to_string()).to_owned(),
        };
        Self::Error { message, hint }
    }
}

/// The message without the two lines that point at a place in a query expression: it names the place
/// too.
fn without_pointer(message: &str) -> &str {
    let mut lines = message.rsplitn(3, '\n');
    match (lines.next(), lines.next(), lines.next()) {
        (Some(pointer), Some(_), Some(message)) if is_pointer(pointer) => message,
        _ => message,
    }
}

fn is_pointer(line: &str) -> bool {
    line.ends_with('^') && line.chars().all(|mark| [' ', '^'].contains(&mark))
}

/// What helps against an error.
fn hint(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::MissingCollection(_) => {
            "`butler query-collections REPO` lists the collections; '*' is a pattern"
        }
        Error::MissingDatasetType(_) => "`butler query-dataset-types REPO` lists the dataset types",
        Error::DimensionName(_) => "dimensions are names such as instrument, visit or detector",
        Error::InvalidQuery(why) if why.starts_with("Invalid query expression") => {
            "quote the expression for the shell, and text in it with single quotes: \
             --where \"instrument = 'LATISS' AND visit > 10\""
        }
        Error::OrphanedRecord(_) => "remove what refers to it first",
        Error::ReadOnly(_) => "repositories behind a server can only be read",
        _ => return None,
    })
}
