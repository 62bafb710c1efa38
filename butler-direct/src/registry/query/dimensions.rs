//! Dimension elements, and the pixels they overlap, as something to join.

use std::collections::BTreeSet;

use butler_core::dimensions::{DimensionElement, DimensionGroup};
use butler_core::error::{Error, Result};
use butler_core::query::{PredicateConstraints, RegionLiteral};
use sea_query::{Alias, Expr, ExprTrait, Func, Query, SelectStatement, TableRef};

use super::column::{Column, SqlValue};
use super::datasets::timespan_of;
use super::scope::{Scope, Statement, any_of, column, subquery};
use crate::db::{Dialect, Param};
use crate::registry::record_sql::key_param;
use crate::registry::skypix;
use crate::registry::tables::skypix_overlap_name;

/// The records of an element, with these fields besides the keys.
///
/// # Errors
/// [`Error::UnimplementedQuery`] if the element has no table.
pub(super) fn element_scope(
    statement: &mut Statement<'_>,
    element: DimensionElement,
    fields: &BTreeSet<&'static str>,
) -> Result<Scope> {
    if let Some(target) = element.implied_union_target() {
        let inner = element_scope(statement, target, &BTreeSet::new())?;
        let keys = element.minimal_group().required().iter().copied();
        let (mut select, selected) = inner.select(&keys.map(Column::Key).collect::<Vec<_>>())?;
        select.distinct();
        let alias = statement.alias("e");
        return Ok(Scope::query(select, &selected, alias));
    }
    if !element.has_own_table() {
        return Err(Error::UnimplementedQuery(format!(
            "Cannot join dimension element {element} with no table."
        )));
    }
    let alias = statement.alias("e");
    let mut scope = Scope::table(statement.table(element.name()), &alias);
    let universe = element.universe();
    for name in element.required() {
        let own = universe
            .get(name)
            .filter(|dimension| *dimension == element)
            .and_then(DimensionElement::primary_key);
        let physical = own.map_or(*name, |key| &*key.name);
        scope.provide_key(name, column(&alias, physical));
    }
    for name in element.implied() {
        scope.provide_key(name, column(&alias, name));
    }
    for field in fields {
        let value = match *field {
            "timespan" => timespan_of(statement.dialect(), &alias),
            field => SqlValue::Scalar(column(&alias, field)),
        };
        scope.provide(Column::Element(element.name(), field), value);
    }
    Ok(scope)
}

/// What pixels of the common skypix dimension the records of an element overlap.
///
/// Values that the query fixes anyway are repeated here, for the sake of subqueries.
fn overlap_scope(
    statement: &mut Statement<'_>,
    element: DimensionElement,
    constraints: &PredicateConstraints,
) -> Scope {
    let universe = element.universe();
    let alias = statement.alias("o");
    let table = statement.table(&skypix_overlap_name(element));
    let mut scope = Scope::table(table, &alias);
    let (system, level) = skypix::common(universe);
    let system = statement.param(system);
    scope.condition(column(&alias, "skypix_system").eq(system));
    let level = statement.param(i64::from(level));
    scope.condition(column(&alias, "skypix_level").eq(level));
    for dimension in element.minimal_group().required() {
        let expr = column(&alias, dimension);
        if let Some(value) = constraints.value(dimension) {
            let value = statement.param(key_param(&value));
            scope.condition(expr.clone().eq(value));
        }
        scope.provide_key(dimension, expr);
    }
    let common = universe.common_skypix().name();
    scope.provide_key(common, column(&alias, "skypix_index"));
    scope
}

/// The joins that answer the overlaps in space of a query, through common pixels.
///
/// # Errors
/// [`Error::UnimplementedQuery`] for elements without pixels.
pub(super) fn overlap_joins(
    statement: &mut Statement<'_>,
    dimensions: &DimensionGroup,
    joins: &[(DimensionElement, DimensionElement)],
    regions: &[(DimensionElement, RegionLiteral)],
    constraints: &PredicateConstraints,
    allow_duplicates: bool,
) -> Result<(Scope, Vec<PixelConstraint>)> {
    let universe = dimensions.universe();
    let common = universe.common_skypix();
    let pixels_are_keys = dimensions.contains(common.name());
    let mut scope = Scope::default();
    let mut joined: Vec<DimensionElement> = Vec::new();
    let mut join_directly = |statement: &mut Statement<'_>, scope: &mut Scope, element| {
        if !joined.contains(&element) {
            joined.push(element);
            scope.join(overlap_scope(statement, element, constraints));
        }
    };
    for &(a, b) in joins {
        match (a == common, b == common) {
            (true, _) => join_directly(statement, &mut scope, b),
            (_, true) => join_directly(statement, &mut scope, a),
            _ if pixels_are_keys => {
                join_directly(statement, &mut scope, a);
                join_directly(statement, &mut scope, b);
            }
            _ => {
                let mut pair = overlap_scope(statement, a, constraints);
                pair.join(overlap_scope(statement, b, constraints));
                let group = a.minimal_group().union(b.minimal_group());
                let hidden = without_pixels(statement, &pair, &group, allow_duplicates)?;
                scope.join(hidden);
            }
        }
    }
    let mut pixel_constraints = Vec::new();
    for (element, region) in regions {
        let skypix = if element.is_skypix() {
            *element
        } else if element.spatial().is_none() {
            return Err(Error::UnimplementedQuery(format!(
                "Spatial overlap constraint for dimension {element} not supported."
            )));
        } else if pixels_are_keys {
            join_directly(statement, &mut scope, *element);
            common
        } else {
            let mut overlaps = overlap_scope(statement, *element, constraints);
            let pixels = PixelConstraint::new(common, region)?;
            pixels.join(statement, &mut overlaps)?;
            let group = element.minimal_group();
            let hidden = without_pixels(statement, &overlaps, group, allow_duplicates)?;
            scope.join(hidden);
            continue;
        };
        pixel_constraints.push(PixelConstraint::new(skypix, region)?);
    }
    Ok((scope, pixel_constraints))
}

