//! How the tables refer to collections: by a number or by the name.
//!
//! The reference has two collection managers. `SynthIntKeyCollectionManager`, which new
//! repositories get, numbers collections; `NameKeyCollectionManager` does without numbers. All
//! tables that refer to a collection follow, in the type of a column and in its name.

use std::fmt;
use std::sync::Arc;

use butler_core::error::Result;

use crate::db::schema::{Field, SqlType};
use crate::db::{Dialect, Param, Row};

/// The most characters in a collection's name.
pub(super) const NAME: SqlType = SqlType::String { length: 64_000 };

/// What the tables refer to collections by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CollectionKeys {
    /// A number that the database gives.
    #[default]
    Numbers,
    /// The collection's name.
    Names,
}

impl CollectionKeys {
    /// The key's column in the `collection` and `run` tables.
    pub fn column(self) -> &'static str {
        match self {
            Self::Numbers => "collection_id",
            Self::Names => "name",
        }
    }

    /// The column by which other tables refer to a collection.
    pub fn reference(self) -> &'static str {
        match self {
            Self::Numbers => "collection_id",
            Self::Names => "collection_name",
        }
    }

    /// The column by which datasets refer to their run.
    pub fn run_reference(self) -> &'static str {
        match self {
            Self::Numbers => "run_id",
            Self::Names => "run_name",
        }
    }

    /// The type of the columns that refer to collections.
    pub fn sql_type(self) -> SqlType {
        match self {
            Self::Numbers => SqlType::BigInt,
            Self::Names => NAME,
        }
    }

    /// The type of the keys of the `run` and `collection_chain` tables, which differs from that of
    /// all other references when keys are names.
    pub(super) fn own_sql_type(self) -> SqlType {
        match self {
            Self::Numbers => SqlType::BigInt,
            Self::Names => SqlType::Varchar,
        }
    }

    /// A column that refers to a collection.
    pub(super) fn field(self) -> Field {
        Field::required(self.reference(), self.sql_type())
    }

    /// NULL of the key's type, in a query.
    pub(super) fn null(self, dialect: Dialect) -> &'static str {
        match (dialect, self) {
            (Dialect::Sqlite, _) => "NULL",
            (Dialect::Postgres, Self::Numbers) => "NULL::bigint",
            (Dialect::Postgres, Self::Names) => "NULL::text",
        }
    }

    /// The type to which a query casts a key that it compares or unites with another column's:
    /// names are not everywhere of one type.
    pub(super) fn cast(self, column: &str) -> String {
        match self {
            Self::Numbers => column.to_owned(),
            Self::Names => format!("CAST({column} AS text)"),
        }
    }

    /// Reads a key from a row.
    pub fn read(self, row: &Row, index: usize) -> Result<CollectionKey> {
        Ok(match self {
            Self::Numbers => CollectionKey::Number(row.int(index)?),
            Self::Names => CollectionKey::Name(row.shared_text(index)?),
        })
    }

    /// Reads a key, which may be NULL, from a row.
    pub fn read_optional(self, row: &Row, index: usize) -> Result<Option<CollectionKey>> {
        Ok(match self {
            Self::Numbers => row.opt_int(index)?.map(CollectionKey::Number),
            Self::Names => row
                .opt_text(index)?
                .map(|name| CollectionKey::Name(name.into())),
        })
    }

    /// Keys as an array for [`Database::in_array`](crate::db::Database::in_array).
    pub fn array<'k>(self, keys: impl IntoIterator<Item = &'k CollectionKey>) -> Param {
        let keys = keys.into_iter();
        match self {
            Self::Numbers => Param::Ints(
                keys.filter_map(|key| match key {
                    CollectionKey::Number(number) => Some(*number),
                    CollectionKey::Name(_) => None,
                })
                .collect(),
            ),
            Self::Names => Param::Texts(
                keys.filter_map(|key| match key {
                    CollectionKey::Number(_) => None,
                    CollectionKey::Name(name) => Some(Arc::clone(name)),
                })
                .collect(),
            ),
        }
    }
}

/// The key of a collection in the database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CollectionKey {
    /// Its number.
    Number(i64),
    /// Its name.
    Name(Arc<str>),
}

impl CollectionKey {
    /// The key as a parameter.
    pub fn param(&self) -> Param {
        match self {
            Self::Number(number) => Param::Int(*number),
            Self::Name(name) => Param::from(name),
        }
    }
}

impl fmt::Display for CollectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => write!(f, "'{name}'"),
        }
    }
}
