//! An observatory in miniature: five repositories and a state database, with real records of LSSTCam.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use butler_core::config::Config;
use butler_core::datasets::{DatasetIdMode, DatasetRef, DatasetType};
use butler_core::dimensions::{DataCoordinate, DataIdValue};
use butler_core::progress::NoProgress;
use butler_core::registry::{Registry as _, RegistryWriter as _};
use butler_direct::DirectButler;
use butler_direct::datastores::PutData;
use butler_direct::environment::Environment;
use butler_direct::ops::create::CreateOptions;
use butler_direct::ops::import::ImportOptions;
use butler_direct::resource::Resources;
use butler_pps::clock::{Clock, Moment};
use butler_pps::inputs::Registrar;
use butler_pps::policy::{DEFAULT, Policy};
use butler_pps::repositories::{Repositories, RepositoryOptions};
use butler_pps::state::{
    DatasetState, Origin, RepositoryName, RunReport, State, StateLocation, Status, Step,
};
use butler_pps::tasks::{Limits, Runner};
use butler_tests::postgres::{TestSchema, url};
use butler_tests::s3::S3Server;
use tempfile::TempDir;
use uuid::Uuid;

/// Five minutes after the observations: 2025-12-03T08:05:00 UTC.
pub(crate) const START: Moment = Moment(1_764_749_100_000);

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// The visits and detectors of the records.
pub(crate) const VISITS: [i64; 2] = [2_025_120_200_439, 2_025_120_200_440];
pub(crate) const DETECTORS: [i64; 2] = [10, 11];

/// Which databases there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Databases {
    Sqlite,
    Postgres,
}

impl Databases {
    pub(crate) const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

/// The buckets of an observatory with an object store: embargo's files, a gateway to those of `prompt_prep`, and batch
/// files.
pub(crate) const BUCKETS: [&str; 3] = ["embargo", "prompt", "batches"];

/// What an observatory is made of.
#[derive(Default)]
pub(crate) struct Plan<'a> {
    /// The URLs of the PostgreSQL servers of the state and of the repositories; SQLite if unset.
    pub(crate) servers: Option<[String; 2]>,
    /// Where embargo keeps its files, and through which the public repositories see those of
    /// `prompt_prep`; all are local if unset.
    pub(crate) store: Option<S3Server>,
    /// The runs of the datasets of each type; without any, embargo knows nothing.
    pub(crate) runs: &'a [&'a str],
}

pub(crate) struct Observatory {
    directory: TempDir,
    store: Option<S3Server>,
    resources: Option<Resources>,
    roots: BTreeMap<RepositoryName, PathBuf>,
    schemas: HashMap<&'static str, TestSchema>,
    location: StateLocation,
    pub(crate) clock: Clock,
    pub(crate) state: State,
    pub(crate) repositories: Arc<Repositories>,
    /// The datasets by type, in the order of visit and detector.
    pub(crate) datasets: BTreeMap<&'static str, Vec<DatasetRef>>,
}

impl Observatory {
    /// With four datasets of each type that has visit and detector, made in `runs` runs.
    pub(crate) async fn with_runs(databases: Databases, runs: &[&str]) -> Self {
        let servers = match databases {
            Databases::Sqlite => None,
            Databases::Postgres => Some([url(), url()]),
        };
        let plan = Plan {
            servers,
            runs,
            ..Plan::default()
        };
        Self::planned(plan).await
    }

    pub(crate) async fn new(databases: Databases) -> Self {
        Self::with_runs(databases, &["LSSTCam/prompt/output-2025-12-02"]).await
    }

