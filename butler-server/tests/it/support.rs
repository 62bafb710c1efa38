//! A repository on each database, and a server over it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use butler_core::collections::CollectionType;
use butler_core::config::Config;
use butler_core::datasets::{DatasetRef, DatasetType};
use butler_core::dimensions::{ColumnValue, DataIdValue, DimensionRecord};
use butler_core::progress::NoProgress;
use butler_core::registry::{InsertMode, RegistryWriter as _};
use butler_direct::DirectButler;
use butler_direct::ops::create::CreateOptions;
use butler_direct::ops::prune::Prune;
use butler_server::app::App;
use butler_server::router::router;
use butler_server::settings::{Options, Repositories, RepositorySettings, Settings};
use butler_tests::postgres::TestSchema;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

/// The run of the datasets.
pub(crate) const RUN: &str = "a/run";

/// A dataset ID that does not exist.
pub(crate) const NOBODY: &str = "00000000-0000-0000-0000-000000000001";

/// A repository with four datasets of type `note` with files, one for each detector of `Cam1`, and
/// a chain `all` over their run.
pub(crate) struct Site {
    directory: TempDir,
    _schema: Option<TestSchema>,
    pub(crate) butler: DirectButler,
    pub(crate) notes: Vec<DatasetRef>,
}

impl Site {
    /// A repository on each database.
    pub(crate) async fn both() -> [Self; 2] {
        [
            Self::sqlite().await,
            Self::on(Some(TestSchema::new())).await,
        ]
    }

    pub(crate) async fn sqlite() -> Self {
        Self::on(None).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::on(Some(TestSchema::new())).await
    }

    async fn on(schema: Option<TestSchema>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::new();
        if let Some(schema) = &schema {
            config.set(".registry.db", schema.url()).unwrap();
            config.set(".registry.namespace", schema.name()).unwrap();
        }
        let options = CreateOptions {
            config,
            ..CreateOptions::default()
        };
        let root = directory.path().join("repo");
        let butler = DirectButler::create(root.to_str().unwrap(), options);
        let butler = butler.await.unwrap();
        let mut site = Self {
            directory,
            _schema: schema,
            butler,
            notes: Vec::new(),
        };
        site.fill().await;
        site
    }

    async fn fill(&mut self) {
        self.record("instrument", [("name", "Cam1".into())]).await;
        for (id, name) in (1..).zip(["Aa", "Ab", "Ba", "Bb"]) {
            let fields = [
                ("instrument", "Cam1".into()),
                ("id", ColumnValue::Int(id)),
                ("full_name", name.into()),
                ("raft", name[..1].into()),
            ];
            self.record("detector", fields).await;
        }
        let registry = self.butler.registry();
        let group = self.butler.universe().conform(["detector"]).unwrap();
        let note = DatasetType::new("note", group, "StructuredDataDict", false).unwrap();
        registry.register_dataset_type(&note).await.unwrap();
        let register = registry.register_collection(RUN, CollectionType::Run, Some("the notes"));
        register.await.unwrap();
        let register = registry.register_collection("all", CollectionType::Chained, None);
        register.await.unwrap();
        let children = [RUN.to_owned()];
        let chain = registry.set_collection_chain("all", &children);
        chain.await.unwrap();
        for detector in 1..=4 {
            let note = self.put("note", detector).await;
            self.notes.push(note);
        }
    }

    async fn record<const N: usize>(&self, element: &str, fields: [(&str, ColumnValue); N]) {
        let element = self.butler.universe().element(element).unwrap();
        let record = DimensionRecord::from_fields(element, fields).unwrap();
        let registry = self.butler.registry();
        let records = [record];
        let insert = registry.insert_dimension_records(element, &records, InsertMode::Insert);
        insert.await.unwrap();
    }

    /// Stores a dataset of a detector.
    pub(crate) async fn put(&self, dataset_type: &str, detector: i64) -> DatasetRef {
        let data_id = [
            ("instrument", DataIdValue::from("Cam1")),
            ("detector", detector.into()),
        ];
        let data = serde_json::json!({ "detector": detector });
        let put = self.butler.put(data, dataset_type, data_id, Some(RUN));
        put.await.unwrap()
    }

    /// Removes the first note.
    pub(crate) async fn prune(&self, how: &Prune) {
        let pruned = self
            .butler
            .prune_datasets(&self.notes[..1], how, &NoProgress);
        pruned.await.unwrap();
    }

    /// The root of the repository.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("repo")
    }

    /// A directory for other files.
    pub(crate) fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    /// Settings under which everybody may use the repository, as `r`.
    pub(crate) fn options(&self) -> Options {
        let repository = RepositorySettings {
            config_uri: self.root().to_str().unwrap().to_owned(),
            authorized_groups: vec!["*".to_owned()],
        };
        let repositories = BTreeMap::from([("r".to_owned(), repository)]);
        Options {
            repositories: Some(Repositories(repositories)),
            gafaelfawr_url: Some("DISABLED".to_owned()),
            ..Options::default()
        }
    }

    /// Settings under which the members of a group may use the repository `r`, and those of another
    /// one the repository `other`.
    pub(crate) fn restricted(&self) -> Options {
        let mut options = self.options();
        let repositories = options.repositories.as_mut().unwrap();
        let mut repository = repositories.0["r"].clone();
        repository.authorized_groups = vec!["g_others".to_owned()];
        repositories.0.insert("other".to_owned(), repository);
        let own = repositories.0.get_mut("r").unwrap();
        own.authorized_groups = vec!["g_users".to_owned()];
        options
    }

    /// A server that lets everybody in.
    pub(crate) async fn server(&self) -> Server {
        Server::start(self.options().check().unwrap()).await
    }
}

/// A server that is asked without a network in between.
pub(crate) struct Server {
    pub(crate) router: Router,
}

impl Server {
    pub(crate) async fn start(settings: Settings) -> Self {
        let app = App::open(settings).await.unwrap();
        Self {
            router: router(app),
        }
    }

    /// Sends any request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// Reads below the repository `r`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(get(&in_repository(path))).await
    }

    /// Posts JSON below the repository `r`.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(post(&in_repository(path), body)).await
    }
}

pub(crate) fn in_repository(path: &str) -> String {
    format!("/api/butler/repo/r/{path}")
}

pub(crate) fn get(uri: &str) -> Request<Body> {
    let request = Request::get(uri).header("host", "butler.example");
    request.body(Body::empty()).unwrap()
}

pub(crate) fn post(uri: &str, body: &Value) -> Request<Body> {
    let request = Request::post(uri)
        .header("host", "butler.example")
        .header("content-type", "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

/// The same request with a header.
pub(crate) fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

/// A response with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body of a response that succeeded.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        self.any_json()
    }

    /// The body of any response.
    pub(crate) fn any_json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The lines of a stream.
    pub(crate) fn lines(&self) -> Vec<Value> {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        let lines = self.body.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    /// The `error_type` of a mistake.
    pub(crate) fn error_type(&self) -> String {
        assert_eq!(self.status, StatusCode::UNPROCESSABLE_ENTITY, "{self:?}");
        let body = self.any_json();
        assert!(body["detail"].is_string(), "{body}");
        body["error_type"].as_str().unwrap().to_owned()
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// A service on the loopback interface; it ends with the runtime.
pub(crate) async fn listen(service: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let never = std::future::pending();
    let serve = butler_server::serve::serve(listener, service, never, std::time::Duration::ZERO);
    tokio::spawn(serve);
    address
}
