//! Repositories on both databases, with datasets whose files are named by dimension records.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::config::Config;
use butler_core::datasets::{DatasetIdMode, DatasetRef, DatasetType, FileDataset};
use butler_core::dimensions::{DataCoordinate, DataIdValue};
use butler_core::progress::NoProgress;
use butler_core::registry::RegistryWriter;
use butler_direct::datastores::IngestOptions;
use butler_direct::db::{Dialect, Param};
use butler_direct::ops::create::CreateOptions;
use butler_direct::resource::TransferMode;
use butler_direct::{DirectButler, OpenOptions};
use butler_tests::postgres::TestSchema;
use tempfile::TempDir;

use crate::registry::fixture::{add_instruments, add_observations};

/// The run of the datasets.
pub(crate) const RUN: &str = "a/run";

/// A place for a repository: a directory, and a schema if it is to be on PostgreSQL.
pub(crate) struct Place {
    directory: TempDir,
    schema: Option<TestSchema>,
}

impl Place {
    /// A repository's place on each database.
    pub(crate) fn both() -> [Self; 2] {
        [Self::sqlite(), Self::postgres()]
    }

    /// With the database in a file.
    pub(crate) fn sqlite() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            schema: None,
        }
    }

    /// With the database in a schema of its own.
    pub(crate) fn postgres() -> Self {
        Self {
            schema: Some(TestSchema::new()),
            ..Self::sqlite()
        }
    }

    /// The same kind of place again.
    pub(crate) fn sibling(&self) -> Self {
        match self.schema {
            Some(_) => Self::postgres(),
            None => Self::sqlite(),
        }
    }

    /// The schema on PostgreSQL.
    pub(crate) fn schema(&self) -> Option<&TestSchema> {
        self.schema.as_ref()
    }

    /// The repository's root.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("repo")
    }

    /// A directory beside the repository.
    pub(crate) fn outside(&self) -> &Path {
        self.directory.path()
    }

    /// Makes an empty repository.
    pub(crate) async fn create(&self) -> DirectButler {
        self.create_with(Config::new(), None).await
    }

    /// Makes an empty repository with more of a configuration, of a given universe.
    pub(crate) async fn create_with(
        &self,
        mut config: Config,
        dimension_config: Option<String>,
    ) -> DirectButler {
        if let Some(schema) = &self.schema {
            config.set(".registry.db", schema.url()).unwrap();
            config.set(".registry.namespace", schema.name()).unwrap();
        }
        let options = CreateOptions {
            config,
            dimension_config,
            keep_roots: true,
            ..CreateOptions::default()
        };
        DirectButler::create(self.root().to_str().unwrap(), options)
            .await
            .unwrap()
    }

    /// Opens the repository for writing.
    pub(crate) async fn open(&self) -> DirectButler {
        DirectButler::open(self.root().to_str().unwrap(), OpenOptions::writeable())
            .await
            .unwrap()
    }

    /// Makes a repository with dimension records, but without datasets.
    pub(crate) async fn with_records(&self) -> DirectButler {
        let butler = self.create().await;
        add_instruments(butler.registry()).await;
        add_observations(butler.registry()).await;
        butler
    }

    /// Makes a repository with a dataset of type `image` for each exposure and detector, and one of
    /// type `dark` for each detector, whose files have been ingested.
    pub(crate) async fn with_datasets(&self) -> (DirectButler, Vec<DatasetRef>) {
        let butler = self.with_records().await;
        let mut refs = images(&butler, RUN);
        refs.extend(darks(&butler, RUN));
        let files = self.files(&refs);
        let copy = IngestOptions::new(Some(TransferMode::Copy));
        let count = butler.ingest(files, copy, false, &NoProgress).await;
        assert_eq!(count.unwrap(), refs.len());
        (butler, refs)
    }

    /// A file outside of the repository for each dataset.
    pub(crate) fn files(&self, refs: &[DatasetRef]) -> Vec<FileDataset> {
        refs.iter()
            .enumerate()
            .map(|(index, dataset)| {
                let path = self.outside().join(format!("given {index}.yaml"));
                std::fs::write(&path, format!("number: {index}\n")).unwrap();
                FileDataset {
                    path: path.to_str().unwrap().to_owned(),
                    refs: vec![dataset.clone()],
                    formatter: None,
                }
            })
            .collect()
    }

    /// Every file of the repository but those of its database.
    pub(crate) fn stored_files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut pending = vec![self.root()];
        while let Some(directory) = pending.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    pending.push(path);
                } else if !path.to_str().unwrap().contains("gen3.sqlite3") {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }

    /// All that a repository is: its tables with all their rows, and its files.
    pub(crate) async fn state(&self, butler: &DirectButler) -> State {
        State {
            tables: tables(butler).await,
            files: self.stored_files(),
        }
    }
}