    pub(crate) async fn planned(plan: Plan<'_>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut schemas = HashMap::new();
        if let Some([state, repositories]) = &plan.servers {
            for name in RepositoryName::ALL.map(RepositoryName::name) {
                schemas.insert(name, TestSchema::on(repositories.clone()));
            }
            schemas.insert("state", TestSchema::on(state.clone()));
        }
        let location = match schemas.get("state") {
            Some(schema) => StateLocation::Postgres {
                url: schema.url().to_owned(),
                schema: Some(schema.name().to_owned()),
            },
            None => StateLocation::Sqlite(directory.path().join("state.db")),
        };
        let state = State::open(&location, 4).await.unwrap();
        let roots = RepositoryName::ALL.map(|name| {
            let root = match (name, &plan.store) {
                (RepositoryName::PromptPrep, Some(store)) => store.root().join(BUCKETS[1]),
                _ => directory.path().join(name.name()),
            };
            (name, root)
        });
        let resources = plan.store.as_ref().map(|store| {
            let environment = Environment::fixed(store.environment());
            Resources::builder().environment(environment).build()
        });
        let roots = BTreeMap::from(roots);
        let mut observatory = Self {
            repositories: repositories(&roots, resources.clone()),
            directory,
            store: plan.store,
            resources,
            roots,
            schemas,
            location,
            clock: Clock::manual(START),
            state,
            datasets: BTreeMap::new(),
        };
        for name in RepositoryName::ALL {
            let butler = observatory.create(name).await;
            if name == RepositoryName::Embargo && !plan.runs.is_empty() {
                observatory.datasets = observe(&butler, plan.runs).await;
            }
            butler.close().await;
        }
        observatory
    }

    /// Makes a repository. The public ones see the files of `prompt_prep`.
    pub(crate) async fn create(&self, name: RepositoryName) -> DirectButler {
        let mut config = Config::new();
        if let Some(schema) = self.schemas.get(name.name()) {
            config.set(".registry.db", schema.url()).unwrap();
            config.set(".registry.namespace", schema.name()).unwrap();
        }
        let files = match (name, &self.store) {
            (RepositoryName::Embargo, Some(_)) => Some(format!("s3://{}/", BUCKETS[0])),
            (RepositoryName::GoogleInt | RepositoryName::GoogleProd, Some(_)) => {
                Some(format!("s3://{}/", BUCKETS[1]))
            }
            (RepositoryName::GoogleInt | RepositoryName::GoogleProd, None) => {
                let root = self.root(RepositoryName::PromptPrep);
                Some(root.to_str().unwrap().to_owned())
            }
            _ => None,
        };
        if let Some(files) = files {
            config.set(".datastore.root", files.as_str()).unwrap();
        }
        let options = CreateOptions {
            config,
            keep_roots: true,
            resources: self.resources.clone(),
            ..CreateOptions::default()
        };
        DirectButler::create(self.root(name).to_str().unwrap(), options)
            .await
            .unwrap()
    }

    /// The root of a repository.
    pub(crate) fn root(&self, name: RepositoryName) -> PathBuf {
        self.roots[&name].clone()
    }

    /// The directory that a repository's files of datasets are in, on this machine.
    pub(crate) fn file_root(&self, name: RepositoryName) -> PathBuf {
        match (name, &self.store) {
            (RepositoryName::Embargo, Some(store)) => store.root().join(BUCKETS[0]),
            _ => self.root(name),
        }
    }

    /// The object store.
    pub(crate) fn store(&self) -> &S3Server {
        self.store.as_ref().unwrap()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) async fn butler(&self, name: RepositoryName) -> DirectButler {
        self.repositories.get(name).await.unwrap()
    }

