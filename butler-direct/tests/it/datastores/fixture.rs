//! Repositories with datastores of each kind.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::config::Config;
use butler_core::datasets::{DatasetId, DatasetIdMode, DatasetRef, DatasetType, FileDataset};
use butler_core::datastore::StoredFileInfo;
use butler_core::dimensions::{ColumnValue, DataCoordinate, DataIdValue, DimensionRecord};
use butler_core::progress::NoProgress;
use butler_core::registry::{InsertMode, Registry, RegistryWriter};
use butler_direct::datastores::{IngestOptions, PutData, SharedDatastore, Staged, open_datastore};
use butler_direct::environment::Environment;
use butler_direct::ops::create::CreateOptions;
use butler_direct::resource::{ResourcePath, Resources, TransferMode};
use butler_direct::{DirectButler, OpenOptions};
use butler_tests::postgres::TestSchema;
use butler_tests::s3::S3Server;
use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;

use crate::support::s3::Gate;

pub(crate) const RUN: &str = "a/run";

const FILE: &str = "lsst.daf.butler.datastores.fileDatastore.FileDatastore";
const MEMORY: &str = "lsst.daf.butler.datastores.inMemoryDatastore.InMemoryDatastore";
const CHAINED: &str = "lsst.daf.butler.datastores.chainedDatastore.ChainedDatastore";

/// Storage classes of these tests, and formatters for them.
const CLASSES: &str = "
storageClasses:
  JsonDict: {pytype: dict}
  Opaque: {pytype: dict}
  Pair:
    pytype: dict
    components: {dict: StructuredDataDict, list: StructuredDataList}
";

const FORMATTERS: &str = "
formatters:
  JsonDict: lsst.daf.butler.formatters.json.JsonFormatter
  StructuredDataList: lsst.daf.butler.formatters.yaml.YamlFormatter
  Opaque: some.package.OpaqueFormatter
  Pair: some.package.PairFormatter
";

/// The database a repository's registry is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// A file in the repository.
    Sqlite,
    /// A schema of its own.
    Postgres,
}

/// A repository with an empty datastore.
pub(crate) struct Store {
    pub(crate) butler: DirectButler,
    pub(crate) datastore: SharedDatastore,
    pub(crate) directory: TempDir,
    /// Kept until the connections to it are closed.
    _schema: Option<TestSchema>,
    /// Kept running.
    _s3: Option<S3Server>,
}

/// Repositories with each kind of datastore.
impl Database {
    /// Files in a local directory.
    pub(crate) async fn posix(self) -> Store {
        self.posix_with("").await
    }

    /// Files in a local directory, with more lines in the datastore's configuration.
    pub(crate) async fn posix_with(self, more: &str) -> Store {
        let config = format!("cls: {FILE}\nroot: <butlerRoot>/files\n{FORMATTERS}\n{more}");
        self.create(&config, None, Environment::default()).await
    }

    /// Objects on an S3 server.
    pub(crate) async fn s3(self) -> Store {
        self.s3_with("").await
    }

    /// Objects on an S3 server, with more lines in the datastore's configuration.
    pub(crate) async fn s3_with(self, more: &str) -> Store {
        let server = S3Server::start(&["bucket"]);
        let environment = Environment::fixed(server.environment());
        self.create(&in_bucket(more), Some(server), environment)
            .await
    }

    /// Objects on an S3 server behind a gate.
    pub(crate) async fn s3_behind_gate(self) -> (Store, Gate) {
        let server = S3Server::start(&["bucket"]);
        let gate = Gate::start(&server.endpoint()).await;
        let mut variables = server.environment();
        variables.push(("S3_ENDPOINT_URL".to_owned(), gate.url.clone()));
        let environment = Environment::fixed(variables);
        let store = self.create(&in_bucket(""), Some(server), environment).await;
        (store, gate)
    }

    /// Memory.
    pub(crate) async fn memory(self) -> Store {
        let config = format!("cls: {MEMORY}");
        self.create(&config, None, Environment::default()).await
    }

    /// Memory, then two directories of files; the first directory refuses `json`.
    pub(crate) async fn chained(self) -> Store {
        self.chained_with("").await
    }

    /// As [`chained`](Self::chained), with more lines in the chain's configuration.
    pub(crate) async fn chained_with(self, more: &str) -> Store {
        let indented = FORMATTERS.trim().replace('\n', "\n      ");
        let config = format!(
            "cls: {CHAINED}
datastores:
  - datastore:
      cls: {MEMORY}
      constraints: {{reject: [table]}}
  - datastore:
      cls: {FILE}
      name: first
      root: <butlerRoot>/first
      records: {{table: first_records}}
      constraints: {{reject: [json]}}
      {indented}
  - datastore:
      cls: {FILE}
      name: second
      root: <butlerRoot>/second
      records: {{table: second_records}}
      {indented}
{more}"
        );
        self.create(&config, None, Environment::default()).await
    }

