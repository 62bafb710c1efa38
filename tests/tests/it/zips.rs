//! Zip files of datasets that the reference makes are taken in and read by both.

use butler_core::datasets::DatasetRef;
use butler_core::error::Error;
use butler_core::progress::NoProgress;
use butler_core::registry::Registry;
use butler_direct::DirectButler;
use butler_direct::ops::ingest::IngestZipOptions;
use butler_direct::ops::prune::Prune;
use butler_direct::resource::{ResourcePath, TransferMode};
use butler_tests::python::Script;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::operations::import_registry_data;
use crate::repos::Place;

/// What the reference has put, by ID, of some dataset types.
fn contents(made: &Value, names: &[&str]) -> Vec<(Uuid, Value)> {
    made["put"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| names.contains(&entry["dataset_type"].as_str().unwrap()))
        .map(|entry| {
            let id = entry["id"].as_str().unwrap().parse().unwrap();
            (id, entry["content"]["value"].clone())
        })
        .collect()
}

async fn assert_read(butler: &DirectButler, expected: &[(Uuid, Value)]) -> Vec<DatasetRef> {
    let mut refs = Vec::new();
    for (id, content) in expected {
        let dataset = butler.registry().dataset(*id).await.unwrap().unwrap();
        assert_eq!(
            &butler.get_json(&dataset).await.unwrap(),
            content,
            "{dataset}"
        );
        refs.push(dataset);
    }
    refs
}

#[tokio::test(flavor = "multi_thread")]
async fn zip_files_of_the_reference_are_taken_in_by_both() {
    let names = ["dict_yaml", "dict_json"];
    for (from, [ours, theirs]) in [
        (Place::sqlite(), [Place::postgres(), Place::sqlite()]),
        (Place::postgres(), [Place::sqlite(), Place::postgres()]),
    ] {
        let made = from.create_by_reference(&["--data", "base.yaml", "--with-files"]);
        let steps: Vec<Value> = names
            .iter()
            .map(|name| {
                json!({"do": "pack", "dataset_type": name, "run": "files/put",
                       "directory": from.outside().join(name)})
            })
            .collect();
        let packed = from.write_by_reference(&json!(steps));
        let files: Vec<&str> = packed["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| file.as_str().unwrap())
            .collect();
        let expected = contents(&made, &names);
        assert_eq!(expected.len(), 8);

        // Taken in here, and read by both.
        let butler = ours.create().await;
        import_registry_data(&butler, &["base.yaml"]).await;
        let ingest = |file: &str, skip_existing| {
            let file = ResourcePath::new(file).unwrap();
            let butler = butler.clone();
            async move {
                let options = IngestZipOptions {
                    mode: Some(TransferMode::Copy),
                    skip_existing,
                    ..IngestZipOptions::default()
                };
                butler.ingest_zip(&file, options).await
            }
        };
        let mut count = 0;
        for file in &files {
            count += ingest(file, false).await.unwrap();
        }
        assert_eq!(count, expected.len());
        let error = ingest(files[0], false).await.unwrap_err();
        assert!(
            matches!(error, Error::ConflictingDefinition(_)),
            "{error:?}"
        );
        assert_eq!(ingest(files[0], true).await.unwrap(), 0);
        let refs = assert_read(&butler, &expected).await;
        let checked = Script::new("check_repo.py").arg(ours.root()).run();
        assert_eq!(checked["failures"], json!([]));
        for (id, content) in &expected {
            assert_eq!(&checked["contents"][id.to_string()]["value"], content);
        }

        // A file goes with the last of its datasets.
        let zips = || {
            crate::operations::files_below(&ours.root()) - 1 - usize::from(ours.schema().is_none())
        };
        assert_eq!(zips(), 2);
        let how = Prune::Purge;
        butler
            .prune_datasets(&refs[1..], &how, &NoProgress)
            .await
            .unwrap();
        assert_eq!(zips(), 1);
        butler
            .prune_datasets(&refs[..1], &how, &NoProgress)
            .await
            .unwrap();
        assert_eq!(zips(), 0);
        butler.close().await;

        // Taken in by the reference, and read here.
        theirs.create_by_reference(&["--data", "base.yaml", "--no-collections"]);
        let steps: Vec<Value> = files
            .iter()
            .map(|file| json!({"do": "ingest_zip", "file": file, "transfer": "copy"}))
            .collect();
        theirs.write_by_reference(&json!(steps));
        let butler = theirs.open().await;
        let refs = assert_read(&butler, &expected).await;
        assert!(refs.iter().all(|dataset| &**dataset.run() == "files/put"));
        // And removed here.
        butler
            .prune_datasets(&refs[1..], &Prune::Purge, &NoProgress)
            .await
            .unwrap();
        assert_read(&butler, &expected[..1]).await;
        butler.close().await;
        let checked = Script::new("check_repo.py").arg(theirs.root()).run();
        assert_eq!(checked["failures"], json!([]));
    }
}
