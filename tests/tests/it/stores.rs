//! Objects on S3 and chained datastores, with registries on both databases: what one implementation
//! has stored the other reads.

use butler_core::config::Config;
use butler_core::progress::NoProgress;
use butler_core::registry::{Registry, RegistryWriter};
use butler_direct::environment::Environment;
use butler_direct::ops::create::CreateOptions;
use butler_direct::ops::prune::Prune;
use butler_direct::resource::Resources;
use butler_direct::{DirectButler, OpenOptions};
use butler_tests::python::Script;
use butler_tests::s3::S3Server;
use serde_json::json;
use uuid::Uuid;

use crate::operations::{data_id, import_registry_data, register_documents};
use crate::repos::Place;

const KINDS: [&str; 2] = ["s3", "chained"];

fn resources(server: &S3Server) -> Resources {
    Resources::builder()
        .environment(Environment::fixed(server.environment()))
        .build()
}

/// The place in a bucket that belongs to a repository.
fn objects(kind: &str, place: &Place) -> String {
    let database = if place.schema().is_some() {
        "postgres"
    } else {
        "sqlite"
    };
    format!("s3://bucket/{kind}/{database}/")
}

/// The configuration of a datastore with files in S3.
fn datastore(kind: &str, root: &str) -> Config {
    const FILE: &str = "lsst.daf.butler.datastores.fileDatastore.FileDatastore";
    const CHAINED: &str = "lsst.daf.butler.datastores.chainedDatastore.ChainedDatastore";
    let text = match kind {
        "s3" => format!("datastore: {{cls: {FILE}, root: '{root}'}}"),
        _ => format!(
            "datastore:
  cls: {CHAINED}
  datastores:
    - datastore: {{cls: {FILE}, root: <butlerRoot>/files_1, records: {{table: file_records_1}},
                   constraints: {{reject: [other]}}}}
    - datastore: {{cls: {FILE}, root: '{root}', records: {{table: file_records_2}}}}
"
        ),
    };
    Config::from_yaml(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_reference_stores_in_s3_and_chains_is_read_here() {
    let server = S3Server::start(&["bucket"]);
    for kind in KINDS {
        for place in Place::both() {
            let root = objects(kind, &place);
            let arguments = [
                "--data",
                "base.yaml",
                "--with-files",
                "--datastore",
                kind,
                "--s3",
                &root,
            ];
            let made = place
                .reference_script(&arguments)
                .envs(server.environment())
                .run();
            let options = OpenOptions {
                resources: Some(resources(&server)),
                ..OpenOptions::writeable()
            };
            let butler = DirectButler::open(place.root().to_str().unwrap(), options)
                .await
                .unwrap();
            let mut compared = 0;
            let mut removed = Vec::new();
            for entry in made["put"].as_array().unwrap() {
                let id: Uuid = entry["id"].as_str().unwrap().parse().unwrap();
                let dataset = butler.registry().dataset(id).await.unwrap().unwrap();
                let uris = butler.uris(&dataset).await.unwrap();
                let content = &entry["content"];
                if content["kind"] == "json" {
                    let read = butler.get_json(&dataset).await.unwrap();
                    assert_eq!(read, content["value"], "{dataset} at {uris:?}");
                    compared += 1;
                    if compared % 2 == 0 {
                        removed.push(dataset);
                    }
                } else {
                    butler.get_bytes(&dataset).await.unwrap();
                }
            }
            assert!(compared > 8, "{compared} datasets");
            butler
                .prune_datasets(&removed, &Prune::Purge, &NoProgress)
                .await
                .unwrap();
            butler.close().await;
            let checked = Script::new("check_repo.py")
                .arg(place.root())
                .envs(server.environment())
                .run();
            assert_eq!(checked["failures"], json!([]), "{kind}");
            for dataset in removed {
                assert!(checked["exists"].get(dataset.id().to_string()).is_none());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_reads_what_is_stored_here_in_s3_and_chains() {
    let server = S3Server::start(&["bucket"]);
    for kind in KINDS {
        for place in Place::both() {
            let mut config = place.config();
            config.merge(&datastore(kind, &objects(kind, &place)));
            let options = CreateOptions {
                config,
                keep_roots: true,
                resources: Some(resources(&server)),
                ..CreateOptions::default()
            };
            let butler = DirectButler::create(place.root().to_str().unwrap(), options)
                .await
                .unwrap();
            import_registry_data(&butler, &["base.yaml"]).await;
            register_documents(&butler).await;
            // This one the first datastore of the chain refuses.
            let document = butler.registry().dataset_type("document").await.unwrap();
            let other = butler_core::datasets::DatasetType::new(
                "other",
                document.dimensions().clone(),
                "StructuredDataDict",
                false,
            );
            butler
                .registry()
                .register_dataset_type(&other.unwrap())
                .await
                .unwrap();
            let mut expected = Vec::new();
            for detector in 1..=3 {
                for (name, content) in [
                    (
                        "document",
                        json!({"detector": detector, "text": "ü", "list": [1, 2.5]}),
                    ),
                    (
                        "other",
                        json!({"detector": detector, "list": ["two", null]}),
                    ),
                ] {
                    let put = butler.put(content.clone(), name, data_id(detector), Some("docs"));
                    expected.push((put.await.unwrap(), content));
                }
            }
            let (removed, _) = expected.remove(0);
            butler
                .prune_datasets(&[removed], &Prune::Purge, &NoProgress)
                .await
                .unwrap();
            butler.close().await;
            let checked = Script::new("check_repo.py")
                .arg(place.root())
                .envs(server.environment())
                .run();
            assert_eq!(checked["failures"], json!([]), "{kind}");
            assert_eq!(
                checked["contents"].as_object().unwrap().len(),
                expected.len()
            );
            for (dataset, content) in expected {
                assert_eq!(
                    checked["contents"][dataset.id().to_string()]["value"],
                    content
                );
            }
        }
    }
}
