//! Repositories for tests, and something to put into them.
//!
//! The content resembles that of the reference's own tests: an instrument with four detectors and
//! three filters, exposures and visits, a sky map, calibrations in two runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetIdMode, DatasetRef, DatasetType};
use butler_core::dimensions::{
    ColumnValue, DataCoordinate, DataIdValue, DimensionElement, DimensionRecord, DimensionUniverse,
    EncodedRegion,
};
use butler_core::registry::{InsertMode, Registry, RegistryWriter};
use butler_core::storage_class::StorageClassRegistry;
use butler_core::timespan::Timespan;
use butler_direct::db::{Access, ConnectOptions, Database, Location};
use butler_direct::registry::versions::SchemaVersions;
use butler_direct::registry::{CollectionKeys, RegistryTransaction, SqlRegistry};
use butler_sphgeom::{Box as LonLatBox, Region};
use butler_tests::postgres::TestSchema;
use uuid::Uuid;

/// A new, empty repository that goes away with the value.
pub(crate) struct Repository {
    pub(crate) registry: SqlRegistry,
    pub(crate) location: Location,
    schema: Option<TestSchema>,
    _directory: Option<tempfile::TempDir>,
}

impl Repository {
    /// In memory, with a single connection.
    pub(crate) async fn sqlite() -> Self {
        Self::sqlite_with(&SchemaVersions::newest()).await
    }

    /// In memory, with a schema of given versions.
    pub(crate) async fn sqlite_with(versions: &SchemaVersions) -> Self {
        Self::create(Location::SqliteMemory, None, None, versions).await
    }

    /// In a file.
    pub(crate) async fn sqlite_file() -> Self {
        Self::sqlite_file_with(&SchemaVersions::newest()).await
    }

    /// In a file, with a schema of given versions.
    pub(crate) async fn sqlite_file_with(versions: &SchemaVersions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::SqliteFile(directory.path().join("gen3.sqlite3"));
        Self::create(location, None, Some(directory), versions).await
    }

    /// In a schema of its own.
    pub(crate) async fn postgres() -> Self {
        Self::postgres_with(&SchemaVersions::newest()).await
    }

    /// In a schema of its own, whose tables are of given versions.
    pub(crate) async fn postgres_with(versions: &SchemaVersions) -> Self {
        let schema = TestSchema::new();
        let location = Location::Postgres(schema.url().to_owned());
        Self::create(location, Some(schema), None, versions).await
    }

    async fn create(
        location: Location,
        schema: Option<TestSchema>,
        directory: Option<tempfile::TempDir>,
        versions: &SchemaVersions,
    ) -> Self {
        let options = ConnectOptions {
            namespace: schema.as_ref().map(|schema| schema.name().to_owned()),
            ..ConnectOptions::new(Access::ReadWrite, 3)
        };
        let database = Database::connect_with(&location, &options).await.unwrap();
        let universe = DimensionUniverse::default_universe();
        let registry = SqlRegistry::create(database, universe, versions, storage_classes())
            .await
            .unwrap();
        Self {
            registry,
            location,
            schema,
            _directory: directory,
        }
    }

    /// The PostgreSQL schema.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.schema.as_ref().map(TestSchema::name)
    }

    /// The options by which the repository is connected to.
    pub(crate) fn options(&self, access: Access) -> ConnectOptions {
        ConnectOptions {
            namespace: self.namespace().map(str::to_owned),
            sqlite_busy_timeout: Duration::from_secs(30),
            ..ConnectOptions::new(access, 2)
        }
    }

    /// Another client of the same repository, with connections and memory of its own. (For a
    /// database in memory: with the same connection, but memory of its own.)
    pub(crate) async fn another(&self) -> SqlRegistry {
        let database = match self.location {
            Location::SqliteMemory => self.registry.database().clone(),
            _ => self.connect(&self.options(Access::ReadWrite)).await,
        };
        SqlRegistry::open(database, storage_classes())
            .await
            .unwrap()
    }

    pub(crate) async fn connect(&self, options: &ConnectOptions) -> Database {
        Database::connect_with(&self.location, options)
            .await
            .unwrap()
    }

    /// The SQLite file.
    pub(crate) fn file(&self) -> &Path {
        match &self.location {
            Location::SqliteFile(path) => path,
            other => panic!("{other:?} is no SQLite file"),
        }
    }
}

/// A schema whose tables refer to collections by their names.
pub(crate) fn names_as_keys() -> SchemaVersions {
    SchemaVersions::newest().with_collection_keys(CollectionKeys::Names)
}

pub(crate) fn storage_classes() -> Arc<StorageClassRegistry> {
    Arc::new(StorageClassRegistry::with_defaults())
}

pub(crate) fn universe() -> DimensionUniverse {
    DimensionUniverse::default_universe()
}

