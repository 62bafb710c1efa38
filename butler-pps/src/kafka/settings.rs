//! Where the broker is, and who asks.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// Who asks, by SASL SCRAM-SHA-512.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Where the broker is, and who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// Addresses of brokers, `host:port` with commas between them.
    pub servers: String,
    /// Who asks; nobody in particular if unset.
    pub credentials: Option<Credentials>,
    /// Whether the client library logs all it does.
    pub debug: bool,
}

impl KafkaSettings {
    /// Settings for a user, or none. Passwords without users are not possible, and the other way round.
    ///
    /// # Errors
    /// There is only one of user and password.
    pub fn new(
        servers: String,
        username: Option<String>,
        password: Option<String>,
        debug: bool,
    ) -> Result<Self, &'static str> {
        let credentials = match (username, password) {
            (Some(username), Some(password)) => Some(Credentials { username, password }),
            (None, None) => None,
            (Some(_), None) => return Err("a Kafka user is given, but no password"),
            (None, Some(_)) => return Err("a Kafka password is given, but no user"),
        };
        Ok(Self {
            servers,
            credentials,
            debug,
        })
    }

    /// What consumers and producers have in common.
    pub(super) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers);
        config.set("client.id", "butler-pps");
        // A broker that is starting again is found soon.
        config.set("reconnect.backoff.max.ms", "2000");
        if let Some(credentials) = &self.credentials {
            config.set("security.protocol", "SASL_PLAINTEXT");
            config.set("sasl.mechanism", "SCRAM-SHA-512");
            config.set("sasl.username", &credentials.username);
            config.set("sasl.password", &credentials.password);
        }
        if self.debug {
            config.set("debug", "all");
            config.set_log_level(RDKafkaLogLevel::Debug);
        } else {
            config.set_log_level(RDKafkaLogLevel::Warning);
        }
        config
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::KafkaSettings;

    fn settings(
        username: Option<&str>,
        password: Option<&str>,
    ) -> Result<KafkaSettings, &'static str> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        KafkaSettings::new(
            "localhost:9092".into(),
            owned(username),
            owned(password),
            false,
        )
    }

    #[test]
    fn users_have_passwords_and_the_other_way_round() {
        settings(None, None).unwrap();
        settings(Some("me"), Some("secret")).unwrap();
        settings(Some("me"), None).unwrap_err();
        settings(None, Some("secret")).unwrap_err();
    }

    #[test]
    fn passwords_do_not_show() {
        let shown = format!("{:?}", settings(Some("me"), Some("secret")).unwrap());
        assert!(shown.contains("me") && !shown.contains("secret"), "{shown}");
    }
}
