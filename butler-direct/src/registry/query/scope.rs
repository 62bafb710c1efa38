//! What is joined in a `SELECT`, and which columns that makes available.

use std::collections::{BTreeMap, HashMap};

use butler_core::error::{Error, Result};
use butler_core::timespan::Timespan;
use sea_query::{
    Alias, Asterisk, Expr, ExprTrait, IntoIden, IntoTableRef, JoinType, PostgresQueryBuilder,
    Query, SelectStatement, SqliteQueryBuilder, TableRef, Value,
};

use super::column::{Column, SqlValue};
use crate::db::{Database, Dialect, Param};
use crate::registry::collection_keys::CollectionKeys;
use crate::registry::context::Context;

/// What statements of one query share: parameters and names.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    pub(super) database: &'a Database,
    /// What tables refer to collections by.
    pub(super) keys: CollectionKeys,
    params: Vec<Param>,
    aliases: usize,
}

impl<'a> Statement<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        Self {
            database: &context.database,
            keys: context.keys(),
            params: Vec::new(),
            aliases: 0,
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.database.dialect()
    }

    /// An expression for a parameter. What the user gave reaches the database in no other way.
    pub(super) fn param(&mut self, param: impl Into<Param>) -> Expr {
        // The builder knows no arrays of ours; it is given the number of the parameter instead,
        // and says where it put it.
        let index = u32::try_from(self.params.len()).unwrap_or(u32::MAX);
        self.params.push(param.into());
        Expr::Value(Value::Unsigned(Some(index)))
    }

    /// A new name for something in a `FROM` clause.
    pub(super) fn alias(&mut self, prefix: &str) -> String {
        self.aliases += 1;
        format!("{prefix}{}", self.aliases)
    }

    /// A table of the repository.
    pub(super) fn table(&self, name: &str) -> TableRef {
        match self.database.namespace() {
            Some(namespace) if self.dialect() == Dialect::Postgres => {
                (Alias::new(namespace), Alias::new(name)).into_table_ref()
            }
            _ => Alias::new(name).into_table_ref(),
        }
    }

    /// SQL that the builder has no words for; `{}` stands for each argument.
    pub(super) fn sql(&self, template: &str, args: impl IntoIterator<Item = Expr>) -> Expr {
        let mut text = String::with_capacity(template.len() + 8);
        for (index, part) in template.split("{}").enumerate() {
            if index > 0 {
                match self.dialect() {
                    Dialect::Postgres => text.push_str(&format!("${index}")),
                    Dialect::Sqlite => text.push('?'),
                }
            }
            text.push_str(part);
        }
        Expr::cust_with_exprs(text, args)
    }

    /// A timespan as a literal.
    pub(super) fn timespan(&mut self, timespan: Timespan) -> SqlValue {
        match self.dialect() {
            Dialect::Postgres => {
                let param = self.param(Param::Timespan(timespan));
                SqlValue::Range(param.cast_as("int8range"))
            }
            Dialect::Sqlite => SqlValue::Ends(
                self.param(timespan.begin_ns()),
                self.param(timespan.end_ns()),
            ),
        }
    }

    /// The text of a statement and its parameters.
    pub(super) fn render(&self, select: &SelectStatement) -> Result<(String, Vec<Param>)> {
        let (sql, values) = match self.dialect() {
            Dialect::Postgres => select.build(PostgresQueryBuilder),
            Dialect::Sqlite => select.build(SqliteQueryBuilder),
        };
        let params = values
            .into_iter()
            .map(|value| match value {
                Value::Unsigned(Some(index)) => Ok(self.params[index as usize].clone()),
                Value::BigUnsigned(Some(limit)) => {
                    Ok(Param::Int(i64::try_from(limit).unwrap_or(i64::MAX)))
                }
                Value::BigInt(Some(number)) => Ok(Param::Int(number)),
                other => Err(Error::Internal(format!(
                    "the SQL of a query has an unexpected value {other:?}"
                ))),
            })
            .collect::<Result<_>>()?;
        Ok((sql, params))
    }
}

/// Something in a `FROM` clause.
#[derive(Debug, Clone)]
enum Source {
    /// What is joined, and the conditions under which.
    Joined(TableRef, Vec<Expr>),
    /// What is looked up for each row of those before, and its name.
    LookedUp(Box<SelectStatement>, String),
}

