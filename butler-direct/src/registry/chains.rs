//! Atomic changes to CHAINED collections.
//!
//! Each change locks the chain's row (PostgreSQL) or the whole database (SQLite) for the rest of
//! the transaction, so that concurrent changes follow one another and none is lost.

use butler_core::collections::CollectionType;
use butler_core::error::{Error, Result};

use super::collection_keys::CollectionKey;
use super::collections::{CollectionTree, missing};
use super::context::Context;
use crate::db::bulk::{self, BulkColumn};
use crate::db::schema::SqlType;
use crate::db::{Dialect, Param, Session};

/// What is done to a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainEdit {
    /// The children become exactly the given ones.
    Replace,
    /// The given collections come first; those that are children already move there.
    Prepend,
    /// The given collections come last; those that are children already move there.
    Extend,
    /// The given collections are no longer children.
    Remove,
}

impl Context {
    /// Changes the children of the chain `parent`.
    ///
    /// # Errors
    /// [`Error::MissingCollection`] for the parent or a child, [`Error::CollectionType`] when the
    /// parent is not CHAINED, [`Error::CollectionCycle`] when the parent would contain itself.
    pub(super) async fn edit_chain<S: AsRef<str>>(
        &self,
        session: &mut Session,
        parent: &str,
        edit: ChainEdit,
        children: &[S],
    ) -> Result<()> {
        let parent_key = self.lock_chain(session, parent).await?;
        let names: Vec<&str> = children.iter().map(AsRef::as_ref).collect();
        let mut tree = self.fetch_collections(session, &names).await?;
        let nests = tree.iter().any(|c| c.kind == CollectionType::Chained);
        if nests && edit != ChainEdit::Remove && session.dialect() == Dialect::Postgres {
            // Two clients that put each other's chain into their own would make a cycle that neither
            // sees. This lock excludes only itself, and what others did is seen once it is held.
            let chain = session.database().table("collection_chain");
            session
                .execute_script(format!("LOCK TABLE {chain} IN SHARE UPDATE EXCLUSIVE MODE"))
                .await?;
            tree = self.fetch_collections(session, &names).await?;
        }
        let keys = child_keys(&tree, &names)?;
        if edit != ChainEdit::Remove {
            refuse_cycle(&tree, parent, &parent_key, &names)?;
        }
        let database = &self.database;
        let chain = database.table("collection_chain");
        let one = database.dialect().placeholder(1);
        if edit == ChainEdit::Replace {
            let sql = format!("DELETE FROM {chain} WHERE parent = {one}");
            session.execute(&sql, &[parent_key.param()]).await?;
        } else {
            let sql = format!(
                "DELETE FROM {chain} WHERE parent = {one} AND {}",
                database.in_array("child", 2)
            );
            session
                .execute(&sql, &[parent_key.param(), self.keys().array(&keys)])
                .await?;
        }
        let count = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        let first = match edit {
            ChainEdit::Remove => return Ok(()),
            ChainEdit::Replace => 0,
            ChainEdit::Prepend => {
                self.end_position(session, "min", &parent_key)
                    .await?
                    .unwrap_or(0)
                    - count
            }
            ChainEdit::Extend => {
                self.end_position(session, "max", &parent_key)
                    .await?
                    .unwrap_or(0)
                    + 1
            }
        };
        let fits = |first: i64| {
            i16::try_from(first).is_ok() && i16::try_from(first.saturating_add(count)).is_ok()
        };
        let (first, keys) = if edit == ChainEdit::Replace || fits(first) {
            (first, keys)
        } else {
            // So many changes used up the positions on one side: number all children anew.
            let others = self.take_children(session, &parent_key).await?;
            let all = match edit {
                ChainEdit::Prepend => [keys, others].concat(),
                _ => [others, keys].concat(),
            };
            (0, all)
        };
        let columns = [
            BulkColumn::new("parent", self.keys().sql_type()),
            BulkColumn::new("position", SqlType::SmallInt),
            BulkColumn::new("child", self.keys().sql_type()),
        ];
        let mut rows = Vec::with_capacity(keys.len());
        for (position, key) in (first..).zip(keys) {
            let position = i16::try_from(position).map_err(|_| {
            Error::InvalidArgument(format!(
                "the chain '{parent}' cannot have more than {} children; put some of them into a \
                 chain of their own",
                i16::MAX
            ))
        })?;
            rows.push([parent_key.param(), Param::SmallInt(position), key.param()]);
        }
        bulk::insert(session, &chain, &columns, rows).await?;
        Ok(())
    }

    /// Takes all children out of a chain and returns their keys, in order.
    async fn take_children(
        &self,
        session: &mut Session,
        parent: &CollectionKey,
    ) -> Result<Vec<CollectionKey>> {
        let database = &self.database;
        let chain = database.table("collection_chain");
        let one = database.dialect().placeholder(1);
        let sql = format!("SELECT child FROM {chain} WHERE parent = {one} ORDER BY position");
        let rows = session.fetch_all(&sql, &[parent.param()]).await?;
        let sql = format!("DELETE FROM {chain} WHERE parent = {one}");
        session.execute(&sql, &[parent.param()]).await?;
        rows.iter().map(|row| self.keys().read(row, 0)).collect()
    }

    async fn end_position(
        &self,
        session: &mut Session,
        end: &str,
        parent: &CollectionKey,
    ) -> Result<Option<i64>> {
        let database = &self.database;
        let sql = format!(
            "SELECT {end}(position) FROM {} WHERE parent = {}",
            database.table("collection_chain"),
            database.dialect().placeholder(1)
        );
        let row = session.fetch_optional(&sql, &[parent.param()]).await?;
        Ok(row.map(|row| row.opt_int(0)).transpose()?.flatten())
    }

    /// Locks the chain's row until the end of the transaction and returns its key.
    async fn lock_chain(&self, session: &mut Session, parent: &str) -> Result<CollectionKey> {
        let database = &self.database;
        let (one, for_update) = match database.dialect() {
            // Weaker than FOR UPDATE: the chain can become another's child meanwhile.
            Dialect::Postgres => ("$1", " FOR NO KEY UPDATE"),
            // The transaction holds the lock on the whole database already.
            Dialect::Sqlite => ("?1", ""),
        };
        let sql = format!(
            "SELECT {}, type FROM {} WHERE name = {one}{for_update}",
            self.keys().column(),
            database.table("collection")
        );
        let Some(row) = session.fetch_optional(&sql, &[Param::from(parent)]).await? else {
            return Err(missing(&[parent]));
        };
        if CollectionType::from_int(row.int(1)?)? != CollectionType::Chained {
            return Err(Error::CollectionType(format!(
                "Parent collection '{parent}' is not a CHAINED collection."
            )));
        }
        self.keys().read(&row, 0)
    }
}

fn child_keys(tree: &CollectionTree, names: &[&str]) -> Result<Vec<CollectionKey>> {
    let absent: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| tree.get(name).is_err())
        .collect();
    if !absent.is_empty() {
        return Err(missing(&absent));
    }
    let mut keys = Vec::with_capacity(names.len());
    for name in names {
        let key = &tree.get(name)?.key;
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    Ok(keys)
}

fn refuse_cycle(
    tree: &CollectionTree,
    parent: &str,
    key: &CollectionKey,
    names: &[&str],
) -> Result<()> {
    let cycle = tree
        .flatten(names, true)?
        .into_iter()
        .any(|record| record.key == *key);
    if cycle {
        return Err(Error::CollectionCycle(format!(
            "Cycle in collection chaining when defining '{parent}'."
        )));
    }
    Ok(())
}
