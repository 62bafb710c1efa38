//! Step 1: datasets become known, from a directory of files, and by looking again for those that were
//! not there. (What comes through Kafka is registered as it comes.)

use butler_core::error::Result;
use butler_direct::resource::{ResourcePath, Resources};

use crate::inputs::Registrar;
use crate::state::RunReport;

/// Registers what is in a directory, and what was not to be found earlier.
#[derive(Debug)]
pub struct RegisterTask {
    registrar: Registrar,
    directory: Option<(Resources, ResourcePath)>,
}

impl RegisterTask {
    /// Takes what it works with.
    #[must_use]
    pub fn new(registrar: Registrar, directory: Option<(Resources, ResourcePath)>) -> Self {
        Self {
            registrar,
            directory,
        }
    }

    /// One run.
    ///
    /// # Errors
    /// The directory, the embargo repository or the state database cannot be reached.
    pub async fn run(&self) -> Result<RunReport> {
        let mut new = 0;
        if let Some((resources, directory)) = &self.directory {
            new += self
                .registrar
                .read_directory(resources, directory)
                .await?
                .new;
        }
        new += self.registrar.look_again().await?.new;
        Ok(RunReport {
            done: new,
            ..RunReport::default()
        })
    }
}
