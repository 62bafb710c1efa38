//! Inserting datasets in bulk.
//!
//! Rows go straight into their tables as one `COPY` each (multi-row `INSERT`s on SQLite), and the
//! tables' own constraints check them. Only when a constraint objects are the rows compared with
//! what is there, set by set in a temporary table, to find out whether they are the same datasets
//! (which is fine: importing is idempotent) or a conflict.

use std::collections::BTreeMap;
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetRef;
use butler_core::dimensions::DimensionGroup;
use butler_core::error::{Error, Result};

use super::rows::{dataset_columns, tags_columns, tags_row};
use crate::db::bulk;
use crate::db::dialect::{quote, quote_all};
use crate::db::schema::{Field, SqlType, TableSpec};
use crate::db::{Dialect, Param, Session, SqlError, SqlErrorKind, references};
use crate::registry::collections::CollectionRecord;
use crate::registry::context::Context;
use crate::registry::dataset_types::DatasetTypeRecord;
use crate::registry::summaries::SummaryUpdate;

/// How many IDs are looked up to guess whether datasets are new.
const SAMPLE: usize = 16;

/// How often datasets are compared with what is there, if that changes meanwhile.
const ATTEMPTS: usize = 3;

/// Datasets of one RUN and one dimension group, with what the database knows of them.
struct Batch<'a> {
    run: CollectionRecord,
    dimensions: DimensionGroup,
    tags: Arc<str>,
    types: BTreeMap<&'a Arc<str>, Arc<DatasetTypeRecord>>,
    datasets: Vec<&'a DatasetRef>,
}

impl Batch<'_> {
    fn type_id(&self, dataset: &DatasetRef) -> i64 {
        // Every dataset's type was looked up when the batch was made.
        self.types
            .get(dataset.dataset_type().name())
            .map_or(0, |record| record.id)
    }
}

impl Context {
    /// Inserts datasets with the IDs they carry. The session must be a transaction.
    ///
    /// Datasets that are there already, with the same ID, type, data ID and run, are left as they
    /// are. Returns whether all of them are known to be new.
    ///
    /// # Errors
    /// [`Error::MissingDatasetType`], [`Error::MissingCollection`], [`Error::CollectionType`] when
    /// a run is no RUN; [`Error::ConflictingDefinition`] when a dataset contradicts one that is
    /// there or refers to a dimension record that is not.
    pub(in crate::registry) async fn import_datasets(
        &self,
        session: &mut Session,
        datasets: &[DatasetRef],
    ) -> Result<bool> {
        let mut all_new = true;
        for batch in self.batches(session, datasets).await? {
            all_new &= self.import_batch(session, &batch).await?;
        }
        Ok(all_new)
    }

