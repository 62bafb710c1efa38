//! An embargo repository, messages about files in it, and writers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use butler_core::config::Config;
use butler_core::query::SimpleQuery;
use butler_direct::ops::create::CreateOptions;
use butler_direct::{DirectButler, OpenOptions};
use butler_pps::events::{BatchIngested, DatasetBatch};
use butler_pps::writer::WriterSettings;
use butler_tests::kafka::{bootstrap_servers, unique};
use butler_tests::postgres::TestSchema;
use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::kafka::{create_topics, read_all};
use crate::process::Process;

/// The run of the datasets.
pub(crate) const RUN: &str = "Cam/prompt/output";

/// The longest that anything may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(240);

/// An embargo repository and topics of its own.
pub(crate) struct Embargo {
    directory: TempDir,
    schema: Option<TestSchema>,
    /// Where the broker is.
    pub(crate) servers: String,
    /// What topics, group and transactional ID begin with.
    pub(crate) name: String,
}

impl Embargo {
    pub(crate) async fn sqlite() -> Self {
        Self::create(None, bootstrap_servers()).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::create(Some(TestSchema::new()), bootstrap_servers()).await
    }

    /// On the shared broker, or one of the test's own.
    pub(crate) async fn create(schema: Option<TestSchema>, servers: String) -> Self {
        let embargo = Self {
            directory: tempfile::tempdir().unwrap(),
            schema,
            servers,
            name: unique("writer"),
        };
        let mut config = Config::new();
        if let Some(schema) = &embargo.schema {
            config.set(".registry.db", schema.url()).unwrap();
            config.set(".registry.namespace", schema.name()).unwrap();
        }
        let options = CreateOptions {
            config,
            keep_roots: true,
            ..CreateOptions::default()
        };
        DirectButler::create(embargo.root().to_str().unwrap(), options)
            .await
            .unwrap();
        std::fs::create_dir(embargo.lists()).unwrap();
        create_topics(
            &embargo.servers,
            &[&embargo.input(), &embargo.output(), &embargo.dead()],
        )
        .await;
        embargo
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("embargo")
    }

    /// The directory of batch files.
    pub(crate) fn lists(&self) -> PathBuf {
        self.directory.path().join("lists")
    }

    pub(crate) fn input(&self) -> String {
        format!("{}-input", self.name)
    }

    pub(crate) fn output(&self) -> String {
        format!("{}-output", self.name)
    }

    pub(crate) fn dead(&self) -> String {
        format!("{}-input-dead-letter", self.name)
    }

    pub(crate) async fn open(&self) -> DirectButler {
        let root = self.root();
        let options = OpenOptions::default().collections([RUN]);
        DirectButler::open(root.to_str().unwrap(), options)
            .await
            .unwrap()
    }

