//! Bringing in files that exist already.

use butler_core::datasets::DatasetRef;
use butler_core::progress::NoProgress;
use butler_direct::datastores::IngestOptions;
use butler_direct::resource::TransferMode;
use bytes::Bytes;

use super::fixture::{Database, Store, file};
use super::{assert_error, behaviours};
use crate::support::http::WebServer;

async fn copies_get_a_place_of_their_own(store: &Store) {
    let path = store.local_file("source.fits.gz", "12345");
    let dataset = store.dataset("opaque", 1).await;
    let given = std::slice::from_ref(&dataset);
    store.ingest(&path, given, TransferMode::Copy).await;
    assert!(path.exists());
    for info in store.recorded(&dataset).await {
        assert_eq!(info.path, "a/run/opaque/opaque_Cam1_D01_a_run.fits.gz");
        assert_eq!(info.file_size, 5);
    }
    assert_eq!(&store.bytes(&dataset).await[..], b"12345");
}

async fn moved_files_are_gone_from_where_they_were(store: &Store) {
    let path = store.local_file("source.fits", "1");
    let dataset = store.dataset("opaque", 1).await;
    let given = std::slice::from_ref(&dataset);
    store.ingest(&path, given, TransferMode::Move).await;
    assert!(!path.exists());
    assert_eq!(&store.bytes(&dataset).await[..], b"1");
}

async fn an_undone_move_brings_the_file_back(store: &Store) {
    let path = store.local_file("source.fits", "1");
    let dataset = store.dataset("opaque", 1).await;
    let staged = store
        .stage_ingest(&path, &[dataset], TransferMode::Move)
        .await;
    staged.unwrap().undo().await.unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap(), "1");
    assert_eq!(store.all_files().await, Vec::<String>::new());
}

async fn direct_files_stay_where_they_are(store: &Store) {
    let path = store.local_file("here it is.fits", "123");
    let dataset = store.dataset("opaque", 1).await;
    let given = std::slice::from_ref(&dataset);
    store.ingest(&path, given, TransferMode::Direct).await;
    for info in store.recorded(&dataset).await {
        assert!(info.path.starts_with("file:///") && info.path.ends_with("here%20it%20is.fits"));
        assert_eq!(info.file_size, 3);
    }
    assert_eq!(&store.bytes(&dataset).await[..], b"123");
    store.trash(&[dataset.id()]).await;
    store.datastore.empty_trash(None, false).await.unwrap();
    assert!(path.exists(), "what lies outside is not deleted");
}

async fn files_on_web_servers_come_in_where_they_are_or_as_copies(store: &Store) {
    let server = WebServer::with(b"1234").await;
    let given = format!("{}/some/where.fits", server.url);
    for (detector, mode) in [(1, TransferMode::Direct), (2, TransferMode::Copy)] {
        let dataset = store.dataset("opaque", detector).await;
        store
            .ingest(&given, std::slice::from_ref(&dataset), mode)
            .await;
        for info in store.recorded(&dataset).await {
            assert_eq!(info.path == given, mode == TransferMode::Direct);
            assert_eq!(info.file_size, 4);
        }
        assert_eq!(&store.bytes(&dataset).await[..], b"1234");
    }
}

async fn files_inside_are_ingested_in_place(store: &Store) {
    let mut datasets = Vec::new();
    for (number, mode) in [(1, None), (2, Some(TransferMode::Auto))] {
        let name = format!("sub/dir/in place {number}.fits");
        for root in store.datastore.roots().values() {
            let place = root.join(&name).unwrap();
            let data = Bytes::from_static(b"inside");
            store
                .butler
                .resources()
                .write(&place, data, false)
                .await
                .unwrap();
        }
        let dataset = store.dataset("opaque", number).await;
        store
            .ingest(&name, std::slice::from_ref(&dataset), mode)
            .await;
        for info in store.recorded(&dataset).await {
            assert_eq!((info.path.as_str(), info.file_size), (name.as_str(), 6));
        }
        datasets.push(dataset);
    }
    for dataset in datasets {
        assert_eq!(&store.bytes(&dataset).await[..], b"inside");
    }
}

async fn files_outside_are_refused_in_place(store: &Store) {
    let path = store.local_file("outside.fits", "1");
    let dataset = store.dataset("opaque", 1).await;
    let given = [dataset];
    let done = store.stage_ingest(&path, &given, None).await;
    let message = assert_error!(done, InvalidArgument);
    assert!(message.contains("outside.fits"), "{message}");
    let done = store.stage_ingest("../../outside.fits", &given, None).await;
    assert_error!(done, PathEscapesRoot);
}

