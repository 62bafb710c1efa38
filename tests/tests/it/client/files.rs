//! Files.

use std::collections::BTreeMap;
use std::path::Path;

use butler_client::{RemoteButler, RetrieveOptions};
use butler_core::Error;
use butler_core::datasets::DatasetRef;
use butler_core::datastore::{Datastore as _, StoredFile, StoredFileInfo};
use butler_core::progress::NoProgress;
use butler_direct::ops::create::CreateOptions;
use butler_direct::ops::ingest::IngestZipOptions;
use butler_direct::resource::{ResourcePath, TransferMode};
use butler_direct::{DirectButler, datastores};
use butler_tests::python::Script;
use butler_tests::s3::S3Server;
use butler_tests::server::Program;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Differences;
use super::served::{Served, Service, resources};
use crate::operations::import_registry_data;
use crate::repos::Place;

const DATA: [&str; 4] = ["--data", "base.yaml", "--with-files", "--python-formats"];

pub(crate) async fn are_the_same(program: &Program) {
    let service = Service::start(program, &DATA);
    for served in service.open().await {
        let (direct, remote) = (&served.direct, &served.remote);
        let mut wrong = Differences::default();
        let mut datasets: Vec<DatasetRef> = Vec::new();
        let mut values = 0;
        for put in &served.put {
            datasets.push(put.dataset.clone());
            if put.content["kind"] == "json" {
                let read = remote.get_json(&put.dataset).await;
                if read.as_ref().ok() != Some(&put.content["value"]) {
                    wrong.note(format!("{}: {read:?}, not {}", put.dataset, put.content));
                }
                values += 1;
            }
        }
        assert!(values > 8, "{values} values");
        let classes = direct.storage_classes();
        let mut asked = datasets.clone();
        for dataset in &datasets {
            let class = dataset.dataset_type().storage_class(classes).unwrap();
            for component in class.components().keys() {
                asked.push(dataset.make_component(component, classes).unwrap());
            }
        }
        for dataset in &asked {
            wrong.compare(
                format!("get_bytes {dataset}"),
                direct.get_bytes(dataset).await,
                remote.get_bytes(dataset).await,
            );
            wrong.compare(
                format!("get_json {dataset}"),
                direct.get_json(dataset).await,
                remote.get_json(dataset).await,
            );
            wrong.compare(
                format!("get_yaml {dataset}"),
                direct.get_yaml(dataset).await,
                remote.get_yaml(dataset).await,
            );
            wrong.compare(
                format!("get_table {dataset}"),
                direct.get_table(dataset, None).await,
                remote.get_table(dataset, None).await,
            );
            let places = |uris: butler_core::datastore::DatasetUris| {
                (
                    uris.primary.is_some(),
                    uris.components.into_keys().collect::<Vec<_>>(),
                )
            };
            wrong.compare(
                format!("uris {dataset}"),
                direct.uris(dataset).await.map(places),
                remote.uris(dataset).await.map(places),
            );
        }
        parts_of_tables(&served, &mut wrong).await;
        local_copies(&served, &datasets, &mut wrong).await;
        let ids: Vec<Uuid> = datasets.iter().map(DatasetRef::id).collect();
        let (ours, theirs) = (direct.reader(), remote.reader());
        wrong.compare(
            "knows",
            ours.datastore().knows(&ids).await,
            theirs.datastore().knows(&ids).await,
        );
        wrong.compare(
            "files",
            ours.datastore().files(&ids).await.map(infos),
            theirs.datastore().files(&ids).await.map(infos),
        );
        lost_files(
            &served.put[0].dataset,
            direct,
            remote,
            &service.s3,
            &mut wrong,
        )
        .await;
        for look in [false, true] {
            wrong.compare(
                format!("exists, looking: {look}"),
                direct.exists(&datasets, look).await,
                remote.exists(&datasets, look).await,
            );
        }
        wrong.compare(
            "stored_many",
            direct.stored_many(&datasets).await,
            remote.stored_many(&datasets).await,
        );
        wrong.assert_none(served.label);
        served.direct.close().await;
    }
}