    async fn create(
        self,
        datastore: &str,
        s3: Option<S3Server>,
        environment: Environment,
    ) -> Store {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::from_yaml(CLASSES).unwrap();
        let datastore = Config::from_yaml(datastore).unwrap();
        config.set("datastore", datastore).unwrap();
        let schema = (self == Self::Postgres).then(TestSchema::new);
        if let Some(schema) = &schema {
            let (url, name) = (schema.url(), schema.name());
            let registry = Config::from_yaml(&format!("db: {url}\nnamespace: {name}")).unwrap();
            config.set("registry", registry).unwrap();
        }
        let resources = Resources::builder().environment(environment).build();
        let options = CreateOptions {
            config,
            keep_roots: true,
            resources: Some(resources),
            ..CreateOptions::default()
        };
        let root = directory.path().join("repo");
        let butler = DirectButler::create(root.to_str().unwrap(), options)
            .await
            .unwrap();
        fill(&butler).await;
        let datastore = open(&butler).await;
        Store {
            butler,
            datastore,
            directory,
            _schema: schema,
            _s3: s3,
        }
    }
}

fn in_bucket(more: &str) -> String {
    format!("cls: {FILE}\nroot: s3://bucket/some/where\n{FORMATTERS}\n{more}")
}

impl Store {
    /// The same repository opened anew, with connections and memory of its own.
    pub(crate) async fn reopened(&self) -> SharedDatastore {
        let options = OpenOptions {
            writeable: true,
            resources: Some(self.butler.resources().clone()),
            ..OpenOptions::default()
        };
        let root = self.directory.path().join("repo");
        let butler = DirectButler::open(root.to_str().unwrap(), options)
            .await
            .unwrap();
        open(&butler).await
    }

    pub(crate) async fn dataset_type(&self, name: &str) -> Arc<DatasetType> {
        self.butler.registry().dataset_type(name).await.unwrap()
    }

    /// A reference to a dataset that is not in the registry yet.
    pub(crate) async fn dataset(&self, dataset_type: &str, detector: i64) -> DatasetRef {
        let dataset_type = self.dataset_type(dataset_type).await;
        DatasetRef::generate(
            dataset_type,
            self.detector(detector).await,
            RUN,
            DatasetIdMode::Unique,
        )
        .unwrap()
    }

    /// An expanded data ID.
    async fn detector(&self, number: i64) -> DataCoordinate {
        let values: [(&str, DataIdValue); 2] =
            [("instrument", "Cam1".into()), ("detector", number.into())];
        let universe = self.butler.universe();
        let data_id = DataCoordinate::standardize(universe, values, None, None).unwrap();
        let expanded = self.butler.registry().expand_data_ids(&[data_id]).await;
        expanded.unwrap().remove(0)
    }

    /// Makes datasets known and records what is staged, in one transaction.
    pub(crate) async fn record(
        &self,
        staged: Staged,
        datasets: &[DatasetRef],
    ) -> butler_core::Result<()> {
        let mut transaction = self.butler.registry().begin().await.unwrap();
        let mut outcome = transaction.import_datasets(datasets).await;
        if outcome.is_ok() {
            outcome = staged.record(&mut transaction).await;
        }
        match outcome {
            Ok(()) => {
                transaction.commit().await.unwrap();
                staged.finish().await;
                Ok(())
            }
            Err(error) => {
                transaction.rollback().await.unwrap();
                staged.undo().await.unwrap();
                Err(error)
            }
        }
    }

    /// Stores a dataset.
    pub(crate) async fn put(&self, dataset: &DatasetRef, data: impl Into<PutData>) {
        let staged = self
            .datastore
            .stage_put(dataset, data.into())
            .await
            .unwrap();
        self.record(staged, std::slice::from_ref(dataset))
            .await
            .unwrap();
    }

    /// Stores a new dataset of type `json`, whose content is its detector.
    pub(crate) async fn put_json(&self, detector: i64) -> DatasetRef {
        let dataset = self.dataset("json", detector).await;
        self.put(&dataset, json!({"detector": detector})).await;
        dataset
    }

    /// Brings a file in, without recording it.
    pub(crate) async fn stage_ingest(
        &self,
        path: impl AsRef<Path>,
        datasets: &[DatasetRef],
        mode: impl Into<Option<TransferMode>>,
    ) -> butler_core::Result<Staged> {
        let file = file(path, datasets);
        let options = IngestOptions::new(mode.into());
        self.datastore
            .stage_ingest(vec![file], options, &NoProgress)
            .await
    }

