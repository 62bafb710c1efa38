//! Table specifications: the database-neutral description of every table that a repository has.
//!
//! The specifications mirror the schema of the reference implementation; what each dialect makes
//! of them is in [`ddl`](super::ddl).

use super::dialect::Dialect;

/// The logical type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlType {
    /// 64-bit integer. Times are stored as TAI nanoseconds in columns of this type.
    BigInt,
    /// 16-bit integer.
    SmallInt,
    /// Double-precision float.
    Float,
    /// Boolean.
    Bool,
    /// String of at most `length` characters. Up to 32 it is a bounded `VARCHAR`, else `TEXT`.
    String {
        /// Maximum length in characters.
        length: u32,
    },
    /// Unbounded string.
    Text,
    /// Unbounded string, declared as `VARCHAR`.
    Varchar,
    /// Bytes, stored as base64 text.
    Base64,
    /// Dataset ID: `UUID` on PostgreSQL, 32 hexadecimal digits on SQLite.
    Uuid,
    /// A UTC date and time without zone (dataset manager 1.x only).
    Timestamp,
    /// A [`Timespan`](butler_core::timespan::Timespan): one `int8range` on PostgreSQL, a pair of
    /// `BIGINT`s named `{name}_begin` and `{name}_end` on SQLite.
    Timespan,
}

/// What happens to the referencing row when the row it refers to is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The deletion is refused.
    Restrict,
    /// The referencing row is deleted too.
    Cascade,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Column name.
    pub name: String,
    /// Logical type.
    pub ty: SqlType,
    /// Whether the column is part of the primary key.
    pub primary_key: bool,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// Whether the database makes the values (a sequence, or SQLite's row ID).
    pub autoincrement: bool,
}

impl Field {
    /// A nullable column.
    pub fn nullable(name: impl Into<String>, ty: SqlType) -> Self {
        Self {
            name: name.into(),
            ty,
            primary_key: false,
            nullable: true,
            autoincrement: false,
        }
    }

    /// A `NOT NULL` column.
    pub fn required(name: impl Into<String>, ty: SqlType) -> Self {
        Self {
            nullable: false,
            ..Self::nullable(name, ty)
        }
    }

    /// A column of the primary key.
    pub fn key(name: impl Into<String>, ty: SqlType) -> Self {
        Self {
            primary_key: true,
            ..Self::required(name, ty)
        }
    }

    /// The primary key, with values made by the database.
    pub fn auto_key(name: impl Into<String>) -> Self {
        Self {
            autoincrement: true,
            ..Self::key(name, SqlType::BigInt)
        }
    }
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The table referred to.
    pub table: String,
    /// Columns of this table.
    pub source: Vec<String>,
    /// Columns of the table referred to.
    pub target: Vec<String>,
    /// What happens when the row referred to is deleted.
    pub on_delete: OnDelete,
}

impl ForeignKey {
    /// A foreign key that refuses deletions.
    pub fn new(table: &str, source: &[&str], target: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|s| (*s).to_owned()).collect();
        Self {
            table: table.to_owned(),
            source: owned(source),
            target: owned(target),
            on_delete: OnDelete::Restrict,
        }
    }

    /// The same key, cascading deletions.
    #[must_use]
    pub fn cascade(self) -> Self {
        Self {
            on_delete: OnDelete::Cascade,
            ..self
        }
    }
}

/// The whole description of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableSpec {
    /// Table name, without namespace.
    pub name: String,
    /// Columns in order.
    pub fields: Vec<Field>,
    /// Unique constraints.
    pub unique: Vec<Vec<String>>,
    /// Further indexes, over logical columns: a timespan stands for both of its ends.
    pub indexes: Vec<Vec<String>>,
    /// Foreign keys; each gets an index of its own unless another index serves.
    pub foreign_keys: Vec<ForeignKey>,
}

impl TableSpec {
    /// A table with the given columns.
    pub fn new(name: impl Into<String>, fields: Vec<Field>) -> Self {
        Self {
            name: name.into(),
            fields,
            ..Self::default()
        }
    }

    /// Adds a unique constraint.
    #[must_use]
    pub fn unique(mut self, columns: &[&str]) -> Self {
        self.unique
            .push(columns.iter().map(|s| (*s).to_owned()).collect());
        self
    }

    /// Adds a foreign key.
    #[must_use]
    pub fn foreign_key(mut self, key: ForeignKey) -> Self {
        self.foreign_keys.push(key);
        self
    }

    /// Adds a column unless one of that name is there.
    pub fn add_field(&mut self, field: Field) {
        if !self.fields.iter().any(|f| f.name == field.name) {
            self.fields.push(field);
        }
    }

    /// Names of the primary key's columns, in column order.
    pub fn primary_key(&self) -> Vec<&str> {
        self.fields
            .iter()
            .filter(|f| f.primary_key)
            .map(|f| f.name.as_str())
            .collect()
    }

    /// The logical column of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// Physical column names of the logical columns, in order: a timespan is two columns on SQLite.
    pub fn physical_columns(&self, dialect: Dialect) -> Vec<String> {
        self.fields
            .iter()
            .flat_map(|f| dialect.physical_columns(&f.name, f.ty))
            .collect()
    }
}
