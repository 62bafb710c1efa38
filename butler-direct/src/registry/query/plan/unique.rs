//! How the rows of a query become unique: dimensions and collections that were needed for conditions
//! only are dropped, and of rows that differ in the collection only, the first one is kept.

use butler_core::dimensions::DimensionElement;
use butler_core::error::Result;
use butler_core::query::DatasetField;
use sea_query::{ColumnRef, Expr, ExprTrait};

use super::{Distinct, Planner, Request, Shape, Stage, search_of};
use crate::db::Dialect;
use crate::registry::query::analysis::Search;
use crate::registry::query::column::{Column, SqlValue, StageColumns};
use crate::registry::query::postprocess::Postprocessing;
use crate::registry::query::scope::Scope;

impl Planner<'_, '_> {
    /// Packs regions whose dimensions are dropped into one column, for all that are grouped.
    pub(super) fn pack_dropped_overlaps(
        &mut self,
        stage: &mut Stage,
        projection: &StageColumns,
        post: &mut Postprocessing,
    ) -> Result<()> {
        let kept = |element: &DimensionElement| {
            projection.set.dimensions().contains_element(element.name())
        };
        let (joins, dropped): (Vec<_>, Vec<_>) =
            post.joins.drain(..).partition(|(a, b)| kept(a) && kept(b));
        post.joins = joins;
        for (a, b) in dropped {
            let region = |element: DimensionElement| {
                stage
                    .scope
                    .scalar(&Column::Element(element.name(), "region"))
            };
            let pair = self
                .statement
                .sql("({} || '&' || {})", [region(a)?, region(b)?]);
            let column = Column::Overlaps(a.name(), b.name());
            stage.scope.provide(column.clone(), SqlValue::Scalar(pair));
            post.expressions.push(column);
        }
        Ok(())
    }

    /// Makes rows unique.
    pub(super) fn project(
        &mut self,
        stage: &mut Stage,
        projection: &StageColumns,
        shape: &Shape<'_>,
        post: &mut Postprocessing,
        request: &Request<'_>,
    ) -> Result<()> {
        let one = || SqlValue::Scalar(Expr::cust("1"));
        if !shape.dimensions_dropped && !shape.collections_dropped && !shape.count_validity {
            if post.one_validity_range {
                stage.scope.provide(Column::ValidityMatches, one());
            }
            return Ok(());
        }
        let mut aggregates = false;
        let keys = projection.set.keys();
        let mut unique = keys
            .map(|name| stage.scope.scalar(&Column::Key(name)))
            .collect::<Result<Vec<Expr>>>()?;
        // Columns that have one value for each of the unique keys.
        let mut derived: Vec<Column> = Vec::new();
        if post.one_validity_range {
            let count = match shape.count_validity {
                true => SqlValue::Scalar(Expr::cust("count(*)")),
                false => one(),
            };
            stage.scope.provide(Column::ValidityMatches, count);
            aggregates |= shape.count_validity;
        }
        for element in post.elements() {
            if projection.has_element_field(element.name(), "region") {
                continue;
            }
            let column = Column::Element(element.name(), "region");
            if projection.set.dimensions().contains_element(element.name()) {
                derived.push(column);
                continue;
            }
            // A union of all regions that are grouped.
            self.aggregate(stage, column, ":")?;
            aggregates = true;
        }
        for column in post.expressions.clone() {
            self.aggregate(stage, column, "|")?;
            aggregates = true;
        }
        for (element, fields) in projection.set.dimension_fields() {
            derived.extend(fields.iter().map(|field| Column::Element(element, field)));
        }
        for (dataset_type, fields) in projection.set.dataset_fields() {
            let search = search_of(self.analysis, dataset_type, shape.union)?;
            let several = search.collections.len() > 1;
            let is_find_first = shape.find_first.is_some_and(|s| s.key == *dataset_type);
            if projection.collection_keys.contains(dataset_type) {
                let column = Column::CollectionKey(dataset_type.clone());
                match several {
                    true => unique.push(stage.scope.scalar(&column)?),
                    false => derived.push(column),
                }
            }
            for field in fields {
                let column = Column::Dataset(dataset_type.clone(), *field);
                match field {
                    DatasetField::Timespan if search.is_calibration && !is_find_first => {
                        unique.extend(stage.scope.value(&column)?.parts());
                    }
                    DatasetField::DatasetId if several && !is_find_first => {
                        unique.push(stage.scope.scalar(&column)?);
                    }
                    _ => derived.push(column),
                }
            }
        }
        let on_postgres = self.statement.dialect() == Dialect::Postgres;
        if !aggregates && derived.is_empty() {
            stage.distinct = Distinct::All;
        } else if !aggregates
            && on_postgres
            && request.order_by.is_empty()
            && let Some(columns) = column_refs(&unique)
        {
            stage.distinct = Distinct::On(columns);
        } else {
            if on_postgres {
                // Any of the values, all of which are the same.
                for column in derived {
                    let value = stage.scope.value(&column)?;
                    let any = value.map(|e| self.statement.sql("(array_agg({}))[1]", [e.clone()]));
                    stage.scope.provide(column, any);
                }
            }
            stage.group_by = unique;
            if stage.group_by.is_empty() {
                // Without keys all rows are one group, if there are any.
                stage.group_by.push(Expr::cust("1 + 0"));
            }
        }
        Ok(())
    }