    /// Brings a file in that holds these datasets.
    pub(crate) async fn ingest(
        &self,
        path: impl AsRef<Path>,
        datasets: &[DatasetRef],
        mode: impl Into<Option<TransferMode>>,
    ) {
        let staged = self.stage_ingest(path, datasets, mode).await.unwrap();
        self.record(staged, datasets).await.unwrap();
    }

    /// Moves datasets to the trash.
    pub(crate) async fn trash(&self, ids: &[DatasetId]) {
        let mut transaction = self.butler.registry().begin().await.unwrap();
        self.datastore.trash(&mut transaction, ids).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Moves a dataset to the trash and removes it from the registry.
    pub(crate) async fn trash_and_remove(&self, dataset: &DatasetRef) {
        let ids = [dataset.id()];
        let mut transaction = self.butler.registry().begin().await.unwrap();
        self.datastore.trash(&mut transaction, &ids).await.unwrap();
        transaction.remove_datasets(&ids).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// The files of a dataset in all datastores.
    pub(crate) async fn files(&self, dataset: &DatasetRef) -> Vec<ResourcePath> {
        let records = self.datastore.records(&[dataset.id()]).await.unwrap();
        let roots = self.datastore.roots();
        let mut files = Vec::new();
        for (name, data) in records {
            for tables in data.records.values() {
                for info in tables.values().flatten() {
                    let path = ResourcePath::relative(&info.path).unwrap();
                    files.push(roots[&name].join_path(&path).unwrap());
                }
            }
        }
        files
    }

    /// The content of a dataset.
    pub(crate) async fn bytes(&self, dataset: &DatasetRef) -> Bytes {
        self.datastore.get_bytes(dataset).await.unwrap()
    }

    /// The records of a dataset in all datastores.
    pub(crate) async fn recorded(&self, dataset: &DatasetRef) -> Vec<StoredFileInfo> {
        let records = self.datastore.records(&[dataset.id()]).await.unwrap();
        let tables = records.values().flat_map(|data| data.records.values());
        tables
            .flat_map(|tables| tables.values().flatten())
            .cloned()
            .collect()
    }

    /// Every file below the roots, relative to them.
    pub(crate) async fn all_files(&self) -> Vec<String> {
        use futures::TryStreamExt as _;
        let resources = self.butler.resources();
        let mut found = Vec::new();
        for root in self.datastore.roots().values() {
            let listed: Vec<_> = resources.list(root).try_collect().await.unwrap();
            found.extend(listed.iter().filter_map(|info| info.uri.relative_to(root)));
        }
        found.sort();
        found
    }

    /// Makes a local file outside of the repository.
    pub(crate) fn local_file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

/// A file to be ingested.
pub(crate) fn file(path: impl AsRef<Path>, datasets: &[DatasetRef]) -> FileDataset {
    FileDataset {
        path: path.as_ref().to_str().unwrap().to_owned(),
        refs: datasets.to_vec(),
        formatter: None,
    }
}

async fn open(butler: &DirectButler) -> SharedDatastore {
    open_datastore(butler.config(), butler.registry(), butler.resources())
        .await
        .unwrap()
}

async fn fill(butler: &DirectButler) {
    let registry = butler.registry();
    let universe = butler.universe();
    let record = |element: &str, fields: Vec<(&str, ColumnValue)>| {
        DimensionRecord::from_fields(universe.element(element).unwrap(), fields).unwrap()
    };
    let mut records = vec![record("instrument", vec![("name", "Cam1".into())])];
    records.extend((0..20).map(|number| {
        record(
            "detector",
            vec![
                ("instrument", "Cam1".into()),
                ("id", i64::from(number).into()),
                ("full_name", format!("D{number:02}").as_str().into()),
            ],
        )
    }));
    for group in [&records[..1], &records[1..]] {
        registry
            .insert_dimension_records(group[0].element(), group, InsertMode::Insert)
            .await
            .unwrap();
    }
    registry
        .register_collection(RUN, CollectionType::Run, None)
        .await
        .unwrap();
    for (name, class) in [
        ("json", "JsonDict"),
        ("yaml", "StructuredDataDict"),
        ("list", "StructuredDataList"),
        ("table", "ArrowAstropy"),
        ("frame", "DataFrame"),
        ("arrow", "ArrowTable"),
        ("opaque", "Opaque"),
        ("pair", "Pair"),
    ] {
        let dimensions = universe.conform(["instrument", "detector"]).unwrap();
        let dataset_type = DatasetType::new(name, dimensions, class, false).unwrap();
        registry.register_dataset_type(&dataset_type).await.unwrap();
    }
}
