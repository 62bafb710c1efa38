//! Messages that cannot be handled, set aside.

use rdkafka::Message as _;
use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};

use super::Outgoing;

/// What the names of the headers begin with that say why a message is here.
const PREFIX: &str = "dead-letter-";

/// The most of a reason that is kept, in bytes.
const LONGEST_REASON: usize = 2_000;

/// Where a message failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It is not what it should be.
    Parse,
    /// The repository refuses it.
    Ingest,
}

impl Stage {
    /// Its name in headers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Ingest => "ingest",
        }
    }
}

/// Why a message is set aside. It keeps its key, payload and headers, so that it can be sent again as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it failed.
    pub stage: Stage,
    /// Why.
    pub reason: String,
}

impl DeadLetter {
    /// The message for a topic of dead letters.
    ///
    /// The headers `dead-letter-stage`, `-reason`, `-topic`, `-partition` and `-offset` are added.
    #[must_use]
    pub fn outgoing(&self, message: &OwnedMessage, topic: &str) -> Outgoing {
        let mut headers = match message.headers() {
            Some(given) => given.clone(),
            None => OwnedHeaders::new(),
        };
        let end = self.reason.floor_char_boundary(LONGEST_REASON);
        let reason = &self.reason[..end];
        for (name, value) in [
            ("stage", self.stage.as_str()),
            ("reason", reason),
            ("topic", message.topic()),
            ("partition", &message.partition().to_string()),
            ("offset", &message.offset().to_string()),
        ] {
            headers = headers.insert(Header {
                key: &format!("{PREFIX}{name}"),
                value: Some(value),
            });
        }
        Outgoing {
            topic: topic.to_owned(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            headers: Some(headers),
        }
    }
}