/// A `FROM` clause with its `WHERE` conditions.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    sources: Vec<Source>,
    keys: BTreeMap<&'static str, Vec<Expr>>,
    values: HashMap<Column, SqlValue>,
    conditions: Vec<Expr>,
}

/// A column of a table or subquery in a `FROM` clause.
pub(super) fn column(alias: &str, name: &str) -> Expr {
    Expr::col((Alias::new(alias), Alias::new(name)))
}

impl Scope {
    /// A single table under an alias.
    pub(super) fn table(table: TableRef, alias: &str) -> Self {
        Self {
            sources: vec![Source::Joined(table.alias(Alias::new(alias)), Vec::new())],
            ..Self::default()
        }
    }

    /// Something that is joined as it is.
    pub(super) fn source(table: TableRef) -> Self {
        Self {
            sources: vec![Source::Joined(table, Vec::new())],
            ..Self::default()
        }
    }

    /// A subquery, with the columns that it selects.
    pub(super) fn query(
        select: SelectStatement,
        columns: &[(Column, SqlValue)],
        alias: String,
    ) -> Self {
        let mut scope = Self::default();
        scope.provide_columns(columns, &alias);
        let source = Source::Joined(subquery(select, &alias), Vec::new());
        scope.sources.push(source);
        scope
    }

    /// Makes the columns of a subquery available.
    fn provide_columns(&mut self, columns: &[(Column, SqlValue)], alias: &str) {
        for (index, (of, value)) in columns.iter().enumerate() {
            let mut part = 0;
            let outer = value.map(|_| {
                part += 1;
                column(alias, &part_name(index, part - 1))
            });
            self.provide(of.clone(), outer);
        }
    }

    /// Makes a column available.
    pub(super) fn provide(&mut self, of: Column, value: SqlValue) {
        match (of, value) {
            (Column::Key(dimension), SqlValue::Scalar(expr)) => {
                self.keys.entry(dimension).or_default().push(expr);
            }
            (of, value) => {
                self.values.insert(of, value);
            }
        }
    }

    /// Makes the key of a dimension available.
    pub(super) fn provide_key(&mut self, dimension: &'static str, expr: Expr) {
        self.keys.entry(dimension).or_default().push(expr);
    }

    pub(super) fn has_key(&self, dimension: &str) -> bool {
        self.keys.contains_key(dimension)
    }

    /// The value of a column.
    ///
    /// # Errors
    /// [`Error::Internal`] if what provides it was not joined.
    pub(super) fn value(&self, of: &Column) -> Result<SqlValue> {
        let found = match of {
            Column::Key(dimension) => self
                .keys
                .get(dimension)
                .and_then(|all| all.first())
                .map(|expr| SqlValue::Scalar(expr.clone())),
            _ => self.values.get(of).cloned(),
        };
        found.ok_or_else(|| Error::Internal(format!("a query lacks the column {of:?}")))
    }

    /// As [`value`](Self::value), for values that are no timespans.
    pub(super) fn scalar(&self, of: &Column) -> Result<Expr> {
        match self.value(of)? {
            SqlValue::Scalar(expr) | SqlValue::Collection(expr, _) => Ok(expr),
            other => Err(Error::Internal(format!(
                "{of:?} is no single value: {other:?}"
            ))),
        }
    }

    pub(super) fn condition(&mut self, condition: Expr) {
        self.conditions.push(condition);
    }

    /// Joins a further table on a condition of its own.
    pub(super) fn join_table(&mut self, table: TableRef, alias: &str, on: Expr) {
        let table = table.alias(Alias::new(alias));
        self.sources.push(Source::Joined(table, vec![on]));
    }

    /// Joins everything of another scope, on the dimension keys that both have.
    pub(super) fn join(&mut self, other: Self) {
        let mut on = Vec::new();
        for (dimension, theirs) in other.keys {
            let ours = self.keys.entry(dimension).or_default();
            // Neither planner concludes all equalities that follow from others.
            for (a, b) in ours.iter().flat_map(|a| theirs.iter().map(move |b| (a, b))) {
                on.push(a.clone().eq(b.clone()));
            }
            ours.extend(theirs);
        }
        let first_of_all = self.sources.is_empty();
        for (index, mut source) in other.sources.into_iter().enumerate() {
            if index == 0
                && !first_of_all
                && let Source::Joined(_, conditions) = &mut source
            {
                conditions.append(&mut on);
            }
            self.sources.push(source);
        }
        // Without a source there is nothing to join on.
        self.conditions.append(&mut on);
        self.values.extend(other.values);
        self.conditions.extend(other.conditions);
    }