/// What is recorded of files, by dataset: addresses differ, and components come in any order.
fn infos(
    files: impl IntoIterator<Item = (Uuid, Vec<StoredFile>)>,
) -> BTreeMap<Uuid, Vec<StoredFileInfo>> {
    let sorted = |files: Vec<StoredFile>| {
        let mut infos: Vec<StoredFileInfo> = files.into_iter().map(|file| file.info).collect();
        infos.sort_by(|a, b| a.component.cmp(&b.component));
        infos
    };
    let files = files.into_iter();
    files.map(|(id, files)| (id, sorted(files))).collect()
}

/// Schemas and columns of tables.
async fn parts_of_tables(served: &Served, wrong: &mut Differences) {
    let mut tables = 0;
    for put in &served.put {
        let dataset = &put.dataset;
        let Ok(schema) = served.direct.datastore().get_schema(dataset).await else {
            continue;
        };
        tables += 1;
        let first = schema.field(0).name().clone();
        wrong.compare(
            format!("get_schema {dataset}"),
            Ok(schema),
            served.remote.datastore().get_schema(dataset).await,
        );
        for columns in [&[first.as_str()][..], &["no such column"]] {
            wrong.compare(
                format!("get_table {dataset} {columns:?}"),
                served.direct.get_table(dataset, Some(columns)).await,
                served.remote.get_table(dataset, Some(columns)).await,
            );
        }
    }
    assert!(tables > 0, "there are tables");
}

/// Files, brought to local paths.
async fn local_copies(served: &Served, datasets: &[DatasetRef], wrong: &mut Differences) {
    let directory = tempfile::tempdir().unwrap();
    for dataset in datasets {
        let target = directory.path().join(dataset.id().to_string());
        let copied = served.remote.get_file(dataset, &target).await;
        wrong.compare(
            format!("get_file {dataset}"),
            served.direct.get_bytes(dataset).await.map(|b| b.to_vec()),
            copied.map(|()| std::fs::read(&target).unwrap()),
        );
    }
}

/// A dataset whose file is gone is not found, either way.
async fn lost_files(
    dataset: &DatasetRef,
    direct: &DirectButler,
    remote: &RemoteButler,
    s3: &S3Server,
    wrong: &mut Differences,
) {
    let uris = direct.uris(dataset).await.unwrap();
    let uri = ResourcePath::new(uris.single().unwrap()).unwrap();
    std::fs::remove_file(s3.object_file("bucket", &uri.s3_key().unwrap())).unwrap();
    wrong.compare(
        "get_bytes of a lost file",
        direct.get_bytes(dataset).await,
        remote.get_bytes(dataset).await,
    );
}