/// The required dimensions of a group, out of a scope of overlaps with pixels.
fn without_pixels(
    statement: &mut Statement<'_>,
    scope: &Scope,
    group: &DimensionGroup,
    allow_duplicates: bool,
) -> Result<Scope> {
    let keys = group.required().iter().copied();
    let (mut select, selected) = scope.select(&keys.map(Column::Key).collect::<Vec<_>>())?;
    if !allow_duplicates {
        select.distinct();
    }
    let alias = statement.alias("s");
    Ok(Scope::query(select, &selected, alias))
}

/// Pixels up to which each is looked up by its number.
const FEW_PIXELS: i64 = 256;

/// That a skypix dimension is one of the pixels that a region may overlap.
#[derive(Debug)]
pub(super) struct PixelConstraint {
    dimension: DimensionElement,
    ranges: Vec<(i64, i64)>,
}

impl PixelConstraint {
    fn new(dimension: DimensionElement, region: &RegionLiteral) -> Result<Self> {
        Ok(Self {
            dimension,
            ranges: skypix::envelope(dimension, region.region())?,
        })
    }

    /// The pixels one by one, if they are few.
    fn few(&self) -> Option<Vec<i64>> {
        let count: i64 = self.ranges.iter().map(|(first, past)| past - first).sum();
        let pixels = self.ranges.iter().flat_map(|&(first, past)| first..past);
        (count <= FEW_PIXELS).then(|| pixels.collect())
    }

    /// Joins the ranges, so that each is looked up in an index.
    fn join(&self, statement: &mut Statement<'_>, scope: &mut Scope) -> Result<()> {
        let pixel = scope.scalar(&Column::Key(self.dimension.name()))?;
        if statement.dialect() == Dialect::Postgres
            && let Some(pixels) = self.few()
        {
            // The planner knows how many rows a pixel has. Of a range that it does not know, it
            // thinks that a large part of the table is in it.
            let pixels = statement.param(Param::Ints(pixels));
            let one_of = statement.sql("{} = ANY({})", [pixel, pixels]);
            scope.condition(one_of);
            return Ok(());
        }
        let alias = statement.alias("p");
        let on = pixel
            .clone()
            .gte(column(&alias, "first"))
            .and(pixel.lt(column(&alias, "past")));
        let table = self.table(statement, &alias);
        scope.join_table(table, &alias, on);
        Ok(())
    }

    fn table(&self, statement: &mut Statement<'_>, alias: &str) -> TableRef {
        let select = match statement.dialect() {
            Dialect::Postgres => {
                let (first, past) = self.ranges.iter().copied().unzip();
                let first = statement.param(Param::Ints(first));
                let past = statement.param(Param::Ints(past));
                select_columns([
                    (statement.sql("unnest({})", [first]), "first"),
                    (statement.sql("unnest({})", [past]), "past"),
                ])
            }
            Dialect::Sqlite => {
                let json = serde_json::json!(self.ranges).to_string();
                let json = statement.param(json);
                let value = |index: usize| {
                    Expr::cust(format!(
                        "CAST(json_extract(value, '$[{index}]') AS INTEGER)"
                    ))
                };
                let mut select = select_columns([(value(0), "first"), (value(1), "past")]);
                let function = Func::cust("json_each").arg(json);
                select.from_function(function, Alias::new("j"));
                select
            }
        };
        subquery(select, alias)
    }

    /// The condition on a key that is there anyway.
    ///
    /// # Errors
    /// [`Error::Internal`] if it is not.
    pub(super) fn condition(&self, statement: &mut Statement<'_>, scope: &Scope) -> Result<Expr> {
        let pixel = scope.scalar(&Column::Key(self.dimension.name()))?;
        let alias = statement.alias("p");
        let mut exists = Query::select();
        exists
            .expr(Expr::cust("1"))
            .from(self.table(statement, &alias));
        exists.and_where(pixel.clone().gte(column(&alias, "first")));
        exists.and_where(pixel.lt(column(&alias, "past")));
        if self.ranges.is_empty() {
            return Ok(any_of([]));
        }
        Ok(Expr::exists(exists))
    }
}

fn select_columns<const N: usize>(columns: [(Expr, &str); N]) -> SelectStatement {
    let mut select = Query::select();
    for (expr, name) in columns {
        select.expr_as(expr, Alias::new(name));
    }
    select
}
