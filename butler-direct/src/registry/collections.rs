//! The `collection`, `run` and `collection_chain` tables: looking collections up, registering and
//! removing them.
//!
//! Nothing is cached: every look-up sees what other clients committed just before. A look-up by
//! name fetches the collections and everything below them in one round trip.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::error::{Error, Result};

use super::collection_keys::{CollectionKey, CollectionKeys};
use super::context::Context;
use crate::db::schema::SqlType;
use crate::db::{Dialect, Param, Row, Session, SqlErrorKind};

/// A collection as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionRecord {
    /// Key in the `collection` table.
    pub key: CollectionKey,
    /// Name.
    pub name: Arc<str>,
    /// Type.
    pub kind: CollectionType,
    /// Names of the children of a CHAINED collection, in search order.
    pub children: Vec<Arc<str>>,
}

/// Collections and everything below them.
#[derive(Debug, Clone, Default)]
pub struct CollectionTree {
    records: HashMap<Arc<str>, CollectionRecord>,
    by_key: HashMap<CollectionKey, Arc<str>>,
}

impl CollectionTree {
    /// The collection of that name.
    ///
    /// # Errors
    /// [`Error::MissingCollection`].
    pub fn get(&self, name: &str) -> Result<&CollectionRecord> {
        self.records.get(name).ok_or_else(|| missing(&[name]))
    }

    /// The collection with that key, if it is in the tree.
    pub fn by_key(&self, key: &CollectionKey) -> Option<&CollectionRecord> {
        self.by_key.get(key).and_then(|name| self.records.get(name))
    }

    /// All collections of the tree, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &CollectionRecord> {
        let mut all: Vec<_> = self.records.values().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.into_iter()
    }

    /// The named collections with every chain replaced by its children, depth first, in search
    /// order; each collection once, at its first place. Chains themselves are given (before their
    /// children) only when `include_chains`.
    ///
    /// # Errors
    /// [`Error::MissingCollection`] naming every collection that is not there.
    pub fn flatten<S: AsRef<str>>(
        &self,
        names: &[S],
        include_chains: bool,
    ) -> Result<Vec<&CollectionRecord>> {
        let absent: Vec<&str> = names
            .iter()
            .map(AsRef::as_ref)
            .filter(|n| !self.records.contains_key(*n))
            .collect();
        if !absent.is_empty() {
            return Err(missing(&absent));
        }
        let mut result = Vec::new();
        let mut seen = HashSet::new();
        // A stack of what is still to be visited, so that depth is bounded by memory alone.
        let mut pending: Vec<&str> = names.iter().map(AsRef::as_ref).rev().collect();
        while let Some(name) = pending.pop() {
            // A child can be removed by another client between two rows of one answer only if the
            // database gives no consistent answer, which neither does.
            let Some(record) = self.records.get(name) else {
                continue;
            };
            if !seen.insert(&record.key) {
                continue;
            }
            if record.kind == CollectionType::Chained {
                if include_chains {
                    result.push(record);
                }
                pending.extend(record.children.iter().rev().map(|child| &**child));
            } else {
                result.push(record);
            }
        }
        Ok(result)
    }

    /// Makes a tree of rows with the columns of [`Context::collection_tree`].
    pub(super) fn from_rows<'r>(
        keys: CollectionKeys,
        rows: impl IntoIterator<Item = &'r Row>,
    ) -> Result<Self> {
        let mut tree = Self::default();
        let mut chains: HashMap<CollectionKey, Vec<(i64, Arc<str>)>> = HashMap::new();
        for row in rows {
            let (key, name) = (keys.read(row, 0)?, row.shared_text(1)?);
            if let Some(parent) = keys.read_optional(row, 3)? {
                let place = row.opt_int(4)?.unwrap_or_default();
                chains
                    .entry(parent)
                    .or_default()
                    .push((place, Arc::clone(&name)));
            }
            if !tree.records.contains_key(&name) {
                let kind = collection_type(row.int(2)?, &name)?;
                let record = CollectionRecord {
                    key: key.clone(),
                    name: Arc::clone(&name),
                    kind,
                    children: Vec::new(),
                };
                tree.by_key.insert(key, Arc::clone(&name));
                tree.records.insert(name, record);
            }
        }
        for (parent, mut children) in chains {
            children.sort_unstable();
            if let Some(record) = tree
                .by_key
                .get(&parent)
                .and_then(|name| tree.records.get_mut(name))
            {
                record.children = children.into_iter().map(|(_, name)| name).collect();
                record.children.dedup();
            }
        }
        Ok(tree)
    }
}

/// The collection type with that number in the database.
fn collection_type(number: i64, name: &str) -> Result<CollectionType> {
    CollectionType::from_int(number).map_err(|_| {
        Error::corrupt(
            format!("the record of collection '{name}'"),
            format!("there is no collection type with number {number}"),
        )
    })
}

pub(super) fn missing(names: &[&str]) -> Error {
    Error::MissingCollection(match names {
        [name] => format!("No collection with name '{name}' found."),
        _ => format!("No collections with names '{}' found.", names.join("', '")),
    })
}

