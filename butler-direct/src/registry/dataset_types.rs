//! The `dataset_type` table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use butler_core::datasets::DatasetType;
use butler_core::dimensions::DimensionGroup;
use butler_core::error::{Error, Result};

use super::context::Context;
use super::tables::{calibs_name, calibs_table, tags_name, tags_table};
use crate::db::schema::TableSpec;
use crate::db::{Dialect, Param, Row, Session, SqlErrorKind};

/// A dataset type as the database knows it.
#[derive(Debug, Clone)]
pub(crate) struct DatasetTypeRecord {
    /// The definition, as this client knows it.
    pub dataset_type: Arc<DatasetType>,
    /// The name in the database.
    pub stored_name: Arc<str>,
    /// The storage class in the database.
    pub stored_storage_class: Arc<str>,
    /// ID in the `dataset_type` table.
    pub id: i64,
    /// Number of the dimension group.
    pub dimensions_key: i64,
    /// Table of RUN and TAGGED memberships.
    pub tags: Arc<str>,
    /// Table of CALIBRATION memberships, for calibrations.
    pub calibs: Option<Arc<str>>,
}

const COLUMNS: &str =
    "id, name, storage_class, dimensions_key, tag_association_table, calibration_association_table";

impl Context {
    /// The dataset type of that name, as it was when it was last looked up. What is done with it
    /// must notice if it has been removed, or registered anew, by another client.
    ///
    /// # Errors
    /// [`Error::MissingDatasetType`].
    pub(super) async fn remembered_dataset_type(
        &self,
        session: &mut Session,
        name: &str,
    ) -> Result<Arc<DatasetTypeRecord>> {
        match self.dataset_type_by_name(name) {
            Some(record) => Ok(record),
            None => self.dataset_type(session, name).await,
        }
    }

    /// The dataset type of that name, as it is now.
    ///
    /// # Errors
    /// [`Error::MissingDatasetType`].
    pub(super) async fn dataset_type(
        &self,
        session: &mut Session,
        name: &str,
    ) -> Result<Arc<DatasetTypeRecord>> {
        let found = self.find_dataset_type(session, name).await?;
        found.ok_or_else(|| missing(name))
    }

