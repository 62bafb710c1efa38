//! `butler demo`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use tokio::net::TcpListener;

use super::serve::{Served, serve};
use crate::demo::{LABEL, default_directory, guide, prepare};
use crate::failure::{Failure, Outcome};
use crate::output::say;
use crate::progress::Bars;

/// The port if none is named and it is free.
const PORT: u16 = 8080;

/// Makes a repository to try things out with, and serves it to this machine. The next time, it is
/// there already.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Where the repository is [default: butler/demo below $XDG_DATA_HOME or ~/.local/share]
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,

    /// The port to listen on; port 0 is any that is free [default: 8080, if it is free]
    #[arg(long)]
    port: Option<u16>,

    /// Only make the repository
    #[arg(long)]
    no_serve: bool,
}

impl Demo {
    pub(crate) async fn run(self, bars: &Bars) -> Outcome {
        let directory = match &self.directory {
            Some(directory) => directory.clone(),
            None => default_directory()?,
        };
        // Before the work, so that it is not in vain.
        let listener = match self.no_serve {
            true => None,
            false => Some(self.listen().await?),
        };
        let demo = prepare(&directory, bars).await?;
        let Some(listener) = listener else {
            return say(guide(&demo, None));
        };
        let repository = demo
            .directory
            .to_str()
            .ok_or_else(|| Failure::new(format!("{} is no text", demo.directory.display())))?;
        let served = Served::from([(LABEL.to_owned(), repository.to_owned())]);
        serve(listener, served, |address| say(guide(&demo, Some(address)))).await
    }

    async fn listen(&self) -> Outcome<TcpListener> {
        let bind = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let port = self.port.unwrap_or(PORT);
        let listener = match (bind(port).await, self.port) {
            (Err(_), None) => bind(0).await,
            (listener, _) => listener,
        };
        listener.map_err(|error| {
            Failure::new(format!("cannot listen on port {port}: {error}"))
                .hint("--port 0 takes any port that is free")
        })
    }
}
