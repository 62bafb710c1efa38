//! From Prompt Processing to a user, and beyond: every service is a process of its own.

use std::time::{Duration, Instant};

use butler_client::{RemoteButler, RemoteButlerFactory, RemoteOptions};
use butler_core::Error;
use butler_core::datasets::DatasetRef;
use butler_core::query::SimpleQuery;
use butler_core::registry::Registry as _;
use butler_pps::clock::Moment;
use butler_pps::collections::{AVAILABLE, EXPIRED, OUTPUTS};
use butler_pps::state::RepositoryName::{self, Embargo, GoogleInt, GoogleProd, Main, PromptPrep};
use butler_pps::state::{DatasetState, Status};
use butler_tests::kafka::{bootstrap_servers, unique};
use butler_tests::postgres::url;
use butler_tests::python::Script;
use butler_tests::s3::S3Server;
use butler_tests::server::{Program, ServerProcess, ServerSetup};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kafka::{create_topics, send};
use crate::killing::assert_no_orphans;
use crate::observatory::{BUCKETS, Observatory, Plan, START, dimensions};
use crate::places::{GONE, NEW, PUBLIC};
use crate::process::Process;
use crate::writer::fixture::copy_tree;

const LIMIT: Duration = Duration::from_secs(240);

const HOUR: i64 = 3_600_000;

/// The types of datasets that there are.
const TYPES: [&str; 5] = [
    "preliminary_visit_image",
    "difference_image",
    "dia_source_apdb",
    "isr_metadata",
    "regionTimeInfo",
];
/// The type of images that expire.
const IMAGE: &str = "difference_image";

/// All services but the publication service, which has times of its own.
struct World {
    observatory: Observatory,
    topic: String,
    server: ServerProcess,
    reference: ServerProcess,
}

impl World {
    async fn new() -> Self {
        let plan = Plan {
            servers: Some([url(), url()]),
            store: Some(S3Server::start(&BUCKETS)),
            runs: &[],
        };
        let observatory = Observatory::planned(plan).await;
        let topic = unique("publication");
        let topics = ["input", "output", "input-dead-letter"].map(|name| format!("{topic}-{name}"));
        create_topics(
            &bootstrap_servers(),
            &topics.each_ref().map(String::as_str)[..],
        )
        .await;
        let serve = |program: &Program| {
            ServerSetup::new(program)
                .repository("prompt", &observatory.root(GoogleProd), &["*"])
                .envs(observatory.store().environment())
                .start()
        };
        Self {
            server: serve(&Program::ours()),
            reference: serve(&Program::Reference),
            topic,
            observatory,
        }
    }

    fn log(&self, name: &str) -> std::path::PathBuf {
        self.observatory.directory().join(format!("{name}.log"))
    }

    fn batches(&self) -> String {
        format!("s3://{}/", BUCKETS[2])
    }

    fn writer(&self) -> Process {
        let topic = &self.topic;
        let root = self.observatory.root(Embargo);
        let variables = [
            ("BUTLER_REPOSITORY", root.to_str().unwrap().to_owned()),
            ("KAFKA_CLUSTER", bootstrap_servers()),
            ("KAFKA_TOPIC", format!("{topic}-input")),
            ("KAFKA_OUTPUT_TOPIC", format!("{topic}-output")),
            ("OUTPUT_DATASET_LIST_DIRECTORY", self.batches()),
            ("KAFKA_GROUP_ID", topic.clone()),
            ("KAFKA_TRANSACTIONAL_ID", topic.clone()),
            ("WRITER_BATCH_SECONDS", "0.2".to_owned()),
        ];
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(self.observatory.store().environment());
        Process::start(&["writer"], variables, self.log("writer"))
    }

