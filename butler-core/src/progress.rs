//! How long operations tell how far they are.

/// Something that watches a long operation, such as a progress bar.
///
/// One value may watch several phases one after the other: each begins with
/// [`start`](Self::start) and ends with [`finish`](Self::finish). All methods do nothing unless
/// they are implemented, and may be called from several threads.
pub trait Progress: Send + Sync {
    /// A phase begins. `total` is the number of steps in it, if that is known.
    fn start(&self, phase: &str, total: Option<u64>) {
        let _ = (phase, total);
    }

    /// So many more steps are done.
    fn advance(&self, steps: u64) {
        let _ = steps;
    }

    /// The phase is over, successfully or not.
    fn finish(&self) {}
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {}
