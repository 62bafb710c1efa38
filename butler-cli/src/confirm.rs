//! Asking before something is destroyed.

use std::io::{self, BufRead as _, Write as _};

use crate::failure::{Failure, Outcome};
use crate::switch::switch;

switch!(
    Confirm,
    confirm / no_confirm,
    default on,
    "Do it without showing what will be done and asking first"
);

/// Asks on standard error whether to go on. Anything but a yes is a no.
pub(crate) fn ask() -> Outcome<bool> {
    let failed = |error: io::Error| Failure::new(format!("cannot ask: {error}"));
    let mut stderr = io::stderr().lock();
    write!(stderr, "Continue? [y/N]: ").map_err(failed)?;
    stderr.flush().map_err(failed)?;
    let mut answer = String::new();
    if io::stdin().lock().read_line(&mut answer).map_err(failed)? == 0 {
        let _ = writeln!(stderr);
        return Err(Failure::new("nobody answered; nothing was changed")
            .hint("--no-confirm does it without asking"));
    }
    let answer = answer.trim().to_ascii_lowercase();
    Ok(answer == "y" || answer == "yes")
}
