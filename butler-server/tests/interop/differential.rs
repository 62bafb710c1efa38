//! The same requests, sound and unsound, to the reference's server and to ours: they must answer the same but for what
//! [`reason`] lists. `docs/server-interop.md` has the reasons for people.

use std::collections::BTreeSet;

use butler_tests::canonical::differences;
use butler_tests::server::{Program, ServerProcess};
use reqwest::Client;
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use url::Url;

use crate::places::{Database, Place, tested};
use crate::requests::{self, Body, Request};

const LABEL: &str = "repo";

/// How many differences are told.
const TOLD: usize = 30;

/// What can be compared of an answer.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    status: u16,
    content_type: String,
    body: Value,
}

/// Why an answer may be another one than the reference's; `None` if it may not.
fn reason(request: &Request, theirs: &Answer, ours: &Answer) -> Option<&'static str> {
    let kind = |answer: &Answer| answer.body["error_type"].as_str().map(str::to_owned);
    let malformed = |answer: &Answer| answer.body["malformed"] == true;
    let text = match &request.body {
        Body::Json(body) => body.to_string(),
        _ => String::new(),
    };
    match (theirs.status, ours.status) {
        (500, 400..500) => Some("the reference fails where the request is wrong"),
        (404, 422) if request.path.contains("%2F") => {
            Some("a quoted slash is part of a name, and divides no path")
        }
        (200, 422)
            if theirs.body["kinds"] == json!([])
                && kind(ours).as_deref() == Some("invalid_query") =>
        {
            Some("the reference begins a stream before it reads the query, and sends nothing")
        }
        (200, 200) if text.contains(r#""limit":-2"#) => {
            Some("clients send no limits below zero; the sign does not count")
        }
        (200, 200)
            if request.path.ends_with("all_datasets") && text.contains(r#""collections":[]"#) =>
        {
            Some("the reference sees wildcards where there are no collections at all")
        }
        (200, 422) if malformed(ours) && (text.contains(":3.0") || text.contains(":true")) => {
            Some("a value of a data ID is an integer or text")
        }
        (422, 200) if text.contains(r#""detector":"1""#) => {
            Some("text that is a number will do for an integer wherever there are data IDs")
        }
        (200, 200) if text.contains(r#""nothing":1"#) => {
            Some("an unknown dimension is an error, also in a search of all types")
        }
        _ if request.path.starts_with("v1/query/explain") && theirs.status == ours.status => {
            let count = |answer: &Answer| answer.body["messages"].as_array().map(Vec::len);
            let same = count(theirs).map(|n| n == 0) == count(ours).map(|n| n == 0);
            same.then_some("explanations are worded in another way")
        }
        _ => None,
    }
}

async fn ask(client: &Client, server: &ServerProcess, request: &Request) -> Answer {
    let url = format!("{}/{}", server.repository(LABEL), request.path);
    let mut builder = client.request(request.method.parse().unwrap(), url);
    builder = match &request.body {
        Body::Empty => builder,
        Body::Json(body) => builder.json(body),
        Body::Text(text) => builder
            .header("content-type", "application/json")
            .body(*text),
    };
    let response = builder.send().await.unwrap();
    let status = response.status().as_u16();
    let header = |name: &str| {
        let value = response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned());
        value.unwrap_or_default()
    };
    let content_type = header("content-type").split(';').next().unwrap().to_owned();
    let location = header("location");
    let text = response.text().await.unwrap();
    let mut body = match content_type.as_str() {
        "application/json" => serde_json::from_str(&text).unwrap(),
        "application/jsonlines" => pages(&text),
        _ if location.is_empty() => json!(text.len()),
        _ => json!({"url": location}),
    };
    if status == 422 || status >= 400 {
        body = error(&body);
    }
    without_place(&mut body, server);
    Answer {
        status,
        content_type,
        body,
    }
}

