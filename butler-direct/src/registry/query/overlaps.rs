//! Overlaps in space and time: which a predicate asks for, and which follow from the dimensions.
//!
//! If dimensions of two spatial (or two temporal) families are joined, and nothing says how they
//! relate, rows are kept whose regions (or timespans) overlap. Overlaps in space are taken out of
//! the predicate: SQL can only answer them through the pixels that elements share.

use std::fmt;

use butler_core::dimensions::{DimensionElement, DimensionGroup, TopologicalFamily};
use butler_core::error::{Error, Result};
use butler_core::query::{
    ColumnExpression, ColumnReference, ComparisonOperator, DatasetField, DatasetTypeKey, Predicate,
    PredicateLeaf, QueryTree, RegionLiteral, ValueType,
};

/// The overlaps of a query.
#[derive(Debug)]
pub(super) struct Overlaps {
    /// The predicate without overlaps in space, and with all those in time.
    pub(super) predicate: Predicate,
    /// Pairs of elements whose regions overlap.
    pub(super) joins: Vec<(DimensionElement, DimensionElement)>,
    /// Elements whose regions overlap a given one.
    pub(super) constraints: Vec<(DimensionElement, RegionLiteral)>,
}

/// A family of things that have a region or a timespan.
#[derive(Debug, Clone, PartialEq)]
enum Family {
    Dimensions(TopologicalFamily),
    Calibrations(DatasetTypeKey),
}

impl Family {
    /// The column of its most specific member in the query.
    fn column(&self, dimensions: &DimensionGroup, field: &str) -> Result<ColumnExpression> {
        match self {
            Self::Dimensions(family) => {
                let element = family.choose(dimensions)?;
                if element.is_skypix() {
                    // A pixel's region has no column; only its element matters here.
                    return ColumnExpression::dimension_field(element, "region");
                }
                ColumnExpression::dimension_field(element, field)
            }
            Self::Calibrations(dataset_type) => Ok(ColumnExpression::dataset_field(
                dataset_type.clone(),
                DatasetField::Timespan,
            )),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dimensions(family) => f.write_str(family.name()),
            Self::Calibrations(DatasetTypeKey::Any) => f.write_str("<calibrations>"),
            Self::Calibrations(dataset_type) => write!(f, "{dataset_type}"),
        }
    }
}

/// Families in disjoint sets of those that are related, the largest first.
#[derive(Debug)]
struct Connections {
    kind: &'static str,
    sets: Vec<Vec<Family>>,
}

impl Connections {
    fn new(kind: &'static str, families: impl IntoIterator<Item = Family>) -> Self {
        let sets = families.into_iter().map(|family| vec![family]).collect();
        Self { kind, sets }
    }

    fn merge(&mut self, a: &Family, b: &Family) -> Result<()> {
        let find = |family| self.sets.iter().position(|set| set.contains(family));
        let (Some(a), Some(b)) = (find(a), find(b)) else {
            return Err(Error::InvalidQuery(format!(
                "The {} overlap of {a} and {b} involves something that is not part of the query.",
                self.kind
            )));
        };
        if a != b {
            let moved = self.sets.remove(a.max(b));
            self.sets[a.min(b)].extend(moved);
            self.sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
        }
        Ok(())
    }

    /// The two families between which an overlap must be added, if any.
    fn missing(&self) -> Result<Option<(&Family, &Family)>> {
        let names = |set: &[Family]| {
            let names: Vec<String> = set.iter().map(ToString::to_string).collect();
            format!("{{{}}}", names.join(", "))
        };
        match &self.sets[..] {
            [] | [_] => Ok(None),
            [a, b] => match (&a[..], &b[..]) {
                ([a], [b]) => Ok(Some((a, b))),
                _ => Err(Error::InvalidQuery(format!(
                    "A {} join is needed between {} and {}, but which join to add is ambiguous. \
                     Add an explicit spatial or temporal join to avoid this error.",
                    self.kind,
                    names(a),
                    names(b)
                ))),
            },
            sets => {
                let sets: Vec<String> = sets.iter().map(|set| names(set)).collect();
                Err(Error::InvalidQuery(format!(
                    "Too many disconnected sets of {0} families for an automatic join: {1}. Add \
                     explicit {0} joins to avoid this error.",
                    self.kind,
                    sets.join(", ")
                )))
            }
        }
    }

