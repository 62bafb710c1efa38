//! Repositories of one server are apart: who may use one learns nothing of another, whatever the path of a request is.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use butler_tests::server::{Program, ServerProcess};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::places::{Database, Place, tested};

const SMALL: [&str; 3] = ["--data", "base.yaml", "--with-files"];

/// Starts something that answers as Gafaelfawr does: all users are in the group `readers`.
fn gafaelfawr() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the test's process.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap() == 0 {
                    break;
                }
                head.push(byte[0]);
            }
            let body = json!({"username": "ada", "groups": [{"name": "readers"}]}).to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

/// A server of a repository that the user may use and of one that the user may not.
fn serve(own: &Place, foreign: &Place) -> ServerProcess {
    own.server(&tested())
        .env("DAF_BUTLER_SERVER_GAFAELFAWR_URL", gafaelfawr())
        .repository("own", &own.root(), &["readers"])
        .repository("foreign", &foreign.root(), &["others"])
        .start()
}

async fn ask(method: &str, url: &str, body: Option<&Value>) -> (StatusCode, String) {
    let request = Client::new()
        .request(method.parse().unwrap(), url)
        .header("X-Auth-Request-User", "ada")
        .header("X-Auth-Request-Token", "gt-token");
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let response = request.send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_dataset_of_another_repository_is_as_unknown_as_one_that_does_not_exist() {
    let own = Place::on_disk(Database::Sqlite, &SMALL);
    let foreign = Place::on_disk(Database::Sqlite, &SMALL);
    let server = serve(&own, &foreign);
    let unknown = Uuid::from_u128(7);
    let dataset = foreign.a_stored_dataset();
    for path in ["dataset/ID", "get_file/ID", "dataset/ID/download"] {
        let url = format!("{}/v1/{path}", server.repository("own"));
        let mut answers = Vec::new();
        for id in [unknown, dataset] {
            let id = id.to_string();
            let (status, text) = ask("GET", &url.replace("ID", &id), None).await;
            answers.push((status, text.replace(&id, "ID")));
        }
        assert_eq!(answers[0], answers[1], "{path}");
    }
    for path in ["datasets", "file_transfer"] {
        let url = format!("{}/v1/{path}", server.repository("own"));
        let body = json!({"dataset_ids": [dataset]});
        let (status, text) = ask("POST", &url, Some(&body)).await;
        assert_eq!(status, StatusCode::OK);
        assert!(!text.contains(&dataset.to_string()), "{path}: {text}");
    }
}

#[tokio::test]
async fn another_repository_is_forbidden_whether_a_dataset_exists_or_not() {
    let own = Place::on_disk(Database::Sqlite, &SMALL);
    let foreign = Place::on_disk(Database::Sqlite, &SMALL);
    let server = serve(&own, &foreign);
    let dataset = foreign.a_stored_dataset();
    let mut answers = Vec::new();
    for id in [Uuid::from_u128(7), dataset] {
        for path in ["dataset/ID", "get_file/ID", "dataset/ID/download"] {
            let path = path.replace("ID", &id.to_string());
            let url = format!("{}/v1/{path}", server.repository("foreign"));
            answers.push(ask("GET", &url, None).await);
        }
    }
    assert_eq!(answers[0].0, StatusCode::FORBIDDEN);
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
}

/// Sends a path as it is: clients of HTTP resolve `..` before they send it.
fn raw(server: &ServerProcess, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         X-Auth-Request-User: ada\r\nX-Auth-Request-Token: gt-token\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

#[tokio::test]
async fn paths_lead_neither_out_of_a_directory_nor_into_another_repository() {
    let own = Place::on_disk(Database::Sqlite, &SMALL);
    let foreign = Place::on_disk(Database::Sqlite, &SMALL);
    let dataset = own.a_stored_dataset();
    let public = own.outside().join("public");
    std::fs::create_dir(&public).unwrap();
    std::fs::write(public.join("index.yaml"), "public: true\n").unwrap();
    std::fs::write(own.outside().join("secret.yaml"), "secret: true\n").unwrap();
    let program = tested();
    if !matches!(program, Program::Ours(_)) {
        return;
    }
    let server = own
        .server(&program)
        .env("DAF_BUTLER_SERVER_GAFAELFAWR_URL", gafaelfawr())
        .env("DAF_BUTLER_SERVER_STATIC_FILES_PATH", &public)
        .repository("own", &own.root(), &["readers"])
        .repository("foreign", &foreign.root(), &["others"])
        .start();
    assert_eq!(raw(&server, "/api/butler/configs/index.yaml").0, 200);
    let url = format!("{}/v1/get_file/{dataset}", server.repository("own"));
    let (_, text) = ask("GET", &url, None).await;
    let found: Value = serde_json::from_str(&text).unwrap();
    let file = found["artifact"]["file_info"][0]["url"].as_str().unwrap();
    let file = file.strip_prefix(&server.url()).unwrap();
    assert_eq!(raw(&server, file).0, 200);
    let (path, token) = file.split_once('?').unwrap();
    let folder = path.rsplit_once('/').unwrap().0;
    for up in ["..", "%2e%2e", "..%2f..", ".%2e", "%252e%252e", "..%5c.."] {
        for path in [
            format!("/api/butler/configs/{up}/secret.yaml"),
            format!("/api/butler/configs/{up}%2fsecret.yaml"),
            format!("/api/butler/configs//{up}/{up}/etc/passwd"),
            format!("/api/butler/repo/own/{up}/foreign/v1/universe"),
            format!("/api/butler/repo/own%2f{up}%2fforeign/v1/universe"),
        ] {
            let (status, answer) = raw(&server, &path);
            assert!((400..500).contains(&status), "{path}: {answer}");
        }
        // A file's name is for people: a token leads to its own file whatever the name is.
        let (status, answer) = raw(&server, &format!("{folder}/{up}%2fsecret.yaml?{token}"));
        assert!(!answer.contains("secret: true"), "{status}: {answer}");
    }
    let elsewhere = path.replace("/repo/own/", "/repo/foreign/");
    assert_eq!(raw(&server, &format!("{elsewhere}?{token}")).0, 403);
}
