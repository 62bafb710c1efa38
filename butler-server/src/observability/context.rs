//! What is known of a request while it is answered.

use std::sync::{Arc, OnceLock};

use uuid::Uuid;

use crate::auth::User;

/// The longest request ID that is taken over from a client.
const LONGEST_ID: usize = 128;

/// What is known of a request. Clones share it.
#[derive(Debug, Clone)]
pub struct RequestContext {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: String,
    user: OnceLock<User>,
}

impl RequestContext {
    /// A request with the ID that its client gave, as far as that is fit for a log, or a new one.
    #[must_use]
    pub fn new(given: Option<&str>) -> Self {
        let fit = given.filter(|id| {
            !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_graphic())
        });
        let id = fit.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
        Self {
            shared: Arc::new(Shared {
                id,
                user: OnceLock::new(),
            }),
        }
    }

    /// The request's ID.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// The sender, once that is known.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        self.shared.user.get()
    }

    /// Notes the sender; the first one noted stays.
    pub fn set_user(&self, user: &User) {
        self.shared.user.get_or_init(|| user.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::RequestContext;

    #[test]
    fn ids_that_would_disturb_the_log_are_replaced() {
        assert_eq!(RequestContext::new(Some("abc-1")).id(), "abc-1");
        for unfit in ["", "two\nlines", &"x".repeat(1000)] {
            assert_ne!(RequestContext::new(Some(unfit)).id(), unfit);
        }
    }
}
