//! `butler completions`.

use std::io;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::{Failure, Outcome};

/// Writes completions for a shell.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "butler", &mut script);
        let written = io::Write::write_all(&mut io::stdout().lock(), &script);
        written.map_err(|error| Failure::writing(None, &error))
    }
}
