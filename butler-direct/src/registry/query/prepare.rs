//! Everything about a query that precedes its statement.

use std::sync::Arc;

use butler_core::dimensions::DataCoordinate;
use butler_core::error::{Error, Result};
use butler_core::query::{ColumnExpression, ColumnSet, PredicateLeaf, QueryTree};
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_query::{Alias, Query};

use super::analysis::Analysis;
use super::catalogue::Catalogue;
use super::expression::{ExpressionWriter, Subqueries};
use super::plan::{Inputs, Plan, Planner, Request};
use super::scope::{Scope, Statement, subquery};
use crate::db::Session;
use crate::registry::context::Context;

/// A query tree with what is known about it, and about the queries in its predicate.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) tree: Arc<QueryTree>,
    pub(super) analysis: Analysis,
    subqueries: Vec<(ColumnExpression, Prepared)>,
    ingest_date_is_tai: bool,
}

impl Prepared {
    /// Fetches what must be known, and analyses.
    ///
    /// # Errors
    /// As [`Catalogue::fetch`] and [`Analysis::new`].
    pub(super) fn new<'a>(
        context: &'a Context,
        session: &'a mut Session,
        tree: Arc<QueryTree>,
        defaults: &'a DataCoordinate,
    ) -> BoxFuture<'a, Result<Self>> {
        async move {
            let catalogue = Catalogue::fetch(context, session, &tree).await?;
            let analysis = Analysis::new(&tree, &catalogue, defaults)?;
            let mut subqueries = Vec::new();
            let leaves = analysis.predicate.operands().iter().flatten();
            let inner: Vec<_> = leaves.filter_map(|leaf| in_query(leaf)).collect();
            for (column, tree) in inner {
                // How deep queries are nested is bounded where trees are made.
                let prepared = Self::new(context, session, tree, defaults).await?;
                subqueries.push((column, prepared));
            }
            Ok(Self {
                tree,
                analysis,
                subqueries,
                ingest_date_is_tai: context.versions.ingest_date_is_tai(),
            })
        }
        .boxed()
    }

    /// The plan for a request.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] and [`Error::UnimplementedQuery`].
    pub(super) fn plan(
        &self,
        statement: &mut Statement<'_>,
        inputs: &Inputs,
        request: &Request<'_>,
    ) -> Result<Plan> {
        let mut subqueries = Subqueries::new();
        for (column, prepared) in &self.subqueries {
            subqueries.push(prepared.as_subquery(statement, inputs, column)?);
        }
        let mut planner = Planner {
            statement,
            tree: &self.tree,
            analysis: &self.analysis,
            inputs,
            ingest_date_is_tai: self.ingest_date_is_tai,
            subqueries: &subqueries,
        };
        planner.plan(request)
    }

    /// The values of one expression in all rows.
    fn as_subquery(
        &self,
        statement: &mut Statement<'_>,
        inputs: &Inputs,
        column: &ColumnExpression,
    ) -> Result<(Arc<QueryTree>, ColumnExpression, sea_query::SelectStatement)> {
        let mut columns = ColumnSet::new(self.tree.universe().empty_group().clone());
        column.gather_required_columns(&mut columns);
        let plan = self.plan(statement, inputs, &Request::columns(columns))?;
        if plan.post.filters() {
            return Err(Error::UnimplementedQuery(
                "Right-hand side subquery in IN expression would require postprocessing."
                    .to_owned(),
            ));
        }
        let alias = statement.alias("i");
        let scope = Scope::query(plan.select.clone(), &plan.selected, alias.clone());
        let value = ExpressionWriter {
            statement,
            scope: &scope,
            ingest_date_is_tai: self.ingest_date_is_tai,
            subqueries: &Subqueries::new(),
        }
        .scalar(column)?;
        let mut select = Query::select();
        select.expr_as(value, Alias::new("member"));
        select.from(subquery(plan.select, &alias));
        Ok((Arc::clone(&self.tree), column.clone(), select))
    }
}

/// The query in a test, if there is one, and the column selected from it.
fn in_query(leaf: &PredicateLeaf) -> Option<(ColumnExpression, Arc<QueryTree>)> {
    match leaf {
        PredicateLeaf::Not { operand, .. } => in_query(operand),
        PredicateLeaf::InQuery {
            column, query_tree, ..
        } => Some((column.clone(), Arc::clone(query_tree))),
        _ => None,
    }
}