    /// Relates the families that rows of something joined relate already.
    fn add_operand(
        &mut self,
        families: &[TopologicalFamily],
        operand: &DimensionGroup,
        dimensions: &DimensionGroup,
    ) -> Result<()> {
        for (index, a) in families.iter().enumerate() {
            for b in &families[index + 1..] {
                let has = |family: &TopologicalFamily| -> Result<bool> {
                    Ok(operand.contains_element(family.choose(dimensions)?.name()))
                };
                if has(a)? && has(b)? {
                    self.merge(&Family::Dimensions(*a), &Family::Dimensions(*b))?;
                }
            }
        }
        Ok(())
    }
}

/// Finds the overlaps of a query with this predicate.
///
/// # Errors
/// [`Error::InvalidQuery`] if overlaps are missing and ambiguous, or make no sense;
/// [`Error::UnimplementedQuery`] for overlaps in space within OR or NOT.
pub(super) fn find(
    tree: &QueryTree,
    predicate: &Predicate,
    calibrations: impl IntoIterator<Item = DatasetTypeKey>,
) -> Result<Overlaps> {
    let dimensions = tree.dimensions();
    let spatial = dimensions.spatial().iter().copied();
    let temporal = dimensions.temporal().iter().copied();
    let calibrations = calibrations.into_iter().map(Family::Calibrations);
    let mut finder = Finder {
        dimensions,
        spatial: Connections::new("spatial", spatial.map(Family::Dimensions)),
        temporal: Connections::new(
            "temporal",
            calibrations.chain(temporal.map(Family::Dimensions)),
        ),
        joins: Vec::new(),
        constraints: Vec::new(),
    };
    let mut kept = Vec::new();
    for group in predicate.operands() {
        let mut leaves = Vec::with_capacity(group.len());
        for leaf in group {
            let alone = group.len() == 1;
            if !finder.visit(leaf, alone)? {
                leaves.push(std::sync::Arc::clone(leaf));
            }
        }
        if !leaves.is_empty() || group.is_empty() {
            kept.push(leaves);
        }
    }
    let mut predicate = Predicate::from_operands(kept)?;
    for operand in tree.joined_dimension_groups() {
        finder
            .spatial
            .add_operand(operand.spatial(), operand, dimensions)?;
        finder
            .temporal
            .add_operand(operand.temporal(), operand, dimensions)?;
    }
    if let Some((a, b)) = finder.spatial.missing()? {
        let (Family::Dimensions(a), Family::Dimensions(b)) = (a.clone(), b.clone()) else {
            return Err(Error::Internal(
                "calibrations are nowhere in the sky".to_owned(),
            ));
        };
        finder.spatial_join(a.choose(dimensions)?, b.choose(dimensions)?)?;
    }
    if let Some((a, b)) = finder.temporal.missing()? {
        let a = a.column(dimensions, "timespan")?;
        let b = b.column(dimensions, "timespan")?;
        predicate = predicate.and(Predicate::compare(a, ComparisonOperator::Overlaps, b)?)?;
    }
    Ok(Overlaps {
        predicate,
        joins: finder.joins,
        constraints: finder.constraints,
    })
}

struct Finder<'a> {
    dimensions: &'a DimensionGroup,
    spatial: Connections,
    temporal: Connections,
    joins: Vec<(DimensionElement, DimensionElement)>,
    constraints: Vec<(DimensionElement, RegionLiteral)>,
}

