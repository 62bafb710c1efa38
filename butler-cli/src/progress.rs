//! Progress bars on standard error.

use std::sync::{Arc, Mutex, PoisonError};

use butler_core::progress::Progress;
use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Whether progress bars are shown.
#[derive(Debug, Args)]
pub(crate) struct ShowProgress {
    /// Show progress bars if standard error is a terminal (the default)
    #[arg(long, overrides_with = "no_progress", global = true, hide = true)]
    progress: bool,

    /// Show no progress bars; by default they are shown on a terminal
    #[arg(long, overrides_with = "progress", global = true)]
    no_progress: bool,
}

impl ShowProgress {
    /// Whether they are wanted.
    pub(crate) const fn get(&self) -> bool {
        !self.no_progress
    }
}

const COUNTED: &str = "{msg} {wide_bar} {pos}/{len} {eta}";
const UNCOUNTED: &str = "{spinner} {msg} {pos}";

/// What shows how far an operation is: a bar if standard error is a terminal, else nothing. Clones
/// share the bar.
#[derive(Debug, Clone)]
pub(crate) struct Bars {
    all: MultiProgress,
    current: Arc<Mutex<Option<ProgressBar>>>,
}

impl Bars {
    /// Bars, which stay hidden unless they are `wanted`.
    pub(crate) fn new(wanted: bool) -> Self {
        // Not drawn, either, if this is no terminal.
        let target = match wanted {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Self {
            all: MultiProgress::with_draw_target(target),
            current: Arc::default(),
        }
    }

    /// Does something with standard error while no bar is in the way.
    pub(crate) fn beside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.all.suspend(work)
    }

    fn replace(&self, bar: Option<ProgressBar>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = std::mem::replace(&mut *current, bar) {
            old.finish_and_clear();
            self.all.remove(&old);
        }
    }
}

impl Progress for Bars {
    fn start(&self, phase: &str, total: Option<u64>) {
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), COUNTED),
            None => (ProgressBar::new_spinner(), UNCOUNTED),
        };
        let bar = self.all.add(bar);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(phase.to_owned());
        self.replace(Some(bar));
    }

    fn advance(&self, steps: u64) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = &*current {
            bar.inc(steps);
        }
    }

    fn finish(&self) {
        self.replace(None);
    }
}
