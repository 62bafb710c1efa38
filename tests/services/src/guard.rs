//! A process that cleans up after its owner.

use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use std::os::unix::process::CommandExt as _;

/// Waits until the owner's end of the pipe is closed, however the owner ended, then ends the process whose ID the
/// file `$2` begins with by the signal `$3`, and removes the directory `$1`.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
cat >/dev/null
pid=$(head -n 1 "$2" 2>/dev/null)
if [ -n "$pid" ]; then
    kill "-$3" "$pid"
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
fi
rm -rf "$1"
"#;

/// Ends a service and removes its directory when it is dropped, and also when this process is killed.
///
/// As long as nobody waits for the service's process, the guard takes it to be alive, for 10 s at most: call
/// [`release`](Self::release), wait for the process, and drop the guard then.
#[derive(Debug)]
pub struct Guard {
    process: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Watches over a directory; `pid_file` will name the process, `signal` (`QUIT`, `KILL`) ends it.
    ///
    /// # Errors
    /// There is no `sh`.
    pub fn start(dir: &Path, pid_file: &Path, signal: &str) -> Result<Self, String> {
        let mut process = Command::new("sh")
            .args(["-c", SCRIPT, "butler-guard"])
            .arg(dir)
            .arg(pid_file)
            .arg(signal)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its own group: an interrupt from the terminal is not for it.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start sh: {error}"))?;
        let pipe = process.stdin.take();
        Ok(Self { process, pipe })
    }

    /// Lets it do its work.
    pub fn release(&mut self) {
        self.pipe.take();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.release();
        // It ends by itself; nothing rests on when.
        let _ = self.process.wait();
    }
}
