//! How the publication service hears of batches.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use butler_core::error::Error;
use butler_direct::resource::{ResourcePath, Resources};
use butler_pps::clock::Clock;
use butler_pps::inputs::Registrar;
use butler_pps::inputs::kafka::{Announcement, BatchRegistrar, KafkaInput, Listener};
use butler_pps::kafka::KafkaSettings;
use butler_pps::repositories::{Repositories, RepositoryOptions};
use butler_pps::state::{RepositoryName, State, StateLocation};
use butler_tests::kafka::{bootstrap_servers, unique};
use tokio_util::sync::CancellationToken;

use crate::kafka::{create_topics, send, send_in_transaction};
use crate::writer::fixture::Embargo;

const LIMIT: Duration = Duration::from_secs(120);

async fn input() -> KafkaInput {
    let topic = unique("announcements");
    create_topics(&bootstrap_servers(), &[&topic]).await;
    KafkaInput {
        kafka: KafkaSettings::new(bootstrap_servers(), None, None, false).unwrap(),
        group: topic.clone(),
        topic,
    }
}

fn announcement(file: &str) -> String {
    format!(
        r#"{{"type": "batch-ingested", "batch_id": "26c6235f-2ea3-5a15-8009-a3056e49c379",
            "origin": "prompt_processing", "batch_file": "{file}"}}"#
    )
}

/// Notes what it hears.
struct Notes<F> {
    /// Says for which attempts there is a failure.
    fail: F,
    attempts: AtomicUsize,
    heard: Mutex<Vec<String>>,
    /// How many announcements are waited for.
    count: usize,
    stop: CancellationToken,
}

#[async_trait]
impl<F: Fn(usize) -> bool + Send + Sync> Listener for Notes<F> {
    async fn hear(&self, announcement: &Announcement) -> Result<(), Error> {
        if (self.fail)(self.attempts.fetch_add(1, Ordering::Relaxed) + 1) {
            return Err(Error::Interrupted("as the test wishes".to_owned()));
        }
        let mut heard = self.heard.lock().unwrap();
        heard.push(match &announcement.batch {
            Ok(batch) => batch.batch_file.clone(),
            Err(_) => "?".to_owned(),
        });
        if heard.len() == self.count {
            // A while later, so that what was handled is committed.
            let stop = self.stop.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(2)).await;
                stop.cancel();
            });
        }
        Ok(())
    }
}

/// Listens until so many announcements were handled; gives the files, or "?" for what is none.
async fn hear(
    input: &KafkaInput,
    count: usize,
    fail: impl Fn(usize) -> bool + Send + Sync,
) -> Vec<String> {
    let stop = CancellationToken::new();
    let notes = Notes {
        fail,
        attempts: AtomicUsize::new(0),
        heard: Mutex::default(),
        count,
        stop: stop.clone(),
    };
    tokio::time::timeout(LIMIT, input.listen(&notes, &stop))
        .await
        .unwrap()
        .unwrap();
    notes.heard.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_committed_announcements_are_heard() {
    let input = input().await;
    let [a, b, c] = ["a", "b", "c"].map(announcement);
    send_in_transaction(&bootstrap_servers(), &input.topic, &[&a], true);
    send_in_transaction(&bootstrap_servers(), &input.topic, &[&b], false);
    send_in_transaction(&bootstrap_servers(), &input.topic, &[&c], true);
    assert_eq!(hear(&input, 2, |_| false).await, ["a", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handled_is_not_heard_again() {
    let input = input().await;
    send(
        &bootstrap_servers(),
        &input.topic,
        ["a", "b"].map(announcement),
    );
    assert_eq!(hear(&input, 2, |_| false).await, ["a", "b"]);
    send(&bootstrap_servers(), &input.topic, ["c"].map(announcement));
    assert_eq!(hear(&input, 1, |_| false).await, ["c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_handled_is_tried_again_in_order() {
    let input = input().await;
    send(
        &bootstrap_servers(),
        &input.topic,
        ["a", "b", "c"].map(announcement),
    );
    let heard = hear(&input, 3, |attempt| matches!(attempt, 2 | 3)).await;
    assert_eq!(heard, ["a", "b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_announcement_holds_nothing_up() {
    let input = input().await;
    let messages = ["no JSON".to_owned(), announcement("a")];
    send(&bootstrap_servers(), &input.topic, messages);
    assert_eq!(hear(&input, 2, |_| false).await, ["?", "a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_writer_announces_is_registered() {
    let embargo = Embargo::sqlite().await;
    let (message, mut ids) = embargo.message(1, 3);
    send(&embargo.servers, &embargo.input(), [message]);
    let _writer = embargo.spawn();
    embargo.wait_for_datasets(ids.len()).await;
    // One batch whose file is lost, and something that is none.
    send(
        &embargo.servers,
        &embargo.output(),
        [announcement("nowhere.json"), "no JSON".to_owned()],
    );

    let state = embargo.root().join("state.sqlite3");
    let state = State::open(&StateLocation::Sqlite(state), 2).await.unwrap();
    let root = embargo.root().to_str().unwrap().to_owned();
    let repositories = Repositories::new(
        [(RepositoryName::Embargo, root)],
        RepositoryOptions::default(),
    );
    let registrar = Registrar::new(state.clone(), Arc::new(repositories), Clock::system());
    let input = KafkaInput {
        kafka: KafkaSettings::new(embargo.servers.clone(), None, None, false).unwrap(),
        topic: embargo.output(),
        group: unique("publication"),
    };
    let stop = CancellationToken::new();
    let registrar = BatchRegistrar {
        registrar,
        resources: Resources::default(),
        directory: ResourcePath::from_local_directory(&embargo.lists()).unwrap(),
    };
    let stopped = stop.clone();
    let listening = tokio::spawn(async move { input.listen(&registrar, &stopped).await });
    let bad = format!("kafka:{}/0/", embargo.output());
    let watching = async {
        let begun = std::time::Instant::now();
        loop {
            let known = state.datasets(&ids).await.unwrap();
            let notes: Vec<String> = (0..8).map(|offset| format!("{bad}{offset}")).collect();
            let noted = state.input_files(&notes).await.unwrap();
            if known.len() == ids.len() && noted.len() == 2 {
                break known;
            }
            assert!(begun.elapsed() < LIMIT, "{known:?} {noted:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let known = watching.await;
    stop.cancel();
    listening.await.unwrap().unwrap();
    let mut found: Vec<_> = known.into_iter().map(|dataset| dataset.id).collect();
    found.sort();
    ids.sort();
    assert_eq!(found, ids);
}