/// The pages of a stream as one document: their rows, and the kinds of all lines.
fn pages(text: &str) -> Value {
    let mut kinds = Vec::new();
    let mut rows = Vec::new();
    let mut more = Vec::new();
    for line in text.lines() {
        let mut page: Value = serde_json::from_str(line).unwrap();
        let kind = page["type"].as_str().unwrap().to_owned();
        match kind.as_str() {
            "keep-alive" => continue,
            "error" => more.push(error(&page["error"])),
            _ => rows.append(page["rows"].as_array_mut().unwrap()),
        }
        if let Some(Value::Object(records)) = page.get_mut("dimension_records") {
            records.retain(|_, records| {
                records
                    .as_array()
                    .is_some_and(|records| !records.is_empty())
            });
            more.push(page["dimension_records"].clone());
        }
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    json!({"kinds": kinds, "rows": rows, "more": more})
}

/// An error without its wording: its type, or where a request is malformed.
fn error(body: &Value) -> Value {
    match (&body["error_type"], &body["detail"]) {
        (Value::String(kind), Value::String(detail)) => {
            json!({"error_type": kind, "says_something": !detail.is_empty()})
        }
        (_, Value::Array(list)) => {
            let well_formed = |entry: &Value| {
                entry["loc"].is_array() && entry["msg"].is_string() && entry["type"].is_string()
            };
            let place = |entry: &Value| {
                let place = entry["loc"].as_array().into_iter().flatten();
                let known = match (entry["loc"][0].as_str(), entry["loc"][1].as_str()) {
                    // Clients do not know what parts of a path are called.
                    (Some("path"), _) => 1,
                    // Members of a union follow, which are named after Python's classes.
                    (_, Some("bind")) => 3,
                    _ => 5,
                };
                json!(place.take(known).collect::<Vec<_>>()).to_string()
            };
            let places: BTreeSet<String> = list.iter().map(place).collect();
            let kinds = list.iter().map(|entry| entry["type"].to_string());
            let kinds: BTreeSet<String> = kinds.collect();
            json!({"malformed": list.iter().all(well_formed), "places": places, "kinds": kinds})
        }
        (_, detail) => json!({"detail": detail.is_string()}),
    }
}

/// Removes what depends on a server's port and on when a URL was signed.
fn without_place(body: &mut Value, server: &ServerProcess) {
    match body {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "url" => *text = stable(text, server),
                    _ => without_place(value, server),
                }
            }
        }
        Value::Array(members) => {
            members
                .iter_mut()
                .for_each(|member| without_place(member, server));
        }
        _ => {}
    }
}

fn stable(text: &str, server: &ServerProcess) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return text.to_owned();
    };
    let signed = url
        .query_pairs()
        .any(|(name, _)| name.contains("Signature"));
    if signed {
        url.set_query(Some("signed"));
    }
    url.as_str().replace(&server.url(), "server:")
}

/// Asks both servers everything and panics with the differences that have no reason.
async fn compare(place: &Place, requests: Vec<Request>) {
    // A redirect is an answer, and each answer counts.
    // The reference closes connections after some errors.
    let client = Client::builder()
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .build()
        .unwrap();
    let serve = |program: &Program| {
        place
            .server(program)
            .repository(LABEL, &place.root(), &["*"])
            .start()
    };
    let (theirs, ours) = (serve(&Program::Reference), serve(&tested()));
    let mut unexplained = Vec::new();
    let count = requests.len();
    for request in requests {
        let expected = ask(&client, &theirs, &request).await;
        let got = ask(&client, &ours, &request).await;
        let mut found = differences(&expected.body, &got.body);
        if (expected.status, &expected.content_type) != (got.status, &got.content_type) {
            let told = |answer: &Answer| format!("{} {}", answer.status, answer.content_type);
            found.insert(0, format!("{} but {}", told(&expected), told(&got)));
        }
        if !found.is_empty() && reason(&request, &expected, &got).is_none() {
            found.truncate(4);
            let body = match &request.body {
                Body::Json(body) => body.to_string(),
                other => format!("{other:?}"),
            };
            let body: String = body.chars().take(600).collect();
            unexplained.push(format!(
                "{} {} {body}\n    {}",
                request.method,
                request.path,
                found.join("\n    ")
            ));
        }
    }
    assert!(
        unexplained.is_empty(),
        "{} of {count} answers differ, the reference's first:\n{}",
        unexplained.len(),
        unexplained[..TOLD.min(unexplained.len())].join("\n")
    );
}

/// A repository with data of all kinds and its files in S3.
fn place(database: Database, more: &[&str]) -> Place {
    Place::in_buckets(
        database,
        "s3",
        &[&["--with-files", "--python-formats"], more].concat(),
    )
}

const SMALL: [&str; 2] = ["--data", "base.yaml,datasets.yaml,spatial.yaml"];

async fn lookups(database: Database) {
    let place = place(database, &SMALL);
    let (stored, fileless) = (place.datasets("signable"), place.datasets("fileless"));
    assert!(
        stored.len() > 15 && fileless.len() > 3,
        "{stored:?} {fileless:?}"
    );
    let mut requests = requests::lookups(&stored, &fileless[..3]);
    requests.extend(requests::finding());
    requests.extend(requests::collections());
    requests.extend(requests::all_datasets());
    compare(&place, requests).await;
}

async fn queries(database: Database) {
    let place = place(database, &[]);
    let arguments = ["--prepare", "--seed", "11", "--count", "150"];
    let cases = place
        .script("query_cases.py")
        .arg(place.root())
        .args(arguments)
        .run();
    compare(&place, requests::queries(&cases)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_have_the_same_answers_on_sqlite() {
    lookups(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_have_the_same_answers_on_postgres() {
    lookups(Database::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_have_the_same_answers_on_postgres() {
    queries(Database::Postgres).await;
}