fn files_below(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path
                    .strip_prefix(directory)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

pub(crate) async fn retrieved(program: &Program) {
    let service = Service::start(program, &DATA);
    for served in service.open().await {
        let datasets: Vec<DatasetRef> = served.put.iter().map(|put| put.dataset.clone()).collect();
        for (preserve_path, add_prefix) in [(true, false), (false, true)] {
            let direct = tempfile::tempdir().unwrap();
            let remote = tempfile::tempdir().unwrap();
            let options = datastores::RetrieveOptions {
                preserve_path,
                write_index: true,
                add_prefix,
                ..datastores::RetrieveOptions::default()
            };
            let place = ResourcePath::from_local(direct.path()).unwrap();
            let expected = served
                .direct
                .retrieve_artifacts(&datasets, &place, options, &NoProgress)
                .await
                .unwrap();
            let options = RetrieveOptions {
                preserve_path,
                overwrite: false,
                write_index: true,
                add_prefix,
            };
            let retrieve = || {
                let place = remote.path();
                served
                    .remote
                    .retrieve_artifacts(&datasets, place, options, &NoProgress)
            };
            let found = retrieve().await.unwrap();
            let mut files = files_below(remote.path());
            let mut expected_files = files_below(direct.path());
            let index = |files: &mut BTreeMap<String, Vec<u8>>| {
                let index = files.remove(datastores::ZIP_INDEX_NAME).unwrap();
                serde_json::from_slice::<Value>(&index).unwrap()
            };
            let (index, expected_index) = (index(&mut files), index(&mut expected_files));
            assert_eq!(files, expected_files, "{}", served.label);
            assert_eq!(index["artifact_map"], expected_index["artifact_map"]);
            assert_eq!(found.len(), expected.len());
            let again = retrieve().await.unwrap_err();
            assert!(matches!(again, Error::FileExists(_)), "{again:?}");
            assert_eq!(files_below(remote.path()).len(), files.len() + 1);
        }
        served.direct.close().await;
    }
}

/// A repository in S3 with datasets in a zip archive.
async fn with_archive(
    s3: &S3Server,
    label: &'static str,
    place: Place,
) -> (&'static str, Place, Value) {
    let from = Place::sqlite();
    let made = from.create_by_reference(&["--data", "base.yaml", "--with-files"]);
    let steps = json!([{
        "do": "pack", "dataset_type": "dict_yaml", "run": "files/put",
        "directory": from.outside().join("packed"),
    }]);
    let packed = from.write_by_reference(&steps);
    let mut config = place.config();
    let text = format!(
        "datastore: {{cls: lsst.daf.butler.datastores.fileDatastore.FileDatastore, \
         root: 's3://bucket/{label}/'}}"
    );
    config.merge(&butler_core::config::Config::from_yaml(&text).unwrap());
    let options = CreateOptions {
        config,
        keep_roots: true,
        resources: Some(resources(s3)),
        ..CreateOptions::default()
    };
    let butler = DirectButler::create(place.root().to_str().unwrap(), options)
        .await
        .unwrap();
    import_registry_data(&butler, &["base.yaml"]).await;
    let archive = ResourcePath::new(packed["files"][0].as_str().unwrap()).unwrap();
    let options = IngestZipOptions {
        mode: Some(TransferMode::Copy),
        ..IngestZipOptions::default()
    };
    butler.ingest_zip(&archive, options).await.unwrap();
    butler.close().await;
    let in_archive = |entry: &&Value| entry["dataset_type"] == "dict_yaml";
    let put: Vec<&Value> = made["put"]
        .as_array()
        .unwrap()
        .iter()
        .filter(in_archive)
        .collect();
    (label, place, json!({"put": put}))
}

pub(crate) async fn in_archives(program: &Program) {
    let s3 = S3Server::start(&["bucket"]);
    let places = vec![
        with_archive(&s3, "sqlite", Place::sqlite()).await,
        with_archive(&s3, "postgres", Place::postgres()).await,
    ];
    let service = Service::serve(program, s3, places);
    for served in service.open().await {
        assert_eq!(served.put.len(), 4);
        let datasets: Vec<DatasetRef> = served.put.iter().map(|put| put.dataset.clone()).collect();
        for put in &served.put {
            let read = served.remote.get_json(&put.dataset).await.unwrap();
            assert_eq!(read, put.content["value"]);
        }
        let known = served.remote.datastore().exists(&datasets).await.unwrap();
        assert_eq!(known.len(), 4);
        let directory = tempfile::tempdir().unwrap();
        let found = served.remote.retrieve_artifacts(
            &datasets[..3],
            directory.path(),
            RetrieveOptions::default(),
            &NoProgress,
        );
        assert_eq!(found.await.unwrap().len(), 3);
        let place = Place::sqlite();
        let target = place.create().await;
        import_registry_data(&target, &["base.yaml"]).await;
        super::transfers::transfer(&served.remote, &target, &datasets[..3]).await;
        for put in &served.put[..3] {
            assert_eq!(
                target.get_json(&put.dataset).await.unwrap(),
                put.content["value"]
            );
        }
        target.close().await;
        served.direct.close().await;
        let checked = Script::new("check_repo.py").arg(place.root()).run();
        assert_eq!(checked["failures"], json!([]));
    }
}
