//! A driver that knows a few names and gives made-up rows, and notes what it is asked.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use butler_core::collections::{CollectionInfo, CollectionType, DatasetTypeWildcard};
use butler_core::datasets::{DatasetRef, DatasetType};
use butler_core::dimensions::{
    ColumnType, ColumnValue, DataCoordinate, DataIdValue, DimensionGroup, DimensionRecord,
    DimensionRecordSet, DimensionUniverse,
};
use butler_core::query::{
    DataCoordinateUploadKey, MaterializationKey, PageStream, Query, QueryDriver, QueryTree,
    ResultKind, ResultPage, ResultSpec,
};
use butler_core::registry::CollectionQuery;
use butler_core::{Error, Result, Timespan};
use futures::StreamExt as _;
use uuid::Uuid;

/// How many rows there are of everything.
pub(crate) const ROWS: u64 = 10;

#[derive(Debug)]
pub(crate) struct FakeDriver {
    pub(crate) default_collections: Vec<String>,
    default_data_id: DataCoordinate,
    /// How many rows queries have.
    pub(crate) rows: u64,
    /// What was asked, in order.
    pub(crate) calls: Mutex<Vec<String>>,
    /// Uploaded rows.
    pub(crate) uploaded: Mutex<Vec<Vec<DataIdValue>>>,
    /// Rows handed out so far.
    pub(crate) given: Arc<AtomicUsize>,
}

pub(crate) fn universe() -> DimensionUniverse {
    DimensionUniverse::default_universe()
}

impl FakeDriver {
    pub(crate) fn new() -> Self {
        Self {
            default_collections: vec!["default".to_owned()],
            default_data_id: DataCoordinate::empty(universe()),
            rows: ROWS,
            calls: Mutex::default(),
            uploaded: Mutex::default(),
            given: Arc::default(),
        }
    }

    pub(crate) fn query(self) -> (Arc<Self>, Query) {
        let driver = Arc::new(self);
        (Arc::clone(&driver), Query::new(driver))
    }

    fn note(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }

    fn types() -> Vec<Arc<DatasetType>> {
        let make = |name: &str, dimensions: &[&str], storage_class: &str| {
            let dimensions = universe().conform(dimensions).unwrap();
            Arc::new(DatasetType::new(name, dimensions, storage_class, false).unwrap())
        };
        vec![
            make("bias", &["detector"], "ExposureF"),
            make("calexp", &["visit", "detector"], "ExposureF"),
            make("raw", &["exposure", "detector"], "Exposure"),
            make("sky", &["tract"], "DataFrame"),
        ]
    }
}

/// A data ID whose integers are `index`.
fn data_id(dimensions: &DimensionGroup, index: i64) -> DataCoordinate {
    let keys = dimensions.data_coordinate_keys().iter().map(|name| {
        match universe().dimension(name).unwrap().key_type() {
            Some(ColumnType::Int) => DataIdValue::from(index),
            _ => DataIdValue::from(format!("{name} {index}")),
        }
    });
    DataCoordinate::from_full_values(dimensions.clone(), keys.collect::<Vec<_>>()).unwrap()
}

fn value(column_type: ColumnType, index: i64) -> ColumnValue {
    match column_type {
        ColumnType::Int => ColumnValue::Int(index),
        ColumnType::String { .. } => format!("text {index}").as_str().into(),
        ColumnType::Float => ColumnValue::Float(0.5),
        ColumnType::Bool => ColumnValue::Bool(true),
        ColumnType::Uuid => ColumnValue::Uuid(Uuid::from_u128(index.unsigned_abs().into())),
        ColumnType::Timespan => ColumnValue::Timespan(Timespan::from_ns(index, index + 5)),
        ColumnType::DateTime | ColumnType::IngestDate => ColumnValue::Time(index),
        ColumnType::Hash { .. } | ColumnType::Region { .. } => ColumnValue::Null,
    }
}

/// The record of an element whose keys are those of the data ID.
fn record(name: &str, data_id: &DataCoordinate, index: i64) -> Arc<DimensionRecord> {
    let element = universe().element(name).unwrap();
    let keys = element
        .dimensions()
        .map(|name| data_id.value(name).unwrap().clone().into());
    let rest = element.schema().remainder().iter();
    let rest = rest.map(|column| value(column.column_type, index));
    let values: Vec<ColumnValue> = keys.chain(rest).collect();
    Arc::new(DimensionRecord::from_values(element, values).unwrap())
}

fn row(spec: &ResultSpec, index: i64) -> Vec<ColumnValue> {
    let data_id = data_id(spec.dimensions(), index);
    let columns = spec.result_columns();
    let keys = columns.keys().count();
    let values = columns.columns().enumerate().map(|(position, column)| {
        if position < keys {
            data_id
                .value(&column.qualified_name())
                .unwrap()
                .clone()
                .into()
        } else {
            value(column.spec().unwrap().column_type, index)
        }
    });
    values.collect()
}

