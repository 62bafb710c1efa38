//! How the publication service hears of batches.

use std::sync::Mutex;
use std::time::Duration;

use butler_core::error::Error;
use butler_pps::inputs::kafka::{Announcement, KafkaInput};
use butler_pps::kafka::KafkaSettings;
use butler_tests::kafka::{bootstrap_servers, unique};
use tokio_util::sync::CancellationToken;

use crate::kafka::{create_topics, send, send_in_transaction};

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

/// Listens until so many announcements were handled; gives the files, or "?" for what is none. `fail` says for
/// which attempts there is a failure.
async fn hear(input: &KafkaInput, count: usize, fail: impl Fn(usize) -> bool) -> Vec<String> {
    let stop = CancellationToken::new();
    let heard = Mutex::new((0, Vec::new()));
    let handle = async |announcement: &Announcement| {
        let mut heard = heard.lock().unwrap();
        heard.0 += 1;
        if fail(heard.0) {
            return Err(Error::Interrupted("as the test wishes".to_owned()));
        }
        heard.1.push(match &announcement.batch {
            Ok(batch) => batch.batch_file.clone(),
            Err(_) => "?".to_owned(),
        });
        if heard.1.len() == count {
            // A while later, so that what was handled is committed.
            let stop = stop.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(2)).await;
                stop.cancel();
            });
        }
        Ok(())
    };
    tokio::time::timeout(LIMIT, input.listen(handle, &stop))
        .await
        .unwrap()
        .unwrap();
    heard.into_inner().unwrap().1
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
