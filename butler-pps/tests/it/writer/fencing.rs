//! Two writers with one identity, and users.

use std::collections::BTreeSet;

use butler_pps::kafka::KafkaFailure;
use butler_pps::writer::{Writer, WriterError};
use butler_tests::kafka::{SCRAM_PASSWORD, SCRAM_USER, start_broker};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::fixture::{Embargo, LIMIT};
use crate::kafka::send;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_the_first_ends_and_none_tells_twice() {
    let embargo = Embargo::sqlite().await;
    let mut expected = BTreeSet::new();
    let mut tell = |numbers: std::ops::Range<u32>| {
        let mut messages = Vec::new();
        for number in numbers {
            let (message, ids) = embargo.message(number, 1);
            messages.push(message);
            expected.extend(ids);
        }
        send(&embargo.servers, &embargo.input(), messages);
        expected.len()
    };
    let first = Writer::open(embargo.settings()).await.unwrap();
    let first = tokio::spawn(async move { first.run(CancellationToken::new()).await });
    embargo.wait_for_datasets(tell(0..5)).await;
    let second = Writer::open(embargo.settings()).await.unwrap();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let second = tokio::spawn(async move { second.run(stopped).await });
    // Both are there for a while; the first must not tell anything of these.
    let count = tell(5..30);
    let told = embargo.wait_for_datasets(count).await;
    let ended = tokio::time::timeout(LIMIT, first).await.unwrap().unwrap();
    assert!(
        matches!(ended, Err(WriterError::Kafka(KafkaFailure::Fenced(_)))),
        "{ended:?}"
    );
    stop.cancel();
    second.await.unwrap().unwrap();
    assert_eq!(told.len(), expected.len());
    assert_eq!(told.into_iter().collect::<BTreeSet<Uuid>>(), expected);
    embargo.assert_holds(&expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_prove_who_they_are() {
    let broker = start_broker();
    let embargo = Embargo::create(None, broker.bootstrap_servers()).await;
    let (message, _) = embargo.message(1, 1);
    send(&embargo.servers, &embargo.input(), [message]);
    let user = |password: &str| {
        [
            ("KAFKA_CLUSTER", broker.sasl_bootstrap_servers()),
            ("KAFKA_USERNAME", SCRAM_USER.to_owned()),
            ("KAFKA_PASSWORD", password.to_owned()),
            ("KAFKA_DEBUG", "1".to_owned()),
            ("PROMPTPUB_LOG_LEVEL", "trace".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    };
    // A wrong password gets nowhere; nobody can tell whether it will be right some day.
    let wrong = "password-of-somebody-else";
    let mut stranger = embargo.spawn_with(&user(wrong));
    let begun = std::time::Instant::now();
    while !stranger.log().contains("uthentication failed") {
        assert!(begun.elapsed() < LIMIT, "{}", stranger.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(embargo.announced().await.is_empty());
    stranger.kill();
    let writer = embargo.spawn_with(&user(SCRAM_PASSWORD));
    embargo.wait_for_datasets(1).await;
    let log = writer.log();
    assert!(log.contains("DEBUG librdkafka"), "the log is not complete");
    for password in [wrong, SCRAM_PASSWORD] {
        let line = log.lines().find(|line| line.contains(password));
        assert_eq!(line, None);
    }
}
