//! Transfers between repositories whose universes are of different versions.

use std::sync::Arc;

use butler_core::config::Config;
use butler_core::datasets::{DatasetIdMode, DatasetRef, DatasetType};
use butler_core::dimensions::{ColumnValue, DataCoordinate, DataIdValue, DimensionRecord};
use butler_core::error::Error;
use butler_core::progress::NoProgress;
use butler_core::registry::{InsertMode, Registry, RegistryWriter};
use butler_direct::DirectButler;
use butler_direct::ops::transfer::TransferOptions;
use butler_direct::resource::TransferMode;
use serde_json::json;

use super::fixture::{Place, register};

/// Pairs of versions, of the source's and the target's universe.
const VERSIONS: [(u32, u32); 4] = [(0, 8), (5, 8), (7, 8), (8, 5)];

/// Makes a repository of a universe.
async fn create(place: &Place, version: u32) -> DirectButler {
    let directory = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../butler-core/data/dimensions"
    );
    let file = format!("{directory}/daf_butler_universe{version}.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let butler = place.create_with(Config::new(), Some(text)).await;
    assert_eq!(butler.universe().version(), i64::from(version));
    butler
}

async fn insert(butler: &DirectButler, element: &str, fields: &[(&str, ColumnValue)]) {
    let element = butler.universe().element(element).unwrap();
    let record = DimensionRecord::from_fields(element, fields.iter().cloned()).unwrap();
    butler
        .registry()
        .insert_dimension_records(element, &[record], InsertMode::Insert)
        .await
        .unwrap();
}

/// A stored dataset of a detector.
async fn dataset(butler: &DirectButler) -> DatasetRef {
    insert(
        butler,
        "instrument",
        &[
            ("name", "Cam1".into()),
            ("detector_max", 10.into()),
            ("class_name", "a.Camera".into()),
        ],
    )
    .await;
    insert(
        butler,
        "detector",
        &[
            ("instrument", "Cam1".into()),
            ("id", 1.into()),
            ("full_name", "D1".into()),
        ],
    )
    .await;
    let dataset_type = dataset_type(butler, "detector");
    let values: [(&str, DataIdValue); 2] = [("instrument", "Cam1".into()), ("detector", 1.into())];
    let data_id = DataCoordinate::standardize(butler.universe(), values, None, None).unwrap();
    let registry = butler.registry();
    registry.register_dataset_type(&dataset_type).await.unwrap();
    register(butler, "run", butler_core::collections::CollectionType::Run).await;
    let mode = DatasetIdMode::Unique;
    let dataset = DatasetRef::generate(Arc::new(dataset_type), data_id, "run", mode).unwrap();
    let content = json!({"number": 1});
    butler.put_ref(content, &dataset).await.unwrap();
    dataset
}

fn dataset_type(butler: &DirectButler, dimension: &str) -> DatasetType {
    let group = butler.universe().conform([dimension]).unwrap();
    DatasetType::new(dimension, group, "StructuredDataDict", false).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets_come_with_their_records_where_dimensions_mean_the_same() {
    for (number, (from, to)) in VERSIONS.into_iter().enumerate() {
        let [one, other] = Place::both();
        let (from_place, to_place) = if number % 2 == 0 {
            (one, other)
        } else {
            (other, one)
        };
        let source = create(&from_place, from).await;
        let target = create(&to_place, to).await;
        let dataset = dataset(&source).await;
        let mut options = TransferOptions {
            mode: TransferMode::Copy,
            register_dataset_types: true,
            ..TransferOptions::default()
        };
        let given = std::slice::from_ref(&dataset);
        let error = target
            .transfer_from(&source, given, options, &NoProgress)
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::ConflictingDefinition(_)),
            "{from} to {to}: {error:?}"
        );
        options.transfer_dimensions = true;
        let done = target
            .transfer_from(&source, given, options, &NoProgress)
            .await
            .unwrap();
        assert_eq!(done.len(), 1, "{from} to {to}");
        assert_eq!(done[0].data_id().universe(), target.universe());
        let found = target
            .registry()
            .dataset(dataset.id())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(target.get_json(&found).await.unwrap(), json!({"number": 1}));
        let element = target.universe().element("detector").unwrap();
        let records = target.registry().dimension_records(element).await.unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].get("full_name"), Some(&"D1".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dimensions_that_mean_something_else_are_refused() {
    let [from, to] = Place::both();
    let (old, new) = (create(&from, 5).await, create(&to, 8).await);
    for (source, target) in [(&old, &new), (&new, &old)] {
        // An exposure has a group and a day since version 6.
        let dataset_type = dataset_type(source, "exposure");
        let values: Vec<(&str, DataIdValue)> =
            vec![("instrument", "Cam1".into()), ("exposure", 1.into())];
        let group = dataset_type.dimensions().clone();
        let universe = source.universe();
        let data_id = DataCoordinate::standardize(universe, values, Some(&group), None).unwrap();
        let mode = DatasetIdMode::Unique;
        let dataset = DatasetRef::generate(Arc::new(dataset_type), data_id, "run", mode).unwrap();
        let options = TransferOptions {
            skip_missing: false,
            register_dataset_types: true,
            transfer_dimensions: true,
            ..TransferOptions::default()
        };
        let error = target
            .transfer_from(source, &[dataset], options, &NoProgress)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, Error::InconsistentUniverse(text) if text.contains("exposure")),
            "{error:?}"
        );
    }
}
