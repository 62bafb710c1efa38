//! The command line: it serves, unless a sub-command says otherwise.

pub mod check;
pub mod healthcheck;
pub mod private_copies;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::settings::Options;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "butler-server",
    version,
    about = "Serves Butler repositories over REST, read-only.",
    long_about = Options::command().get_long_about().cloned().unwrap_or_default(),
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// What is done instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The settings of the server.
    #[command(flatten)]
    pub options: Options,
}

/// What is done instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at the versions of a repository's schema: its universe and the managers of its tables.
    ///
    /// Each part is shown as `butler migrate show-current --butler` of the reference's migration tool
    /// shows it, with what this program can do with it; below that, what a migration to the newest
    /// versions would need. Nothing is changed.
    ///
    /// Exit codes: 0 if the repository can be read and written, 3 if it can be read only (it can be
    /// served), 4 if it is not supported, 1 if that cannot be found out.
    Check(check::Check),

    /// Ask a server whether it and its databases answer.
    ///
    /// Exit codes: 0 if they do, 1 if not.
    Healthcheck(healthcheck::Healthcheck),

    /// Copy files so that only this user can read them.
    ///
    /// Files with passwords are ignored if others may read them, and those of Kubernetes' secrets
    /// belong to the superuser. Files whose names begin with a dot are left out; links are followed. A
    /// directory that does not exist has no files.
    PrivateCopies(private_copies::PrivateCopies),
}

impl Command {
    /// Does it, and says how it went.
    ///
    /// # Errors
    /// Why it could not be done.
    pub async fn run(self) -> butler_core::Result<ExitCode> {
        match self {
            Self::Check(check) => check.run().await,
            Self::Healthcheck(healthcheck) => healthcheck.run().await,
            Self::PrivateCopies(copies) => copies.run(),
        }
    }
}

/// Writes a text to standard output. Whoever closed it has seen enough.
fn print(text: &str) -> butler_core::Result<()> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(butler_core::Error::io("standard output", error))
        }
        _ => Ok(()),
    }
}
