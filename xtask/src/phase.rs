//! Times the steps of a command, so that a slow one is seen.

use std::time::Instant;

/// Runs `work`, then prints `name`, the summary that it returned and the time that it took.
pub(crate) fn phase<T>(
    name: &str,
    work: impl FnOnce() -> Result<(T, String), String>,
) -> Result<T, String> {
    let start = Instant::now();
    let outcome = work();
    let seconds = start.elapsed().as_secs_f64();
    match outcome {
        Ok((value, summary)) => {
            println!("xtask: {name:<12} {seconds:7.1} s  {summary}");
            Ok(value)
        }
        Err(error) => {
            println!("xtask: {name:<12} {seconds:7.1} s  FAILED");
            Err(format!("{name}: {error}"))
        }
    }
}
