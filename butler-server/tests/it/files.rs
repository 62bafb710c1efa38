//! Where files are, and the files themselves.

use butler_direct::ops::prune::Prune;
use butler_server::settings::{FileAccess, Options};
use serde_json::{Value, json};

use crate::support::{NOBODY, Server, Site, get, with};

/// The path and query of the URL that a client gets for the first note.
async fn file_url(site: &Site, server: &Server) -> String {
    let path = format!("v1/get_file/{}", site.notes[0].id());
    let answer = server.get(&path).await.json();
    let url = answer["artifact"]["file_info"][0]["url"].as_str().unwrap();
    url.strip_prefix("http://butler.example")
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_file_is_read_by_a_signed_url() {
    for site in Site::both().await {
        let server = site.server().await;
        let answer = server.send(get(&file_url(&site, &server).await)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, "detector: 1\n");
        assert_eq!(answer.header("content-type"), "application/yaml");
        assert_eq!(
            answer.header("content-length"),
            answer.body.len().to_string()
        );
        assert_eq!(answer.header("accept-ranges"), "bytes");
    }
}

#[tokio::test]
async fn the_record_of_a_file_has_a_relative_path_and_a_url_with_its_name() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let path = format!("v1/get_file/{}", site.notes[0].id());
    let answer = server.get(&path).await.json();
    let info = &answer["artifact"]["file_info"][0];
    assert_eq!(answer["artifact"]["datastore_type"], "file");
    assert_eq!(info["auth"], "none");
    let path = info["datastoreRecords"]["path"].as_str().unwrap();
    assert!(!path.starts_with('/'));
    let url = url::Url::parse(info["url"].as_str().unwrap()).unwrap();
    assert!(url.path().ends_with(".yaml"), "{url}");
}

#[tokio::test]
async fn a_part_of_a_file_can_be_read() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let url = file_url(&site, &server).await;
    let whole = server.send(get(&url)).await.body;
    let answer = server.send(with(get(&url), "range", "bytes=2-4")).await;
    assert_eq!(answer.status, 206);
    assert_eq!(answer.body, whole[2..5]);
    let expected = format!("bytes 2-4/{}", whole.len());
    assert_eq!(answer.header("content-range"), expected);
    let answer = server.send(with(get(&url), "range", "bytes=5000-")).await;
    assert_eq!(answer.status, 416);
}

#[tokio::test]
async fn a_file_that_a_client_has_is_not_sent_again() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let url = file_url(&site, &server).await;
    let etag = server.send(get(&url)).await.header("etag").to_owned();
    let answer = server.send(with(get(&url), "if-none-match", &etag)).await;
    assert_eq!(answer.status, 304);
    let request = with(get(&url), "range", "bytes=0-0");
    let answer = server.send(with(request, "if-range", "\"another\"")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_head_of_a_file_tells_its_length() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let url = file_url(&site, &server).await;
    let length = server.send(get(&url)).await.body.len();
    let mut request = get(&url);
    *request.method_mut() = http::Method::HEAD;
    let answer = server.send(request).await;
    assert_eq!(answer.header("content-length"), length.to_string());
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn tokens_are_good_for_their_own_file_only() {
    let site = Site::sqlite().await;
    let server = Server::start(site.restricted().check().unwrap()).await;
    let open = site.server().await;
    let url = file_url(&site, &open).await;
    let other = site.notes[1].id().to_string();
    let own = site.notes[0].id().to_string();
    let (path, token) = url.split_once("?token=").unwrap();
    let mut tampered = token.to_owned();
    tampered.pop();
    for (what, url) in [
        ("another dataset", url.replace(&own, &other)),
        (
            "another repository",
            url.replace("/repo/r/", "/repo/other/"),
        ),
        (
            "an unknown repository",
            url.replace("/repo/r/", "/repo/nope/"),
        ),
        ("a cut token", format!("{path}?token={tampered}")),
        ("no token", path.to_owned()),
        ("an empty token", format!("{path}?token=")),
    ] {
        let answer = open.send(get(&url)).await;
        assert_eq!(answer.status, 403, "{what}");
    }
    // Another process has another key.
    assert_eq!(server.send(get(&url)).await.status, 403);
}

#[tokio::test]
async fn the_name_in_a_url_leads_nowhere() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let url = file_url(&site, &server).await;
    let (path, token) = url.split_once("?token=").unwrap();
    let directory = path.rsplit_once('/').unwrap().0;
    let whole = server.send(get(&url)).await.body;
    for name in [
        "..%2f..%2fbutler.yaml",
        "%2e%2e%2fbutler.yaml",
        "other.json",
    ] {
        let answer = server
            .send(get(&format!("{directory}/{name}?token={token}")))
            .await;
        assert_eq!(answer.body, whole, "{name}");
    }
}

