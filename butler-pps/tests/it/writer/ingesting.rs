//! What becomes of messages that are right.

use std::collections::BTreeSet;

use butler_pps::events::{BatchIngestedType, DatasetBatch, PROMPT_PROCESSING};
use butler_tests::s3::S3Server;
use uuid::Uuid;

use super::fixture::Embargo;
use crate::kafka::{read_all, send};

fn set(ids: &[Uuid]) -> BTreeSet<Uuid> {
    ids.iter().copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_come_together_are_one_batch() {
    let embargo = Embargo::sqlite().await;
    let mut ids = BTreeSet::new();
    let mut messages = Vec::new();
    for number in 0..5 {
        let (message, datasets) = embargo.message(number, 3);
        messages.push(message);
        ids.extend(datasets);
    }
    send(&embargo.servers, &embargo.input(), messages);
    let _writer = embargo.spawn();
    assert_eq!(set(&embargo.wait_for_datasets(15).await), ids);
    embargo.assert_holds(&ids).await;
    let events = embargo.announced().await;
    let [event] = events.as_slice() else {
        panic!("not one batch: {events:?}");
    };
    assert_eq!(event.kind, BatchIngestedType::BatchIngested);
    assert_eq!(event.origin, PROMPT_PROCESSING);
    let name = &event.batch_file;
    assert!(
        name.ends_with(&format!("-{}.json", event.batch_id)),
        "{name}"
    );
    assert_eq!(name.len(), "2026-01-02T03-04-05-000006-.json".len() + 36);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_come_again_change_nothing() {
    let embargo = Embargo::postgres().await;
    let (first, one) = embargo.message(1, 2);
    let (second, two) = embargo.message(2, 2);
    // Together, and later once more.
    send(
        &embargo.servers,
        &embargo.input(),
        [&first, &first, &second],
    );
    let _writer = embargo.spawn();
    embargo.wait_for_datasets(4).await;
    send(&embargo.servers, &embargo.input(), [&second, &first]);
    let told = embargo.wait_for_datasets(8).await;
    let all: BTreeSet<Uuid> = one.into_iter().chain(two).collect();
    assert_eq!(set(&told), all);
    embargo.assert_holds(&all).await;
    assert!(read_all(&embargo.servers, &embargo.dead()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_files_go_to_object_stores() {
    let embargo = Embargo::sqlite().await;
    let s3 = S3Server::start(&["lists"]);
    let (message, ids) = embargo.message(1, 2);
    send(&embargo.servers, &embargo.input(), [message]);
    let mut environment = s3.environment();
    environment.push((
        "OUTPUT_DATASET_LIST_DIRECTORY".to_owned(),
        "s3://lists/prompt/batches".to_owned(),
    ));
    let mut writer = embargo.spawn_with(&environment);
    let begun = std::time::Instant::now();
    let event = loop {
        if let [event] = embargo.announced().await.as_slice() {
            break event.clone();
        }
        assert!(begun.elapsed() < super::fixture::LIMIT, "{}", writer.log());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    writer.kill();
    let place = s3.object_file("lists", &format!("prompt/batches/{}", event.batch_file));
    let batch: DatasetBatch = serde_json::from_slice(&std::fs::read(place).unwrap()).unwrap();
    assert_eq!(batch.datasets, ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_batches_are_cut() {
    let embargo = Embargo::sqlite().await;
    let messages = (0..7).map(|number| embargo.message(number, 1).0);
    send(
        &embargo.servers,
        &embargo.input(),
        messages.collect::<Vec<_>>(),
    );
    let more = [("WRITER_BATCH_MESSAGES".to_owned(), "3".to_owned())];
    let _writer = embargo.spawn_with(&more);
    embargo.wait_for_datasets(7).await;
    assert_eq!(embargo.announced().await.len(), 3);
}