    /// The publication service, whose clock begins at a time and runs so many times as fast.
    fn publication(&self, start: Moment, factor: u32) -> Process {
        let factor = factor.to_string();
        let arguments = [
            "run",
            "--start-time",
            &start.0.to_string(),
            "--accelerate",
            &factor,
            // A second of ours.
            "--interval-seconds",
            &factor,
        ];
        let input = [
            ("PROMPTPUB_KAFKA_SERVER", bootstrap_servers()),
            ("PROMPTPUB_KAFKA_TOPIC", format!("{}-output", self.topic)),
            (
                "PROMPTPUB_KAFKA_GROUP_ID",
                format!("{}-publication", self.topic),
            ),
            ("PROMPTPUB_EMBARGO_BATCH_FILE_DIRECTORY", self.batches()),
        ];
        let input = input.map(|(name, value)| (name.to_owned(), value));
        let environment = self.observatory.environment().into_iter().chain(input);
        Process::start(&arguments, environment, self.log("publication"))
    }

    /// Waits until all datasets of a type have come to where they are to be.
    async fn wait_for(&self, dataset_type: &str, statuses: [Status; 5]) {
        let begun = Instant::now();
        loop {
            let states = self.observatory.states(dataset_type).await;
            let arrived = |state: &DatasetState| state.statuses == statuses;
            if !states.is_empty() && states.iter().all(arrived) {
                return;
            }
            assert!(
                begun.elapsed() < LIMIT,
                "{states:?}\n{}\n{}",
                std::fs::read_to_string(self.log("writer")).unwrap_or_default(),
                std::fs::read_to_string(self.log("publication")).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A user of the public repository with Rust.
    async fn user(&self) -> RemoteButler {
        let repository = self.server.repository("prompt");
        let factory = RemoteButlerFactory::for_url(&repository).await.unwrap();
        let options = RemoteOptions::default().collections([AVAILABLE]);
        factory.open_with_token("a token", options).await.unwrap()
    }

    /// What a user with Python sees of datasets through a server.
    async fn seen(&self, server: &ServerProcess, ids: &[Uuid]) -> Value {
        let script = Script::new("published.py")
            .arg(server.repository("prompt"))
            .args([OUTPUTS, EXPIRED])
            .envs([("BUTLER_RUBIN_ACCESS_TOKEN", "a-token")])
            .input(&json!(ids));
        tokio::task::spawn_blocking(|| script.run()).await.unwrap()
    }
}

/// What the reference's workers have put into embargo's store: the messages about it.
async fn observe(world: &World) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("worker");
    let script = Script::new("pp_output.py")
        .arg("make")
        .arg(&source)
        .arg(dimensions());
    let messages = tokio::task::spawn_blocking(|| script.run()).await.unwrap();
    copy_tree(
        &source,
        &world.observatory.file_root(Embargo),
        &["gen3.sqlite3", "butler.yaml"],
    );
    messages.as_array().unwrap().clone()
}

/// Finds the datasets of the messages in embargo's registry.
async fn know_datasets(observatory: &mut Observatory, messages: &[Value]) {
    let files = messages
        .iter()
        .flat_map(|message| message["datasets"].as_array().unwrap());
    let ids: Vec<Uuid> = files
        .flat_map(|file| file["refs"].as_object().unwrap().keys())
        .map(|id| id.parse().unwrap())
        .collect();
    let begun = Instant::now();
    let embargo = observatory.butler(Embargo).await;
    let found = loop {
        let found = embargo.registry().datasets(&ids).await.unwrap();
        if found.len() == ids.len() {
            break found;
        }
        assert!(begun.elapsed() < LIMIT, "{} datasets", found.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let mut found: Vec<DatasetRef> = found.into_values().collect();
    found.sort_by_key(DatasetRef::id);
    for dataset in found {
        let name = dataset.dataset_type().name().to_string();
        let name = TYPES.into_iter().find(|known| *known == name).unwrap();
        observatory.datasets.entry(name).or_default().push(dataset);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_comes_from_kafka_to_users_and_expires() {
    let mut world = World::new().await;
    let messages = observe(&world).await;
    let writer = world.writer();
    let publication = world.publication(START, 60);
    send(
        &bootstrap_servers(),
        &format!("{}-input", world.topic),
        &messages,
    );
    know_datasets(&mut world.observatory, &messages).await;
    assert_eq!(world.observatory.datasets.len(), TYPES.len());

    // What is not under embargo is public at once; images are not, whoever asks.
    world.wait_for("dia_source_apdb", PUBLIC).await;
    world.wait_for(IMAGE, NEW).await;
    let image = world.observatory.datasets[IMAGE][0].clone();
    let user = world.user().await;
    assert_eq!(user.registry().dataset(image.id()).await.unwrap(), None);
    publication.end().await;

    // An hour before the embargo ends; an hour of the service's clock is a second.
    let publication = world.publication(START.plus(79 * HOUR), 3_600);
    world.wait_for(IMAGE, PUBLIC).await;
    fetch_published(&world, &image).await;
    publication.end().await;

    let publication = world.publication(START.plus((80 + 30 * 24) * HOUR), 3_600);
    for expired in [IMAGE, "dia_source_apdb", "regionTimeInfo"] {
        world.wait_for(expired, GONE).await;
    }
    publication.end().await;
    writer.end().await;
    find_expired(&world, &image).await;
    assert_gone(&world.observatory).await;
}

/// Users fetch the image from the store behind the public repository.
async fn fetch_published(world: &World, image: &DatasetRef) {
    let user = world.user().await;
    let query = SimpleQuery::default();
    let found = user.reader().query_datasets(IMAGE, None, &query).await;
    let found = found.unwrap();
    assert_eq!(found.len(), world.observatory.datasets[IMAGE].len());
    let image = found.iter().find(|found| found.id() == image.id()).unwrap();
    let uris = user.uris(image).await.unwrap();
    let signed = |url: &str| {
        url.starts_with(&format!(
            "{}/{}/",
            world.observatory.store().endpoint(),
            BUCKETS[1]
        )) && url.contains("X-Amz-Signature=")
    };
    assert!(signed(uris.single().unwrap()), "{uris:?}");
    // It is the file of prompt_prep.
    let content = user.get_bytes(image).await.unwrap();
    let file = world.observatory.file(PromptPrep, image.id()).await;
    assert_eq!(content, std::fs::read(file).unwrap());

    let id = image.id().to_string();
    let seen = &world.seen(&world.server, &[image.id()]).await[&id];
    assert_eq!(seen["collections"], json!([OUTPUTS]), "{seen}");
    assert_eq!(seen["content"]["type"], json!(IMAGE), "{seen}");
    assert!(signed(seen["url"].as_str().unwrap()), "{seen}");
}

/// Users find the image where the expired are, and are told that it is not stored.
async fn find_expired(world: &World, image: &DatasetRef) {
    let user = world.user().await;
    let query = SimpleQuery::default();
    let expired = [EXPIRED.to_owned()];
    let reader = user.reader();
    let found = reader.query_datasets(IMAGE, Some(&expired), &query).await;
    assert!(found.unwrap().iter().any(|found| found.id() == image.id()));
    let query = SimpleQuery {
        explain: false,
        ..SimpleQuery::default()
    };
    let found = reader.query_datasets(IMAGE, None, &query).await.unwrap();
    assert_eq!(found, [], "available");
    let refused = user.get_bytes(image).await;
    assert!(
        matches!(refused, Err(Error::FileNotFound(_))),
        "{refused:?}"
    );

    let ids = [image.id()];
    let seen = world.seen(&world.server, &ids).await;
    let error = format!(
        "DatasetNotFoundError: Dataset is known, but artifact is not available. (datasetId='{}')",
        image.id()
    );
    let expected = json!({"collections": [EXPIRED], "error": error});
    assert_eq!(seen[image.id().to_string()], expected);
    // The reference's server has the same answers.
    assert_eq!(world.seen(&world.reference, &ids).await, seen);
}

/// Nothing is left of what has expired, and nothing else is lost.
async fn assert_gone(observatory: &Observatory) {
    let mut kept = observatory.ids("preliminary_visit_image");
    kept.extend(observatory.ids("isr_metadata"));
    kept.sort();
    for name in [PromptPrep, Main, GoogleInt, GoogleProd] {
        assert_eq!(observatory.stored(name).await, kept, "{name}");
    }
    assert!(observatory.stored(Embargo).await.is_empty());
    let repositories: [(RepositoryName, &[Uuid]); 3] =
        [(Embargo, &[]), (PromptPrep, &kept), (Main, &kept)];
    for (name, ids) in repositories {
        assert_no_orphans(observatory, name, ids).await;
    }
    assert_eq!(observatory.statuses("isr_metadata").await, PUBLIC);
}
