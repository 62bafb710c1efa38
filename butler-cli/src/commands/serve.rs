//! `butler serve`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use butler_server::app::App;
use butler_server::router::router;
use butler_server::settings::{Options, Repositories, RepositorySettings};
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::{Failure, Outcome};
use crate::output::say;

/// Serves repositories over REST, for reading, to everybody who can reach the address. It is meant
/// for one's own machine; services run `butler-server`, which knows users and groups.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The repositories, as LABEL=REPO; without a label, a repository gets the name of its directory
    #[arg(required = true, value_name = "[LABEL=]REPO")]
    repos: Vec<String>,

    /// The address and port to listen on; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

/// Repositories by their labels.
pub(super) type Served = BTreeMap<String, String>;

impl Serve {
    pub(crate) async fn run(self) -> Outcome {
        let mut served = Served::new();
        for text in &self.repos {
            let (label, address) = labelled(text)?;
            if served
                .insert(label.to_owned(), address.to_owned())
                .is_some()
            {
                return Err(Failure::Usage(format!(
                    "two repositories have the label '{label}'; give them others with LABEL=REPO"
                )));
            }
        }
        let labels: Vec<String> = served.keys().cloned().collect();
        let listener = TcpListener::bind(self.listen).await.map_err(|error| {
            Failure::new(format!("cannot listen on {}: {error}", self.listen))
                .hint("--listen names another address, such as 127.0.0.1:0 for any free port")
        })?;
        serve(listener, served, |address| {
            for label in labels {
                say(format!("http://{address}/api/butler/repo/{label}"))?;
            }
            Ok(())
        })
        .await
    }
}

/// Serves repositories to everybody until the process is asked to end; first says that it is ready.
pub(super) async fn serve(
    listener: TcpListener,
    served: Served,
    ready: impl FnOnce(SocketAddr) -> Outcome,
) -> Outcome {
    let failed = |error: std::io::Error| Failure::new(format!("cannot serve: {error}"));
    let settings = |config_uri| RepositorySettings {
        config_uri,
        authorized_groups: vec!["*".to_owned()],
    };
    let repositories = served.into_iter();
    let repositories = repositories.map(|(label, address)| (label, settings(address)));
    let address = listener.local_addr().map_err(failed)?;
    let options = Options {
        repositories: Some(Repositories(repositories.collect())),
        gafaelfawr_url: Some("DISABLED".to_owned()),
        listen: Some(address),
        ..Options::default()
    };
    let settings = options
        .check()
        .map_err(|error| Failure::new(error.to_string()))?;
    let grace = settings.shutdown;
    let app = App::open(settings).await?;
    ready(address)?;
    let stop = asked_to_stop().map_err(failed)?;
    butler_server::serve::serve(listener, router(app), stop, grace)
        .await
        .map_err(failed)
}

/// The label of a repository, and where it is.
fn labelled(text: &str) -> Outcome<(&str, &str)> {
    if let Some((label, address)) = text.split_once('=') {
        return Ok((label, address));
    }
    let path = text.trim_end_matches('/');
    let directory = path.strip_suffix("/butler.yaml").unwrap_or(path);
    match directory.rsplit('/').next() {
        Some(name) if !name.is_empty() && name != "." && name != ".." => Ok((name, text)),
        _ => Err(Failure::Usage(format!(
            "'{text}' does not end in a name; give the repository a label: LABEL={text}"
        ))),
    }
}

/// Ready when the process is asked to end.
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn repositories_get_the_names_of_their_directories() {
        for (text, expected) in [
            ("/repo/main", ("main", "/repo/main")),
            ("/repo/main/", ("main", "/repo/main/")),
            (
                "s3://bucket/x/butler.yaml",
                ("x", "s3://bucket/x/butler.yaml"),
            ),
            ("dp1", ("dp1", "dp1")),
            ("dp1=/repo/main", ("dp1", "/repo/main")),
        ] {
            assert_eq!(labelled(text).unwrap(), expected);
        }
        assert!(labelled("..").is_err());
    }
}
