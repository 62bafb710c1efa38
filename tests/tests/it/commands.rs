//! The `butler` commands of the reference say the same of repositories that either has made.

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetType;
use butler_core::registry::{Registry, RegistryWriter};
use butler_core::time::{TimeFormat, TimeScale, parse_time};
use butler_core::timespan::Timespan;
use butler_direct::DirectButler;
use butler_tests::python::{Script, collection_steps};
use serde_json::{Value, json};

use crate::operations::import_registry_data;
use crate::repos::Place;

const DATA: [&str; 3] = ["base.yaml", "datasets.yaml", "spatial.yaml"];

async fn with_collections(butler: &DirectButler) {
    let registry = butler.registry();
    for (name, kind, doc) in [
        ("tag", CollectionType::Tagged, Some("Some biases.")),
        ("calib", CollectionType::Calibration, None),
        ("chain", CollectionType::Chained, None),
        ("outer", CollectionType::Chained, Some("Chains of chains.")),
    ] {
        registry.register_collection(name, kind, doc).await.unwrap();
    }
    let members = |dataset_type: &'static str, run: &'static str| async move {
        let found = registry.associations(dataset_type, &[run.to_owned()]).await;
        let found = found.unwrap().into_iter().map(|member| member.dataset);
        found.collect::<Vec<_>>()
    };
    let biases = members("bias", "imported_g").await;
    registry.associate("tag", &biases).await.unwrap();
    let time = |text: &str| Some(parse_time(text, TimeFormat::Isot, TimeScale::Tai).unwrap());
    let span = Timespan::new(time("2020-01-01T00:00:00"), time("2020-02-01T00:00:00"));
    let flats = members("flat", "imported_r").await;
    registry
        .certify("calib", &flats, span.unwrap())
        .await
        .unwrap();
    for (chain, children) in [
        ("chain", ["tag", "imported_r"]),
        ("outer", ["chain", "imported_g"]),
    ] {
        let children = children.map(str::to_owned);
        registry
            .set_collection_chain(chain, &children)
            .await
            .unwrap();
    }
    let dimensions = butler.universe().conform(["detector", "exposure"]).unwrap();
    let document = DatasetType::new("document", dimensions, "StructuredDataDict", false).unwrap();
    registry.register_dataset_type(&document).await.unwrap();
}

fn lines() -> Value {
    json!([
        ["query-collections", "REPO"],
        [
            "query-collections",
            "REPO",
            "--chains",
            "TREE",
            "--show-dataset-types"
        ],
        ["query-collections", "REPO", "--chains", "FLATTEN"],
        [
            "query-collections",
            "REPO",
            "out*",
            "--chains",
            "INVERSE-TREE"
        ],
        ["query-collections", "REPO", "--collection-type", "RUN"],
        ["query-dataset-types", "REPO", "--verbose"],
        ["query-dataset-types", "REPO", "b*", "--collections", "tag"],
        [
            "query-datasets",
            "REPO",
            "--collections",
            "*",
            "--limit",
            "0"
        ],
        [
            "query-datasets",
            "REPO",
            "bias",
            "--collections",
            "outer",
            "--find-first",
            "--limit",
            "0"
        ],
        [
            "query-datasets",
            "REPO",
            "flat",
            "--collections",
            "imported_r",
            "--where",
            "instrument='Cam1' AND detector > 2",
            "--limit",
            "0"
        ],
        ["query-dimension-records", "REPO", "instrument"],
        [
            "query-dimension-records",
            "REPO",
            "detector",
            "--limit",
            "0"
        ],
        [
            "query-dimension-records",
            "REPO",
            "physical_filter",
            "--where",
            "band='r'"
        ],
        [
            "query-dimension-records",
            "REPO",
            "visit_detector_region",
            "--limit",
            "0"
        ],
        [
            "query-data-ids",
            "REPO",
            "detector",
            "physical_filter",
            "--limit",
            "0"
        ],
        ["config-validate", "REPO", "--dataset-type", "document"],
        ["query-collections", "REPO", "no such*"],
    ])
}

fn run(place: &Place) -> Value {
    Script::new("commands.py")
        .arg(place.root())
        .input(&lines())
        .run()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_say_the_same_of_repositories_of_both() {
    for (theirs, ours) in Place::both().into_iter().zip(Place::both()) {
        theirs.create_by_reference(&["--data", &DATA.join(","), "--no-collections"]);
        theirs.write_by_reference(&collection_steps());
        let butler = ours.create().await;
        import_registry_data(&butler, &DATA).await;
        with_collections(&butler).await;
        butler.close().await;
        let (theirs, ours) = (run(&theirs), run(&ours));
        for (place, line) in lines().as_array().unwrap().iter().enumerate() {
            assert_eq!(theirs[place], ours[place], "{line}");
            let output = ours[place]["output"].as_str().unwrap();
            assert!(!output.contains("Error"), "{line}: {output}");
            if line[2] != "no such*" {
                assert_eq!(ours[place]["status"], 0, "{line}: {output}");
            }
        }
    }
}
