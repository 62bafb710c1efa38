//! Webhooks: receivers are told by HTTP, at least once, with signatures as the specification *Standard Webhooks* has
//! them, for which there are libraries in many languages.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use butler_core::error::{Error, Result};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use sha2::Sha256;
use uuid::Uuid;

use super::message::body;
use super::settings::Webhook;
use crate::clock::{Clock, Moment};
use crate::state::{Delivery, State};

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Deliveries to a receiver in a run, and how long it may take with them: the rest waits for the next run, so that a
/// slow receiver keeps nobody waiting.
const AT_ONCE: usize = 200;
const SHARE: Duration = Duration::from_secs(20);

/// The shortest and longest time until a delivery is tried again.
const SHORTEST_RETRY: Duration = Duration::from_secs(30);
const LONGEST_RETRY: Duration = Duration::from_secs(6 * 3600);

/// All receivers.
#[derive(Debug)]
pub(super) struct Webhooks {
    receivers: Vec<Webhook>,
    client: Client,
}

impl Webhooks {
    pub(super) fn new(receivers: Vec<Webhook>) -> Result<Self> {
        let client = Client::builder()
            // What is signed is for that address alone.
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("butler-pps/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Configuration(format!("webhooks: {error}")))?;
        Ok(Self { receivers, client })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.receivers.iter().map(|receiver| receiver.name.as_str())
    }

    /// Tells all receivers what they are to be told by now, each on its own; gives how many attempts failed.
    pub(super) async fn deliver(&self, state: &State, clock: &Clock) -> Result<u64> {
        let told = self
            .receivers
            .iter()
            .map(|receiver| self.deliver_to(receiver, state, clock));
        let failed = futures::future::try_join_all(told).await?;
        Ok(failed.into_iter().sum())
    }

    /// Tells one receiver, up to the first failure: it may be down.
    async fn deliver_to(&self, receiver: &Webhook, state: &State, clock: &Clock) -> Result<u64> {
        let name = &receiver.name;
        let due = state.due_deliveries(name, clock.now(), AT_ONCE).await?;
        let begun = Instant::now();
        for delivery in due {
            if begun.elapsed() > SHARE {
                break;
            }
            let releases = state.releases_of(delivery.announcement).await?;
            let body = body(&delivery, &releases)?;
            match self.send(receiver, delivery.id, body, clock.now()).await {
                Ok(()) => state.set_delivered(delivery.id, clock.now()).await?,
                Err(error) => {
                    let now = clock.now();
                    let retry = retry(receiver, &delivery, now);
                    match retry {
                        Some(_) => {
                            tracing::warn!(webhook = name, delivery = %delivery.id, error, "not told");
                        }
                        None => {
                            tracing::error!(webhook = name, delivery = %delivery.id, error, "given up");
                        }
                    }
                    state
                        .set_undelivered(delivery.id, &error, now, retry)
                        .await?;
                    return Ok(1);
                }
            }
        }
        Ok(0)
    }

    async fn send(
        &self,
        receiver: &Webhook,
        id: Uuid,
        body: Vec<u8>,
        now: Moment,
    ) -> std::result::Result<(), String> {
        let seconds = now.0.div_euclid(1_000);
        let signature = sign(&receiver.secret, &id.to_string(), seconds, &body)
            .ok_or("the secret is of no use")?;
        let answer = self
            .client
            .post(receiver.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id.to_string())
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await;
        match answer.map(|answer| answer.status()) {
            Ok(status) if status.is_success() => Ok(()),
            Ok(StatusCode::GONE) => Err("the receiver says that it is gone (410)".to_owned()),
            Ok(status) => Err(format!("the receiver answers {status}")),
            // Without the address, which may have a token.
            Err(error) => Err(causes(&error.without_url())),
        }
    }
}

/// The signature of a message: `v1,` and the HMAC-SHA-256 of `<id>.<seconds>.<body>` in base 64.
#[must_use]
pub fn sign(secret: &[u8], id: &str, seconds: i64, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    Some(format!(
        "v1,{}",
        STANDARD.encode(mac.finalize().into_bytes())
    ))
}

/// When a delivery that failed is tried again; never, if it has been tried often enough.
fn retry(receiver: &Webhook, delivery: &Delivery, now: Moment) -> Option<Moment> {
    let failed = delivery.attempts + 1;
    if failed >= i64::from(receiver.attempts) {
        return None;
    }
    let pause = SHORTEST_RETRY
        .saturating_mul(1 << delivery.attempts.clamp(0, 16))
        .min(LONGEST_RETRY);
    Some(now.plus(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)))
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn signatures_are_those_of_the_specification() {
        // The example of its text.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = sign(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(
            signature.unwrap(),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn pauses_grow_until_it_is_given_up() {
        let receiver = Webhook {
            name: "x".to_owned(),
            url: "http://localhost/".parse().unwrap(),
            secret: vec![0; 24],
            attempts: 12,
        };
        let after = |attempts| {
            let delivery = Delivery {
                id: Uuid::nil(),
                announcement: 1,
                announced: Moment(0),
                attempts,
            };
            retry(&receiver, &delivery, Moment(0)).map(|moment| moment.0 / 1_000)
        };
        assert_eq!(after(0), Some(30));
        assert_eq!(after(3), Some(240));
        assert_eq!(after(10), Some(6 * 3_600));
        assert_eq!(after(11), None);
    }
}