pub(crate) fn element(name: &str) -> DimensionElement {
    universe().element(name).unwrap()
}

/// A dimension record.
pub(crate) fn record<const N: usize>(
    element_name: &str,
    fields: [(&str, ColumnValue); N],
) -> DimensionRecord {
    DimensionRecord::from_fields(element(element_name), fields).unwrap()
}

/// A data ID.
pub(crate) fn data_id<const N: usize>(values: [(&str, DataIdValue); N]) -> DataCoordinate {
    DataCoordinate::standardize(universe(), values, None, None).unwrap()
}

/// The data ID of a detector of `Cam1`.
pub(crate) fn detector(number: i64) -> DataCoordinate {
    data_id([("instrument", "Cam1".into()), ("detector", number.into())])
}

/// The data ID of a detector and a physical filter of `Cam1`.
pub(crate) fn detector_and_filter(number: i64, filter: &str) -> DataCoordinate {
    data_id([
        ("instrument", "Cam1".into()),
        ("detector", number.into()),
        ("physical_filter", filter.into()),
    ])
}

/// A square of `size` degrees whose lower left corner is at (`lon`, `lat`) degrees.
pub(crate) fn square(lon: f64, lat: f64, size: f64) -> EncodedRegion {
    let region = LonLatBox::from_degrees(lon, lat, lon + size, lat + size).unwrap();
    EncodedRegion::encode(&Region::from(region))
}

/// The timespan between two hours of 2020-01-01 TAI; `None` is unbounded.
pub(crate) fn hours(begin: Option<i64>, end: Option<i64>) -> Timespan {
    Timespan::new(begin.map(hour), end.map(hour)).unwrap()
}

/// An hour of 2020-01-01, in TAI nanoseconds.
pub(crate) fn hour(number: i64) -> i64 {
    1_577_836_800_000_000_000 + number * 3_600_000_000_000
}

/// A dataset type.
pub(crate) fn dataset_type(
    name: &str,
    dimensions: &[&str],
    storage_class: &str,
    is_calibration: bool,
) -> DatasetType {
    let group = universe().conform(dimensions).unwrap();
    DatasetType::new(name, group, storage_class, is_calibration).unwrap()
}

/// A calibration type per detector.
pub(crate) fn bias() -> DatasetType {
    dataset_type("bias", &["detector"], "StructuredDataDict", true)
}

/// A calibration type per detector and filter.
pub(crate) fn flat() -> DatasetType {
    dataset_type(
        "flat",
        &["detector", "physical_filter"],
        "StructuredDataDict",
        true,
    )
}

/// A reference to a dataset with a new ID.
pub(crate) fn new_ref(dataset_type: &DatasetType, id: DataCoordinate, run: &str) -> DatasetRef {
    let dataset_type = Arc::new(dataset_type.clone());
    DatasetRef::generate(dataset_type, id, run, DatasetIdMode::Unique).unwrap()
}

/// A reference to a dataset with a given ID.
pub(crate) fn ref_with_id(
    dataset_type: &DatasetType,
    data_id: DataCoordinate,
    run: &str,
    id: Uuid,
) -> DatasetRef {
    DatasetRef::new(Arc::new(dataset_type.clone()), data_id, run, id).unwrap()
}

async fn insert(registry: &dyn RegistryWriter, records: &[DimensionRecord]) {
    let element = records[0].element();
    registry
        .insert_dimension_records(element, records, InsertMode::Insert)
        .await
        .unwrap();
}

/// An instrument with detectors 1 to 4 and filters in bands g and r, and a second one, empty.
pub(crate) async fn add_instruments(registry: &dyn RegistryWriter) {
    insert(
        registry,
        &[
            record(
                "instrument",
                [
                    ("name", "Cam1".into()),
                    ("visit_max", 1024.into()),
                    ("exposure_max", 512.into()),
                    ("detector_max", 4.into()),
                    ("visit_system", 1.into()),
                    ("class_name", "lsst.pipe.base.Instrument".into()),
                ],
            ),
            record("instrument", [("name", "Cam2".into())]),
        ],
    )
    .await;
    let detectors: Vec<_> = [(1, "Aa"), (2, "Ab"), (3, "Ba"), (4, "Bb")]
        .into_iter()
        .map(|(id, name)| {
            record(
                "detector",
                [
                    ("instrument", "Cam1".into()),
                    ("id", id.into()),
                    ("full_name", name.into()),
                    ("name_in_raft", name[1..].into()),
                    ("raft", name[..1].into()),
                    ("purpose", "SCIENCE".into()),
                ],
            )
        })
        .collect();
    insert(registry, &detectors).await;
    let filters: Vec<_> = [("Cam1-G", "g"), ("Cam1-R1", "r"), ("Cam1-R2", "r")]
        .into_iter()
        .map(|(name, band)| {
            record(
                "physical_filter",
                [
                    ("instrument", "Cam1".into()),
                    ("name", name.into()),
                    ("band", band.into()),
                ],
            )
        })
        .collect();
    insert(registry, &filters).await;
}