fn page(spec: &ResultSpec, indices: std::ops::Range<i64>) -> ResultPage {
    let dimensions = spec.dimensions();
    match &spec.kind {
        ResultKind::DataCoordinate { .. } => {
            ResultPage::DataCoordinates(indices.map(|i| data_id(dimensions, i)).collect())
        }
        ResultKind::DimensionRecord { element } => ResultPage::DimensionRecords(
            indices
                .map(|i| record(element.name(), &data_id(dimensions, i), i))
                .collect(),
        ),
        ResultKind::DatasetRef {
            dataset_type_name,
            storage_class_name,
            ..
        } => {
            let dataset_type = DatasetType::new(
                Arc::clone(dataset_type_name),
                dimensions.clone(),
                Arc::clone(storage_class_name),
                false,
            );
            let dataset_type = Arc::new(dataset_type.unwrap());
            let make = |i: i64| {
                let id = Uuid::from_u128(i.unsigned_abs().into());
                DatasetRef::new(Arc::clone(&dataset_type), data_id(dimensions, i), "run", id)
            };
            ResultPage::DatasetRefs(indices.map(|i| make(i).unwrap()).collect())
        }
        _ => {
            let cached = |indices: std::ops::Range<i64>| {
                let elements = dimensions.elements().iter();
                let elements = elements.map(|name| universe().element(name).unwrap());
                let cached = elements.filter(|element| element.is_cached());
                let sets = cached.map(|element| {
                    let mut set = DimensionRecordSet::new(element);
                    for i in indices.clone() {
                        let record = record(element.name(), &data_id(dimensions, i), i);
                        set.add(record).unwrap();
                    }
                    set
                });
                sets.collect()
            };
            let records = spec.include_dimension_records();
            ResultPage::General {
                dimension_records: records.then(|| cached(indices.clone())),
                rows: indices.map(|i| row(spec, i)).collect(),
            }
        }
    }
}

#[async_trait]
impl QueryDriver for FakeDriver {
    fn universe(&self) -> DimensionUniverse {
        universe()
    }

    fn default_collections(&self) -> &[String] {
        &self.default_collections
    }

    fn default_data_id(&self) -> &DataCoordinate {
        &self.default_data_id
    }

    fn execute(&self, spec: &ResultSpec, tree: &QueryTree) -> PageStream {
        self.note(format!("execute {}", tree.predicate()));
        let total = spec.limit.map_or(self.rows, |limit| limit.min(self.rows));
        let total = i64::try_from(total).unwrap();
        let (spec, given) = (spec.clone(), Arc::clone(&self.given));
        let starts = (0..total).step_by(4);
        futures::stream::iter(starts)
            .map(move |start| {
                let page = page(&spec, start..total.min(start + 4));
                given.fetch_add(page.len(), Ordering::Relaxed);
                Ok(page)
            })
            .boxed()
    }

    async fn materialize(
        &self,
        _tree: &QueryTree,
        dimensions: &DimensionGroup,
        datasets: &BTreeSet<Arc<str>>,
        allow_duplicate_overlaps: bool,
    ) -> Result<MaterializationKey> {
        self.note(format!(
            "materialize {dimensions} {datasets:?} {allow_duplicate_overlaps}"
        ));
        Ok(Uuid::from_u128(7))
    }

    async fn upload_data_coordinates(
        &self,
        dimensions: &DimensionGroup,
        rows: Vec<Vec<DataIdValue>>,
    ) -> Result<DataCoordinateUploadKey> {
        self.note(format!("upload {dimensions}"));
        *self.uploaded.lock().unwrap() = rows;
        Ok(Uuid::from_u128(5))
    }

    async fn count(
        &self,
        _tree: &QueryTree,
        _spec: &ResultSpec,
        exact: bool,
        discard: bool,
    ) -> Result<u64> {
        self.note(format!("count {exact} {discard}"));
        Ok(self.rows)
    }

    async fn any(&self, _tree: &QueryTree, execute: bool, exact: bool) -> Result<bool> {
        self.note(format!("any {execute} {exact}"));
        Ok(self.rows > 0)
    }

    async fn explain_no_results(&self, tree: &QueryTree, execute: bool) -> Result<Vec<String>> {
        self.note(format!("explain {execute}"));
        Ok(vec![format!("nothing satisfies {}", tree.predicate())])
    }

    async fn dataset_type(&self, name: &str) -> Result<Arc<DatasetType>> {
        let mut types = Self::types().into_iter();
        let found = types.find(|dataset_type| **dataset_type.name() == *name);
        found.ok_or_else(|| Error::MissingDatasetType(name.to_owned()))
    }

    async fn dataset_types(&self, wildcard: &DatasetTypeWildcard) -> Result<Vec<Arc<DatasetType>>> {
        let types = Self::types().into_iter();
        let matching = types.filter(|dataset_type| {
            let name = &**dataset_type.name();
            wildcard.values().contains_key(name) || wildcard.patterns().matches(name)
        });
        Ok(matching.collect())
    }

    async fn collections(&self, query: &CollectionQuery) -> Result<Vec<CollectionInfo>> {
        self.note(format!("collections {}", query.wildcard));
        let known = [
            ("a", &["bias", "raw"][..]),
            ("b", &["raw"][..]),
            ("default", &["bias", "calexp", "raw"][..]),
        ];
        for name in query.wildcard.names() {
            if known.iter().all(|(known, _)| known != name) {
                return Err(Error::MissingCollection(name.clone()));
            }
        }
        let matching = known.into_iter().filter(|(name, _)| {
            let names = query.wildcard.names();
            names.iter().any(|n| n == name) || query.wildcard.patterns().matches(name)
        });
        let infos = matching.map(|(name, types)| {
            let mut info = CollectionInfo::new(name, CollectionType::Run);
            if query.with_dataset_types {
                info.dataset_types = Some(types.iter().map(|t| (*t).to_owned()).collect());
            }
            info
        });
        Ok(infos.collect())
    }
}
