//! The `butler` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    butler_cli::run(std::env::args_os())
}
