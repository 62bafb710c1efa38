//! Rows of values, before they take the shape of a format.

use std::cmp::Ordering;
use std::fmt;

use butler_core::dimensions::DataIdValue;
use serde_json::Value;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// True or false.
    Bool,
    /// Integers.
    Int,
    /// Floating point numbers.
    Float,
    /// Text.
    Text,
    /// Lists of texts.
    List,
}

impl Kind {
    /// Whether columns of it are aligned at the right.
    pub(crate) const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float)
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name, for machines.
    pub(crate) name: String,
    /// What is above it, for people.
    pub(crate) title: String,
    /// What it holds.
    pub(crate) kind: Kind,
}

impl Column {
    /// A column whose name is above it.
    pub(crate) fn new(name: impl Into<String>, kind: Kind) -> Self {
        let name = name.into();
        Self {
            title: name.clone(),
            name,
            kind,
        }
    }

    /// The same with something else above it.
    pub(crate) fn titled(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }
}

/// A value in a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating point number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

impl Cell {
    /// Text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The value in JSON.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Text(value) => value.as_str().into(),
            Self::List(values) => values.clone().into(),
        }
    }

    /// The order that tables are sorted by.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            (a, b) => a.to_string().cmp(&b.to_string()),
        }
    }
}

/// As people read it; machines that read no types get nothing for no value.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            // With its point, so that it is seen to be one.
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(value) => f.write_str(value),
            Self::List(values) => f.write_str(&values.join(", ")),
        }
    }
}

impl From<&DataIdValue> for Cell {
    fn from(value: &DataIdValue) -> Self {
        match value {
            DataIdValue::Int(value) => Self::Int(*value),
            DataIdValue::Str(value) => Self::text(&**value),
        }
    }
}

/// A table: every row has a cell for each column.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Rows {
    /// The columns.
    pub(crate) columns: Vec<Column>,
    /// The rows.
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Rows {
    /// A table without rows.
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Sorts the rows by these columns; names that are not there are passed over.
    pub(crate) fn sort_by<S: AsRef<str>>(&mut self, names: &[S]) {
        let places: Vec<usize> = names
            .iter()
            .filter_map(|name| self.place(name.as_ref()))
            .collect();
        self.rows.sort_by(|a, b| {
            let pairs = places.iter().map(|&place| a[place].order(&b[place]));
            pairs.fold(Ordering::Equal, Ordering::then)
        });
    }

    /// One table with the columns of all, in the order in which they first come; cells of columns
    /// that a table does not have are null.
    pub(crate) fn merge(tables: &[Self]) -> Self {
        let mut merged = Self::default();
        for table in tables {
            for column in &table.columns {
                if merged.place(&column.name).is_none() {
                    merged.columns.push(column.clone());
                }
            }
        }
        for table in tables {
            let places: Vec<Option<usize>> = merged
                .columns
                .iter()
                .map(|column| table.place(&column.name))
                .collect();
            merged.rows.extend(table.rows.iter().map(|row| {
                let cells = places.iter();
                cells
                    .map(|place| place.map_or(Cell::Null, |place| row[place].clone()))
                    .collect::<Vec<_>>()
            }));
        }
        merged
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(names: &[&str], row: &[i64]) -> Rows {
        let columns = names.iter().map(|name| Column::new(*name, Kind::Int));
        let mut rows = Rows::new(columns.collect());
        rows.push(row.iter().copied().map(Cell::Int).collect());
        rows
    }

    #[test]
    fn merged_tables_have_the_columns_of_all() {
        let merged = Rows::merge(&[table(&["a", "b"], &[1, 2]), table(&["b", "c"], &[3, 4])]);
        let names: Vec<&str> = merged.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(
            merged.rows,
            [
                [Cell::Int(1), Cell::Int(2), Cell::Null],
                [Cell::Null, Cell::Int(3), Cell::Int(4)],
            ]
        );
    }

    #[test]
    fn integers_are_sorted_as_numbers() {
        let mut rows = table(&["a"], &[10]);
        rows.push(vec![Cell::Int(9)]);
        rows.sort_by(&["a", "no such"]);
        assert_eq!(rows.rows, [[Cell::Int(9)], [Cell::Int(10)]]);
    }
}
