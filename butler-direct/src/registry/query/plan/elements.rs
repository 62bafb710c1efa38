//! Which dimension elements are joined, and how.

use std::collections::BTreeSet;

use butler_core::dimensions::{DimensionElement, DimensionGroup};
use butler_core::error::Result;
use butler_core::query::ColumnSet;

use super::{Planner, Request};
use crate::db::Dialect;
use crate::registry::query::analysis::Search;
use crate::registry::query::dimensions;
use crate::registry::query::scope::Scope;

impl Planner<'_, '_> {
    /// Joins the elements that give fields or relate others, then those whose keys are missing.
    pub(super) fn join_elements(
        &mut self,
        scope: &mut Scope,
        request: &Request<'_>,
        joined: &ColumnSet,
        union: Option<&Search>,
    ) -> Result<()> {
        let group = joined.dimensions();
        let keys = self.keys_to_join(request, group);
        let universe = group.universe();
        let nothing = BTreeSet::new();
        let fields_of = |element: DimensionElement| {
            let fields = joined.dimension_fields().get(element.name());
            fields.unwrap_or(&nothing)
        };
        let looked_up = self.elements_to_look_up(scope);
        for element in &looked_up {
            let fields = fields_of(*element);
            let found = dimensions::element_scope(self.statement, *element, fields)?;
            scope.look_up(&found, self.statement.alias("l"))?;
        }
        for element in group
            .elements()
            .iter()
            .filter_map(|name| universe.get(name))
            .filter(|element| !looked_up.contains(element))
        {
            let fields = fields_of(element);
            let wanted = !fields.is_empty()
                || (element.defines_relationships()
                    && !self.relates(element, union)
                    && !follows(element, group, &keys, scope));
            if wanted {
                scope.join(dimensions::element_scope(self.statement, element, fields)?);
            }
        }
        loop {
            let missing: Vec<&'static str> = keys
                .iter()
                .copied()
                .filter(|name| !scope.has_key(name))
                .collect();
            // The element that brings most of them at once.
            let gain = |name: &&'static str| {
                let element = universe.get(name);
                let all = element.map(|e| e.dimensions().filter(|d| missing.contains(d)).count());
                all.unwrap_or(0)
            };
            let mut best: Option<&'static str> = None;
            for name in &missing {
                if best.is_none_or(|best| gain(name) > gain(&best)) {
                    best = Some(name);
                }
            }
            let Some(element) = best.and_then(|name| universe.get(name)) else {
                return Ok(());
            };
            scope.join(dimensions::element_scope(
                self.statement,
                element,
                &nothing,
            )?);
        }
    }

    /// The elements of which the few that overlap something given are to be looked up.
    fn elements_to_look_up(&self, scope: &Scope) -> Vec<DimensionElement> {
        let analysis = self.analysis;
        let is_given = |element: &DimensionElement| {
            let mut required = element.required().iter();
            required.all(|name| analysis.constraints.value(name).is_some())
        };
        let few = !analysis.spatial_constraints.is_empty()
            || analysis
                .spatial_joins
                .iter()
                .any(|(a, b)| is_given(a) || is_given(b));
        if !few || self.statement.dialect() != Dialect::Postgres {
            return Vec::new();
        }
        let has_key =
            |element: &DimensionElement| element.required().iter().all(|name| scope.has_key(name));
        let mut elements = self.postprocessing().elements();
        elements.retain(has_key);
        elements
    }

    /// The dimensions whose keys must be there.
    ///
    /// If only the number of rows matters, those of implied dimensions need not unless conditions
    /// are about them: whatever the tables of a repository refer to exists, once, and has a value
    /// for each implied dimension.
    fn keys_to_join(&self, request: &Request<'_>, group: &DimensionGroup) -> Vec<&'static str> {
        let names = group.names().iter().copied();
        if !request.rows_only {
            return names.collect();
        }
        let mut conditions = ColumnSet::new(group.universe().empty_group().clone());
        self.analysis
            .predicate
            .gather_required_columns(&mut conditions);
        let needed = |name: &&'static str| {
            group.required().contains(name)
                || request.columns.has_key(name)
                || conditions.dimensions().contains(name)
        };
        names.filter(needed).collect()
    }

    /// Whether something joined relates the dimensions of an element already.
    fn relates(&self, element: DimensionElement, union: Option<&Search>) -> bool {
        let names = element.minimal_group().names();
        let within = |required: &[&'static str]| names.iter().all(|n| required.contains(n));
        let mut uploads = self.tree.data_coordinate_uploads().values();
        let mut searches = self.analysis.searches.values().chain(union);
        let mut materializations = self.tree.materializations().values();
        uploads.any(|group| within(group.required()))
            || searches.any(|search| within(search.dimensions().required()))
            || materializations.any(|group| group.contains_element(element.name()))
    }
}

/// Whether an element changes nothing about the rows: its key has been joined, so that there is one
/// record for each, or nobody asks for it; and nothing else has to do with what it implies.
fn follows(
    element: DimensionElement,
    group: &DimensionGroup,
    keys: &[&'static str],
    scope: &Scope,
) -> bool {
    let universe = group.universe();
    let others = || {
        let names = group.elements().iter().copied();
        names
            .filter_map(|name| universe.get(name))
            .filter(|other| *other != element)
    };
    let implied_elsewhere = |name: &&'static str| {
        others().any(|other| other.name() != *name && other.dimensions().any(|d| d == *name))
    };
    let is_settled = |name: &&'static str| scope.has_key(name) || !keys.contains(name);
    let is_free = |name: &&'static str| {
        !keys.contains(name) && !scope.has_key(name) && !implied_elsewhere(name)
    };
    element.is_dimension()
        && element.required().iter().all(is_settled)
        && element.implied().iter().all(is_free)
}