/// The content of a repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    tables: BTreeMap<String, Vec<String>>,
    files: Vec<PathBuf>,
}

impl State {
    /// Asserts that nothing has changed, and says what has.
    pub(crate) fn assert_unchanged(&self, now: &Self, after: &str) {
        let names = |state: &Self| state.tables.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(self), names(now), "tables after {after}");
        for (name, rows) in &self.tables {
            assert_eq!(rows, &now.tables[name], "rows of {name} after {after}");
        }
        assert_eq!(self.files, now.files, "files after {after}");
    }
}

/// The rows of all tables as text, sorted.
async fn tables(butler: &DirectButler) -> BTreeMap<String, Vec<String>> {
    let database = butler.registry().database();
    let mut session = database.read().await.unwrap();
    let (list, params) = match database.dialect() {
        Dialect::Postgres => (
            "SELECT tablename::text FROM pg_tables WHERE schemaname = $1",
            vec![Param::from(database.namespace().unwrap())],
        ),
        Dialect::Sqlite => (
            "SELECT name FROM sqlite_master WHERE type = 'table'",
            vec![],
        ),
    };
    let mut found = BTreeMap::new();
    for row in session.fetch_all(list, &params).await.unwrap() {
        let name = row.text(0).unwrap().to_owned();
        let sql = match database.dialect() {
            Dialect::Postgres => format!("SELECT t::text FROM {} AS t", database.table(&name)),
            Dialect::Sqlite => {
                let sql = format!("SELECT name FROM pragma_table_info('{name}')");
                let columns = session.fetch_all(&sql, &[]).await.unwrap();
                let columns: Vec<String> = columns
                    .iter()
                    .map(|column| format!("quote(\"{}\")", column.text(0).unwrap()))
                    .collect();
                format!(
                    "SELECT {} FROM {}",
                    columns.join(" || ',' || "),
                    database.table(&name)
                )
            }
        };
        let rows = session.fetch_all(&sql, &[]).await.unwrap();
        let mut rows: Vec<String> = rows
            .iter()
            .map(|row| row.text(0).unwrap().to_owned())
            .collect();
        rows.sort();
        found.insert(name, rows);
    }
    found
}

/// A dataset type of structured data.
pub(crate) fn dataset_type(butler: &DirectButler, name: &str, dimensions: &[&str]) -> DatasetType {
    let group = butler.universe().conform(dimensions).unwrap();
    DatasetType::new(name, group, "StructuredDataDict", false).unwrap()
}

/// A new dataset of `Cam1`.
pub(crate) fn dataset(
    butler: &DirectButler,
    dataset_type: &Arc<DatasetType>,
    values: &[(&str, i64)],
    run: &str,
) -> DatasetRef {
    let instrument: (&str, DataIdValue) = ("instrument", "Cam1".into());
    let values = values.iter().map(|(name, value)| (*name, (*value).into()));
    let values = std::iter::once(instrument).chain(values);
    let data_id = DataCoordinate::standardize(
        butler.universe(),
        values,
        Some(dataset_type.dimensions()),
        None,
    )
    .unwrap();
    let mode = DatasetIdMode::Unique;
    DatasetRef::generate(Arc::clone(dataset_type), data_id, run, mode).unwrap()
}

/// New datasets of type `image`, one for each exposure and detector.
pub(crate) fn images(butler: &DirectButler, run: &str) -> Vec<DatasetRef> {
    let image = Arc::new(dataset_type(butler, "image", &["exposure", "detector"]));
    (1..=3)
        .flat_map(|exposure| (1..=4).map(move |detector| (exposure, detector)))
        .map(|(exposure, detector)| {
            let values = [("exposure", exposure), ("detector", detector)];
            dataset(butler, &image, &values, run)
        })
        .collect()
}

/// New datasets of type `dark`, a calibration, one for each detector.
pub(crate) fn darks(butler: &DirectButler, run: &str) -> Vec<DatasetRef> {
    let group = butler.universe().conform(["detector"]).unwrap();
    let dark = DatasetType::new("dark", group, "StructuredDataDict", true).unwrap();
    let dark = Arc::new(dark);
    (1..=4)
        .map(|detector| dataset(butler, &dark, &[("detector", detector)], run))
        .collect()
}

/// Registers a collection.
pub(crate) async fn register(butler: &DirectButler, name: &str, kind: CollectionType) {
    butler
        .registry()
        .register_collection(name, kind, None)
        .await
        .unwrap();
}
