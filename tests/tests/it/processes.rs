//! Several processes write to one repository at the same time: some with the library, one with
//! the reference.
//!
//! A process that uses the library is this very program again, told by an environment variable to
//! be one. Every process opens the repository, says that it is `ready`, and waits for its steps,
//! which all get at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use butler_core::collections::{CollectionType, CollectionWildcard};
use butler_core::datasets::{DatasetRef, DatasetType};
use butler_core::dimensions::{DataCoordinate, DataIdValue};
use butler_core::error::{Error, Result};
use butler_core::progress::NoProgress;
use butler_core::registry::{CollectionQuery, Registry, RegistryWriter};
use butler_core::time::{TimeFormat, TimeScale, parse_time};
use butler_core::timespan::Timespan;
use butler_direct::ops::import::ImportOptions;
use butler_direct::{DirectButler, OpenOptions};
use butler_tests::canonical::assert_same;
use butler_tests::python::Script;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::repos::{Place, registry_data};

/// Names the repository to a process that is to write to it.
const REPOSITORY: &str = "BUTLER_TEST_WRITE_TO";

/// What comes before a process's outcomes in its output.
const OUTCOMES: &str = "outcomes of the steps: ";

/// Processes that use the library.
const PROCESSES: usize = 3;

/// Imports of overlapping sets of datasets by each process.
const ROUNDS: usize = 4;

fn text<'v>(step: &'v Value, key: &str) -> &'v str {
    step[key].as_str().unwrap()
}

fn strings(step: &Value, key: &str) -> Vec<String> {
    let values = step[key].as_array().unwrap().iter();
    values.map(|v| v.as_str().unwrap().to_owned()).collect()
}

fn data_id(butler: &DirectButler, value: &Value) -> DataCoordinate {
    let values = value.as_object().unwrap().iter().map(|(name, value)| {
        let value: DataIdValue = match value {
            Value::String(text) => text.as_str().into(),
            number => number.as_i64().unwrap().into(),
        };
        (name.as_str(), value)
    });
    DataCoordinate::standardize(butler.universe(), values, None, None).unwrap()
}

fn time(step: &Value, key: &str) -> Option<i64> {
    let text = step[key].as_str()?;
    Some(parse_time(text, TimeFormat::Isot, TimeScale::Tai).unwrap())
}

/// Does what `write_repo.py` does for the same step.
async fn perform(butler: &DirectButler, step: &Value) -> Result<()> {
    let registry = butler.registry();
    match text(step, "do") {
        "collection" => {
            let kind: CollectionType = text(step, "type").parse()?;
            registry
                .register_collection(text(step, "name"), kind, None)
                .await?;
        }
        "prepend" => {
            registry
                .prepend_collection_chain(text(step, "name"), &strings(step, "children"))
                .await?;
        }
        "dataset_type" => {
            let group = butler.universe().conform(strings(step, "dimensions"))?;
            let calibration = step["is_calibration"].as_bool().unwrap();
            let class = text(step, "storage_class");
            let new = DatasetType::new(text(step, "name"), group, class, calibration)?;
            registry.register_dataset_type(&new).await?;
        }
        "datasets" => {
            let dataset_type = registry.dataset_type(text(step, "dataset_type")).await?;
            let all: Vec<DatasetRef> = step["datasets"]
                .as_array()
                .unwrap()
                .iter()
                .map(|dataset| {
                    let id: Uuid = text(dataset, "id").parse().unwrap();
                    let data_id = data_id(butler, &dataset["data_id"]);
                    DatasetRef::new(Arc::clone(&dataset_type), data_id, text(step, "run"), id)
                })
                .collect::<Result<_>>()?;
            registry.import_datasets(&all).await?;
        }
        "certify" => {
            let ids = registry.run_dataset_ids(text(step, "run")).await?;
            let mut all: Vec<DatasetRef> = registry.datasets(&ids).await?.into_values().collect();
            all.retain(|dataset| **dataset.dataset_type().name() == *text(step, "dataset_type"));
            let timespan = Timespan::new(time(step, "begin"), time(step, "end"))?;
            registry
                .certify(text(step, "collection"), &all, timespan)
                .await?;
        }
        other => panic!("unknown step {other}"),
    }
    Ok(())
}

/// Not a test of its own: what a process does that a test below starts. Elsewhere it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "it talks to the process that started it"
)]
async fn one_of_the_processes() {
    let Ok(root) = std::env::var(REPOSITORY) else {
        return;
    };
    let butler = DirectButler::open(&root, OpenOptions::writeable())
        .await
        .unwrap();
    eprintln!("ready");
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    let steps: Vec<Value> = serde_json::from_str(&input).unwrap();
    let mut outcomes = Vec::new();
    for step in &steps {
        outcomes.push(match perform(&butler, step).await {
            Ok(()) => "ok".to_owned(),
            Err(Error::ConflictingDefinition(_)) => "ConflictingDefinitionError".to_owned(),
            Err(error) => format!("{step}: {error:?}"),
        });
    }
    println!("\n{OUTCOMES}{}", json!(outcomes));
}