    /// The dataset types of these names, as they are now.
    ///
    /// # Errors
    /// [`Error::MissingDatasetType`] for the first that is not there.
    pub(super) async fn dataset_types_named<'n>(
        &self,
        session: &mut Session,
        names: BTreeSet<&'n Arc<str>>,
    ) -> Result<BTreeMap<&'n Arc<str>, Arc<DatasetTypeRecord>>> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE {}",
            self.database.table("dataset_type"),
            self.database.in_array("name", 1)
        );
        let stored = names
            .iter()
            .filter_map(|name| self.overrides.stored_name(name));
        let wanted = Param::Texts(stored.map(Into::into).collect());
        let mut found = HashMap::new();
        let rows = session.fetch_all(&sql, &[wanted]).await?;
        for record in self.dataset_types_from_rows(session, &rows).await? {
            found.insert(Arc::clone(record.dataset_type.name()), record);
        }
        names
            .into_iter()
            .map(|name| match found.remove(name) {
                Some(record) => Ok((name, record)),
                None => {
                    self.forget_dataset_type(name);
                    Err(missing(name))
                }
            })
            .collect()
    }

    /// Looks a dataset type up in the database itself.
    pub(super) async fn find_dataset_type(
        &self,
        session: &mut Session,
        name: &str,
    ) -> Result<Option<Arc<DatasetTypeRecord>>> {
        let Some(stored) = self.overrides.stored_name(name) else {
            return Ok(None);
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE name = {}",
            self.database.table("dataset_type"),
            self.database.dialect().placeholder(1)
        );
        let Some(row) = session.fetch_optional(&sql, &[Param::from(stored)]).await? else {
            self.forget_dataset_type(name);
            return Ok(None);
        };
        let mut records = self.dataset_types_from_rows(session, &[row]).await?;
        Ok(records.pop())
    }

    /// The dataset types with these IDs.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] when there is none with one of the IDs.
    pub(super) async fn dataset_types_with_ids(
        &self,
        session: &mut Session,
        ids: BTreeSet<i64>,
    ) -> Result<HashMap<i64, Arc<DatasetTypeRecord>>> {
        let mut records = HashMap::with_capacity(ids.len());
        if self.database.dialect() == Dialect::Postgres {
            // A sequence never gives an ID twice. SQLite does, after the highest was removed.
            let known = ids.iter().filter_map(|id| self.dataset_type_by_id(*id));
            records.extend(known.map(|record| (record.id, record)));
        }
        let unknown: Vec<i64> = ids
            .into_iter()
            .filter(|id| !records.contains_key(id))
            .collect();
        if unknown.is_empty() {
            return Ok(records);
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE {}",
            self.database.table("dataset_type"),
            self.database.in_array("id", 1)
        );
        let rows = session
            .fetch_all(&sql, &[Param::Ints(unknown.clone())])
            .await?;
        let found = self.dataset_types_from_rows(session, &rows).await?;
        records.extend(found.into_iter().map(|record| (record.id, record)));
        match unknown.iter().find(|id| !records.contains_key(id)) {
            None => Ok(records),
            Some(id) => Err(Error::corrupt(
                "the dataset tables",
                format!("they refer to dataset type {id}, which is not defined"),
            )),
        }
    }

    /// All dataset types that this client can name, sorted by name.
    pub(super) async fn all_dataset_types(
        &self,
        session: &mut Session,
    ) -> Result<Vec<Arc<DatasetTypeRecord>>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {}",
            self.database.table("dataset_type")
        );
        let rows = session.fetch_all(&sql, &[]).await?;
        let mut all = self.dataset_types_from_rows(session, &rows).await?;
        all.retain(|record| self.overrides.is_visible(&record.stored_name));
        all.sort_unstable_by(|a, b| a.dataset_type.name().cmp(b.dataset_type.name()));
        Ok(all)
    }

    async fn dataset_types_from_rows(
        &self,
        session: &mut Session,
        rows: &[Row],
    ) -> Result<Vec<Arc<DatasetTypeRecord>>> {
        // What a transaction reads is not remembered, so it is kept here from row to row.
        let mut groups = HashMap::new();
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            let key = row.int(3)?;
            if self.group(key).is_none() && !groups.contains_key(&key) {
                groups = self.fetch_groups(session).await?;
            }
            records.push(self.dataset_type_from_row(session, row, &groups)?);
        }
        Ok(records)
    }

    fn dataset_type_from_row(
        &self,
        session: &Session,
        row: &Row,
        groups: &HashMap<i64, DimensionGroup>,
    ) -> Result<Arc<DatasetTypeRecord>> {
        let (id, dimensions_key) = (row.int(0)?, row.int(3)?);
        let (stored_name, stored_class) = (row.text(1)?, row.text(2)?);
        let calibs: Option<Arc<str>> = row.opt_text(5)?.map(Into::into);
        if let Some(known) = self.dataset_type_by_id(id) {
            // IDs are given anew on SQLite, and definitions can be edited by hand.
            let definition = &known.dataset_type;
            if *known.stored_name == *stored_name
                && *known.stored_storage_class == *stored_class
                && known.dimensions_key == dimensions_key
                && known.calibs == calibs
            {
                return Ok(known);
            }
            self.forget_dataset_type(definition.name());
        }
        let group = self.group(dimensions_key);
        let group = group.or_else(|| groups.get(&dimensions_key).cloned());
        let group = group.ok_or_else(|| {
            Error::corrupt(
                "the dataset_type table",
                format!("it refers to dimension group {dimensions_key}, which is not defined"),
            )
        })?;
        let name = self.overrides.client_name(stored_name);
        let class = self.overrides.storage_class(stored_name);
        let class = class.unwrap_or(stored_class);
        let dataset_type = DatasetType::new(name, group, class, calibs.is_some())?;
        let record = Arc::new(DatasetTypeRecord {
            dataset_type: Arc::new(dataset_type),
            stored_name: stored_name.into(),
            stored_storage_class: stored_class.into(),
            id,
            dimensions_key,
            tags: row.shared_text(4)?,
            calibs,
        });
        // What a transaction sees may never become true for anybody else.
        if !session.in_transaction() {
            self.remember_dataset_type(&record);
        } else if self
            .dataset_type_by_name(name)
            .is_some_and(|known| known.id != id)
        {
            self.forget_dataset_type(name);
        }
        Ok(record)
    }

    /// Registers a dataset type and says whether it is new. The tables for its dimensions are
    /// created if need be. The session must be a transaction.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a component; [`Error::InconsistentUniverse`] for a type of
    /// another universe; [`Error::ConflictingDefinition`] when a different type of that name is
    /// registered.
    pub(super) async fn register_dataset_type(
        &self,
        session: &mut Session,
        dataset_type: &DatasetType,
    ) -> Result<bool> {
        let new = self
            .register_dataset_types(session, &[dataset_type])
            .await?;
        Ok(new > 0)
    }

    /// Registers dataset types and returns how many are new. The tables for their dimensions are
    /// created if need be. The session must be a transaction.
    ///
    /// Clients that do this at the same time must not wait for each other, each holding what the
    /// other needs. So one does it after the other, and whatever several types need is done step by
    /// step for all of them: numbers of dimension groups, then tables, then the types.
    ///
    /// # Errors
    /// As for [`register_dataset_type`](Self::register_dataset_type).
    pub(super) async fn register_dataset_types(
        &self,
        session: &mut Session,
        dataset_types: &[&DatasetType],
    ) -> Result<usize> {
        let mut new: Vec<&DatasetType> = Vec::new();
        for dataset_type in dataset_types {
            self.require_registrable(dataset_type)?;
            match self.find_dataset_type(session, dataset_type.name()).await? {
                Some(record) => same_definition(dataset_type, &record)?,
                None => new.push(dataset_type),
            }
        }
        if new.is_empty() {
            return Ok(0);
        }
        // With this lock nobody else is at it, so the numbers can follow the order given, as those
        // of the reference do.
        self.database.lock_definitions(session).await?;
        let mut keys = Vec::with_capacity(new.len());
        for dataset_type in &new {
            keys.push(self.save_group(session, dataset_type.dimensions()).await?);
        }
        let mut tables = BTreeMap::new();
        for (dataset_type, &key) in new.iter().zip(&keys) {
            let group = dataset_type.dimensions();
            let tags = tags_name(key);
            tables.insert(tags.clone(), tags_table(&tags, group, self.keys()));
            if dataset_type.is_calibration() {
                let calibs = calibs_name(key);
                tables.insert(calibs.clone(), calibs_table(&calibs, group, self.keys()));
            }
        }
        self.ensure_membership_tables(session, tables.values())
            .await?;
        let mut registered = 0;
        for (dataset_type, key) in new.into_iter().zip(keys) {
            if self.insert_dataset_type(session, dataset_type, key).await? {
                registered += 1;
            }
        }
        Ok(registered)
    }

    fn require_registrable(&self, dataset_type: &DatasetType) -> Result<()> {
        if dataset_type.is_component() {
            return Err(Error::InvalidArgument(format!(
                "component dataset types are not registered; register the parent of '{}' instead",
                dataset_type.name()
            )));
        }
        let group = dataset_type.dimensions();
        if group.universe() != self.universe {
            return Err(Error::InconsistentUniverse(format!(
                "dataset type '{}' has dimensions of universe {}, but the repository has universe \
                 {}",
                dataset_type.name(),
                group.universe(),
                self.universe
            )));
        }
        Ok(())
    }

    /// Creates those of the tables of memberships that are not there.
    async fn ensure_membership_tables(
        &self,
        session: &mut Session,
        specs: impl Iterator<Item = &TableSpec>,
    ) -> Result<()> {
        let specs: Vec<&TableSpec> = specs.collect();
        // Writers write collections first, then dimension records, then datasets.
        let dimensions = self.universe.elements().map(|element| element.name());
        let referenced: Vec<&str> = ["dataset_type", "collection"]
            .into_iter()
            .chain(dimensions)
            .chain(["dataset"])
            .collect();
        self.database
            .ensure_tables(session, &specs, &referenced)
            .await
    }

    /// Inserts the row of a dataset type, and says whether it is new.
    async fn insert_dataset_type(
        &self,
        session: &mut Session,
        dataset_type: &DatasetType,
        key: i64,
    ) -> Result<bool> {
        let stored_name = self.new_stored_name(dataset_type)?;
        let (columns, id) = match self.database.dialect() {
            Dialect::Postgres => {
                let name = self.database.ddl().sequence_name("dataset_type", "id");
                let sequence = self.database.table(&name).replace('\'', "''");
                (COLUMNS, format!("nextval('{sequence}'), "))
            }
            Dialect::Sqlite => (COLUMNS.trim_start_matches("id, "), String::new()),
        };
        let holes: Vec<String> = (1..=5)
            .map(|index| self.database.dialect().placeholder(index))
            .collect();
        let sql = format!(
            "INSERT INTO {} ({columns}) VALUES ({id}{}) ON CONFLICT (name) DO NOTHING",
            self.database.table("dataset_type"),
            holes.join(", ")
        );
        let calibs = if dataset_type.is_calibration() {
            Param::from(calibs_name(key))
        } else {
            Param::Null(crate::db::schema::SqlType::Text)
        };
        let params = [
            Param::from(stored_name),
            Param::from(dataset_type.storage_class_name()),
            Param::Int(key),
            Param::from(tags_name(key)),
            calibs,
        ];
        if session.execute(&sql, &params).await? > 0 {
            return Ok(true);
        }
        // Another client was faster.
        match self.find_dataset_type(session, dataset_type.name()).await? {
            Some(record) => same_definition(dataset_type, &record).map(|()| false),
            None => Err(Error::Internal(format!(
                "dataset type '{}' was neither inserted nor found",
                dataset_type.name()
            ))),
        }
    }

    /// The name under which a dataset type that is not there goes into the database.
    fn new_stored_name<'n>(&'n self, dataset_type: &'n DatasetType) -> Result<&'n str> {
        let name = &**dataset_type.name();
        let Some(stored) = self.overrides.stored_name(name) else {
            return Err(Error::ConflictingDefinition(format!(
                "Dataset type '{name}' is known as '{}' to this client, by its configuration; only a \
                 client without that rename can register a type of this name.",
                self.overrides.client_name(name)
            )));
        };
        match self.overrides.storage_class(stored) {
            None => Ok(stored),
            Some(class) => Err(Error::ConflictingDefinition(format!(
                "Dataset type '{stored}' has the storage class '{class}' for this client, by its \
                 configuration; only a client without that override can register it.",
            ))),
        }
    }

    /// Removes a dataset type; a name that is not registered is no error.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a component; [`Error::OrphanedRecord`] when there are
    /// datasets of the type.
    pub(super) async fn remove_dataset_type(
        &self,
        session: &mut Session,
        name: &str,
    ) -> Result<()> {
        if name.contains('.') {
            return Err(Error::InvalidArgument(format!(
                "'{name}' is a component; only whole dataset types can be removed"
            )));
        }
        let Some(stored) = self.overrides.stored_name(name) else {
            return Ok(());
        };
        let sql = format!(
            "DELETE FROM {} WHERE name = {}",
            self.database.table("dataset_type"),
            self.database.dialect().placeholder(1)
        );
        let done = session.try_execute(&sql, &[Param::from(stored)]).await;
        self.forget_dataset_type(name);
        match done {
            Ok(_) => Ok(()),
            Err(error) if error.kind == SqlErrorKind::ForeignKey => {
                Err(Error::OrphanedRecord(format!(
                    "Dataset type '{name}' cannot be removed: there are datasets of this type, \
                     which must be removed first."
                )))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn missing(name: &str) -> Error {
    Error::MissingDatasetType(format!("Dataset type '{name}' does not exist."))
}

fn same_definition(given: &DatasetType, record: &DatasetTypeRecord) -> Result<()> {
    if *given == *record.dataset_type {
        return Ok(());
    }
    Err(Error::ConflictingDefinition(format!(
        "Given dataset type {given} is inconsistent with the registered definition {}.",
        record.dataset_type
    )))
}