/// Further detectors of `Cam1`.
pub(crate) async fn add_detectors(registry: &dyn RegistryWriter, numbers: std::ops::Range<i64>) {
    let new = |id: i64| {
        let name = format!("D{id}");
        record(
            "detector",
            [
                ("instrument", "Cam1".into()),
                ("id", id.into()),
                ("full_name", name.as_str().into()),
            ],
        )
    };
    let detectors: Vec<_> = numbers.map(new).collect();
    insert(registry, &detectors).await;
}

/// Exposures 1 to 3 of `Cam1`, an hour each from 01:00 on, and visits of the same numbers that lie
/// side by side on the sky.
pub(crate) async fn add_observations(registry: &dyn RegistryWriter) {
    let cam: fn() -> (&'static str, ColumnValue) = || ("instrument", "Cam1".into());
    insert(
        registry,
        &[record(
            "day_obs",
            [
                cam(),
                ("id", 20_200_101.into()),
                ("timespan", hours(Some(0), Some(24)).into()),
            ],
        )],
    )
    .await;
    insert(
        registry,
        &[record(
            "visit_system",
            [cam(), ("id", 1.into()), ("name", "one-to-one".into())],
        )],
    )
    .await;
    for id in 1..=3 {
        insert(
            registry,
            &[record(
                "group",
                [cam(), ("name", format!("group{id}").as_str().into())],
            )],
        )
        .await;
        insert(registry, &[exposure(id)]).await;
        insert(registry, &[visit(id)]).await;
        insert(
            registry,
            &[record(
                "visit_definition",
                [cam(), ("exposure", id.into()), ("visit", id.into())],
            )],
        )
        .await;
        insert(
            registry,
            &[record(
                "visit_system_membership",
                [cam(), ("visit_system", 1.into()), ("visit", id.into())],
            )],
        )
        .await;
    }
}

fn filter_of(id: i64) -> &'static str {
    ["Cam1-G", "Cam1-R1", "Cam1-R2"][usize::try_from((id - 1) % 3).unwrap()]
}

pub(crate) fn exposure(id: i64) -> DimensionRecord {
    record(
        "exposure",
        [
            ("instrument", "Cam1".into()),
            ("id", id.into()),
            ("day_obs", 20_200_101.into()),
            ("group", format!("group{id}").as_str().into()),
            ("physical_filter", filter_of(id).into()),
            ("obs_id", format!("exposure {id}").as_str().into()),
            ("exposure_time", 30.5.into()),
            ("has_simulated", false.into()),
            ("timespan", hours(Some(id), Some(id + 1)).into()),
        ],
    )
}

pub(crate) fn visit(id: i64) -> DimensionRecord {
    record(
        "visit",
        [
            ("instrument", "Cam1".into()),
            ("id", id.into()),
            ("day_obs", 20_200_101.into()),
            ("physical_filter", filter_of(id).into()),
            ("name", format!("visit {id}").as_str().into()),
            #[expect(clippy::cast_precision_loss, reason = "a few degrees")]
            ("region", square(10.0 + id as f64, 0.0, 0.5).into()),
            ("timespan", hours(Some(id), Some(id + 1)).into()),
        ],
    )
}

/// A sky map of two tracts of four patches each.
pub(crate) async fn add_skymap(registry: &dyn RegistryWriter) {
    insert(
        registry,
        &[record(
            "skymap",
            [
                ("name", "SkyMap1".into()),
                ("hash", ColumnValue::Bytes(Arc::from(*b"0123456789abcdef"))),
                ("tract_max", 50.into()),
                ("patch_nx_max", 2.into()),
                ("patch_ny_max", 2.into()),
            ],
        )],
    )
    .await;
    for tract in 0..2_i64 {
        insert(registry, &[tract_record(tract, 1.0)]).await;
        let patches: Vec<_> = (0..4_i64)
            .map(|patch| {
                let (x, y) = (patch % 2, patch / 2);
                #[expect(clippy::cast_precision_loss, reason = "a few degrees")]
                let (lon, lat) = (10.0 + tract as f64 + 0.5 * x as f64, -0.25 + 0.5 * y as f64);
                record(
                    "patch",
                    [
                        ("skymap", "SkyMap1".into()),
                        ("tract", tract.into()),
                        ("id", patch.into()),
                        ("cell_x", x.into()),
                        ("cell_y", y.into()),
                        ("region", square(lon, lat, 0.5).into()),
                    ],
                )
            })
            .collect();
        insert(registry, &patches).await;
    }
}