    /// What a writer is told by its environment.
    pub(crate) fn environment(&self) -> BTreeMap<&'static str, String> {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        BTreeMap::from([
            ("BUTLER_REPOSITORY", text(self.root())),
            ("KAFKA_CLUSTER", self.servers.clone()),
            ("KAFKA_TOPIC", self.input()),
            ("KAFKA_OUTPUT_TOPIC", self.output()),
            ("OUTPUT_DATASET_LIST_DIRECTORY", text(self.lists())),
            ("KAFKA_GROUP_ID", self.name.clone()),
            ("KAFKA_TRANSACTIONAL_ID", self.name.clone()),
            ("WRITER_BATCH_SECONDS", "0.2".to_owned()),
        ])
    }

    /// The same for a writer in this process.
    pub(crate) fn settings(&self) -> WriterSettings {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            settings: WriterSettings,
        }
        let environment = self.environment();
        let flags = [
            ("--repository", "BUTLER_REPOSITORY"),
            ("--cluster", "KAFKA_CLUSTER"),
            ("--topic", "KAFKA_TOPIC"),
            ("--output-topic", "KAFKA_OUTPUT_TOPIC"),
            ("--dataset-list-directory", "OUTPUT_DATASET_LIST_DIRECTORY"),
            ("--group-id", "KAFKA_GROUP_ID"),
            ("--transactional-id", "KAFKA_TRANSACTIONAL_ID"),
            ("--batch-seconds", "WRITER_BATCH_SECONDS"),
        ];
        let arguments = flags.map(|(flag, name)| format!("{flag}={}", environment[name]));
        let line = ["writer".to_owned()].into_iter().chain(arguments);
        Line::parse_from(line).settings
    }

    /// A writer in a process of its own.
    pub(crate) fn spawn(&self) -> Process {
        self.spawn_with(&[])
    }

    /// The same with more of an environment.
    pub(crate) fn spawn_with(&self, more: &[(String, String)]) -> Process {
        let environment = self.environment();
        let environment = environment
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(more.iter().cloned());
        Process::start(&["writer"], environment, self.directory.path().join("log"))
    }

    /// What the writer has told, as a reader of committed messages sees it.
    pub(crate) async fn announced(&self) -> Vec<BatchIngested> {
        read_all(&self.servers, &self.output())
            .await
            .iter()
            .map(|message| {
                serde_json::from_slice(rdkafka::Message::payload(message).unwrap()).unwrap()
            })
            .collect()
    }

    /// The datasets of the batches that the writer has told of. The batch files have to be there.
    pub(crate) async fn announced_datasets(&self) -> Vec<Uuid> {
        let mut datasets = Vec::new();
        for event in self.announced().await {
            let text = std::fs::read(self.lists().join(&event.batch_file)).unwrap();
            let batch: DatasetBatch = serde_json::from_slice(&text).unwrap();
            assert_eq!(batch.batch_id, event.batch_id);
            datasets.extend(batch.datasets);
        }
        datasets
    }

    /// Waits until so many datasets were told of.
    pub(crate) async fn wait_for_datasets(&self, count: usize) -> Vec<Uuid> {
        let begun = Instant::now();
        loop {
            let found = self.announced_datasets().await;
            if found.len() >= count {
                return found;
            }
            assert!(
                begun.elapsed() < LIMIT,
                "{} of {count} datasets:\n{}",
                found.len(),
                std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Asserts that the repository has exactly these datasets, with their files.
    pub(crate) async fn assert_holds(&self, expected: &BTreeSet<Uuid>) {
        let butler = self.open().await;
        let query = SimpleQuery::default();
        let refs = butler
            .reader()
            .query_datasets("image", None, &query)
            .await
            .unwrap();
        let found: BTreeSet<Uuid> = refs.iter().map(|dataset| dataset.id()).collect();
        assert_eq!(&found, expected);
        let ids: Vec<Uuid> = found.into_iter().collect();
        let stored = butler.datastore().knows(&ids).await.unwrap();
        assert_eq!(stored.len(), expected.len());
        for dataset in &refs {
            butler.get_bytes(dataset).await.unwrap();
        }
    }

    /// A message about new files, one for each detector; they are in the datastore. Numbers must differ between
    /// messages.
    pub(crate) fn message(&self, number: u32, detectors: u32) -> (Value, Vec<Uuid>) {
        let mut datasets = Vec::new();
        let mut ids = Vec::new();
        for detector in 0..detectors {
            let id = Uuid::now_v7();
            let path = format!("images/{number}/{detector}.yaml");
            self.write_file(&path, &format!("id: {id}\n"));
            datasets.push(dataset(id, "image", number, detector, &path));
            ids.push(id);
        }
        (event(number, detectors, datasets), ids)
    }

    /// Puts a file into the datastore.
    pub(crate) fn write_file(&self, path: &str, content: &str) {
        let place = self.root().join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, content).unwrap();
    }
}

/// A message about files.
pub(crate) fn event(number: u32, detectors: u32, datasets: Vec<Value>) -> Value {
    json!({
        "type": "pp-output",
        "dimension_records": records(number, detectors),
        "dataset_types": [dataset_type("image")],
        "datasets": datasets,
    })
}

pub(crate) fn dataset_type(name: &str) -> Value {
    json!({"name": name, "storageClass": "StructuredDataDict",
           "dimensions": ["instrument", "exposure", "detector"],
           "parentStorageClass": null, "isCalibration": false})
}

/// A file with a dataset.
pub(crate) fn dataset(
    id: Uuid,
    dataset_type: &str,
    number: u32,
    detector: u32,
    path: &str,
) -> Value {
    json!({
        "refs": {id.to_string(): {
            "dataset_type_name": dataset_type,
            "run": RUN,
            "data_id": {"instrument": "Cam", "exposure": number, "detector": detector},
        }},
        "path": path,
        "formatter": "lsst.daf.butler.formatters.yaml.YamlFormatter",
    })
}

/// The records that datasets of an exposure need.
fn records(number: u32, detectors: u32) -> Vec<Value> {
    let mut records = vec![
        json!({"definition": "instrument", "record": {
            "name": "Cam", "visit_max": 1_000_000, "visit_system": 1, "exposure_max": 1_000_000,
            "detector_max": 1000, "class_name": "test.Cam"}}),
        json!({"definition": "physical_filter", "record": {
            "instrument": "Cam", "name": "Cam-G", "band": "g"}}),
        json!({"definition": "day_obs", "record": {
            "instrument": "Cam", "id": 20251202, "timespan": null}}),
        json!({"definition": "group", "record": {
            "instrument": "Cam", "name": format!("group{number}")}}),
        json!({"definition": "exposure", "record": {
            "instrument": "Cam", "id": number, "day_obs": 20251202, "group": format!("group{number}"),
            "physical_filter": "Cam-G", "obs_id": format!("exposure{number}"),
            "exposure_time": 30.0, "dark_time": 30.0, "observation_type": "science",
            "observation_reason": "test", "seq_num": number, "seq_start": null, "seq_end": null,
            "target_name": "sky", "science_program": "test", "tracking_ra": null,
            "tracking_dec": null, "sky_angle": null, "azimuth": null, "zenith_angle": null,
            "has_simulated": false, "can_see_sky": true, "timespan": null}}),
    ];
    records.extend((0..detectors).map(|detector| {
        json!({"definition": "detector", "record": {
            "instrument": "Cam", "id": detector, "full_name": format!("D{detector}"),
            "name_in_raft": null, "raft": null, "purpose": "SCIENCE"}})
    }));
    records
}

/// Copies what a directory holds, but not what names itself so.
pub(crate) fn copy_tree(from: &Path, to: &Path, except: &[&str]) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if except.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target, except);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