/// A process that waits for its steps.
struct Process {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    _home: Option<tempfile::TempDir>,
}

impl Process {
    fn start(mut command: Command, home: Option<tempfile::TempDir>) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            stderr,
            _home: home,
        }
    }

    fn of_the_library(place: &Place) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "processes::one_of_the_processes", "--nocapture"])
            .env(REPOSITORY, place.root());
        Self::start(command, None)
    }

    fn of_the_reference(place: &Place) -> Self {
        let script = Script::new("write_repo.py").arg(place.root());
        let (command, home) = script.arg("--outcomes").into_command();
        Self::start(command, Some(home))
    }

    /// Waits until the process has opened the repository.
    fn wait(&mut self) {
        let mut seen = String::new();
        while !seen.ends_with("ready\n") {
            let length = self.stderr.read_line(&mut seen).unwrap();
            assert_ne!(length, 0, "the process ended: {seen}");
        }
    }

    fn give(&mut self, steps: &Value) {
        let mut stdin = self.child.stdin.take().unwrap();
        stdin.write_all(steps.to_string().as_bytes()).unwrap();
    }

    /// What became of each step, and what the process said about it.
    fn outcomes(mut self) -> (Vec<String>, String) {
        let mut errors = String::new();
        self.stderr.read_to_string(&mut errors).unwrap();
        let output = self.child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{stdout}\n{errors}");
        let ours = stdout.lines().find_map(|line| line.strip_prefix(OUTCOMES));
        let found = match ours {
            Some(found) => serde_json::from_str(found).unwrap(),
            None => serde_json::from_str::<Value>(&stdout).unwrap()["outcomes"].clone(),
        };
        (serde_json::from_value(found).unwrap(), errors)
    }
}

/// The datasets that all processes import: biases and flats of run `shared`.
fn shared_datasets() -> BTreeMap<&'static str, Vec<Value>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for detector in 1..=4 {
        let id = Uuid::new_v4();
        let data_id = json!({"instrument": "Cam1", "detector": detector});
        let bias = json!({"id": id, "data_id": data_id});
        all.entry("bias").or_default().push(bias);
        for filter in ["Cam1-G", "Cam1-R1", "Cam1-R2"] {
            let id = Uuid::new_v4();
            let data_id =
                json!({"instrument": "Cam1", "detector": detector, "physical_filter": filter});
            let flat = json!({"id": id, "data_id": data_id});
            all.entry("flat").or_default().push(flat);
        }
    }
    all
}

/// The steps of a process. The last competes with the last of all others.
fn steps(number: usize, shared: &BTreeMap<&str, Vec<Value>>) -> Value {
    let mut steps = vec![
        json!({"do": "dataset_type", "name": "shared_type", "storage_class": "StructuredDataDict",
               "dimensions": ["exposure", "detector"], "is_calibration": true, "again": true}),
        json!({"do": "dataset_type", "name": format!("type{number}"), "storage_class": "int",
               "dimensions": ["exposure", "detector"], "is_calibration": number.is_multiple_of(2),
               "again": true}),
        json!({"do": "collection", "name": "shared", "type": "RUN", "again": true}),
    ];
    for round in 0..ROUNDS {
        for (name, datasets) in shared {
            let mut datasets = datasets.clone();
            let length = datasets.len();
            datasets.rotate_left((number + round) % length);
            // Each process leaves some out, not always the same.
            datasets.truncate(length.div_ceil(2) + round);
            steps.push(
                json!({"do": "datasets", "run": "shared", "dataset_type": name,
                              "datasets": datasets, "again": true}),
            );
        }
        let child = format!("run{number}/{round}");
        steps.push(json!({"do": "collection", "name": child, "type": "RUN"}));
        steps.push(json!({"do": "prepend", "name": "chain", "children": [child]}));
    }
    steps.push(
        json!({"do": "certify", "collection": "calib", "dataset_type": "bias",
               "run": "imported_g", "begin": format!("2020-01-0{}T00:00:00", number + 1),
               "end": "2020-02-01T00:00:00"}),
    );
    Value::Array(steps)
}

