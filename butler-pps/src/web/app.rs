//! What all routes share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use butler_core::error::Result;
use butler_server::auth::Authenticator;

use super::WebSettings;
use super::overview::OverviewCache;
use crate::clock::Clock;
use crate::policy::Policy;
use crate::state::State;

/// How long the groups of a user are remembered.
const GROUP_CACHE: Duration = Duration::from_secs(60);

/// The web app. Clones share everything.
#[derive(Debug, Clone)]
pub struct WebApp {
    shared: Arc<Shared>,
}

/// What clones of a [`WebApp`] share.
#[derive(Debug)]
pub struct Shared {
    pub(super) state: State,
    pub(super) policy: Policy,
    pub(super) clock: Clock,
    pub(super) authenticator: Authenticator,
    pub(super) groups: Vec<String>,
    pub(super) readers: Vec<String>,
    pub(super) overview: OverviewCache,
    active: AtomicBool,
}

impl Deref for WebApp {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl WebApp {
    /// Makes it of what it looks at.
    ///
    /// # Errors
    /// The keys that users' tokens are verified with cannot be had.
    pub async fn new(
        settings: WebSettings,
        state: State,
        policy: Policy,
        clock: Clock,
    ) -> Result<Self> {
        let authenticator = Authenticator::of(&settings.authentication, GROUP_CACHE).await?;
        Ok(Self {
            shared: Arc::new(Shared {
                state,
                policy,
                clock,
                authenticator,
                groups: settings.groups,
                readers: settings.readers,
                overview: OverviewCache::default(),
                active: AtomicBool::new(false),
            }),
        })
    }

    /// Notes whether this is the instance that runs the tasks.
    pub fn set_active(&self, active: bool) {
        self.shared.active.store(active, Ordering::Relaxed);
    }

    pub(super) fn is_active(&self) -> bool {
        self.shared.active.load(Ordering::Relaxed)
    }
}