#[tokio::test]
async fn expired_urls_are_refused() {
    let site = Site::sqlite().await;
    let options = Options {
        url_lifetime_seconds: Some(1),
        ..site.options()
    };
    let server = Server::start(options.check().unwrap()).await;
    let url = file_url(&site, &server).await;
    // The clock of tokens counts whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert_eq!(server.send(get(&url)).await.status, 403);
}

#[tokio::test]
async fn a_removed_dataset_cannot_be_read_by_an_old_url() {
    for site in Site::both().await {
        let server = site.server().await;
        let url = file_url(&site, &server).await;
        site.prune(&Prune::Purge).await;
        assert_eq!(server.send(get(&url)).await.status, 404);
    }
}

#[tokio::test]
async fn a_dataset_that_is_stored_nowhere_has_no_artifact() {
    for site in Site::both().await {
        let server = site.server().await;
        site.prune(&Prune::Unstore).await;
        let id = site.notes[0].id();
        let answer = server.get(&format!("v1/get_file/{id}")).await.json();
        assert_eq!(answer["artifact"], Value::Null);
        let answer = server.get(&format!("v1/dataset/{id}/download")).await;
        assert_eq!(answer.status, 404);
    }
}

#[tokio::test]
async fn unknown_datasets_have_no_files() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let answer = server.get(&format!("v1/get_file/{NOBODY}")).await;
    assert_eq!(answer.error_type(), "dataset_not_found");
    let answer = server.get(&format!("v1/dataset/{NOBODY}/download")).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn files_are_found_by_data_id() {
    for site in Site::both().await {
        let server = site.server().await;
        let mut body = json!({
            "dataset_type": "note",
            "data_id": {"instrument": "Cam1", "detector": 2},
            "collections": ["all"],
        });
        let answer = server.post("v1/get_file_by_data_id", &body).await.json();
        assert_eq!(answer["dataset_ref"]["id"], json!(site.notes[1].id()));
        assert!(answer["artifact"]["file_info"][0]["url"].is_string());
        body["data_id"]["detector"] = json!(99);
        let answer = server.post("v1/get_file_by_data_id", &body).await;
        assert_eq!(answer.error_type(), "dataset_not_found");
    }
}

#[tokio::test]
async fn a_download_leads_to_the_file() {
    for site in Site::both().await {
        let server = site.server().await;
        let path = format!("v1/dataset/{}/download", site.notes[0].id());
        let answer = server.get(&path).await;
        assert_eq!(answer.status, 307);
        let location = answer.header("location").to_owned();
        let url = location.strip_prefix("http://butler.example").unwrap();
        assert_eq!(server.send(get(url)).await.status, 200);
        let answer = server.get(&format!("{path}?component=wcs")).await;
        assert_eq!(answer.status, 404);
    }
}

#[tokio::test]
async fn transfers_get_urls_that_stay_valid() {
    for site in Site::both().await {
        let server = site.server().await;
        let ids: Vec<String> = site
            .notes
            .iter()
            .map(|note| note.id().to_string())
            .collect();
        let mut wanted = ids.clone();
        wanted.push(NOBODY.to_owned());
        let request = crate::support::post(
            "/api/butler/repo/r/v1/file_transfer",
            &json!({ "dataset_ids": wanted }),
        );
        let answer = server
            .send(with(request, "x-forwarded-proto", "https"))
            .await;
        let files = answer.json()["files"].clone();
        assert_eq!(files.as_object().unwrap().len(), 4);
        let record = &files[&ids[0]][0];
        assert_eq!(record["auth"], "gafaelfawr");
        let expected = format!(
            "https://butler.example/api/butler/repo/r/v1/dataset/{}/download",
            ids[0]
        );
        assert_eq!(record["url"], expected);
    }
}

#[tokio::test]
async fn urls_are_below_the_base_that_is_set() {
    let site = Site::sqlite().await;
    let options = Options {
        base_url: Some("https://data.example/".to_owned()),
        ..site.options()
    };
    let server = Server::start(options.check().unwrap()).await;
    let body = json!({ "dataset_ids": [site.notes[0].id()] });
    let answer = server.post("v1/file_transfer", &body).await.json();
    let url = answer["files"][site.notes[0].id().to_string()][0]["url"].clone();
    assert!(
        url.as_str()
            .unwrap()
            .starts_with("https://data.example/api/")
    );
}

#[tokio::test]
async fn where_the_storage_lets_clients_read_no_local_file_is_told() {
    let site = Site::sqlite().await;
    let options = Options {
        authentication: Some(FileAccess::Cadc),
        ..site.options()
    };
    let server = Server::start(options.check().unwrap()).await;
    let path = format!("v1/get_file/{}", site.notes[0].id());
    let answer = server.get(&path).await;
    assert_eq!(answer.status, 500);
    assert_eq!(
        answer.any_json(),
        json!({ "detail": "Internal Server Error" })
    );
}
