//! The steps of a dataset's life as tasks.
//!
//! Every task works alike ([`Runner`]): it asks the state database what is ready, acts on it in batches,
//! several at once, and records what is done. Acting is idempotent, so that a task that is killed
//! in between acts again on what it had not recorded. What each one does is in a file of its own.

mod delete;
mod expire;
mod failure;
mod in_flight;
mod publish;
mod register;
mod runner;
mod tags;
mod transfer;

use async_trait::async_trait;
use butler_core::error::Result;
use butler_direct::DirectButler;
use uuid::Uuid;

use crate::repositories::Repositories;
use crate::state::{Problem, Step};

pub use in_flight::InFlight;
pub use register::RegisterTask;
pub use runner::{Limits, Runner};

/// What came of acting on a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The datasets that went through the step.
    pub done: Vec<Uuid>,
    /// Those that are not where they should come from, and why.
    pub missing: Vec<Problem>,
    /// Those for which it has to be tried again, and why.
    pub failed: Vec<Problem>,
}

impl Outcome {
    fn merge(&mut self, other: Self) {
        self.done.extend(other.done);
        self.missing.extend(other.missing);
        self.failed.extend(other.failed);
    }
}

/// What a step does with a batch of datasets. Doing it twice has the same effect as once.
#[async_trait]
pub trait Action: Send + Sync {
    /// Does it.
    ///
    /// # Errors
    /// Whatever keeps the batch as a whole from going through. Then nothing, or parts, may be done.
    async fn act(&self, ids: &[Uuid]) -> Result<Outcome>;
}

/// The action of a step, on the repositories as they are open now.
///
/// # Errors
/// A repository that the step needs cannot be opened.
pub async fn action(
    step: Step,
    repositories: &Repositories,
    raws: &[String],
) -> Result<Box<dyn Action>> {
    let target: DirectButler = repositories.get_live(step.target()).await?;
    let source = match step.source() {
        Some(name) => Some(repositories.get_live(name).await?),
        None => None,
    };
    Ok(match (step, source) {
        (Step::ToPromptPrep, Some(source)) => Box::new(transfer::Transfer::copies(source, target)),
        (Step::ToMain, Some(source)) => Box::new(transfer::Transfer::links(source, target)),
        (Step::ToGoogleInt | Step::ToGoogleProd, Some(source)) => {
            crate::collections::ensure(&target, raws).await?;
            Box::new(publish::Publish { source, target })
        }
        (Step::ExpireGoogleInt | Step::ExpireGoogleProd, _) => {
            crate::collections::ensure(&target, raws).await?;
            Box::new(expire::Expire { target })
        }
        (Step::DeleteEmbargo, _) => Box::new(delete::Delete::wholly(target)),
        (Step::DeletePromptPrep | Step::DeleteMain, _) => Box::new(delete::Delete::files(target)),
        (
            Step::Register
            | Step::ToPromptPrep
            | Step::ToMain
            | Step::ToGoogleInt
            | Step::ToGoogleProd
            | Step::Notify,
            _,
        ) => {
            return Err(butler_core::Error::Internal(format!(
                "step '{step}' does not act on batches of datasets"
            )));
        }
    })
}
