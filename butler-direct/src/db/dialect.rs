//! The differences between PostgreSQL and SQLite that reach beyond DDL.

use super::schema::SqlType;

/// A database system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// PostgreSQL, or AlloyDB which speaks it.
    Postgres,
    /// SQLite 3.
    Sqlite,
}

impl Dialect {
    /// The longest identifier that the reference implementation lets through unshortened.
    pub fn max_identifier_length(self) -> usize {
        match self {
            Self::Postgres => 63,
            // What the reference's database layer assumes for SQLite.
            Self::Sqlite => 9999,
        }
    }

    /// The most bind parameters in one statement.
    pub fn max_parameters(self) -> usize {
        match self {
            Self::Postgres => 65_535,
            Self::Sqlite => 32_766,
        }
    }

    /// The physical columns of one logical column.
    pub fn physical_columns(self, name: &str, ty: SqlType) -> Vec<String> {
        match (self, ty) {
            (Self::Sqlite, SqlType::Timespan) => {
                vec![format!("{name}_begin"), format!("{name}_end")]
            }
            _ => vec![name.to_owned()],
        }
    }

    /// The placeholder of the parameter with this one-based index.
    pub fn placeholder(self, index: usize) -> String {
        match self {
            Self::Postgres => format!("${index}"),
            Self::Sqlite => format!("?{index}"),
        }
    }

    /// The name of the system, as used in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        }
    }
}

/// An identifier in double quotes.
pub fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// Several identifiers in double quotes, separated by commas.
pub fn quote_all<S: AsRef<str>>(identifiers: impl IntoIterator<Item = S>) -> String {
    let quoted: Vec<_> = identifiers.into_iter().map(|s| quote(s.as_ref())).collect();
    quoted.join(", ")
}
