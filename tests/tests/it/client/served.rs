//! Repositories that a server serves, opened both ways.

use std::sync::Arc;

use butler_client::{RemoteButler, RemoteButlerFactory, RemoteOptions};
use butler_core::butler::Butler;
use butler_core::datasets::DatasetRef;
use butler_core::registry::Registry;
use butler_direct::environment::Environment;
use butler_direct::resource::Resources;
use butler_direct::{DirectButler, OpenOptions};
use butler_tests::s3::S3Server;
use butler_tests::server::{Program, ServerProcess, ServerSetup};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::repos::Place;

/// A server, its repositories, and their objects in S3.
pub(crate) struct Service {
    process: ServerProcess,
    pub(crate) s3: S3Server,
    statics: TempDir,
    places: Vec<(&'static str, Place, Value)>,
}

/// A repository, opened directly and through the server.
pub(crate) struct Served {
    pub(crate) label: &'static str,
    pub(crate) direct: DirectButler,
    pub(crate) remote: RemoteButler,
    /// What the reference has put.
    pub(crate) put: Vec<Put>,
}

/// A dataset that the reference has put.
pub(crate) struct Put {
    pub(crate) dataset: DatasetRef,
    /// What it is, as `contents.py` describes.
    pub(crate) content: Value,
}

pub(crate) fn resources(s3: &S3Server) -> Resources {
    let environment = Environment::fixed(s3.environment());
    Resources::builder().environment(environment).build()
}

impl Service {
    /// Makes repositories with the reference, with their files in S3, and serves them.
    pub(crate) fn start(program: &Program, arguments: &[&str]) -> Self {
        let s3 = S3Server::start(&["bucket"]);
        let mut places = Vec::new();
        for (label, place) in [("sqlite", Place::sqlite()), ("postgres", Place::postgres())] {
            let root = format!("s3://bucket/{label}/");
            let made = place
                .reference_script(&["--datastore", "s3", "--s3", &root])
                .args(arguments)
                .envs(s3.environment())
                .run();
            places.push((label, place, made));
        }
        Self::serve(program, s3, places)
    }

    /// Serves repositories that are there.
    pub(crate) fn serve(
        program: &Program,
        s3: S3Server,
        places: Vec<(&'static str, Place, Value)>,
    ) -> Self {
        let mut setup = ServerSetup::new(program).envs(s3.environment());
        // Served without a token, as the configurations of repositories may be.
        let statics = tempfile::tempdir().unwrap();
        setup = setup.env("DAF_BUTLER_SERVER_STATIC_FILES_PATH", statics.path());
        for (label, place, _) in &places {
            setup = setup.repository(label, &place.root(), &["*"]);
        }
        Self {
            process: setup.start(),
            s3,
            statics,
            places,
        }
    }

    /// Writes a file that the server gives to everybody, and gives its address.
    pub(crate) fn publish(&self, name: &str, text: &str) -> String {
        std::fs::write(self.statics.path().join(name), text).unwrap();
        format!("{}/api/butler/configs/{name}", self.process.url())
    }

    /// The address of a repository on the server.
    pub(crate) fn repository(&self, label: &str) -> String {
        self.process.repository(label)
    }

    /// The directory of a repository.
    pub(crate) fn root(&self, label: &str) -> String {
        let place = self.places.iter().find(|(known, ..)| *known == label);
        place.unwrap().1.root().to_str().unwrap().to_owned()
    }

    /// What the server has said.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Opens the repositories, each both ways.
    pub(crate) async fn open(&self) -> Vec<Served> {
        let mut opened = Vec::new();
        for (label, place, made) in &self.places {
            let options = OpenOptions {
                resources: Some(resources(&self.s3)),
                ..OpenOptions::default()
            };
            let root = place.root();
            let direct = DirectButler::open(root.to_str().unwrap(), options)
                .await
                .unwrap();
            let factory = RemoteButlerFactory::for_url(&self.process.repository(label)).await;
            let remote = factory
                .unwrap()
                .storage_classes(Arc::clone(direct.storage_classes()))
                .open_with_token("a token", RemoteOptions::default())
                .await
                .unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
            let mut put = Vec::new();
            for entry in made["put"].as_array().into_iter().flatten() {
                let id: Uuid = entry["id"].as_str().unwrap().parse().unwrap();
                let dataset = direct.registry().dataset(id).await.unwrap().unwrap();
                // The reference cannot sign addresses of local files.
                if dataset.dataset_type().name().as_ref() == "ingested"
                    && dataset.data_id().get("detector") == Some(&2.into())
                {
                    continue;
                }
                let content = entry["content"].clone();
                put.push(Put { dataset, content });
            }
            opened.push(Served {
                label,
                direct,
                remote,
                put,
            });
        }
        opened
    }
}

impl Served {
    /// Both ways to read.
    pub(crate) fn readers(&self) -> [Butler; 2] {
        [self.direct.reader(), self.remote.reader()]
    }
}
