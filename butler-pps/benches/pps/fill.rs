//! A night's worth of datasets.

use std::sync::Arc;

use butler_core::datasets::{DatasetIdMode, DatasetRef};
use butler_core::dimensions::{ColumnValue, DataCoordinate, DataIdValue, DimensionRecord};
use butler_core::progress::NoProgress;
use butler_core::registry::{InsertMode, Registry as _, RegistryWriter as _};
use butler_direct::DirectButler;
use butler_direct::datastores::PutData;
use bytes::Bytes;

/// Detectors of LSSTCam.
const DETECTORS: i64 = 189;

/// Datasets that are stored together.
const BATCH: usize = 2_000;

/// Stores datasets of a type in the embargo repository, one for each of as many visits and detectors
/// as it takes.
pub(crate) async fn fill(
    butler: &DirectButler,
    dataset_type: &str,
    count: usize,
    bytes: usize,
) -> Vec<DatasetRef> {
    let count = i64::try_from(count).unwrap();
    let detectors: Vec<i64> = (0..DETECTORS).map(|detector| 1_000 + detector).collect();
    let visits: Vec<i64> = (0..=count / DETECTORS)
        .map(|visit| 2_025_120_300_000 + visit)
        .collect();
    multiply(butler, "detector", &["full_name"], &detectors).await;
    multiply(butler, "visit", &["name"], &visits).await;
    let dataset_type = butler.registry().dataset_type(dataset_type).await.unwrap();
    let run = "LSSTCam/prompt/output-2025-12-02";
    let refs: Vec<DatasetRef> = (0..count)
        .map(|index| {
            let place = |list: &[i64], at: i64| list[usize::try_from(at).unwrap()];
            let values: [(&str, DataIdValue); 3] = [
                ("instrument", "LSSTCam".into()),
                ("visit", place(&visits, index / DETECTORS).into()),
                ("detector", place(&detectors, index % DETECTORS).into()),
            ];
            let dimensions = Some(dataset_type.dimensions());
            let data_id =
                DataCoordinate::standardize(butler.universe(), values, dimensions, None).unwrap();
            let mode = DatasetIdMode::Unique;
            DatasetRef::generate(Arc::clone(&dataset_type), data_id, run, mode).unwrap()
        })
        .collect();
    let content = Bytes::from(format!("\"{}\"", "x".repeat(bytes.saturating_sub(2))));
    for batch in refs.chunks(BATCH) {
        let puts = batch
            .iter()
            .map(|dataset| (dataset.clone(), PutData::Bytes(content.clone())))
            .collect();
        butler.put_many(puts, &NoProgress).await.unwrap();
    }
    refs
}

/// Copies a dimension record under other IDs.
async fn multiply(butler: &DirectButler, element: &str, names: &[&str], ids: &[i64]) {
    let element = butler.universe().element(element).unwrap();
    let model = butler
        .registry()
        .dimension_records(element)
        .await
        .unwrap()
        .swap_remove(0);
    let records: Vec<DimensionRecord> = ids
        .iter()
        .map(|id| {
            let fields = model.fields().map(|(column, value)| {
                let value = match &*column.name {
                    "id" => ColumnValue::Int(*id),
                    name if names.contains(&name) => ColumnValue::Str(format!("N{id}").into()),
                    _ => value.clone(),
                };
                (column.name.clone(), value)
            });
            DimensionRecord::from_fields(element, fields).unwrap()
        })
        .collect();
    butler
        .registry()
        .insert_dimension_records(element, &records, InsertMode::SkipExisting)
        .await
        .unwrap();
}