async fn processes_write_one_repository(place: &Place) {
    let butler = place.create().await;
    let options = ImportOptions {
        without_datastore: true,
        ..ImportOptions::default()
    };
    for name in ["base.yaml", "datasets.yaml"] {
        butler
            .import_file(&registry_data(name), &options, &NoProgress)
            .await
            .unwrap();
    }
    let registry = butler.registry();
    for (name, kind) in [
        ("calib", CollectionType::Calibration),
        ("chain", CollectionType::Chained),
    ] {
        registry
            .register_collection(name, kind, None)
            .await
            .unwrap();
    }

    let mut processes: Vec<Process> = (0..PROCESSES)
        .map(|_| Process::of_the_library(place))
        .collect();
    processes.push(Process::of_the_reference(place));
    for process in &mut processes {
        process.wait();
    }
    let shared = shared_datasets();
    for (number, process) in processes.iter_mut().enumerate() {
        process.give(&steps(number, &shared));
    }
    let outcomes: Vec<(Vec<String>, String)> =
        processes.into_iter().map(Process::outcomes).collect();

    // Only one of the certifications can win; nothing else fails.
    let mut winners = 0;
    for (outcomes, errors) in &outcomes {
        let (last, others) = outcomes.split_last().unwrap();
        let fine = others.iter().all(|outcome| outcome == "ok");
        assert!(fine, "{outcomes:?}\n{errors}");
        match last.as_str() {
            "ok" => winners += 1,
            other => assert_eq!(other, "ConflictingDefinitionError"),
        }
    }
    assert_eq!(winners, 1, "{outcomes:?}");
    let certified = registry
        .associations("bias", &["calib".to_owned()])
        .await
        .unwrap();
    assert_eq!(certified.len(), 3);

    // Every dataset that anybody imported is there, once, as are all children of the chain.
    let expected: BTreeSet<Uuid> = shared
        .values()
        .flatten()
        .map(|dataset| text(dataset, "id").parse().unwrap())
        .collect();
    let found = registry.run_dataset_ids("shared").await.unwrap();
    assert_eq!(found.len(), expected.len());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    let query = CollectionQuery::new(CollectionWildcard::from_names(["chain"]));
    let chain = registry.collections(&query).await.unwrap().remove(0);
    let children: BTreeSet<&String> = chain.children.iter().collect();
    assert_eq!(chain.children.len(), children.len());
    assert_eq!(children.len(), (PROCESSES + 1) * ROUNDS);
    for number in 0..=PROCESSES {
        let own = format!("run{number}/");
        let own: Vec<_> = chain
            .children
            .iter()
            .filter(|child| child.starts_with(&own))
            .collect();
        // Each was put before those that the same process put there earlier.
        assert!(own.is_sorted_by(|a, b| a > b), "{own:?}");
    }
    let types = ["shared_type", "type0", "type1", "type2", "type3"];
    for name in types {
        let found = registry.dataset_type(name).await.unwrap();
        assert_eq!(found.is_calibration(), !matches!(name, "type1" | "type3"));
    }
    butler.close().await;
    assert_same(
        "Python",
        &place.dump_by_reference(),
        "Rust",
        &place.dump().await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    processes_write_one_repository(&Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    processes_write_one_repository(&Place::postgres()).await;
}

/// Waits until somebody waits for what this connection holds, at most a minute.
async fn wait_for_a_waiter(connection: &mut sqlx::PgConnection) {
    for _ in 0..600 {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
              WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))",
        )
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        if waiting > 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("nobody waits for the name");
}

/// The reference takes a table's names, and then locks what the table refers to. Whoever waits for
/// a name must not hold those locks.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_the_name_of_a_table_stops_nobody_from_finishing_it() {
    use sqlx::Connection as _;
    let place = Place::postgres();
    let butler = place.create().await;
    let registry = butler.registry().clone();
    let group = butler.universe().conform(["exposure", "detector"]).unwrap();
    let plain = DatasetType::new("plain", group.clone(), "int", false).unwrap();
    registry.register_dataset_type(&plain).await.unwrap();

    let schema = place.schema().unwrap();
    let mut other = sqlx::PgConnection::connect(schema.url()).await.unwrap();
    let tags: String = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE n.nspname = $1 AND c.relname LIKE 'dataset\\_tags\\_%' AND c.relkind = 'r'",
    )
    .bind(schema.name())
    .fetch_one(&mut other)
    .await
    .unwrap();
    let name = schema.name();
    let calibs = tags.replace("_tags_", "_calibs_");
    let run = |sql: String| sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    run(format!("BEGIN; CREATE SEQUENCE {name}.{calibs}_seq_id"))
        .execute(&mut other)
        .await
        .unwrap();
    let register = tokio::spawn(async move {
        let calibration = DatasetType::new("calibration", group, "int", true).unwrap();
        registry.register_dataset_type(&calibration).await
    });
    wait_for_a_waiter(&mut other).await;
    run(format!(
        "LOCK TABLE {name}.collection, {name}.dataset IN SHARE ROW EXCLUSIVE MODE NOWAIT; ROLLBACK"
    ))
    .execute(&mut other)
    .await
    .unwrap();
    assert!(register.await.unwrap().unwrap());
}