    /// Joins everything of another scope, which is looked up for each row that there is so far.
    ///
    /// PostgreSQL's planner takes the pixels that a region overlaps for so many rows that it would
    /// rather read all of a table. It is left no choice.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub(super) fn look_up(&mut self, other: &Self, alias: String) -> Result<()> {
        let keys = other.keys.keys().map(|name| Column::Key(name));
        let mut columns: Vec<Column> = keys.chain(other.values.keys().cloned()).collect();
        columns.sort();
        let (mut select, selected) = other.select(&columns)?;
        for (dimension, theirs) in &other.keys {
            let ours = self.keys.get(dimension).into_iter().flatten();
            for (a, b) in ours.flat_map(|a| theirs.iter().map(move |b| (a, b))) {
                select.and_where(a.clone().eq(b.clone()));
            }
        }
        // A subquery with an offset is not dissolved.
        select.offset(0);
        self.provide_columns(&selected, &alias);
        let source = Source::LookedUp(Box::new(select), alias);
        self.sources.push(source);
        Ok(())
    }

    /// A `SELECT` of some columns.
    ///
    /// # Errors
    /// [`Error::Internal`] if one is not available.
    pub(super) fn select(
        &self,
        columns: &[Column],
    ) -> Result<(SelectStatement, Vec<(Column, SqlValue)>)> {
        let mut select = Query::select();
        let mut selected = Vec::with_capacity(columns.len());
        for (index, of) in columns.iter().enumerate() {
            let value = self.value(of)?;
            for (part, expr) in value.parts().into_iter().enumerate() {
                select.expr_as(expr, Alias::new(part_name(index, part)));
            }
            selected.push((of.clone(), value));
        }
        if columns.is_empty() {
            select.expr_as(Expr::val(1_i64).cast_as("bigint"), Alias::new("nothing"));
        }
        self.write_from(&mut select);
        Ok((select, selected))
    }

    /// The number of rows.
    pub(super) fn count(&self) -> SelectStatement {
        let mut select = Query::select();
        select.expr(Expr::col(Asterisk).count());
        self.write_from(&mut select);
        select
    }

    fn write_from(&self, select: &mut SelectStatement) {
        for (index, source) in self.sources.iter().enumerate() {
            match source {
                Source::Joined(table, on) if index == 0 => {
                    select.from(table.clone());
                    for condition in on {
                        select.and_where(condition.clone());
                    }
                }
                Source::Joined(table, on) => {
                    let on = all_of(on.iter().cloned());
                    select.join(JoinType::InnerJoin, table.clone(), on);
                }
                Source::LookedUp(inner, alias) => {
                    let (inner, alias) = ((**inner).clone(), Alias::new(alias));
                    select.join_lateral(JoinType::InnerJoin, inner, alias, all_of([]));
                }
            }
        }
        for condition in &self.conditions {
            select.and_where(condition.clone());
        }
    }
}

/// A subquery in a `FROM` clause.
pub(super) fn subquery(select: SelectStatement, alias: &str) -> TableRef {
    TableRef::SubQuery(Box::new(select), Alias::new(alias).into_iden())
}

/// The name of a part of a column in a subquery.
fn part_name(index: usize, part: usize) -> String {
    match part {
        0 => format!("c{index}"),
        _ => format!("c{index}e"),
    }
}

/// That all conditions hold.
pub(super) fn all_of(conditions: impl IntoIterator<Item = Expr>) -> Expr {
    let mut conditions = conditions.into_iter();
    match conditions.next() {
        None => Expr::cust("1 = 1"),
        Some(first) => conditions.fold(first, Expr::and),
    }
}

/// That any condition holds.
pub(super) fn any_of(conditions: impl IntoIterator<Item = Expr>) -> Expr {
    let mut conditions = conditions.into_iter();
    match conditions.next() {
        None => Expr::cust("1 = 0"),
        Some(first) => conditions.fold(first, Expr::or),
    }
}