    /// Replaces a column of texts by all of them that are grouped.
    pub(super) fn aggregate(
        &mut self,
        stage: &mut Stage,
        column: Column,
        separator: &str,
    ) -> Result<()> {
        let value = stage.scope.scalar(&column)?;
        let function = match self.statement.dialect() {
            Dialect::Postgres => "string_agg",
            Dialect::Sqlite => "group_concat",
        };
        let all = self
            .statement
            .sql(&format!("{function}({{}}, '{separator}')"), [value]);
        stage.scope.provide(column, SqlValue::Scalar(all));
        Ok(())
    }

    pub(super) fn nest_if_unique(&mut self, stage: &mut Stage, columns: &[Column]) -> Result<()> {
        if matches!(stage.distinct, Distinct::No) && stage.group_by.is_empty() {
            return Ok(());
        }
        self.nest(stage, columns)
    }

    pub(super) fn nest(&mut self, stage: &mut Stage, columns: &[Column]) -> Result<()> {
        let (select, selected) = stage.select(columns)?;
        let alias = self.statement.alias("q");
        *stage = Stage {
            scope: Scope::query(select, &selected, alias),
            distinct: Distinct::No,
            group_by: Vec::new(),
        };
        Ok(())
    }

    /// Keeps the row of the first collection, of those with the same data ID.
    pub(super) fn find_first(
        &mut self,
        stage: &mut Stage,
        columns: &[Column],
        projection: &StageColumns,
        search: &Search,
    ) -> Result<()> {
        self.nest(stage, columns)?;
        let mut args = Vec::new();
        let mut template = String::from("row_number() OVER (");
        let required = projection.set.dimensions().required();
        for (index, dimension) in required.iter().enumerate() {
            template.push_str(if index == 0 {
                "PARTITION BY {}"
            } else {
                ", {}"
            });
            args.push(stage.scope.scalar(&Column::Key(dimension))?);
        }
        template.push_str(" ORDER BY {})");
        let key = stage
            .scope
            .scalar(&Column::CollectionKey(search.key.clone()))?;
        args.push(self.rank(key, search));
        let number = self.statement.sql(&template, args);
        let value = SqlValue::Scalar(number);
        stage.scope.provide(Column::RowNumber, value);
        let mut with_number = columns.to_vec();
        with_number.push(Column::RowNumber);
        self.nest(stage, &with_number)?;
        let number = stage.scope.scalar(&Column::RowNumber)?;
        let first = self.statement.param(1_i64);
        stage.scope.condition(number.eq(first));
        Ok(())
    }

    /// The place of a collection in the order of a search.
    pub(super) fn rank(&mut self, key: Expr, search: &Search) -> Expr {
        let keys = search.collections.iter().map(|c| &c.key);
        let keys = self.statement.keys.array(keys);
        match self.statement.dialect() {
            Dialect::Postgres => {
                let keys = self.statement.param(keys);
                self.statement.sql("array_position({}, {})", [keys, key])
            }
            Dialect::Sqlite => {
                let keys = self.statement.param(keys);
                self.statement.sql(
                    "(SELECT j.key FROM json_each({}) AS j WHERE j.value = {})",
                    [keys, key],
                )
            }
        }
    }
}

/// The columns that expressions are, if all are columns and there are any.
fn column_refs(expressions: &[Expr]) -> Option<Vec<ColumnRef>> {
    let column = |expr: &Expr| match expr {
        Expr::Column(column) => Some(column.clone()),
        _ => None,
    };
    let columns: Option<Vec<ColumnRef>> = expressions.iter().map(column).collect();
    columns.filter(|columns| !columns.is_empty())
}
