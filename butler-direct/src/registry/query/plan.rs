//! The stages of a query: what is joined, how rows are made unique, which collection comes first.
//!
//! From the inside out: *joins* bring together all tables and apply the conditions; a *projection*
//! drops dimensions and collections that were needed for conditions only, and makes rows unique;
//! *find-first* keeps, of rows that differ in the collection only, the first one in search order.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use butler_core::dimensions::DimensionElement;
use butler_core::error::{Error, Result};
use butler_core::query::{
    ColumnSet, DataCoordinateUploadKey, DatasetField, DatasetTypeKey, MaterializationKey,
    OrderExpression, QueryTree,
};
use sea_query::{ColumnRef, Expr, ExprTrait, Order, SelectStatement, UnionType};

use super::analysis::{Analysis, Search};
use super::column::{Column, SqlValue, StageColumns};
use super::datasets::{self, Wanted};
use super::dimensions;
use super::expression::{ExpressionWriter, Subqueries};
use super::postprocess::Postprocessing;
use super::scope::{Scope, Statement};
use super::uploads::{KeyRows, Materialization};
use crate::db::Dialect;

mod elements;
mod unique;

/// What is asked of a query tree.
#[derive(Debug, Clone)]
pub(super) struct Request<'a> {
    /// The columns of the results.
    pub(super) columns: ColumnSet,
    pub(super) order_by: &'a [OrderExpression],
    /// The dataset type of which only the first in search order is wanted.
    pub(super) find_first: Option<DatasetTypeKey>,
    pub(super) allow_duplicate_overlaps: bool,
    /// Whether each data ID counts once, even if it has several calibrations: dimension records do.
    pub(super) each_once: bool,
    /// Applied here only if no row can be dropped later.
    pub(super) limit: Option<u64>,
    /// Whether only the number of rows matters, not what is in them.
    pub(super) rows_only: bool,
}

impl<'a> Request<'a> {
    /// Columns, in any order and number.
    pub(super) fn columns(columns: ColumnSet) -> Self {
        Self {
            columns,
            order_by: &[],
            find_first: None,
            allow_duplicate_overlaps: false,
            each_once: false,
            limit: None,
            rows_only: false,
        }
    }

    /// The same for rows of a tree of which only the number matters: without columns that follow
    /// from others. What was uploaded follows from nothing, and need not exist.
    pub(super) fn rows_only(mut self, tree: &QueryTree) -> Self {
        let uploads = tree.data_coordinate_uploads();
        if !uploads.is_empty() || !tree.materializations().is_empty() {
            return self;
        }
        let mut columns = ColumnSet::new(self.columns.dimensions().clone());
        let universe = columns.dimensions().universe();
        let elements = self.columns.dimension_fields().keys();
        // Not every data ID has a record of an element that is no dimension.
        for element in elements.filter_map(|name| universe.get(name)) {
            if !element.is_dimension() {
                columns.add_all_dimension_fields(element);
            }
        }
        for (dataset_type, fields) in self.columns.dataset_fields() {
            for field in fields {
                columns.add_dataset_field(dataset_type.clone(), *field);
            }
        }
        columns.drop_implied_dimension_keys();
        self.columns = columns;
        self.rows_only = true;
        self
    }
}

/// The data IDs that a query may join.
#[derive(Debug, Default, Clone)]
pub(super) struct Inputs {
    pub(super) uploads: HashMap<DataCoordinateUploadKey, Arc<KeyRows>>,
    pub(super) materializations: HashMap<MaterializationKey, Materialization>,
}

/// A statement, and what to do with its rows.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) select: SelectStatement,
    /// The columns that it selects.
    pub(super) selected: Vec<(Column, SqlValue)>,
    pub(super) post: Postprocessing,
}

/// Makes plans.
pub(super) struct Planner<'p, 'd> {
    pub(super) statement: &'p mut Statement<'d>,
    pub(super) tree: &'p QueryTree,
    pub(super) analysis: &'p Analysis,
    pub(super) inputs: &'p Inputs,
    pub(super) ingest_date_is_tai: bool,
    pub(super) subqueries: &'p Subqueries,
}

