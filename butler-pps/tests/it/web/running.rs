//! The web app of the service as it runs.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::observatory::{Databases, Observatory};

const LIMIT: Duration = Duration::from_secs(120);

/// Starts the service, and gives the address that its log tells after `at`, and the reading of the rest of its log.
async fn start(
    observatory: &Observatory,
    options: &[&str],
    at: &str,
) -> (Child, String, JoinHandle<()>) {
    let mut service = Command::new(env!("CARGO_BIN_EXE_butler-pps"))
        .arg("run")
        .args(options)
        .args(["--interval-seconds", "3600"])
        .envs(observatory.environment())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(service.stderr.take().unwrap()).lines();
    let address = loop {
        let line = log.next_line().await.unwrap().expect("it runs");
        if let Some((_, address)) = line.split_once(at) {
            break address.to_owned();
        }
    };
    // It would be stopped by a pipe that is full.
    let reading = tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    (service, address, reading)
}

#[tokio::test]
async fn metrics_and_health_are_served_alone_where_there_is_no_page() {
    let observatory = Observatory::new(Databases::Sqlite).await;
    let run = async {
        let options = ["--health-listen", "127.0.0.1:0"];
        let at = "metrics and health are at ";
        let (_service, address, _reading) = start(&observatory, &options, at).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for (path, status) in [
            ("health/live", 200),
            ("health/ready", 200),
            ("metrics", 200),
            ("prompt-publication/", 404),
            ("prompt-publication/api/counts", 404),
        ] {
            let answer = client.get(format!("{address}{path}")).send().await.unwrap();
            assert_eq!(answer.status(), status, "{path}");
        }
    };
    tokio::time::timeout(LIMIT, run).await.unwrap();
}

#[tokio::test]
async fn it_serves_beside_the_tasks_and_ends_with_them() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        observatory.register_all().await;
        observatory
            .state
            .pause_task("register", true)
            .await
            .unwrap();
        let run = async {
            let options = ["--listen", "127.0.0.1:0", "--gafaelfawr-url", "DISABLED"];
            let at = "the web app is at ";
            let (mut service, page, reading) = start(&observatory, &options, at).await;
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let ask = async |path: &str| -> Value {
                let answer = client
                    .get(format!("{page}api/{path}"))
                    .send()
                    .await
                    .unwrap();
                answer.json().await.unwrap()
            };
            // The tasks run; a command reaches one that is paused.
            while ask("user").await["active"] != true {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let task = async |index: usize| ask("tasks").await["tasks"][index].clone();
            while task(2).await["finished"].is_null() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(task(0).await["started"].is_null());
            let command = json!({"command": {"action": "resume", "task": "register"}, "confirm": "resume register"});
            let answer = client
                .post(format!("{page}api/commands"))
                .json(&command)
                .send()
                .await;
            assert_eq!(answer.unwrap().status(), 200);
            while task(0).await["finished"].is_null() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let pid = service.id().unwrap().to_string();
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .await
                .unwrap();
            let ended = service.wait().await.unwrap();
            assert!(ended.success(), "{ended}");
            reading.await.unwrap();
        };
        tokio::time::timeout(LIMIT, run).await.unwrap();
    }
}
