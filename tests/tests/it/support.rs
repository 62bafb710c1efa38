//! The services that `cargo xtask test` provides are there and do what the other tests rely on.

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use butler_tests::postgres::TestSchema;
use butler_tests::python::{Script, run_script};
use butler_tests::s3::{self, S3Server};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};

async fn schema_count(schema: &str) -> i64 {
    let options: PgConnectOptions = butler_tests::postgres::url().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM pg_namespace WHERE nspname = $1")
        .bind(schema)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn schema_lives_as_long_as_its_value() {
    let schema = TestSchema::new();
    let name = schema.name().to_owned();
    assert_eq!(schema_count(&name).await, 0);
    schema.create();
    assert_eq!(schema_count(&name).await, 1);
    drop(schema);
    assert_eq!(schema_count(&name).await, 0);
}

#[tokio::test]
async fn postgres_has_exclusion_constraints_over_scalars_and_ranges() {
    let options: PgConnectOptions = butler_tests::postgres::url().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(
        "CREATE TEMPORARY TABLE t (id bigint, span int8range, \
         EXCLUDE USING gist (id WITH =, span WITH &&)); \
         INSERT INTO t VALUES (1, '[1,5)'), (2, '[1,5)')",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let overlap = sqlx::raw_sql("INSERT INTO t VALUES (1, '[4,6)')")
        .execute(&mut connection)
        .await;
    assert!(overlap.is_err(), "an overlap is refused");
}

#[test]
fn reference_implementation_is_the_version_that_we_are_compatible_with() {
    let answer = run_script("echo.py", ["--flag"], &json!({"a": [1, null]}));
    assert_eq!(
        answer,
        json!({
            "arguments": ["--flag"],
            "input": {"a": [1, null]},
            "version": "30.2026.4300",
        })
    );
}

#[test]
fn failure_of_a_script_carries_what_it_said() {
    let output = Script::new("echo.py").arg("--fail").output();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("asked to fail"));
}

async fn client(server: &S3Server, secret: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(server.endpoint())
        .force_path_style(true)
        .region(Region::new(s3::REGION))
        .credentials_provider(Credentials::new(s3::ACCESS_KEY, secret, None, None, "test"))
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

#[tokio::test]
async fn s3_server_keeps_objects_in_its_buckets() {
    let server = S3Server::start(&["bucket"]);
    let client = client(&server, s3::SECRET_KEY).await;
    client
        .put_object()
        .bucket("bucket")
        .key("a/b.json")
        .body(ByteStream::from_static(b"[1]"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        std::fs::read(server.object_file("bucket", "a/b.json")).unwrap(),
        b"[1]"
    );
    let got = client
        .get_object()
        .bucket("bucket")
        .key("a/b.json")
        .send()
        .await
        .unwrap();
    assert_eq!(
        got.body.collect().await.unwrap().into_bytes().as_ref(),
        b"[1]"
    );
}

#[tokio::test]
async fn s3_server_refuses_a_wrong_signature() {
    let server = S3Server::start(&["bucket"]);
    let client = client(&server, "another secret").await;
    let refused = client.list_objects_v2().bucket("bucket").send().await;
    assert!(refused.is_err());
}

#[test]
fn reference_implementation_reaches_the_s3_server() {
    let server = S3Server::start(&["bucket"]);
    std::fs::write(server.object_file("bucket", "x.txt"), "hello").unwrap();
    let answer = Script::new("echo.py")
        .args(["--read", "s3://bucket/x.txt"])
        .envs(server.environment())
        .run();
    assert_eq!(answer["content"], Value::from("hello"));
}
