//! Nothing secret gets into the log, whatever its level, nor into what is said when something fails.

use std::path::{Path, PathBuf};

use axum::routing::get;
use axum::{Json, Router};
use butler_tests::postgres::TestSchema;
use butler_tests::s3::{ACCESS_KEY, S3Server, SECRET_KEY};
use butler_tests::server::{ServerProcess, ServerSetup};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::places::{BUCKET, repository};
use crate::support::{errors, ours, run};

const DATABASE_PASSWORD: &str = "password-of-the-database";
const SIGNING_KEY: &str = "signing-key-that-all-replicas-have";
const ACCESS_TOKEN: &str = "gt-access-token-of-a-user.and-its-secret";

/// A key made for these tests.
const KEY: &str = include_str!("../it/keys/es256.pem");

/// Repositories on disk, in a bucket, and in the same bucket by a profile; and a server of them that logs all it can.
struct Site {
    directory: tempfile::TempDir,
    _schema: TestSchema,
    objects: S3Server,
    on_disk: Uuid,
    in_bucket: Uuid,
}

impl Site {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (schema, objects) = (TestSchema::new(), S3Server::start(&[BUCKET]));
        let url = schema
            .url()
            .replacen('@', &format!(":{DATABASE_PASSWORD}@"), 1);
        let database = Some((&schema, url.as_str()));
        let on_disk = repository(&directory.path().join("disk"), database, None).await;
        let bucket = directory.path().join("bucket");
        let in_bucket = repository(&bucket, None, Some(&objects)).await;
        let profile = directory.path().join("profile");
        std::fs::create_dir(&profile).unwrap();
        let config = std::fs::read_to_string(bucket.join("butler.yaml")).unwrap();
        let config = config
            .replace(&format!("s3://{BUCKET}/"), &format!("s3://other@{BUCKET}/"))
            .replace("<butlerRoot>", bucket.to_str().unwrap());
        assert!(config.contains("s3://other@"), "{config}");
        std::fs::write(profile.join("butler.yaml"), config).unwrap();
        Self {
            directory,
            _schema: schema,
            objects,
            on_disk,
            in_bucket,
        }
    }

    fn root(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn server(&self, format: &str) -> ServerSetup {
        let keys = format!("://{ACCESS_KEY}:{SECRET_KEY}@");
        let profile = self.objects.endpoint().replacen("://", &keys, 1);
        ServerSetup::new(&ours())
            .repository("disk", &self.root("disk"), &["g_users"])
            .repository("bucket", &self.root("bucket"), &["g_users"])
            .repository("profile", &self.root("profile"), &["g_users"])
            .env("DAF_BUTLER_SERVER_LOG_LEVEL", "trace")
            .env("DAF_BUTLER_SERVER_LOG_FORMAT", format)
            .env("DAF_BUTLER_SERVER_URL_SIGNING_KEY", SIGNING_KEY)
            .env("LSST_RESOURCES_S3_PROFILE_other", profile)
            .envs(self.objects.environment())
    }
}

/// Asks for files with a user's headers, follows what comes back, and makes mistakes. Gives what was
/// secret about it.
async fn use_it(site: &Site, server: &ServerProcess, headers: &[(&str, &str)]) -> Vec<String> {
    let client = reqwest::Client::new();
    let mut secrets = Vec::new();
    for (label, id) in [
        ("disk", site.on_disk),
        ("bucket", site.in_bucket),
        ("profile", site.in_bucket),
    ] {
        let mut request = client.get(format!("{}/v1/get_file/{id}", server.repository(label)));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let found: Value = request.send().await.unwrap().json().await.unwrap();
        let url = found["artifact"]["file_info"][0]["url"].as_str();
        let url = url.unwrap_or_else(|| panic!("no URL in {found}"));
        let file = client.get(url).send().await.unwrap();
        assert!(file.status().is_success(), "{url}: {}", file.status());
        let parameters = url.split_once('?').unwrap().1;
        let signature =
            |pair: &&str| pair.starts_with("token=") || pair.starts_with("X-Amz-Signature=");
        let signature = parameters.split('&').find(signature).unwrap();
        secrets.push(signature.split_once('=').unwrap().1.to_owned());
        // Forged: the secret may be one that was mistyped.
        let forged = format!("{url}x");
        assert!(
            !client
                .get(forged)
                .send()
                .await
                .unwrap()
                .status()
                .is_success()
        );
    }
    for (name, value) in headers {
        let url = format!("{}/v1/universe", server.repository("disk"));
        let request = client.get(url).header(*name, format!("{value}-mistyped"));
        assert!(!request.send().await.unwrap().status().is_success());
        secrets.push((*value).trim_start_matches("Bearer ").to_owned());
    }
    secrets.retain(|secret| secret != "ada");
    secrets
}