/// A `SELECT` that is not finished.
struct Stage {
    scope: Scope,
    distinct: Distinct,
    group_by: Vec<Expr>,
}

enum Distinct {
    No,
    All,
    On(Vec<ColumnRef>),
}

/// How the rows of one search are made unique.
struct Shape<'s> {
    union: Option<&'s Search>,
    find_first: Option<&'s Search>,
    dimensions_dropped: bool,
    collections_dropped: bool,
    count_validity: bool,
}

impl Planner<'_, '_> {
    /// The plan for a request.
    ///
    /// # Errors
    /// [`Error::UnimplementedQuery`] and [`Error::InvalidQuery`] for what cannot be asked.
    pub(super) fn plan(&mut self, request: &Request<'_>) -> Result<Plan> {
        let analysis = self.analysis;
        let mut post = self.postprocessing();
        let mut joined = analysis.columns.clone();
        for element in post.elements() {
            joined.add_dimension_field(element, "region")?;
        }
        let mut projection = StageColumns::new(request.columns.clone());
        if !request.rows_only {
            projection.set.restore_dimension_keys();
        }
        for term in request.order_by {
            term.gather_required_columns(&mut projection.set);
        }
        let unions: Vec<Option<&Search>> = match &analysis.union {
            None => vec![None],
            Some(searches) => searches.iter().map(Some).collect(),
        };
        let repeated = request.each_once && analysis.searches.values().any(|s| s.is_calibration);
        let dimensions_dropped = repeated || projection.set.dimensions() != joined.dimensions();
        let mut dropped = Vec::with_capacity(unions.len());
        for union in &unions {
            let mut drops = false;
            for (dataset_type, fields) in joined.dataset_fields() {
                let kept = projection.set.dataset_fields().get(dataset_type);
                if !fields.is_empty() && kept.is_none_or(BTreeSet::is_empty) {
                    drops |= search_of(analysis, dataset_type, *union)?.collections.len() > 1;
                }
            }
            dropped.push(drops);
        }
        self.add_collection_keys(&mut projection, request, &unions)?;
        joined.update(&projection.set);
        let mut find_first = Vec::with_capacity(unions.len());
        for union in &unions {
            let search = match &request.find_first {
                None => None,
                Some(dataset_type) => Some(search_of(analysis, dataset_type, *union)?),
            };
            post.one_validity_range |= search.is_some_and(|search| search.is_calibration);
            find_first.push(search);
        }
        let mut terms = Vec::with_capacity(unions.len());
        for ((union, collections_dropped), find_first) in
            unions.into_iter().zip(dropped).zip(find_first)
        {
            let shape = Shape {
                union,
                find_first,
                dimensions_dropped,
                collections_dropped,
                count_validity: find_first.is_some_and(|search| search.is_calibration),
            };
            terms.push(self.term(request, &joined, &projection, &shape, post.clone())?);
        }
        let mut terms = terms.into_iter();
        let Some(mut plan) = terms.next() else {
            return self.nothing(request);
        };
        for term in terms {
            plan.select.union(UnionType::All, term.select);
        }
        Ok(plan)
    }

    /// A plan without rows, for a union of nothing.
    fn nothing(&mut self, request: &Request<'_>) -> Result<Plan> {
        let mut scope = Scope::default();
        scope.condition(Expr::cust("1 = 0"));
        let columns: Vec<Column> = request.columns.columns().map(Column::from).collect();
        for column in &columns {
            scope.provide(column.clone(), SqlValue::Scalar(Expr::cust("NULL")));
        }
        let (select, selected) = scope.select(&columns)?;
        Ok(Plan {
            select,
            selected,
            post: Postprocessing::default(),
        })
    }