    /// The variables with which the command finds everything.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let state = match &self.location {
            StateLocation::Sqlite(path) => format!("sqlite:///{}", path.display()),
            StateLocation::Postgres { url, schema } => {
                format!("{url}?schema={}", schema.as_deref().unwrap())
            }
        };
        let mut variables = vec![("PROMPTPUB_STATE_DATABASE_URI".to_owned(), state)];
        for (name, variable) in RepositoryName::ALL.into_iter().zip([
            "EMBARGO",
            "PROMPT_PREP",
            "MAIN",
            "GOOGLE_INT",
            "GOOGLE_PROD",
        ]) {
            let root = self.root(name).to_str().unwrap().to_owned();
            variables.push((format!("PROMPTPUB_{variable}_REPO_PATH"), root));
        }
        let store = self.store.iter().flat_map(S3Server::environment);
        variables.extend(store);
        variables
    }

    /// Opens everything anew, as after a crash.
    pub(crate) async fn reopen(&mut self) {
        self.repositories.close().await;
        self.state.close().await;
        self.repositories = repositories(&self.roots, self.resources.clone());
        self.state = State::open(&self.location, 4).await.unwrap();
    }

    pub(crate) fn registrar(&self) -> Registrar {
        Registrar::new(
            self.state.clone(),
            Arc::clone(&self.repositories),
            self.clock.clone(),
        )
    }

    pub(crate) fn runner_with(&self, limits: Limits) -> Runner {
        Runner::new(
            self.state.clone(),
            Arc::clone(&self.repositories),
            Policy::parse(DEFAULT).unwrap(),
            self.clock.clone(),
            limits,
            vec!["LSSTCam/raw/all".to_owned()],
        )
    }

    pub(crate) fn runner(&self) -> Runner {
        self.runner_with(Limits {
            batch: 7,
            ..Limits::default()
        })
    }

    pub(crate) fn ids(&self, dataset_type: &str) -> Vec<Uuid> {
        self.datasets[dataset_type]
            .iter()
            .map(DatasetRef::id)
            .collect()
    }

    pub(crate) fn all_ids(&self) -> Vec<Uuid> {
        self.datasets
            .values()
            .flatten()
            .map(DatasetRef::id)
            .collect()
    }

    pub(crate) async fn register_all(&self) {
        self.registrar()
            .register(&self.all_ids(), Origin::PromptProcessing)
            .await
            .unwrap();
    }

    /// Runs all steps until none has anything to do; what could not be done is in the reports.
    pub(crate) async fn settle(&self) -> Vec<(Step, RunReport)> {
        let runner = self.runner();
        let mut troubles = Vec::new();
        loop {
            let mut done = 0;
            for step in Step::ALL {
                let report = runner.run(step).await.unwrap();
                done += report.done;
                if report.failed > 0 || report.error.is_some() {
                    troubles.push((step, report));
                }
            }
            if done == 0 {
                return troubles;
            }
        }
    }

    /// As [`settle`](Self::settle), but nothing may go wrong.
    pub(crate) async fn settle_well(&self) {
        let troubles = self.settle().await;
        assert!(troubles.is_empty(), "{troubles:?}");
    }

    /// The states of all datasets of a type.
    pub(crate) async fn states(&self, dataset_type: &str) -> Vec<DatasetState> {
        self.state.datasets(&self.ids(dataset_type)).await.unwrap()
    }

    /// The statuses that all datasets of a type have, in the order of the repositories.
    pub(crate) async fn statuses(&self, dataset_type: &str) -> [Status; 5] {
        let states = self.states(dataset_type).await;
        let first = states[0].statuses;
        for state in &states {
            assert_eq!(state.statuses, first, "{dataset_type} {state:?}");
        }
        first
    }

    /// Which of the datasets the datastore of a repository has records of.
    pub(crate) async fn stored(&self, name: RepositoryName) -> Vec<Uuid> {
        let butler = self.butler(name).await;
        let ids = self.all_ids();
        let known = butler.reader().datastore().knows(&ids).await.unwrap();
        let mut known: Vec<Uuid> = known.into_iter().collect();
        known.sort();
        known
    }

    /// The files below the root of a repository, relative to it, without those of the repository
    /// itself.
    pub(crate) fn files(&self, name: RepositoryName) -> Vec<PathBuf> {
        let root = self.file_root(name);
        let mut found = Vec::new();
        let mut pending = vec![root.clone()];
        while let Some(directory) = pending.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    pending.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().to_owned());
                }
            }
        }
        found.retain(|path| {
            let name = path.to_str().unwrap();
            !name.starts_with("gen3.sqlite3") && name != "butler.yaml"
        });
        found.sort();
        found
    }

    /// The path of a dataset's file below the root of a repository that stores it.
    pub(crate) async fn file(&self, name: RepositoryName, id: Uuid) -> PathBuf {
        let butler = self.butler(name).await;
        let files = butler.reader().datastore().files(&[id]).await.unwrap();
        self.file_root(name).join(&files[&id][0].info.path)
    }

    /// The members of a collection of a repository.
    pub(crate) async fn members(&self, name: RepositoryName, collection: &str) -> Vec<Uuid> {
        let butler = self.butler(name).await;
        let mut found = Vec::new();
        for dataset_type in self.datasets.keys() {
            match butler
                .registry()
                .associations(dataset_type, &[collection.to_owned()])
                .await
            {
                Ok(members) => found.extend(members.iter().map(|member| member.dataset.id())),
                Err(butler_core::Error::MissingDatasetType(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        found.sort();
        found
    }
}

fn repositories(
    roots: &BTreeMap<RepositoryName, PathBuf>,
    resources: Option<Resources>,
) -> Arc<Repositories> {
    let uris = roots.iter().map(|(name, root)| {
        let root = root.to_str().unwrap().to_owned();
        (*name, root)
    });
    let options = RepositoryOptions {
        resources,
        trash_claim: Some(Duration::from_secs(1)),
    };
    Arc::new(Repositories::new(uris, options))
}

/// The real dimension records of LSSTCam: beside the project, or where `BUTLER_SHARED_DATA` says.
pub(crate) fn dimensions() -> std::path::PathBuf {
    let place = std::env::var_os("BUTLER_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        Into::into,
    );
    let file = place.join("lsstcam-dimensions.yaml");
    assert!(
        file.is_file(),
        "{} is not there: put the shared test data there, or set BUTLER_SHARED_DATA",
        file.display()
    );
    file
}

/// What Prompt Processing has made of the observations.
async fn observe(butler: &DirectButler, runs: &[&str]) -> BTreeMap<&'static str, Vec<DatasetRef>> {
    butler
        .import_file(
            dimensions().to_str().unwrap(),
            &ImportOptions::default(),
            &NoProgress,
        )
        .await
        .unwrap();
    let mut datasets: BTreeMap<&'static str, Vec<DatasetRef>> = BTreeMap::new();
    for (name, dimensions) in [
        ("preliminary_visit_image", &["visit", "detector"][..]),
        ("difference_image", &["visit", "detector"]),
        ("dia_source_apdb", &["visit", "detector"]),
        ("preloaded_dia_object", &["visit", "detector"]),
        ("mystery", &["visit", "detector"]),
        ("isr_log", &["exposure", "detector"]),
        ("isr_config", &[]),
    ] {
        let group = butler.universe().conform(dimensions).unwrap();
        let dataset_type =
            Arc::new(DatasetType::new(name, group, "StructuredDataDict", false).unwrap());
        butler
            .registry()
            .register_dataset_type(&dataset_type)
            .await
            .unwrap();
        for run in runs {
            for data_id in data_ids(butler, &dataset_type) {
                let mode = DatasetIdMode::Unique;
                let dataset =
                    DatasetRef::generate(Arc::clone(&dataset_type), data_id, *run, mode).unwrap();
                datasets.entry(name).or_default().push(dataset);
            }
        }
    }
    for run in runs {
        let kind = butler_core::collections::CollectionType::Run;
        butler
            .registry()
            .register_collection(run, kind, None)
            .await
            .unwrap();
    }
    let puts = datasets
        .values()
        .flatten()
        .map(|dataset| {
            let content = serde_json::json!({"id": dataset.id().to_string()});
            (dataset.clone(), PutData::from(content))
        })
        .collect();
    butler.put_many(puts, &NoProgress).await.unwrap();
    datasets
}

fn data_ids(butler: &DirectButler, dataset_type: &DatasetType) -> Vec<DataCoordinate> {
    let dimensions = dataset_type.dimensions();
    if dimensions.is_empty() {
        return vec![DataCoordinate::empty(butler.universe())];
    }
    let visits = VISITS.into_iter();
    visits
        .flat_map(|visit| DETECTORS.map(|detector| (visit, detector)))
        .map(|(visit, detector)| {
            let values: [(&str, DataIdValue); 4] = [
                ("instrument", "LSSTCam".into()),
                ("visit", visit.into()),
                ("exposure", visit.into()),
                ("detector", detector.into()),
            ];
            let values = values
                .into_iter()
                .filter(|(name, _)| dimensions.required().contains(name));
            DataCoordinate::standardize(butler.universe(), values, Some(dimensions), None).unwrap()
        })
        .collect()
}