impl Finder<'_> {
    /// Looks at a test and says whether it has been taken out of the predicate.
    fn visit(&mut self, leaf: &PredicateLeaf, alone: bool) -> Result<bool> {
        match leaf {
            PredicateLeaf::Not { operand, .. } => {
                self.visit(operand, false)?;
                Ok(false)
            }
            PredicateLeaf::Comparison {
                a,
                operator: ComparisonOperator::Overlaps,
                b,
                ..
            } => match (a.value_type(), b.value_type()) {
                (ValueType::Region, _) => self.spatial_overlap(a, b, alone).map(|()| true),
                (ValueType::Timespan, ValueType::Timespan) => {
                    self.temporal_overlap(a, b).map(|()| false)
                }
                _ => Ok(false),
            },
            _ => Ok(false),
        }
    }

    fn spatial_overlap(
        &mut self,
        a: &ColumnExpression,
        b: &ColumnExpression,
        alone: bool,
    ) -> Result<()> {
        let element = |expression: &ColumnExpression| match expression {
            ColumnExpression::Reference(ColumnReference::DimensionField { element, .. }) => {
                Some(*element)
            }
            _ => None,
        };
        let (element, other) = match (element(a), element(b)) {
            (Some(a), Some(b)) => {
                require_alone(alone, "joins")?;
                return self.spatial_join(a, b);
            }
            (Some(element), None) => (element, b),
            (None, Some(element)) => (element, a),
            (None, None) => {
                return Err(Error::InvalidQuery(format!(
                    "Spatial overlap comparison requires at least one dimension region column; \
                     got {a} and {b}."
                )));
            }
        };
        let Some(butler_core::query::ColumnLiteral::Region(region)) = other.as_literal() else {
            return Err(Error::InvalidQuery(format!(
                "Spatial overlap comparison requires its other operand to be a region literal; \
                 got {other}."
            )));
        };
        require_alone(alone, "constraints")?;
        self.constraints.push((element, region.clone()));
        Ok(())
    }

    fn spatial_join(&mut self, a: DimensionElement, b: DimensionElement) -> Result<()> {
        let (Some(a_family), Some(b_family)) = (a.spatial(), b.spatial()) else {
            return Err(Error::InvalidQuery(format!(
                "'{a}' or '{b}' has no region."
            )));
        };
        if a_family == b_family {
            return Err(Error::InvalidQuery(format!(
                "Spatial join between {a} and {b} is not necessary."
            )));
        }
        self.spatial
            .merge(&Family::Dimensions(a_family), &Family::Dimensions(b_family))?;
        let common = self.dimensions.universe().common_skypix();
        let usable = |element: DimensionElement| !element.is_skypix() || element == common;
        if !usable(a) || !usable(b) {
            return Err(Error::UnimplementedQuery(format!(
                "Unsupported combination for spatial join: {a}, {b}."
            )));
        }
        self.joins.push((a, b));
        Ok(())
    }

    fn temporal_overlap(&mut self, a: &ColumnExpression, b: &ColumnExpression) -> Result<()> {
        let family = |expression: &ColumnExpression| match expression {
            ColumnExpression::Reference(ColumnReference::DimensionField { element, .. }) => {
                element.temporal().map(Family::Dimensions)
            }
            ColumnExpression::Reference(ColumnReference::DatasetField { dataset_type, .. }) => {
                Some(Family::Calibrations(dataset_type.clone()))
            }
            _ => None,
        };
        // A given timespan relates nothing.
        let (Some(a_family), Some(b_family)) = (family(a), family(b)) else {
            return Ok(());
        };
        if a_family == b_family && matches!(a_family, Family::Dimensions(_)) {
            return Err(Error::InvalidQuery(format!(
                "Temporal join between {a} and {b} is not necessary."
            )));
        }
        self.temporal.merge(&a_family, &b_family)
    }
}

fn require_alone(alone: bool, what: &str) -> Result<()> {
    if alone {
        return Ok(());
    }
    Err(Error::UnimplementedQuery(format!(
        "Spatial overlap {what} nested inside OR or NOT are not supported."
    )))
}
