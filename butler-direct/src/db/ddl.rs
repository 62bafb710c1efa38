//! `CREATE TABLE` and its kin from a [`TableSpec`].
//!
//! Names of constraints, indexes and sequences equal those that the reference implementation
//! makes, so that a repository looks the same whichever implementation created it.

use super::dialect::{Dialect, quote, quote_all};
use super::names::shrink;
use super::schema::{Field, ForeignKey, OnDelete, SqlType, TableSpec};

/// Lower end of an unbounded timespan on SQLite, TAI nanoseconds.
const TIMESPAN_MIN: i64 = 0;
/// Upper end of an unbounded timespan on SQLite, TAI nanoseconds.
const TIMESPAN_MAX: i64 = 4_102_444_800_000_000_000;

/// Renders specifications for one database and namespace.
#[derive(Debug, Clone, Copy)]
pub struct DdlWriter<'a> {
    /// The database system.
    pub dialect: Dialect,
    /// The PostgreSQL schema, if any.
    pub namespace: Option<&'a str>,
}

impl DdlWriter<'_> {
    /// The quoted name of a table (or sequence), with its namespace.
    pub fn qualified(&self, name: &str) -> String {
        match self.namespace {
            Some(namespace) => format!("{}.{}", quote(namespace), quote(name)),
            None => quote(name),
        }
    }

    /// The name of the sequence that feeds an autoincrement column.
    pub fn sequence_name(&self, table: &str, column: &str) -> String {
        self.shrink(&format!("{table}_seq_{column}"))
    }

    /// All statements that create the table, its sequences and its indexes, in order.
    pub fn create(&self, spec: &TableSpec, if_not_exists: bool) -> Vec<String> {
        self.statements(spec, if_not_exists, &spec.foreign_keys)
    }

    /// The statements that create the table without its foreign keys: all that takes names, and
    /// nothing that locks other tables. [`link`](Self::link) has the rest. They fail if the table is
    /// there, so that only who made it links it.
    pub fn create_unlinked(&self, spec: &TableSpec) -> Vec<String> {
        self.statements(spec, false, &[])
    }

    /// The statement that adds the foreign keys to a table created without; none if it has none.
    /// For PostgreSQL: SQLite cannot add them.
    pub fn link(&self, spec: &TableSpec) -> Option<String> {
        let keys: Vec<String> = spec
            .foreign_keys
            .iter()
            .map(|key| format!("ADD {}", self.foreign_key_line(&spec.name, key)))
            .collect();
        let table = self.qualified(&spec.name);
        (!keys.is_empty()).then(|| format!("ALTER TABLE {table} {}", keys.join(", ")))
    }

    fn statements(
        &self,
        spec: &TableSpec,
        if_not_exists: bool,
        foreign_keys: &[ForeignKey],
    ) -> Vec<String> {
        let guard = if if_not_exists { "IF NOT EXISTS " } else { "" };
        let mut statements = Vec::new();
        if self.dialect == Dialect::Postgres {
            for field in spec.fields.iter().filter(|f| f.autoincrement) {
                let sequence = self.qualified(&self.sequence_name(&spec.name, &field.name));
                statements.push(format!("CREATE SEQUENCE {guard}{sequence}"));
            }
        }
        let mut lines: Vec<String> = spec
            .fields
            .iter()
            .flat_map(|f| self.column_lines(f))
            .collect();
        lines.push(format!("PRIMARY KEY ({})", quote_all(spec.primary_key())));
        lines.extend(
            spec.fields
                .iter()
                .filter_map(|f| self.length_check(&spec.name, f)),
        );
        lines.extend(
            spec.unique
                .iter()
                .map(|columns| self.unique_line(&spec.name, columns)),
        );
        lines.extend(
            foreign_keys
                .iter()
                .map(|key| self.foreign_key_line(&spec.name, key)),
        );
        statements.push(format!(
            "CREATE TABLE {guard}{} (\n\t{}\n)",
            self.qualified(&spec.name),
            lines.join(", \n\t")
        ));
        statements.extend(self.index_statements(spec, guard));
        statements
    }

    /// The statement that creates an empty temporary table with the spec's columns and no
    /// constraints. PostgreSQL drops it at the end of the transaction.
    pub fn create_temporary(&self, spec: &TableSpec, columns: &[&Field]) -> String {
        let lines: Vec<String> = columns
            .iter()
            .flat_map(|f| {
                let plain = Field {
                    nullable: true,
                    autoincrement: false,
                    ..(*f).clone()
                };
                self.column_lines(&plain)
            })
            .collect();
        let on_commit = match self.dialect {
            Dialect::Postgres => " ON COMMIT DROP",
            Dialect::Sqlite => "",
        };
        format!(
            "CREATE TEMPORARY TABLE {} ({}){on_commit}",
            quote(&spec.name),
            lines.join(", ")
        )
    }

    fn shrink(&self, name: &str) -> String {
        shrink(name, self.dialect.max_identifier_length())
    }

    fn column_lines(&self, field: &Field) -> Vec<String> {
        let null = if field.nullable { "" } else { " NOT NULL" };
        let column = quote(&field.name);
        if field.ty == SqlType::Timespan {
            return match self.dialect {
                Dialect::Postgres => {
                    let default = if field.nullable {
                        ""
                    } else {
                        " DEFAULT '(,)'::int8range"
                    };
                    vec![format!("{column} int8range{default}{null}")]
                }
                Dialect::Sqlite => [("begin", TIMESPAN_MIN), ("end", TIMESPAN_MAX)]
                    .into_iter()
                    .map(|(suffix, bound)| {
                        let default = if field.nullable {
                            String::new()
                        } else {
                            format!(" DEFAULT {bound}")
                        };
                        let column = quote(&format!("{}_{suffix}", field.name));
                        format!("{column} BIGINT{default}{null}")
                    })
                    .collect(),
            };
        }
        vec![format!(
            "{column} {}{}{null}",
            self.type_name(field),
            self.default_clause(field)
        )]
    }

    fn default_clause(&self, field: &Field) -> &'static str {
        match (field.ty, field.nullable) {
            // Dataset manager 1.x lets the database set the ingest date.
            (SqlType::Timestamp, false) => " DEFAULT CURRENT_TIMESTAMP",
            _ => "",
        }
    }

    fn type_name(&self, field: &Field) -> String {
        let name = match (self.dialect, field.ty) {
            (Dialect::Sqlite, SqlType::BigInt) if field.autoincrement => "INTEGER",
            (_, SqlType::BigInt) => "BIGINT",
            (_, SqlType::SmallInt) => "SMALLINT",
            (_, SqlType::Float) => "FLOAT",
            (_, SqlType::Bool) => "BOOLEAN",
            (_, SqlType::String { length }) if length <= 32 => return format!("VARCHAR({length})"),
            (_, SqlType::Varchar) => "VARCHAR",
            (_, SqlType::String { .. } | SqlType::Text | SqlType::Base64) => "TEXT",
            (Dialect::Postgres, SqlType::Uuid) => "UUID",
            (Dialect::Sqlite, SqlType::Uuid) => "CHAR(32)",
            (Dialect::Postgres, SqlType::Timestamp) => "TIMESTAMP WITHOUT TIME ZONE",
            (Dialect::Sqlite, SqlType::Timestamp) => "TIMESTAMP",
            // Rendered by `column_lines`, which knows both columns.
            (_, SqlType::Timespan) => "int8range",
        };
        name.to_owned()
    }

    fn length_check(&self, table: &str, field: &Field) -> Option<String> {
        match (self.dialect, field.ty) {
            (Dialect::Sqlite, SqlType::String { length }) if length <= 32 => {
                let name = constraint(&self.shrink(&format!("{table}_len_{}", field.name)));
                let column = quote(&field.name);
                Some(format!(
                    "CONSTRAINT {name} CHECK (length({column})<={length} AND length({column})>=1)"
                ))
            }
            _ => None,
        }
    }

    fn unique_line(&self, table: &str, columns: &[String]) -> String {
        let name = self.shrink(&format!("{table}_unq_{}", columns.join("_")));
        format!(
            "CONSTRAINT {} UNIQUE ({})",
            constraint(&name),
            quote_all(columns)
        )
    }

    fn foreign_key_line(&self, table: &str, key: &ForeignKey) -> String {
        let name = self.shrink(&format!(
            "fkey_{table}_{}_{}_{}",
            key.table,
            key.target.join("_"),
            key.source.join("_")
        ));
        let action = match key.on_delete {
            OnDelete::Restrict => "",
            OnDelete::Cascade => " ON DELETE CASCADE",
        };
        format!(
            "CONSTRAINT {} FOREIGN KEY({}) REFERENCES {} ({}){action}",
            constraint(&name),
            quote_all(&key.source),
            self.qualified(&key.table),
            quote_all(&key.target)
        )
    }

    fn index_statements(&self, spec: &TableSpec, guard: &str) -> Vec<String> {
        let mut served: Vec<Vec<String>> =
            vec![spec.primary_key().into_iter().map(str::to_owned).collect()];
        served.extend(spec.unique.iter().cloned());
        let explicit = spec.indexes.iter().map(|columns| -> Vec<String> {
            columns
                .iter()
                .flat_map(|name| match spec.field(name) {
                    Some(field) => self.dialect.physical_columns(name, field.ty),
                    None => vec![name.clone()],
                })
                .collect()
        });
        let mut statements = Vec::new();
        for columns in explicit {
            if !served.contains(&columns) {
                statements.push(self.index_statement(&spec.name, "idx", &columns, guard));
                served.push(columns);
            }
        }
        for key in &spec.foreign_keys {
            if !served.contains(&key.source) {
                statements.push(self.index_statement(&spec.name, "fkidx", &key.source, guard));
                served.push(key.source.clone());
            }
        }
        statements
    }

    fn index_statement(&self, table: &str, kind: &str, columns: &[String], guard: &str) -> String {
        let name = constraint(&self.shrink(&format!("{table}_{kind}_{}", columns.join("_"))));
        format!(
            "CREATE INDEX {guard}{name} ON {} ({})",
            self.qualified(table),
            quote_all(columns)
        )
    }
}

/// The name of a constraint or index, quoted only if it must be, and each on a line of its own in
/// `CREATE TABLE`: tools that look at SQLite's schema, SQLAlchemy's inspection among them, read its
/// text, and know no other form.
fn constraint(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    // Names are made of several words, so that none is a reserved one.
    if name.chars().all(plain) {
        name.to_owned()
    } else {
        quote(name)
    }
}
