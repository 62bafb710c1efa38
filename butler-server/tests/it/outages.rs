//! Databases that are down, busy or slow.

use std::time::Duration;

use axum::body::Body;
use butler_core::dimensions::DataCoordinate;
use butler_core::query::wire::QueryInputs;
use butler_core::query::{QueryTree, ResultSpec};
use butler_core::wire::QueryExecuteRequest;
use butler_direct::db::Session;
use butler_server::app::App;
use butler_server::settings::{Options, RepositorySettings, Settings};
use http::Request;
use serde_json::json;
use url::Url;

use crate::gate::Gate;
use crate::support::{Answer, Server, Site, get, in_repository, post};

/// How long a server may take to notice that a database is back.
const PATIENCE: Duration = Duration::from_secs(60);

/// A repository on PostgreSQL that is reached through a gate.
async fn behind_gate(open: bool) -> (Site, Gate) {
    let site = Site::postgres().await;
    let url = Url::parse(&butler_tests::postgres::url()).unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let gate = Gate::new(server.clone(), open).await;
    let file = site.root().join("butler.yaml");
    let config = std::fs::read_to_string(&file).unwrap();
    assert!(config.contains(&server), "{config}");
    let config = config.replace(&server, &gate.address.to_string());
    std::fs::write(file, config).unwrap();
    (site, gate)
}

/// Settings with short time-outs.
fn impatient(site: &Site) -> Options {
    Options {
        connection_timeout_seconds: Some(2),
        lookup_timeout_seconds: Some(2),
        query_timeout_seconds: Some(2),
        retry_after_seconds: Some(7),
        ..site.options()
    }
}

fn a_dataset(site: &Site) -> String {
    format!("v1/dataset/{}", site.notes[0].id())
}

fn assert_told_to_come_back(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.header("retry-after"), "7");
    let body = answer.any_json();
    let told = body["detail"].as_str().unwrap();
    assert!(told.contains("Try again later"), "{told}");
}