    /// What has to be decided about rows later.
    fn postprocessing(&self) -> Postprocessing {
        let has_region = |element: &DimensionElement| !element.is_skypix();
        let joins = self.analysis.spatial_joins.iter().copied();
        let constraints = self.analysis.spatial_constraints.iter();
        Postprocessing {
            joins: joins
                .filter(|(a, b)| has_region(a) && has_region(b))
                .collect(),
            constraints: constraints
                .filter(|(element, _)| has_region(element))
                .cloned()
                .collect(),
            ..Postprocessing::default()
        }
    }

    /// Adds the keys of collections where rows of several of them must be told apart.
    fn add_collection_keys(
        &self,
        projection: &mut StageColumns,
        request: &Request<'_>,
        unions: &[Option<&Search>],
    ) -> Result<()> {
        let mut keys = BTreeSet::new();
        for (dataset_type, fields) in projection.set.dataset_fields() {
            let wanted = request.find_first.is_some()
                || fields.contains(&DatasetField::Timespan)
                || fields.contains(&DatasetField::Collection);
            for union in unions {
                let several = search_of(self.analysis, dataset_type, *union)?
                    .collections
                    .len()
                    > 1;
                if wanted && several {
                    keys.insert(dataset_type.clone());
                }
            }
        }
        projection.collection_keys = keys;
        Ok(())
    }

    /// One `SELECT`.
    fn term(
        &mut self,
        request: &Request<'_>,
        joined: &ColumnSet,
        projection: &StageColumns,
        shape: &Shape<'_>,
        mut post: Postprocessing,
    ) -> Result<Plan> {
        let scope = self.joins(request, joined, projection, shape.union)?;
        let mut stage = Stage {
            scope,
            distinct: Distinct::No,
            group_by: Vec::new(),
        };
        self.pack_dropped_overlaps(&mut stage, projection, &mut post)?;
        self.project(&mut stage, projection, shape, &mut post, request)?;
        let extra = extra_columns(projection, &post);
        if let Some(search) = shape.find_first.filter(|s| s.collections.len() > 1) {
            let mut inner = projection.columns();
            inner.extend(extra.iter().cloned());
            self.find_first(&mut stage, &inner, projection, search)?;
        } else if !request.order_by.is_empty() {
            // What is ordered by must be a column if rows are made unique.
            let mut inner = projection.columns();
            inner.extend(extra.iter().cloned());
            self.nest_if_unique(&mut stage, &inner)?;
        }
        let final_columns = StageColumns::new(request.columns.clone());
        let mut columns = final_columns.columns();
        columns.extend(extra_columns(&final_columns, &post));
        if let Some(search) = shape.union {
            let name = self.statement.param(search.record.dataset_type.name());
            let value = SqlValue::Scalar(name.cast_as("text"));
            stage.scope.provide(Column::DatasetTypeName, value);
            columns.push(Column::DatasetTypeName);
        }
        let mut order = Vec::with_capacity(request.order_by.len());
        for term in request.order_by {
            let expr = ExpressionWriter {
                statement: self.statement,
                scope: &stage.scope,
                ingest_date_is_tai: self.ingest_date_is_tai,
                subqueries: self.subqueries,
            }
            .order_term(term)?;
            order.push(match term.is_descending() {
                true => (expr, Order::Desc),
                false => (expr, Order::Asc),
            });
        }
        self.ingest_dates_as_text(&mut stage, &columns)?;
        let mut selected = stage.select(&columns)?;
        for (expr, order) in order {
            selected.0.order_by_expr(expr, order);
        }
        if let Some(limit) = request.limit
            && !post.filters()
        {
            selected.0.limit(limit);
        }
        Ok(Plan {
            select: selected.0,
            selected: selected.1,
            post,
        })
    }

    /// Makes text of timestamps, which dataset manager 1.x has for ingest dates, to be read as that.
    fn ingest_dates_as_text(&self, stage: &mut Stage, columns: &[Column]) -> Result<()> {
        if self.ingest_date_is_tai || self.statement.dialect() != Dialect::Postgres {
            return Ok(());
        }
        for column in columns {
            if let Column::Dataset(_, DatasetField::IngestDate) = column {
                let timestamp = stage.scope.scalar(column)?;
                let text = SqlValue::Scalar(timestamp.cast_as("text"));
                stage.scope.provide(column.clone(), text);
            }
        }
        Ok(())
    }

