//! Writers, brokers and databases that end at any time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use butler_tests::kafka::{bootstrap_servers, start_broker};
use butler_tests::postgres::{Shutdown, TestSchema, start_server};
use uuid::Uuid;

use super::fixture::Embargo;
use crate::kafka::{read_all, send};

/// How often the writer is killed at least.
const KILLS: u32 = 30;

/// How long that may take.
const ROUNDS_LIMIT: Duration = Duration::from_secs(900);

/// Detectors of each message.
const DETECTORS: u32 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn no_kill_loses_or_doubles_a_dataset() {
    let mut broker = start_broker();
    let embargo = Embargo::create(Some(TestSchema::new()), broker.bootstrap_servers()).await;
    let more = [("WRITER_BATCH_MESSAGES".to_owned(), "7".to_owned())];
    let mut expected = BTreeSet::new();
    let mut number = 0;
    let mut tell = |expected: &mut BTreeSet<Uuid>, count: u32| {
        let mut messages = Vec::new();
        for _ in 0..count {
            let (message, ids) = embargo.message(number, DETECTORS);
            messages.push(message);
            expected.extend(ids);
            number += 1;
        }
        send(&embargo.servers, &embargo.input(), messages);
    };
    // Not the same times in each run, but bounded, and told when the test fails.
    let seed = u64::from(Uuid::new_v4().as_fields().0);
    eprintln!("seed {seed}");
    let mut random = seed;
    let begun = Instant::now();
    for round in 0..KILLS {
        tell(&mut expected, 12);
        let mut writer = embargo.spawn_with(&more);
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // From before it connects until after some batches.
        let pause = Duration::from_millis(100 + (random >> 33) % 1_400);
        tokio::time::sleep(pause).await;
        match round % 10 {
            4 => {
                broker.kill();
                broker.launch().unwrap();
            }
            8 => {
                broker.stop().unwrap();
                broker.launch().unwrap();
            }
            _ => {}
        }
        writer.kill();
        assert!(begun.elapsed() < ROUNDS_LIMIT, "{round} rounds");
    }
    tell(&mut expected, 1);
    let mut last = embargo.spawn_with(&more);
    embargo.wait_for_datasets(expected.len()).await;
    last.terminate();
    assert!(last.ended().await, "{}", last.log());

    // wait_for_datasets has read each batch file that a message names.
    let told = embargo.announced_datasets().await;
    assert_eq!(told.len(), expected.len(), "datasets are told of twice");
    assert_eq!(told.into_iter().collect::<BTreeSet<Uuid>>(), expected);
    let batches = embargo.announced().await;
    let ids: BTreeSet<Uuid> = batches.iter().map(|batch| batch.batch_id).collect();
    assert_eq!(ids.len(), batches.len());
    let files = std::fs::read_dir(embargo.lists()).unwrap().count();
    eprintln!(
        "{} batches, {} files that no message names",
        batches.len(),
        files - batches.len()
    );
    embargo.assert_holds(&expected).await;
    assert!(read_all(&embargo.servers, &embargo.dead()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_back_is_worked_with_again() {
    let mut broker = start_broker();
    let embargo = Embargo::create(None, broker.bootstrap_servers()).await;
    let mut writer = embargo.spawn();
    let mut expected = BTreeSet::new();
    for number in 0..3 {
        let (message, ids) = embargo.message(number, 1);
        expected.extend(ids);
        send(&embargo.servers, &embargo.input(), [message]);
        embargo.wait_for_datasets(expected.len()).await;
        match number {
            0 => broker.stop().unwrap(),
            _ => broker.kill(),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        broker.launch().unwrap();
    }
    let (message, ids) = embargo.message(3, 1);
    expected.extend(ids);
    send(&embargo.servers, &embargo.input(), [message]);
    let told = embargo.wait_for_datasets(expected.len()).await;
    assert_eq!(told.len(), expected.len());
    embargo.assert_holds(&expected).await;
    writer.terminate();
    assert!(writer.ended().await, "{}", writer.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_back_is_worked_with_again() {
    let mut database = start_server();
    let schema = TestSchema::on(database.url());
    let embargo = Embargo::create(Some(schema), bootstrap_servers()).await;
    let writer = embargo.spawn();
    let mut expected = BTreeSet::new();
    for number in 0..8 {
        let (message, ids) = embargo.message(number, DETECTORS);
        expected.extend(ids);
        send(&embargo.servers, &embargo.input(), [message]);
        // Before it is ingested, or while it is, or afterwards.
        tokio::time::sleep(Duration::from_millis(u64::from(number) * 120)).await;
        let how = [Shutdown::Fast, Shutdown::Immediate][usize::from(number % 2 == 1)];
        database.stop(how).unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        database.launch().unwrap();
    }
    let told = embargo.wait_for_datasets(expected.len()).await;
    assert_eq!(told.len(), expected.len(), "datasets are told of twice");
    embargo.assert_holds(&expected).await;
    assert!(read_all(&embargo.servers, &embargo.dead()).await.is_empty());
    writer.end().await;
}