    async fn batches<'a>(
        &self,
        session: &mut Session,
        datasets: &'a [DatasetRef],
    ) -> Result<Vec<Batch<'a>>> {
        let mut groups: BTreeMap<(&Arc<str>, i64), Batch<'a>> = BTreeMap::new();
        let names = datasets.iter().map(|d| d.dataset_type().name()).collect();
        let types = self.dataset_types_named(session, names).await?;
        let mut runs: BTreeMap<&Arc<str>, CollectionRecord> = BTreeMap::new();
        for dataset in datasets {
            let dataset_type = dataset.dataset_type();
            if !runs.contains_key(dataset.run()) {
                runs.insert(dataset.run(), self.find_run(session, dataset.run()).await?);
            }
            let record = &types[dataset_type.name()];
            if dataset_type.dimensions() != record.dataset_type.dimensions() {
                return Err(Error::ConflictingDefinition(format!(
                    "dataset {} has dimensions {}, but datasets of type '{}' have dimensions {}",
                    dataset.id(),
                    dataset_type.dimensions(),
                    dataset_type.name(),
                    record.dataset_type.dimensions()
                )));
            }
            let batch = groups
                .entry((dataset.run(), record.dimensions_key))
                .or_insert_with(|| Batch {
                    run: runs[dataset.run()].clone(),
                    dimensions: record.dataset_type.dimensions().clone(),
                    tags: Arc::clone(&record.tags),
                    types: BTreeMap::new(),
                    datasets: Vec::new(),
                });
            batch
                .types
                .entry(dataset_type.name())
                .or_insert_with(|| Arc::clone(record));
            batch.datasets.push(dataset);
        }
        Ok(groups.into_values().collect())
    }

    /// The RUN collection of that name.
    async fn find_run(&self, session: &mut Session, name: &str) -> Result<CollectionRecord> {
        let record = self.find_collection(session, name).await?;
        if record.kind != CollectionType::Run {
            return Err(Error::CollectionType(format!(
                "Given collection '{name}' is of type {}; a RUN collection is required.",
                record.kind
            )));
        }
        Ok(record)
    }

    async fn import_batch(&self, session: &mut Session, batch: &Batch<'_>) -> Result<bool> {
        let mut update = SummaryUpdate::default();
        for record in batch.types.values() {
            update.add_dataset_type(record.id);
        }
        for dataset in &batch.datasets {
            update.add_data_id(dataset.data_id());
        }
        if !self.sample_exists(session, batch).await? {
            let savepoint = session.savepoint().await?;
            match self.insert_new(session, batch, &update).await {
                Ok(()) => {
                    session.release(savepoint).await?;
                    return Ok(true);
                }
                Err(error) if error.kind == SqlErrorKind::Unique => {
                    session.rollback_to(savepoint).await?;
                }
                Err(error) => return Err(explain(batch, error)),
            }
        }
        // Another client may import the same datasets between the comparison and the insertion.
        for _ in 1..ATTEMPTS {
            let savepoint = session.savepoint().await?;
            match self.insert_guarded(session, batch, &update).await? {
                Ok(()) => {
                    session.release(savepoint).await?;
                    return Ok(false);
                }
                Err(error) if error.kind == SqlErrorKind::Unique => {
                    session.rollback_to(savepoint).await?;
                }
                Err(error) => return Err(explain(batch, error)),
            }
        }
        let last = self.insert_guarded(session, batch, &update).await?;
        last.map_err(|error| explain(batch, error))?;
        Ok(false)
    }

    async fn sample_exists(&self, session: &mut Session, batch: &Batch<'_>) -> Result<bool> {
        let sample = batch
            .datasets
            .iter()
            .take(SAMPLE)
            .map(|dataset| dataset.id())
            .collect();
        let sql = format!(
            "SELECT id FROM {} WHERE {} LIMIT 1",
            self.database.table("dataset"),
            self.database.in_ids("id", 1)
        );
        Ok(session
            .fetch_optional(&sql, &[Param::Uuids(sample)])
            .await?
            .is_some())
    }

    fn ingest_date(&self) -> (SqlType, Param) {
        if self.versions.ingest_date_is_tai() {
            (SqlType::BigInt, Param::Int(butler_core::time::now()))
        } else {
            (SqlType::Timestamp, Param::Timestamp(now_utc_micros()))
        }
    }

    async fn insert_new(
        &self,
        session: &mut Session,
        batch: &Batch<'_>,
        update: &SummaryUpdate,
    ) -> std::result::Result<(), SqlError> {
        let (date_type, date) = self.ingest_date();
        // Rows come in the order of each table's keys, whatever the caller's order, so that two
        // clients that insert the same ones do not wait for each other.
        let mut datasets = batch.datasets.clone();
        datasets.sort_unstable_by_key(|dataset| dataset.id());
        let rows = datasets.iter().map(|dataset| {
            [
                Param::Uuid(dataset.id()),
                Param::Int(batch.type_id(dataset)),
                date.clone(),
                batch.run.key.param(),
            ]
        });
        let columns = dataset_columns(self.keys(), date_type);
        references::insert(session, "dataset", &columns, rows, &[]).await?;
        // Everybody, the reference too, writes datasets before the summary, lest two clients that
        // import the same ones wait for each other.
        self.update_summary(session, &batch.run.key, update).await?;
        datasets.sort_by(|a, b| {
            let by_type = batch.type_id(a).cmp(&batch.type_id(b));
            by_type.then_with(|| a.data_id().cmp_values(b.data_id()))
        });
        let rows = datasets
            .iter()
            .map(|dataset| tags_row(dataset, batch.type_id(dataset), &batch.run.key));
        let columns = tags_columns(self.keys(), &batch.dimensions);
        references::insert(session, &batch.tags, &columns, rows, &["dataset"]).await?;
        Ok(())
    }

    /// Inserts those datasets of the batch that are not there, after comparing the others. The
    /// inner error is that of the insertion.
    async fn insert_guarded(
        &self,
        session: &mut Session,
        batch: &Batch<'_>,
        update: &SummaryUpdate,
    ) -> Result<std::result::Result<(), SqlError>> {
        if session.is_unchecked() {
            // What follows is left to the database's own checks, in another transaction.
            return Err(Error::ConflictingDefinition(
                "some of the datasets are there already".to_owned(),
            ));
        }
        let columns = tags_columns(self.keys(), &batch.dimensions);
        let spec = TableSpec::new(
            format!("butler_import_{}", uuid::Uuid::new_v4().simple()),
            columns
                .iter()
                .map(|c| Field::nullable(&c.name, c.ty))
                .collect(),
        );
        let fields: Vec<&Field> = spec.fields.iter().collect();
        let create = self.database.ddl().create_temporary(&spec, &fields);
        session.execute_script(create).await?;
        let temporary = quote(&spec.name);
        let (collection, run) = (self.keys().reference(), self.keys().run_reference());
        let rows = batch
            .datasets
            .iter()
            .map(|dataset| tags_row(dataset, batch.type_id(dataset), &batch.run.key));
        bulk::insert(session, &temporary, &columns, rows).await?;
        if self.database.dialect() == Dialect::Postgres {
            // Without statistics the planner takes a temporary table for a small one.
            session
                .execute_script(format!("ANALYZE {temporary}"))
                .await?;
        }
        self.refuse_conflicts(session, batch, &temporary).await?;
        let dataset = self.database.table("dataset");
        // Rows of datasets that are there, and repeated rows, are dropped.
        session
            .execute_script(format!(
                "DELETE FROM {temporary} WHERE dataset_id IN
                     (SELECT d.id FROM {dataset} AS d
                        JOIN {temporary} AS t ON d.id = t.dataset_id)"
            ))
            .await?;
        let (date_type, date) = self.ingest_date();
        let hole = match (self.database.dialect(), date_type) {
            (Dialect::Postgres, SqlType::Timestamp) => "CAST($1 AS text)::timestamp",
            (Dialect::Postgres, _) => "CAST($1 AS bigint)",
            (Dialect::Sqlite, _) => "?1",
        };
        let sql = format!(
            "INSERT INTO {dataset} (id, dataset_type_id, ingest_date, {run})
             SELECT DISTINCT dataset_id, dataset_type_id, {hole}, {collection} FROM {temporary}
              ORDER BY 1"
        );
        if let Err(error) = session.try_execute(&sql, &[date]).await {
            return Ok(Err(error));
        }
        self.update_summary(session, &batch.run.key, update).await?;
        let names = quote_all(columns.iter().map(|c| &c.name));
        let sql = format!(
            "INSERT INTO {} ({names}) SELECT DISTINCT {names} FROM {temporary} ORDER BY {}",
            self.database.table(&batch.tags),
            quote_all(
                columns
                    .iter()
                    .filter(|c| c.name != "dataset_id")
                    .map(|c| &c.name)
            )
        );
        if let Err(error) = session.try_execute(&sql, &[]).await {
            return Ok(Err(error));
        }
        session
            .execute_script(format!("DROP TABLE {temporary}"))
            .await?;
        Ok(Ok(()))
    }

    async fn refuse_conflicts(
        &self,
        session: &mut Session,
        batch: &Batch<'_>,
        temporary: &str,
    ) -> Result<()> {
        let dataset = self.database.table("dataset");
        let tags = self.database.table(&batch.tags);
        let (collection, run) = (self.keys().reference(), self.keys().run_reference());
        let required = batch.dimensions.required();
        let both = |operator: &str, joiner: &str| -> String {
            let terms: Vec<String> = required
                .iter()
                .map(|d| format!("e.{0} {operator} t.{0}", quote(d)))
                .collect();
            terms.join(joiner)
        };
        let sql = format!(
            "SELECT e.id, e.dataset_type_id, e.{run} FROM {dataset} AS e
               JOIN {temporary} AS t ON e.id = t.dataset_id
              WHERE e.dataset_type_id <> t.dataset_type_id OR e.{run} <> t.{collection} LIMIT 1"
        );
        if let Some(row) = session.fetch_optional(&sql, &[]).await? {
            let (id, type_id) = (row.uuid(0)?, row.int(1)?);
            let run = self.keys().read(&row, 2)?;
            let types = self
                .dataset_types_with_ids(session, [type_id].into())
                .await?;
            let name = types.get(&type_id).map(|t| t.dataset_type.name());
            return Err(Error::ConflictingDefinition(format!(
                "Dataset {id} cannot be imported into run '{}': it exists already, with dataset \
                 type '{}' in the run with key {run}.",
                batch.run.name,
                name.map_or("?", |name| name)
            )));
        }
        if !required.is_empty() {
            let sql = format!(
                "SELECT e.dataset_id FROM {tags} AS e
                   JOIN {temporary} AS t
                     ON e.dataset_id = t.dataset_id AND e.{collection} = t.{collection}
                  WHERE {} LIMIT 1",
                both("<>", " OR ")
            );
            if let Some(row) = session.fetch_optional(&sql, &[]).await? {
                return Err(Error::ConflictingDefinition(format!(
                    "Dataset {} exists already in run '{}' with another data ID.",
                    row.uuid(0)?,
                    batch.run.name
                )));
            }
        }
        let same_data_id = if required.is_empty() {
            String::new()
        } else {
            format!("AND {}", both("=", " AND "))
        };
        let sql = format!(
            "SELECT e.dataset_id, t.dataset_id FROM {tags} AS e
               JOIN {temporary} AS t ON e.dataset_type_id = t.dataset_type_id
                    AND e.{collection} = t.{collection} {same_data_id}
              WHERE e.dataset_id <> t.dataset_id LIMIT 1"
        );
        if let Some(row) = session.fetch_optional(&sql, &[]).await? {
            let (old, new) = (row.uuid(0)?, row.uuid(1)?);
            let given = batch.datasets.iter().find(|dataset| dataset.id() == new);
            return Err(Error::ConflictingDefinition(format!(
                "Dataset {new} {} cannot be imported into run '{}': dataset {old} has the same \
                 type and data ID there.",
                given.map(ToString::to_string).unwrap_or_default(),
                batch.run.name
            )));
        }
        Ok(())
    }
}

/// The current time as microseconds since 1970-01-01T00:00:00 UTC.
fn now_utc_micros() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}

fn explain(batch: &Batch<'_>, error: SqlError) -> Error {
    let what = match error.kind {
        SqlErrorKind::Unique => {
            "two of them, or one of them and one that is there, have the same type and data ID"
        }
        SqlErrorKind::ForeignKey => {
            "a data ID refers to a dimension record that is not there, or a dataset type has been \
             removed meanwhile"
        }
        _ => return error.into(),
    };
    Error::ConflictingDefinition(format!(
        "Datasets cannot be inserted into run '{}': {what} ({}).",
        batch.run.name, error.source
    ))
}
