//! `butler-server healthcheck`, for containers that have nothing else to ask with.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use butler_core::{Error, Result};
use clap::Args;

/// How long to wait before a server is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// The arguments of `healthcheck`.
#[derive(Debug, Args)]
pub struct Healthcheck {
    /// The server's URL.
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,

    /// For how many seconds to ask again before giving up.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub seconds: u64,
}

impl Healthcheck {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let url = format!("{}/health/ready", self.url.trim_end_matches('/'));
        let patience = Duration::from_secs(self.seconds);
        let client = reqwest::Client::builder()
            .timeout(patience)
            .no_proxy()
            .build()
            .map_err(|error| Error::Configuration(format!("the client: {error}")))?;
        let begin = Instant::now();
        loop {
            let why = match client.get(&url).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(ExitCode::SUCCESS),
                Ok(answer) => format!("status {}", answer.status()),
                Err(error) => error.to_string(),
            };
            if begin.elapsed() + PAUSE >= patience {
                return Err(Error::Configuration(format!("{url}: {why}")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