/// Where a text has one of these.
#[track_caller]
fn assert_without(text: &str, secrets: &[&str], what: &str) {
    for secret in secrets {
        let line = text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{what} has '{secret}':\n{}", line.unwrap());
    }
}

fn always() -> [&'static str; 3] {
    [DATABASE_PASSWORD, SIGNING_KEY, SECRET_KEY]
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_have_no_bearer_tokens_signed_urls_or_passwords() {
    let site = Site::new().await;
    let public = site.directory.path().join("keys.json");
    std::fs::write(&public, include_str!("../it/keys/es256.jwks.json")).unwrap();
    let claims = json!({"sub": "ada", "groups": ["g_users"], "exp": 4_000_000_000_u64});
    let key = EncodingKey::from_ec_pem(KEY.as_bytes()).unwrap();
    let token = encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap();
    for format in ["json", "text"] {
        let server = site
            .server(format)
            .env_remove("DAF_BUTLER_SERVER_GAFAELFAWR_URL")
            .env("DAF_BUTLER_SERVER_JWT_KEY_FILE", &public)
            .start();
        let bearer = format!("Bearer {token}");
        let secrets = use_it(&site, &server, &[("authorization", &bearer)]).await;
        let log = server.log();
        assert!(log.contains("get_file"), "the log is not complete: {log}");
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).chain(always()).collect();
        assert_without(&log, &secrets, &format!("the log ({format})"));
        // The signature alone makes a token of what everybody may know.
        let signature = token.rsplit('.').next().unwrap();
        assert_without(&log, &[signature], &format!("the log ({format})"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_have_no_tokens_of_gafaelfawr() {
    let site = Site::new().await;
    let answer = async || Json(json!({"username": "ada", "groups": [{"name": "g_users"}]}));
    let service = Router::new().route("/auth/api/v1/user-info", get(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/auth", listener.local_addr().unwrap());
    let never = std::future::pending();
    let grace = std::time::Duration::ZERO;
    tokio::spawn(butler_server::serve::serve(listener, service, never, grace));
    let server = site
        .server("json")
        .env("DAF_BUTLER_SERVER_GAFAELFAWR_URL", url)
        .start();
    let client = reqwest::Client::new();
    let universe = format!("{}/v1/universe", server.repository("disk"));
    for token in [ACCESS_TOKEN, "gt-another-token"] {
        let request = client.get(&universe).header("x-auth-request-user", "ada");
        let answer = request.header("x-auth-request-token", token).send().await;
        assert!(answer.unwrap().status().is_success());
    }
    let log = server.log();
    assert!(log.contains("universe"), "the log is not complete: {log}");
    let secrets = [&always()[..], &[ACCESS_TOKEN, "gt-another-token"]].concat();
    assert_without(&log, &secrets, "the log");
}

/// A directory with the configuration of a repository whose database is elsewhere.
fn unreachable(directory: &Path, database: &str) -> String {
    let text = format!(
        "datastore:\n  cls: lsst.daf.butler.datastores.fileDatastore.FileDatastore\n  \
         root: <butlerRoot>\nregistry:\n  db: {database}\n"
    );
    std::fs::write(directory.join("butler.yaml"), text).unwrap();
    directory.to_str().unwrap().to_owned()
}

#[test]
fn failures_do_not_repeat_passwords() {
    let directory = tempfile::tempdir().unwrap();
    for database in [
        format!("postgresql://user:{DATABASE_PASSWORD}@127.0.0.1:1/nothing"),
        format!("postgresql://user:{DATABASE_PASSWORD}@127.0.0.1:port/nothing"),
        format!("mysql://user:{DATABASE_PASSWORD}@127.0.0.1/nothing"),
    ] {
        let root = unreachable(directory.path(), &database);
        let output = run(&["check", &root]);
        assert_eq!(output.status.code(), Some(1));
        assert_without(&errors(&output), &[DATABASE_PASSWORD], &database);
    }
    // Settings that are refused, given by the environment, as an operator would.
    let short = "short-signing-key";
    let output = run(&[
        "--repositories",
        r#"{"r": {"config_uri": "/r", "authorized_groups": ["*"]}}"#,
        "--gafaelfawr-url",
        "DISABLED",
        "--url-signing-key",
        short,
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert_without(&errors(&output), &[short], "a refusal");
}