/// Asks until the answer is a success. On a busy machine a second may be too short for anything.
async fn until_well(server: &Server, request: impl Fn() -> Request<Body>) -> Answer {
    let ask = async {
        loop {
            let answer = server.send(request()).await;
            if answer.status == 200 {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ask).await.unwrap()
}

/// Keeps everybody from reading a table, until the session is dropped.
async fn lock(site: &Site, table: &str) -> Session {
    let database = site.butler.registry().database();
    let mut session = database.begin().await.unwrap();
    let table = database.table(table);
    let lock = session.execute_script(format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"));
    lock.await.unwrap();
    session
}

fn query(site: &Site) -> Request<Body> {
    let universe = site.butler.universe();
    let group = universe.conform(["detector"]).unwrap();
    let request = QueryExecuteRequest {
        query: QueryInputs {
            tree: QueryTree::identity(universe).join_dimensions(&group),
            default_data_id: DataCoordinate::empty(universe),
            additional_query_inputs: Vec::new(),
        },
        result_spec: ResultSpec::data_coordinates(group),
    };
    let body = request.to_json().unwrap();
    post(&in_repository("v1/query/execute"), &body)
}

#[tokio::test]
async fn a_repository_whose_database_is_down_is_opened_when_it_is_back() {
    let (site, gate) = behind_gate(false).await;
    let well = Site::sqlite().await;
    let mut options = impatient(&site);
    let well = RepositorySettings {
        config_uri: well.root().to_str().unwrap().to_owned(),
        authorized_groups: vec!["*".to_owned()],
    };
    let repositories = &mut options.repositories.as_mut().unwrap().0;
    repositories.insert("well".to_owned(), well);
    let server = Server::start(options.check().unwrap()).await;
    assert_told_to_come_back(&server.get("v1/universe").await);
    let other = get("/api/butler/repo/well/v1/universe");
    assert_eq!(server.send(other).await.status, 200);
    let ready = server.send(get("/health/ready")).await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.any_json()["repositories"], json!(["r"]));
    assert_eq!(server.send(get("/health/live")).await.status, 200);
    gate.open();
    until_well(&server, || get("/health/ready")).await;
    let dataset = in_repository(&a_dataset(&site));
    let found = until_well(&server, || get(&dataset)).await.json();
    assert_eq!(
        found["dataset_ref"]["id"],
        json!(site.notes[0].id().to_string())
    );
}

#[tokio::test]
async fn a_database_that_goes_away_is_found_again() {
    let (site, gate) = behind_gate(true).await;
    let server = Server::start(impatient(&site).check().unwrap()).await;
    let dataset = a_dataset(&site);
    until_well(&server, || get(&in_repository(&dataset))).await;
    gate.close();
    assert_told_to_come_back(&server.get(&dataset).await);
    assert_told_to_come_back(&server.send(query(&site)).await);
    assert_eq!(
        server.send(get("/health/ready")).await.any_json()["repositories"],
        json!(["r"])
    );
    gate.open();
    until_well(&server, || get(&in_repository(&dataset))).await;
    let found = until_well(&server, || query(&site)).await;
    assert_eq!(found.lines().len(), 1);
}

#[tokio::test]
async fn a_look_up_that_takes_too_long_is_given_up() {
    let site = Site::postgres().await;
    let server = Server::start(impatient(&site).check().unwrap()).await;
    let dataset = a_dataset(&site);
    let held = lock(&site, "dataset").await;
    assert_told_to_come_back(&server.get(&dataset).await);
    held.rollback().await.unwrap();
    until_well(&server, || get(&in_repository(&dataset))).await;
}

#[tokio::test]
async fn whoever_gets_no_connection_is_told_to_come_back() {
    let site = Site::postgres().await;
    let options = Options {
        lookup_connections: Some(1),
        lookup_timeout_seconds: Some(0),
        ..impatient(&site)
    };
    let server = Server::start(options.check().unwrap()).await;
    let dataset = a_dataset(&site);
    let held = lock(&site, "dataset").await;
    let first = server.get(&dataset);
    let others = async {
        assert_told_to_come_back(&server.get(&dataset).await);
        // Queries have connections of their own.
        until_well(&server, || query(&site)).await;
        held.rollback().await.unwrap();
    };
    let (first, ()) = tokio::join!(first, others);
    assert_eq!(first.status, 200);
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_refused_before_it_streams() {
    let site = Site::postgres().await;
    let server = Server::start(impatient(&site).check().unwrap()).await;
    let held = lock(&site, "detector").await;
    assert_told_to_come_back(&server.send(query(&site)).await);
    held.rollback().await.unwrap();
}

#[tokio::test]
async fn a_query_that_takes_too_long_while_it_streams_says_so_in_the_stream() {
    let site = Site::postgres().await;
    let options = Options {
        keep_alive_seconds: Some(0),
        ..impatient(&site)
    };
    let server = Server::start(options.check().unwrap()).await;
    until_well(&server, || query(&site)).await;
    let held = lock(&site, "detector").await;
    let lines = server.send(query(&site)).await.lines();
    held.rollback().await.unwrap();
    assert_eq!(lines[0]["type"], "keep-alive");
    let last = &lines[lines.len() - 1];
    assert_eq!(last["type"], "error");
    assert_eq!(last["error"]["error_type"], "unavailable");
}

async fn refusal(settings: Settings) -> String {
    let refused = App::open(settings).await.unwrap_err().to_string();
    assert!(refused.contains("repository 'r'"), "{refused}");
    assert_eq!(refused.lines().count(), 1, "{refused}");
    refused
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_stops_the_start() {
    let site = Site::sqlite().await;
    let settings = || site.options().check().unwrap();
    let file = site.root().join("butler.yaml");
    std::fs::write(&file, "registry: {db: [\n").unwrap();
    refusal(settings()).await;
    std::fs::remove_file(&file).unwrap();
    refusal(settings()).await;
}

#[tokio::test]
async fn a_repository_of_a_version_that_is_not_known_stops_the_start() {
    for site in Site::both().await {
        let database = site.butler.registry().database();
        let mut session = database.begin().await.unwrap();
        let change = format!(
            "UPDATE {} SET value = '99.0.0' WHERE name LIKE 'version:%ByDimensions%'",
            database.table("butler_attributes")
        );
        assert!(session.execute(&change, &[]).await.unwrap() > 0);
        session.commit().await.unwrap();
        let refused = refusal(site.options().check().unwrap()).await;
        assert!(refused.contains("99.0.0"), "{refused}");
    }
}