pub(crate) fn tract_record(tract: i64, size: f64) -> DimensionRecord {
    record(
        "tract",
        [
            ("skymap", "SkyMap1".into()),
            ("id", tract.into()),
            #[expect(clippy::cast_precision_loss, reason = "a few degrees")]
            ("region", square(10.0 + tract as f64, -0.25, size).into()),
        ],
    )
}

/// The calibrations of the two runs.
pub(crate) struct Calibrations {
    /// Biases of detectors 1, 2 and 3 in run `imported_g`.
    pub(crate) g: Vec<DatasetRef>,
    /// Biases of detectors 2, 3 and 4 in run `imported_r`.
    pub(crate) r: Vec<DatasetRef>,
}

impl Calibrations {
    /// The bias of a detector in `imported_g`.
    pub(crate) fn g(&self, number: i64) -> &DatasetRef {
        of_detector(&self.g, number)
    }

    /// The bias of a detector in `imported_r`.
    pub(crate) fn r(&self, number: i64) -> &DatasetRef {
        of_detector(&self.r, number)
    }
}

fn of_detector(datasets: &[DatasetRef], number: i64) -> &DatasetRef {
    let id = detector(number);
    datasets.iter().find(|d| *d.data_id() == id).unwrap()
}

/// Instruments, the dataset types `bias` and `flat`, and biases in two runs.
pub(crate) async fn add_calibrations(registry: &dyn RegistryWriter) -> Calibrations {
    add_instruments(registry).await;
    registry.register_dataset_type(&bias()).await.unwrap();
    registry.register_dataset_type(&flat()).await.unwrap();
    let mut datasets = Vec::new();
    for (run, detectors) in [("imported_g", [1, 2, 3]), ("imported_r", [2, 3, 4])] {
        registry
            .register_collection(run, CollectionType::Run, None)
            .await
            .unwrap();
        let ids = detectors.map(detector);
        datasets.push(
            registry
                .insert_datasets("bias", &ids, run, DatasetIdMode::Unique)
                .await
                .unwrap(),
        );
    }
    let r = datasets.pop().unwrap();
    let g = datasets.pop().unwrap();
    Calibrations { g, r }
}

/// The IDs of the biases in `imported_g` of [`add_calibrations`].
pub(crate) async fn three_datasets(registry: &dyn RegistryWriter) -> Vec<Uuid> {
    let all = add_calibrations(registry).await;
    all.g.iter().map(DatasetRef::id).collect()
}

/// A transaction in which a datastore `one` stores [`three_datasets`].
pub(crate) async fn stored(registry: &SqlRegistry) -> (RegistryTransaction, Vec<Uuid>) {
    let ids = three_datasets(registry).await;
    let mut transaction = registry.begin().await.unwrap();
    transaction
        .insert_locations("one", &ids, false)
        .await
        .unwrap();
    (transaction, ids)
}

/// The CALIBRATION collection of [`add_calibration_collection`].
pub(crate) const CALIBS: &str = "calib";

/// What [`add_calibrations`] makes, and a CALIBRATION collection without anything.
pub(crate) async fn add_calibration_collection(registry: &dyn RegistryWriter) -> Calibrations {
    let all = add_calibrations(registry).await;
    register(registry, CALIBS, CollectionType::Calibration).await;
    all
}

/// Certifies datasets in [`CALIBS`], each for a timespan of its own.
pub(crate) async fn certify_each(
    registry: &dyn RegistryWriter,
    validity: &[(&DatasetRef, Timespan)],
) {
    for (dataset, timespan) in validity {
        registry
            .certify(CALIBS, std::slice::from_ref(*dataset), *timespan)
            .await
            .unwrap();
    }
}

/// Registers a collection.
pub(crate) async fn register(registry: &dyn RegistryWriter, name: &str, kind: CollectionType) {
    registry
        .register_collection(name, kind, None)
        .await
        .unwrap();
}

/// The ID of the dataset that a search finds.
pub(crate) async fn find(
    registry: &dyn Registry,
    dataset_type: &str,
    data_id: &DataCoordinate,
    collections: &[&str],
) -> Option<Uuid> {
    let collections: Vec<String> = collections.iter().map(ToString::to_string).collect();
    let found = registry
        .find_dataset(dataset_type, data_id, &collections, None)
        .await
        .unwrap();
    found.map(|dataset| dataset.id())
}

/// Names as owned strings.
pub(crate) fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

/// The integers of a one-column query.
pub(crate) async fn integers(registry: &SqlRegistry, sql: &str) -> Vec<i64> {
    let mut session = registry.database().read().await.unwrap();
    let rows = session.fetch_all(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.int(0).unwrap()).collect()
}
