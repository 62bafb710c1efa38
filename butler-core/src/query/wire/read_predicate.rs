//! Reading the tests that predicates are made of.

use std::sync::Arc;

use super::json::At;
use super::read::{Reader, operator};
use crate::error::Result;
use crate::query::{ComparisonOperator, PredicateLeaf};

impl Reader {
    pub(super) fn leaf(self, at: At<'_>) -> Result<PredicateLeaf> {
        let kind = at.field("predicate_type")?;
        if kind.str()? != "not" {
            return self.plain_leaf(at);
        }
        let operand = at.field("operand")?;
        if operand.field("predicate_type")?.str()? == "not" {
            return Err(operand.error("a negation cannot be negated"));
        }
        Ok(PredicateLeaf::negation(Arc::new(self.plain_leaf(operand)?)))
    }

    /// A leaf that is not a negation.
    fn plain_leaf(self, at: At<'_>) -> Result<PredicateLeaf> {
        let kind = at.field("predicate_type")?;
        match kind.str()? {
            "in_query" => self.in_query(&at),
            "boolean_wrapper" => PredicateLeaf::boolean(self.reference(at.field("operand")?)?),
            "is_null" => Ok(PredicateLeaf::is_null(
                self.expression(at.field("operand")?)?,
            )),
            "comparison" => self.comparison(&at),
            "in_container" => {
                let member = self.expression(at.field("member")?)?;
                let container = at.field("container")?.each(|at| self.expression(at))?;
                PredicateLeaf::in_container(member, container)
            }
            "in_range" => {
                let member = self.expression(at.field("member")?)?;
                let start = at.get("start")?.map_or(Ok(0), |at| at.int())?;
                let stop = at.get_some("stop")?.map(|at| at.int()).transpose()?;
                let step = at.get("step")?.map_or(Ok(1), |at| at.int())?;
                PredicateLeaf::in_range(member, start, stop, step)
            }
            _ => Err(kind.error(
                "expected not, boolean_wrapper, is_null, comparison, in_container, in_range or \
                 in_query",
            )),
        }
    }

    #[inline(never)]
    fn comparison(self, at: &At<'_>) -> Result<PredicateLeaf> {
        let a = self.expression(at.field("a")?)?;
        let b = self.expression(at.field("b")?)?;
        let operator = operator(at, ComparisonOperator::ALL, ComparisonOperator::name)?;
        PredicateLeaf::comparison(a, operator, b)
    }

    #[inline(never)]
    fn in_query(self, at: &At<'_>) -> Result<PredicateLeaf> {
        let member = self.expression(at.field("member")?)?;
        let column = self.expression(at.field("column")?)?;
        let query_tree = self.tree(at.field("query_tree")?)?;
        PredicateLeaf::in_query(member, column, query_tree)
    }
}