    /// Everything that is joined, with the conditions.
    fn joins(
        &mut self,
        request: &Request<'_>,
        joined: &ColumnSet,
        projection: &StageColumns,
        union: Option<&Search>,
    ) -> Result<Scope> {
        let analysis = self.analysis;
        let (mut scope, pixels) = dimensions::overlap_joins(
            self.statement,
            self.tree.dimensions(),
            &analysis.spatial_joins,
            &analysis.spatial_constraints,
            &analysis.constraints,
            request.allow_duplicate_overlaps,
        )?;
        for key in self.tree.data_coordinate_uploads().keys() {
            let rows = self.inputs.uploads.get(key).ok_or_else(|| {
                Error::InvalidQuery(format!("There is no upload of data IDs {key}."))
            })?;
            scope.join(rows.scope(self.statement));
        }
        let mut materialized: BTreeSet<DatasetTypeKey> = BTreeSet::new();
        for key in self.tree.materializations().keys() {
            let found = self.inputs.materializations.get(key).ok_or_else(|| {
                Error::InvalidQuery(format!("There is no materialized query {key}."))
            })?;
            materialized.extend(found.datasets.iter().cloned());
            scope.join(found.rows.scope(self.statement));
        }
        let searches = analysis.searches.values().chain(union);
        for search in searches {
            let fields = joined.dataset_fields().get(&search.key).cloned();
            let wanted = Wanted {
                fields: fields.unwrap_or_default(),
                collection_key: projection.collection_keys.contains(&search.key),
            };
            // Data IDs of a materialized query have passed its searches.
            let needed = !wanted.fields.is_empty() || wanted.collection_key;
            if needed || !materialized.contains(&search.key) {
                scope.join(datasets::scope(self.statement, search, &wanted)?);
            }
        }
        self.join_elements(&mut scope, request, joined, union)?;
        for pixel in pixels {
            let condition = pixel.condition(self.statement, &scope)?;
            scope.condition(condition);
        }
        if !analysis.predicate.is_true() {
            let condition = ExpressionWriter {
                statement: self.statement,
                scope: &scope,
                ingest_date_is_tai: self.ingest_date_is_tai,
                subqueries: self.subqueries,
            }
            .predicate(&analysis.predicate)?;
            scope.condition(condition);
        }
        Ok(scope)
    }
}

/// The search of that name, or that of the union.
fn search_of<'s>(
    analysis: &'s Analysis,
    dataset_type: &DatasetTypeKey,
    union: Option<&'s Search>,
) -> Result<&'s Search> {
    match dataset_type {
        DatasetTypeKey::Named(name) => analysis.search(name),
        DatasetTypeKey::Any => union.ok_or_else(|| {
            Error::InvalidQuery("The query is not about datasets of any type.".to_owned())
        }),
    }
}

/// The columns that only postprocessing needs.
fn extra_columns(columns: &StageColumns, post: &Postprocessing) -> Vec<Column> {
    let mut extra = Vec::new();
    for element in post.elements() {
        if !columns.has_element_field(element.name(), "region") {
            extra.push(Column::Element(element.name(), "region"));
        }
    }
    extra.extend(post.expressions.iter().cloned());
    if post.one_validity_range {
        extra.push(Column::ValidityMatches);
    }
    extra
}

impl Stage {
    fn select(&self, columns: &[Column]) -> Result<(SelectStatement, Vec<(Column, SqlValue)>)> {
        let (mut select, selected) = self.scope.select(columns)?;
        match &self.distinct {
            Distinct::No => {}
            Distinct::All => {
                select.distinct();
            }
            Distinct::On(keys) => {
                select.distinct_on(keys.iter().cloned());
            }
        }
        if !self.group_by.is_empty() {
            select.add_group_by(self.group_by.iter().cloned());
        }
        Ok((select, selected))
    }
}
