//! Resources on a real S3 protocol server.

use std::time::Duration;

use butler_direct::environment::Environment;
use butler_direct::resource::{
    ChecksumAlgorithm, ResourceError, ResourcePath, Resources, S3Settings, S3Store, TransferMode,
    Transferred,
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tempfile::TempDir;

use crate::support::s3::{ACCESS_KEY, Breaking, S3Server, SECRET_KEY};

const PART: usize = 5 << 20;

fn uri(text: &str) -> ResourcePath {
    ResourcePath::new(text).unwrap()
}

fn resources(environment: Environment) -> Resources {
    Resources::builder()
        .environment(environment)
        .s3(S3Settings {
            part_size: PART,
            max_attempts: 2,
            ..S3Settings::default()
        })
        .build()
}

async fn server() -> (S3Server, Resources) {
    let server = S3Server::start(&["data", "other"]).await;
    let resources = resources(server.environment());
    (server, resources)
}

/// Bytes that differ everywhere.
fn pattern(size: usize) -> Bytes {
    (0..size)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect::<Vec<u8>>()
        .into()
}

fn local(directory: &TempDir, name: &str) -> ResourcePath {
    ResourcePath::from_local(&directory.path().join(name)).unwrap()
}

#[tokio::test]
async fn objects_are_written_read_measured_and_deleted() {
    let (_server, resources) = server().await;
    let object = uri("s3://data/dir/a b%23c.fits");
    assert!(!resources.exists(&object).await.unwrap());
    resources
        .write(&object, Bytes::from_static(b"hello"), false)
        .await
        .unwrap();
    assert!(resources.exists(&object).await.unwrap());
    assert_eq!(resources.size(&object).await.unwrap(), 5);
    assert_eq!(resources.read(&object).await.unwrap(), "hello");
    assert_eq!(resources.read_range(&object, 1..4).await.unwrap(), "ell");
    resources.delete(&object).await.unwrap();
    assert!(!resources.exists(&object).await.unwrap());
}

#[tokio::test]
async fn keys_are_the_decoded_path() {
    let (server, resources) = server().await;
    let object = uri("s3://data/").join("a dir/x+y%z.txt").unwrap();
    resources
        .write(&object, Bytes::from_static(b"1"), true)
        .await
        .unwrap();
    assert_eq!(
        std::fs::read(server.file("data", "a dir/x+y%z.txt")).unwrap(),
        b"1"
    );
}

#[tokio::test]
async fn an_existing_object_is_not_overwritten_unasked() {
    let (_server, resources) = server().await;
    let object = uri("s3://data/x");
    resources
        .write(&object, Bytes::from_static(b"first"), false)
        .await
        .unwrap();
    let refused = resources
        .write(&object, Bytes::from_static(b"second"), false)
        .await;
    assert!(
        matches!(refused, Err(ResourceError::AlreadyExists { .. })),
        "{refused:?}"
    );
    assert_eq!(resources.read(&object).await.unwrap(), "first");
    resources
        .write(&object, Bytes::from_static(b"third"), true)
        .await
        .unwrap();
    assert_eq!(resources.read(&object).await.unwrap(), "third");
}

#[tokio::test]
async fn large_objects_go_and_come_in_parts() {
    let (_server, resources) = server().await;
    let data = pattern(2 * PART + 12_345);
    let object = uri("s3://data/large");
    let pieces: Vec<_> = data
        .chunks(300_000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    let size = resources
        .write_stream(&object, futures::stream::iter(pieces).boxed(), false)
        .await
        .unwrap();
    assert_eq!(size, data.len() as u64);
    assert_eq!(resources.read(&object).await.unwrap(), data);
    let algorithm = ChecksumAlgorithm::Blake2b;
    assert_eq!(
        resources.checksum(&object, algorithm).await.unwrap(),
        algorithm.of(&data)
    );
}

#[tokio::test]
async fn a_write_whose_source_fails_leaves_nothing() {
    let (_server, resources) = server().await;
    for good in [0, 2 * PART] {
        let failing = futures::stream::iter([
            Ok(pattern(good)),
            Err(ResourceError::NotFound {
                uri: "the source".to_owned(),
            }),
        ]);
        let object = uri("s3://data/half");
        let outcome = resources.write_stream(&object, failing.boxed(), true).await;
        assert!(outcome.unwrap_err().is_not_found());
        assert!(!resources.exists(&object).await.unwrap());
    }
}

#[tokio::test]
async fn files_travel_to_the_server_and_back() {
    let (_server, resources) = server().await;
    let directory = TempDir::new().unwrap();
    let data = pattern(PART + 7);
    let (source, object) = (local(&directory, "in.bin"), uri("s3://data/in.bin"));
    resources.write(&source, data.clone(), false).await.unwrap();
    let done = resources
        .transfer(&source, &object, TransferMode::Auto, false)
        .await
        .unwrap();
    assert_eq!(done, Transferred::Done(TransferMode::Copy));
    let back = local(&directory, "deep/down/out.bin");
    resources
        .transfer(&object, &back, TransferMode::Move, false)
        .await
        .unwrap();
    assert_eq!(resources.read(&back).await.unwrap(), data);
    assert!(!resources.exists(&object).await.unwrap());
    let links = resources
        .transfer(&object, &back, TransferMode::Symlink, true)
        .await;
    assert!(
        matches!(links, Err(ResourceError::UnsupportedTransfer { .. })),
        "{links:?}"
    );
}

#[tokio::test]
async fn a_failed_download_leaves_no_directories() {
    let (_server, resources) = server().await;
    let directory = TempDir::new().unwrap();
    let target = local(&directory, "new/file");
    let outcome = resources
        .transfer(&uri("s3://data/none"), &target, TransferMode::Copy, false)
        .await;
    assert!(outcome.unwrap_err().is_not_found());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn objects_are_copied_inside_one_server_and_between_identities() {
    let server = S3Server::start(&["data", "other"]).await;
    let environment = Environment::fixed([
        ("S3_ENDPOINT_URL", server.url()),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ("LSST_RESOURCES_S3_PROFILE_alt", server.url_with_keys()),
    ]);
    let resources = resources(environment);
    let source = uri("s3://data/a%20b/%C3%A9%2Bx");
    resources
        .write(&source, Bytes::from_static(b"body"), false)
        .await
        .unwrap();
    for target in ["s3://other/copy", "s3://alt@other/copy2"] {
        let target = uri(target);
        resources.copy(&source, &target, false).await.unwrap();
        assert_eq!(resources.read(&target).await.unwrap(), "body");
    }
    let again = resources
        .copy(&source, &uri("s3://other/copy"), false)
        .await;
    assert!(
        matches!(again, Err(ResourceError::AlreadyExists { .. })),
        "{again:?}"
    );
}

#[tokio::test]
async fn huge_objects_can_be_copied_in_parts() {
    let server = S3Server::start(&["data"]).await;
    let environment = server.environment();
    let resources = resources(environment.clone());
    let data = pattern(2 * PART + 3);
    let (source, target) = (uri("s3://data/a"), uri("s3://data/b"));
    resources.write(&source, data.clone(), false).await.unwrap();
    S3Store::new(environment, S3Settings::default())
        .copy_in_parts(&source, &target, data.len() as u64, PART as u64)
        .await
        .unwrap();
    assert_eq!(resources.read(&target).await.unwrap(), data);
}

#[tokio::test]
async fn listing_finds_every_object_below_a_prefix() {
    let (_server, resources) = server().await;
    for key in ["run/a", "run/deep/b%20c", "running/x"] {
        let object = uri(&format!("s3://data/{key}"));
        resources
            .write(&object, Bytes::from_static(b"12"), false)
            .await
            .unwrap();
    }
    let found: Vec<_> = resources
        .list(&ResourcePath::directory("s3://data/run").unwrap())
        .try_collect()
        .await
        .unwrap();
    let mut names: Vec<String> = found.iter().map(|info| info.uri.to_string()).collect();
    names.sort();
    assert_eq!(names, ["s3://data/run/a", "s3://data/run/deep/b%20c"]);
    assert!(
        found
            .iter()
            .all(|info| info.size == 2 && info.modified.is_some())
    );
}

#[tokio::test]
async fn bulk_calls_answer_in_order() {
    let (_server, resources) = server().await;
    let uris: Vec<_> = (0..1203)
        .map(|i| uri(&format!("s3://data/many/{i}")))
        .collect();
    for present in [3, 700, 1202] {
        resources
            .write(&uris[present], Bytes::new(), false)
            .await
            .unwrap();
    }
    let found: Vec<usize> = resources
        .exists_many(&uris[..20])
        .await
        .into_iter()
        .enumerate()
        .filter_map(|(at, found)| found.unwrap().then_some(at))
        .collect();
    assert_eq!(found, [3]);
    let deleted = resources.delete_many(&uris).await;
    assert_eq!(deleted.len(), uris.len());
    assert!(deleted.into_iter().all(|outcome| outcome.is_ok()));
    for present in [3, 700, 1202] {
        assert!(!resources.exists(&uris[present]).await.unwrap());
    }
}

#[tokio::test]
async fn directories_are_marked_for_other_readers() {
    let (server, resources) = server().await;
    let directory = ResourcePath::directory("s3://data/root").unwrap();
    resources.make_directory(&directory).await.unwrap();
    assert!(server.file("data", "root").is_dir());
    let full = directory.join("a/b").unwrap();
    resources.write(&full, Bytes::new(), false).await.unwrap();
    assert!(resources.exists(&directory).await.unwrap());
    assert!(!resources.exists(&uri("s3://data/roo/")).await.unwrap());
    assert!(resources.exists(&uri("s3://data/")).await.unwrap());
    assert!(!resources.exists(&uri("s3://absent/")).await.unwrap());
    let missing = resources.make_directory(&uri("s3://absent/root/")).await;
    assert!(missing.unwrap_err().is_not_found());
}

#[tokio::test]
async fn signed_addresses_work_without_credentials() {
    let (_server, resources) = server().await;
    let object = uri("s3://data/signed%20x#zip-path=m.json");
    let put = resources
        .presign_put(&object, Duration::from_secs(60))
        .await
        .unwrap();
    let get = resources
        .presign_get(&object, Duration::from_secs(60))
        .await
        .unwrap();
    assert!(
        get.ends_with("#zip-path=m.json") && get.contains("X-Amz-Signature="),
        "{get}"
    );
    let put = put.split('#').next().unwrap();
    assert_eq!(http(put, "PUT", "signed").await.0, 200);
    assert_eq!(http(&get, "GET", "").await, (200, "signed".to_owned()));
    let forged = get.replace("X-Amz-Expires=60", "X-Amz-Expires=61");
    assert_eq!(http(&forged, "GET", "").await.0, 403);
    let refused = resources
        .presign_get(&uri("file:///x"), Duration::from_secs(1))
        .await;
    assert!(matches!(refused, Err(ResourceError::Unsupported { .. })));
}

/// A plain HTTP request: status and body.
async fn http(url: &str, method: &str, body: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let rest = url
        .strip_prefix("http://")
        .unwrap()
        .split('#')
        .next()
        .unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut connection = tokio::net::TcpStream::connect(host).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

#[tokio::test]
async fn a_missing_object_is_named() {
    let (_server, resources) = server().await;
    for text in ["s3://data/none", "s3://absent/none"] {
        let error = resources.read(&uri(text)).await.unwrap_err();
        assert!(error.is_not_found(), "{error:?}");
        assert!(error.to_string().contains(text), "{error}");
        assert!(resources.size(&uri(text)).await.unwrap_err().is_not_found());
    }
    let error = resources
        .read_range(&uri("s3://data/none"), 0..4)
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
}

#[tokio::test]
async fn a_range_beyond_the_end_is_an_error() {
    let (_server, resources) = server().await;
    let object = uri("s3://data/short");
    resources
        .write(&object, Bytes::from_static(b"0123"), false)
        .await
        .unwrap();
    for range in [2..9, 10..12] {
        let error = resources.read_range(&object, range).await.unwrap_err();
        assert!(
            matches!(error, ResourceError::Truncated { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_wrong_secret_is_explained() {
    let server = S3Server::start(&["data"]).await;
    let wrong = |id: &str, secret: &str| {
        resources(Environment::fixed([
            ("S3_ENDPOINT_URL", server.url().as_str()),
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ]))
    };
    let object = uri("s3://data/x");
    let bad_secret = wrong(ACCESS_KEY, "hush-hush");
    let error = bad_secret.read(&object).await.unwrap_err();
    assert!(
        matches!(error, ResourceError::PermissionDenied { .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(text.contains("secret key does not belong"), "{text}");
    assert!(!text.contains("hush-hush"), "{text}");
    let error = bad_secret.exists(&object).await.unwrap_err();
    assert!(
        matches!(error, ResourceError::PermissionDenied { .. }),
        "{error:?}"
    );
    let error = wrong("NOBODY", "x")
        .write(&object, Bytes::new(), true)
        .await
        .unwrap_err();
    assert!(
        matches!(error, ResourceError::PermissionDenied { .. }),
        "{error:?}"
    );
    let outcomes = bad_secret.delete_many(&[object.clone(), object]).await;
    assert!(
        outcomes
            .iter()
            .all(|o| matches!(o, Err(ResourceError::PermissionDenied { .. })))
    );
}

#[tokio::test]
async fn an_unreachable_server_is_an_error_that_names_the_object() {
    let environment = Environment::fixed([("S3_ENDPOINT_URL", "http://id:secret@127.0.0.1:9")]);
    let error = resources(environment)
        .read(&uri("s3://data/x"))
        .await
        .unwrap_err();
    assert!(matches!(error, ResourceError::Remote { .. }), "{error:?}");
    assert!(error.to_string().contains("s3://data/x"), "{error}");
}

#[tokio::test]
async fn credentials_come_from_the_profile_named_in_the_address() {
    let server = S3Server::start(&["data"]).await;
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("credentials");
    let text = format!(
        "[default]\naws_access_key_id = X\naws_secret_access_key = Y\n\
         [mine]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    );
    std::fs::write(&file, text).unwrap();
    let resources = resources(Environment::fixed([
        ("S3_ENDPOINT_URL", server.url().as_str()),
        ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap()),
        ("AWS_CONFIG_FILE", "/dev/null"),
    ]));
    let object = uri("s3://mine@data/x");
    resources
        .write(&object, Bytes::from_static(b"1"), false)
        .await
        .unwrap();
    assert_eq!(resources.read(&object).await.unwrap(), "1");
    let denied = resources.read(&uri("s3://data/x")).await.unwrap_err();
    assert!(
        matches!(denied, ResourceError::PermissionDenied { .. }),
        "{denied:?}"
    );
}

#[tokio::test]
async fn bucket_names_are_checked_unless_told_otherwise() {
    let server = S3Server::start(&[]).await;
    let strict = resources(server.environment());
    let error = strict
        .exists(&uri("s3://tenant:bucket/x"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("LSST_DISABLE_BUCKET_VALIDATION"),
        "{error}"
    );
}

#[tokio::test]
async fn a_download_that_breaks_off_is_taken_up_again() {
    let server = S3Server::start(&["data"]).await;
    let data = pattern(3 << 20);
    let object = uri("s3://data/x");
    resources(server.environment())
        .write(&object, data.clone(), false)
        .await
        .unwrap();
    let through = |proxy: &Breaking| {
        resources(Environment::fixed([
            ("S3_ENDPOINT_URL", proxy.url.as_str()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ]))
    };
    let shaky = Breaking::start(&server, 1 << 20, 2).await;
    // Signatures cover the host, so the proxy's address is the one that is signed.
    assert_eq!(through(&shaky).read(&object).await.unwrap(), data);

    let hopeless = Breaking::start(&server, 100 << 10, usize::MAX).await;
    let directory = TempDir::new().unwrap();
    let target = local(&directory, "x");
    let outcome = through(&hopeless)
        .transfer(&object, &target, TransferMode::Copy, false)
        .await;
    assert!(
        matches!(outcome, Err(ResourceError::Truncated { .. })),
        "{outcome:?}"
    );
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn members_of_archives_are_read_where_they_lie() {
    use std::io::Write;
    let (_server, resources) = server().await;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, size) in [("a.json", 10), ("b.bin", 900_000)] {
        archive.start_file(name, options).unwrap();
        archive.write_all(&pattern(size)).unwrap();
    }
    let data = archive.finish().unwrap().into_inner();
    let object = uri("s3://data/x.zip");
    resources.write(&object, data.into(), false).await.unwrap();
    let member = object.with_zip_member("b.bin");
    assert_eq!(
        resources.read_selected(&member).await.unwrap(),
        pattern(900_000)
    );
    let missing = resources
        .read_selected(&object.with_zip_member("c"))
        .await
        .unwrap_err();
    assert!(missing.to_string().contains("no such member"), "{missing}");
    resources
        .write(&object, Bytes::from_static(b"not a zip"), true)
        .await
        .unwrap();
    let broken = resources.read_selected(&member).await.unwrap_err();
    assert!(matches!(broken, ResourceError::Zip { .. }), "{broken:?}");
}

#[tokio::test]
async fn remote_objects_become_local_files_for_a_while() {
    let (_server, resources) = server().await;
    let object = uri("s3://data/image.fits.gz");
    resources
        .write(&object, Bytes::from_static(b"FITS"), false)
        .await
        .unwrap();
    let copy = resources.local_copy(&object, None).await.unwrap();
    let path = copy.path().to_owned();
    assert!(copy.is_temporary() && path.to_str().unwrap().ends_with(".fits.gz"));
    assert_eq!(std::fs::read(&path).unwrap(), b"FITS");
    drop(copy);
    assert!(!path.exists());
}