fn checked(record: CollectionRecord, kind: CollectionType) -> Result<CollectionRecord> {
    if record.kind == kind {
        return Ok(record);
    }
    Err(Error::ConflictingDefinition(format!(
        "Collection '{}' is already registered with type {}, so it cannot be registered with \
         type {kind}.",
        record.name, record.kind
    )))
}

impl Context {
    /// Fetches the named collections and all that is below them. Names that are not there are absent
    /// from the result.
    ///
    /// # Errors
    /// Any database error.
    pub(super) async fn fetch_collections<S: AsRef<str>>(
        &self,
        session: &mut Session,
        names: &[S],
    ) -> Result<CollectionTree> {
        let sql = format!(
            "WITH RECURSIVE {} SELECT key, name, type, parent, position FROM tree",
            self.collection_tree(1)
        );
        let names = Param::Texts(names.iter().map(|name| name.as_ref().into()).collect());
        CollectionTree::from_rows(self.keys(), &session.fetch_all(&sql, &[names]).await?)
    }

    /// What follows `WITH RECURSIVE` in a statement that needs a table `tree` of the collections
    /// whose names are bound to a parameter, and of all that is below them: `key`, `name`, `type`,
    /// and for each place in a chain `parent` (the chain's key) and `position`.
    pub(super) fn collection_tree(&self, names: usize) -> String {
        let (database, keys) = (&self.database, self.keys());
        let (collection, chain) = (
            database.table("collection"),
            database.table("collection_chain"),
        );
        let no_place = match database.dialect() {
            Dialect::Postgres => "NULL::smallint",
            Dialect::Sqlite => "NULL",
        };
        // UNION, not UNION ALL: a chain reached by two ways is expanded once.
        format!(
            "below(key, parent, position) AS (
                 SELECT {}, {}, {no_place} FROM {collection} WHERE {}
                 UNION
                 SELECT {}, {}, l.position FROM below JOIN {chain} AS l ON l.parent = below.key
             ),
             tree(key, name, type, parent, position) AS (
                 SELECT below.key, c.name, c.type, below.parent, below.position
                   FROM below JOIN {collection} AS c ON c.{} = below.key
             )",
            keys.cast(keys.column()),
            keys.null(database.dialect()),
            database.in_ids("name", names),
            keys.cast("l.child"),
            keys.cast("l.parent"),
            keys.column()
        )
    }

    /// Fetches all collections.
    ///
    /// # Errors
    /// Any database error.
    pub(super) async fn fetch_all_collections(
        &self,
        session: &mut Session,
    ) -> Result<CollectionTree> {
        let database = &self.database;
        let (collection, chain) = (
            database.table("collection"),
            database.table("collection_chain"),
        );
        let keys = self.keys();
        let key = keys.column();
        let sql = format!(
            "SELECT c.{key}, c.name, c.type, l.parent, l.position
           FROM {collection} AS c LEFT JOIN {chain} AS l ON l.child = c.{key}"
        );
        CollectionTree::from_rows(keys, &session.fetch_all(&sql, &[]).await?)
    }

    /// The one collection of that name.
    ///
    /// # Errors
    /// [`Error::MissingCollection`], or any database error.
    pub(super) async fn find_collection(
        &self,
        session: &mut Session,
        name: &str,
    ) -> Result<CollectionRecord> {
        self.fetch_collections(session, &[name])
            .await?
            .get(name)
            .cloned()
    }

    /// Registers a collection and says whether it is new.
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`] when a collection of that name and another type is there;
    /// [`Error::InvalidArgument`] when the name is empty.
    pub(super) async fn register_collection(
        &self,
        session: &mut Session,
        name: &str,
        kind: CollectionType,
        doc: Option<&str>,
    ) -> Result<(CollectionRecord, bool)> {
        if name.is_empty() {
            return Err(Error::InvalidArgument(
                "a collection needs a name".to_owned(),
            ));
        }
        let database = &self.database;
        let collection = database.table("collection");
        let keys = self.keys();
        let (columns, key) = match (keys, database.dialect()) {
            (CollectionKeys::Numbers, Dialect::Postgres) => {
                let sequence = database
                    .table(&database.ddl().sequence_name("collection", keys.column()))
                    .replace('\'', "''");
                (
                    "collection_id, name, type, doc",
                    format!("nextval('{sequence}'), "),
                )
            }
            _ => ("name, type, doc", String::new()),
        };
        let (one, two, three) = match database.dialect() {
            Dialect::Postgres => ("$1", "$2", "$3"),
            Dialect::Sqlite => ("?1", "?2", "?3"),
        };
        // The look-up comes first so that registering what is there costs no sequence value.
        if let Ok(record) = self.fetch_collections(session, &[name]).await?.get(name) {
            return checked(record.clone(), kind).map(|record| (record, false));
        }
        let sql = format!(
            "INSERT INTO {collection} ({columns}) VALUES ({key}{one}, {two}, {three})
         ON CONFLICT (name) DO NOTHING RETURNING {}",
            keys.column()
        );
        let params = [
            Param::from(name),
            Param::Int(kind.to_int()),
            Param::or_null(doc, SqlType::Text),
        ];
        let Some(row) = session.fetch_optional(&sql, &params).await? else {
            // Another client registered it between the look-up and the insertion.
            let record = self.find_collection(session, name).await?;
            return checked(record, kind).map(|record| (record, false));
        };
        let key = keys.read(&row, 0)?;
        if kind == CollectionType::Run {
            let sql = format!(
                "INSERT INTO {} ({}) VALUES ({one})",
                database.table("run"),
                keys.column()
            );
            session.execute(&sql, &[key.param()]).await?;
        }
        let record = CollectionRecord {
            key,
            name: name.into(),
            kind,
            children: Vec::new(),
        };
        Ok((record, true))
    }

    /// Removes a collection; the memberships of its datasets go with it, and the datasets themselves
    /// when it is a RUN.
    ///
    /// # Errors
    /// [`Error::MissingCollection`]; [`Error::OrphanedRecord`] when the collection is part of a chain,
    /// or when a RUN holds datasets that a datastore still stores.
    pub(super) async fn remove_collection(&self, session: &mut Session, name: &str) -> Result<()> {
        let record = self.find_collection(session, name).await?;
        let database = &self.database;
        let parents = self.parent_chains(session, &record.key).await?;
        if !parents.is_empty() {
            return Err(Error::OrphanedRecord(format!(
                "Collection '{name}' is a child of the CHAINED collection(s) '{}'; remove it from them \
             first.",
                parents.join("', '")
            )));
        }
        let one = database.dialect().placeholder(1);
        let sql = format!(
            "DELETE FROM {} WHERE {} = {one}",
            database.table("collection"),
            self.keys().column()
        );
        match session.try_execute(&sql, &[record.key.param()]).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == SqlErrorKind::ForeignKey => {
                Err(Error::OrphanedRecord(format!(
                    "Collection '{name}' cannot be removed: its datasets are still referred to, by a \
                 datastore or by another collection. Prune or unstore them first."
                )))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Names of the chains that hold the collection as a direct child, sorted.
    ///
    /// # Errors
    /// Any database error.
    pub(super) async fn parent_chains(
        &self,
        session: &mut Session,
        key: &CollectionKey,
    ) -> Result<Vec<String>> {
        let database = &self.database;
        let sql = format!(
            "SELECT DISTINCT c.name FROM {} AS l JOIN {} AS c ON c.{} = l.parent
          WHERE l.child = {} ORDER BY 1",
            database.table("collection_chain"),
            database.table("collection"),
            self.keys().column(),
            database.dialect().placeholder(1)
        );
        let rows = session.fetch_all(&sql, &[key.param()]).await?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    }

    /// The names of the chains that hold each of the collections as a direct child.
    ///
    /// # Errors
    /// Any database error.
    pub(super) async fn parent_chains_of(
        &self,
        session: &mut Session,
        keys: &[CollectionKey],
    ) -> Result<HashMap<CollectionKey, BTreeSet<String>>> {
        let database = &self.database;
        let sql = format!(
            "SELECT l.child, c.name FROM {} AS l JOIN {} AS c ON c.{} = l.parent WHERE {}",
            database.table("collection_chain"),
            database.table("collection"),
            self.keys().column(),
            database.in_array("l.child", 1)
        );
        let mut parents: HashMap<CollectionKey, BTreeSet<String>> = HashMap::new();
        for row in session.fetch_all(&sql, &[self.keys().array(keys)]).await? {
            parents
                .entry(self.keys().read(&row, 0)?)
                .or_default()
                .insert(row.text(1)?.to_owned());
        }
        Ok(parents)
    }

    /// The documentation of collections, by key; collections without any are absent.
    ///
    /// # Errors
    /// Any database error.
    pub(super) async fn collection_docs(
        &self,
        session: &mut Session,
        keys: &[CollectionKey],
    ) -> Result<HashMap<CollectionKey, String>> {
        let database = &self.database;
        let sql = format!(
            "SELECT {}, doc FROM {} WHERE {} AND doc <> ''",
            self.keys().column(),
            database.table("collection"),
            database.in_array(self.keys().column(), 1)
        );
        let rows = session.fetch_all(&sql, &[self.keys().array(keys)]).await?;
        rows.iter()
            .map(|row| Ok((self.keys().read(row, 0)?, row.text(1)?.to_owned())))
            .collect()
    }

    /// Sets or clears the documentation of a collection.
    ///
    /// # Errors
    /// [`Error::MissingCollection`], or any database error.
    pub(super) async fn set_collection_doc(
        &self,
        session: &mut Session,
        name: &str,
        doc: Option<&str>,
    ) -> Result<()> {
        let database = &self.database;
        let dialect = database.dialect();
        let sql = format!(
            "UPDATE {} SET doc = {} WHERE name = {}",
            database.table("collection"),
            dialect.placeholder(1),
            dialect.placeholder(2)
        );
        let params = [Param::or_null(doc, SqlType::Text), Param::from(name)];
        if session.execute(&sql, &params).await? == 0 {
            return Err(missing(&[name]));
        }
        Ok(())
    }
}