async fn missing_files_are_refused_and_nothing_stays(store: &Store) {
    let path = store.local_file("good.fits", "1");
    let (good, bad) = (
        store.dataset("opaque", 1).await,
        store.dataset("opaque", 2).await,
    );
    for mode in [TransferMode::Copy, TransferMode::Direct, TransferMode::Move] {
        let files = vec![
            file(&path, std::slice::from_ref(&good)),
            file(path.with_file_name("bad.fits"), std::slice::from_ref(&bad)),
        ];
        let options = IngestOptions::new(Some(mode));
        let done = store
            .datastore
            .stage_ingest(files, options, &NoProgress)
            .await;
        let message = assert_error!(done, FileNotFound);
        assert!(message.contains("bad.fits"), "{message}");
        assert_eq!(store.all_files().await, Vec::<String>::new());
        assert!(path.exists());
    }
}

async fn unsuitable_extensions_are_refused(store: &Store) {
    let path = store.local_file("wrong.txt", "{}");
    let dataset = store.dataset("yaml", 1).await;
    let done = store
        .stage_ingest(&path, &[dataset], TransferMode::Copy)
        .await;
    let message = assert_error!(done, InvalidArgument);
    assert!(
        message.contains(".yaml") && message.contains(".txt"),
        "{message}"
    );
}

async fn a_file_can_hold_several_datasets(store: &Store) {
    let path = store.local_file("many.fits", "all");
    let refs = [
        store.dataset("opaque", 1).await,
        store.dataset("opaque", 2).await,
    ];
    store.ingest(&path, &refs, TransferMode::Copy).await;
    assert_eq!(
        store.recorded(&refs[0]).await,
        store.recorded(&refs[1]).await
    );
    for dataset in &refs {
        assert_eq!(&store.bytes(dataset).await[..], b"all");
    }
}

async fn sizes_are_left_out_on_request(store: &Store) {
    let path = store.local_file("any.fits", "123");
    let dataset = store.dataset("opaque", 1).await;
    let options = IngestOptions {
        mode: Some(TransferMode::Copy),
        record_validation_info: false,
    };
    let files = vec![file(&path, std::slice::from_ref(&dataset))];
    let staged = store
        .datastore
        .stage_ingest(files, options, &NoProgress)
        .await
        .unwrap();
    store
        .record(staged, std::slice::from_ref(&dataset))
        .await
        .unwrap();
    let records = store.recorded(&dataset).await;
    assert!(records.iter().all(|info| info.file_size == -1));
    assert_eq!(&store.bytes(&dataset).await[..], b"123");
}

behaviours!(
    all: [

    ],
    files: [
    copies_get_a_place_of_their_own,
    moved_files_are_gone_from_where_they_were,
    an_undone_move_brings_the_file_back,
    direct_files_stay_where_they_are,
    files_on_web_servers_come_in_where_they_are_or_as_copies,
    files_inside_are_ingested_in_place,
    files_outside_are_refused_in_place,
    missing_files_are_refused_and_nothing_stays,
    unsuitable_extensions_are_refused,
    a_file_can_hold_several_datasets,
    sizes_are_left_out_on_request,
    ],
);

#[tokio::test]
async fn links_are_made_in_a_local_datastore() {
    let store = Database::Sqlite.posix().await;
    for (number, mode) in [
        (1, TransferMode::Hardlink),
        (2, TransferMode::Symlink),
        (3, TransferMode::RelSymlink),
        (4, TransferMode::Link),
        (5, TransferMode::Auto),
    ] {
        let path = store.local_file(&format!("source{number}.fits"), "linked");
        let dataset = store.dataset("opaque", number).await;
        let given = std::slice::from_ref(&dataset);
        store.ingest(&path, given, mode).await;
        let place = store.files(&dataset).await[0].local_path().unwrap();
        let is_symlink = place.symlink_metadata().unwrap().is_symlink();
        let expected = matches!(mode, TransferMode::Symlink | TransferMode::RelSymlink);
        assert_eq!(is_symlink, expected, "{mode}");
        assert_eq!(&store.bytes(&dataset).await[..], b"linked");
    }
}

#[tokio::test]
async fn immutable_direct_files_may_come_again() {
    use butler_core::datasets::DatasetIdMode;
    let store = Database::Sqlite.posix().await;
    let path = store.local_file("again.fits", "1");
    let any = store.dataset("opaque", 1).await;
    let dataset = DatasetRef::generate(
        any.dataset_type().clone(),
        any.data_id().clone(),
        super::fixture::RUN,
        DatasetIdMode::DataIdTypeRun,
    )
    .unwrap();
    for _ in 0..2 {
        let given = std::slice::from_ref(&dataset);
        store.ingest(&path, given, TransferMode::Direct).await;
    }
    assert_eq!(store.recorded(&dataset).await.len(), 1);
}
