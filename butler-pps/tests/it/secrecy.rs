//! Nothing secret gets into the service's log, whatever its level. (What the writer logs is looked at where users prove
//! who they are.)

use std::time::{Duration, Instant};

use butler_tests::postgres::url;
use butler_tests::s3::{S3Server, SECRET_KEY};

use crate::observatory::{BUCKETS, Observatory, Plan, START};
use crate::process::{LIMIT, Process};

/// When the embargo is over.
const PUBLIC_HOURS: i64 = 81;

const STATE_PASSWORD: &str = "password-of-the-state-database";
const KAFKA_PASSWORD: &str = "password-of-the-consumer";
const WEBHOOK_SECRET: &str = "secret-that-messages-are-signed-with";
const WEBHOOK_TOKEN: &str = "token-in-the-address-of-a-receiver";

/// A service that has something to tell, at a broker and to a receiver that are not there.
fn start(observatory: &Observatory) -> Process {
    let list = observatory.store().object_file(BUCKETS[2], "a.json");
    let datasets = serde_json::json!({"datasets": observatory.all_ids()});
    std::fs::write(list, datasets.to_string()).unwrap();
    let webhooks = observatory.directory().join("webhooks.yaml");
    let receiver = format!(
        "[{{name: portal, url: 'http://127.0.0.1:1/{WEBHOOK_TOKEN}', secret: {WEBHOOK_SECRET}}}]"
    );
    std::fs::write(&webhooks, receiver).unwrap();
    let now = START.plus(PUBLIC_HOURS * 3_600_000).0.to_string();
    let variables = [
        ("STATE_DATABASE_PASSWORD", STATE_PASSWORD),
        ("KAFKA_SERVER", "127.0.0.1:1"),
        ("KAFKA_TOPIC", "announcements"),
        ("KAFKA_GROUP_ID", "publication"),
        ("KAFKA_USERNAME", "somebody"),
        ("KAFKA_PASSWORD", KAFKA_PASSWORD),
        ("WEBHOOKS", webhooks.to_str().unwrap()),
        ("LOG_LEVEL", "trace"),
    ];
    let variables = variables.map(|(name, value)| (format!("PROMPTPUB_{name}"), value.to_owned()));
    let batches = format!("s3://{}/", BUCKETS[2]);
    let arguments = [
        "run",
        "--start-time",
        &now,
        "--interval-seconds",
        "1",
        "--embargo-batch-file-directory",
        &batches,
    ];
    let log = observatory.directory().join("log");
    let environment = observatory.environment().into_iter().chain(variables);
    Process::start(&arguments, environment, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_log_has_no_passwords_secrets_or_addresses_of_receivers() {
    let plan = Plan {
        servers: Some([url(), url()]),
        runs: &["LSSTCam/prompt/a"],
        store: Some(S3Server::start(&BUCKETS)),
    };
    let observatory = Observatory::planned(plan).await;
    let service = start(&observatory);
    let begun = Instant::now();
    let log = loop {
        let log = service.log();
        if log.contains("not told") && log.contains("librdkafka") {
            break log;
        }
        assert!(begun.elapsed() < LIMIT, "it has nobody to tell");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    assert!(log.contains("TRACE"), "the log is not complete");
    service.end().await;
    for secret in [
        STATE_PASSWORD,
        KAFKA_PASSWORD,
        WEBHOOK_SECRET,
        WEBHOOK_TOKEN,
        SECRET_KEY,
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
