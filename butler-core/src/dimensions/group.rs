//! Self-consistent sets of dimensions.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock, PoisonError};

use serde::{Serialize, Serializer};

use super::topology::{TopologicalFamily, TopologicalSpace};
use super::universe::DimensionUniverse;

/// A set of dimensions that holds, with each dimension, all that it requires and implies.
///
/// Groups of one universe are shared while they are in use; a clone costs one reference count.
/// Groups are equal if the names of their dimensions are.
#[derive(Clone)]
pub struct DimensionGroup(Arc<GroupData>);

pub(super) struct GroupData {
    universe: DimensionUniverse,
    indices: Box<[usize]>,
    names: Box<[&'static str]>,
    elements: Box<[&'static str]>,
    governors: Box<[&'static str]>,
    skypix: Box<[&'static str]>,
    /// Required dimensions, then implied ones.
    keys: Box<[&'static str]>,
    n_required: usize,
    /// Of the required names, so that data IDs hash quickly.
    hash: u64,
    spatial: Box<[TopologicalFamily]>,
    temporal: Box<[TopologicalFamily]>,
    lookup_order: OnceLock<Box<[&'static str]>>,
}

impl DimensionGroup {
    /// The smallest group with the dimensions of the given indices.
    pub(super) fn conform(
        universe: DimensionUniverse,
        indices: impl IntoIterator<Item = usize>,
    ) -> Self {
        let mut todo: Vec<usize> = indices.into_iter().collect();
        let mut closed = Vec::with_capacity(todo.len());
        while let Some(index) = todo.pop() {
            if closed.contains(&index) {
                continue;
            }
            closed.push(index);
            let data = universe.element_at(index).data;
            todo.extend(data.required.iter().chain(&data.implied));
        }
        closed.sort_unstable();
        Self::shared(universe, closed.into())
    }

    fn shared(universe: DimensionUniverse, indices: Box<[usize]>) -> Self {
        let groups = &universe.data().groups;
        let known = groups.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = known.get(&indices).and_then(std::sync::Weak::upgrade) {
            return Self(group);
        }
        drop(known);
        let group = Arc::new(GroupData::new(universe, indices.clone()));
        let mut known = groups.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = known.get(&indices).and_then(std::sync::Weak::upgrade) {
            return Self(group);
        }
        if known.len() >= 64 && known.len().is_power_of_two() {
            known.retain(|_, group| group.strong_count() > 0);
        }
        known.insert(indices, Arc::downgrade(&group));
        Self(group)
    }

    /// The universe that defines the dimensions.
    #[must_use]
    pub fn universe(&self) -> DimensionUniverse {
        self.0.universe
    }

    /// All dimensions, in the universe's order.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.0.names
    }

    /// All elements, dimensions or not, whose required dimensions are in the group.
    #[must_use]
    pub fn elements(&self) -> &[&'static str] {
        &self.0.elements
    }

    /// The governor dimensions.
    #[must_use]
    pub fn governors(&self) -> &[&'static str] {
        &self.0.governors
    }

    /// The skypix dimensions.
    #[must_use]
    pub fn skypix(&self) -> &[&'static str] {
        &self.0.skypix
    }

    /// The dimensions no other dimension of the group implies: those that identify a data ID.
    #[must_use]
    pub fn required(&self) -> &[&'static str] {
        &self.0.keys[..self.0.n_required]
    }

    /// The dimensions whose values follow from records of others.
    #[must_use]
    pub fn implied(&self) -> &[&'static str] {
        &self.0.keys[self.0.n_required..]
    }

    /// The order of a data ID's values: required dimensions, then implied ones.
    #[must_use]
    pub fn data_coordinate_keys(&self) -> &[&'static str] {
        &self.0.keys
    }

    /// The position of a dimension among [`data_coordinate_keys`](Self::data_coordinate_keys).
    #[must_use]
    pub fn key_index(&self, name: &str) -> Option<usize> {
        self.0.keys.iter().position(|key| *key == name)
    }

    /// The spatial families of the group's elements.
    #[must_use]
    pub fn spatial(&self) -> &[TopologicalFamily] {
        &self.0.spatial
    }

    /// The temporal families of the group's elements.
    #[must_use]
    pub fn temporal(&self) -> &[TopologicalFamily] {
        &self.0.temporal
    }

    /// The element whose region is the region of data IDs of this group, if there is just one
    /// spatial family.
    #[must_use]
    pub fn region_dimension(&self) -> Option<&'static str> {
        self.only_choice(&self.0.spatial)
    }

    /// The element whose timespan is the timespan of data IDs of this group, if there is just
    /// one temporal family.
    #[must_use]
    pub fn timespan_dimension(&self) -> Option<&'static str> {
        self.only_choice(&self.0.temporal)
    }

    fn only_choice(&self, families: &[TopologicalFamily]) -> Option<&'static str> {
        match families {
            [family] => family.choose(self).ok().map(super::DimensionElement::name),
            _ => None,
        }
    }

    /// All elements in an order in which the records of each can be looked up with the required
    /// values and what the records before it imply.
    #[must_use]
    pub fn lookup_order(&self) -> &[&'static str] {
        self.0
            .lookup_order
            .get_or_init(|| self.0.make_lookup_order())
    }

    /// The number of dimensions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.names.len()
    }

    /// Whether there are no dimensions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.names.is_empty()
    }

    /// Whether the group has this dimension.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.names.contains(&name)
    }

    /// Whether the group has this element, dimension or not.
    #[must_use]
    pub fn contains_element(&self, name: &str) -> bool {
        self.0.elements.contains(&name)
    }

    /// Whether `other` has all dimensions of this group.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.names.iter().all(|name| other.contains(name))
    }

    /// Whether this group has all dimensions of `other`.
    #[must_use]
    pub fn is_superset(&self, other: &Self) -> bool {
        other.is_subset(self)
    }

    /// Whether the two have no dimension in common.
    #[must_use]
    pub fn is_disjoint(&self, other: &Self) -> bool {
        !self.0.names.iter().any(|name| other.contains(name))
    }

    /// The smallest group with all dimensions of both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if other.is_subset(self) {
            return self.clone();
        }
        if self.is_subset(other) {
            return other.clone();
        }
        Self::union_all(self.universe(), [self, other])
    }

    /// The smallest group with all dimensions of all groups.
    #[must_use]
    pub fn union_all<'a>(
        universe: DimensionUniverse,
        groups: impl IntoIterator<Item = &'a Self>,
    ) -> Self {
        let indices: Vec<usize> = groups
            .into_iter()
            .flat_map(|group| group.indices_in(universe))
            .collect();
        Self::conform(universe, indices)
    }

    /// The dimensions that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.filtered(|name| other.contains(name))
    }

    /// The smallest group with the dimensions that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.filtered(|name| !other.contains(name))
    }

    fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        let universe = self.universe();
        let kept: Vec<usize> = self
            .0
            .indices
            .iter()
            .copied()
            .filter(|&index| keep(universe.element_at(index).name()))
            .collect();
        Self::conform(universe, kept)
    }

    /// The indices of the dimensions in another universe; unknown ones are left out.
    fn indices_in(&self, universe: DimensionUniverse) -> Vec<usize> {
        if universe == self.universe() {
            self.0.indices.to_vec()
        } else {
            let known = self.0.names.iter().filter_map(|name| universe.get(name));
            known.map(super::DimensionElement::index).collect()
        }
    }

    /// Whether two handles share one group, which implies equality and one universe.
    #[must_use]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl GroupData {
    fn new(universe: DimensionUniverse, indices: Box<[usize]>) -> Self {
        let members = || indices.iter().map(|&index| universe.element_at(index));
        let names: Box<[_]> = members().map(super::DimensionElement::name).collect();
        let in_group: Vec<_> = universe
            .elements()
            .filter(|element| element.required().iter().all(|name| names.contains(name)))
            .collect();
        let is_implied = |name: &str| members().any(|other| other.implied().contains(&name));
        let (mut keys, implied): (Vec<_>, Vec<_>) =
            names.iter().copied().partition(|name| !is_implied(name));
        let n_required = keys.len();
        let mut hasher = DefaultHasher::new();
        keys.hash(&mut hasher);
        keys.extend(implied);
        let families = |space: TopologicalSpace| {
            let mut families: Vec<TopologicalFamily> = Vec::new();
            for family in in_group
                .iter()
                .filter_map(|element| element.topology(space))
            {
                if !families.contains(&family) {
                    families.push(family);
                }
            }
            families.into_boxed_slice()
        };
        let (spatial, temporal) = (
            families(TopologicalSpace::Spatial),
            families(TopologicalSpace::Temporal),
        );
        let named = |keep: fn(super::DimensionElement) -> bool| -> Box<[&'static str]> {
            members()
                .filter(|element| keep(*element))
                .map(super::DimensionElement::name)
                .collect()
        };
        Self {
            universe,
            governors: named(super::DimensionElement::is_governor),
            skypix: named(super::DimensionElement::is_skypix),
            elements: in_group.iter().map(|element| element.name()).collect(),
            keys: keys.into(),
            n_required,
            hash: hasher.finish(),
            spatial,
            temporal,
            lookup_order: OnceLock::new(),
            names,
            indices,
        }
    }

    fn make_lookup_order(&self) -> Box<[&'static str]> {
        let mut order: Vec<&'static str> = Vec::with_capacity(self.elements.len());
        let required = &self.keys[..self.n_required];
        loop {
            let before = order.len();
            for name in required {
                self.visit(name, &mut order);
            }
            if order.len() == before {
                break;
            }
        }
        for name in &self.elements {
            if !order.contains(name) {
                order.push(name);
            }
        }
        order.into()
    }

    /// Adds an element whose dependencies are done, then what it implies.
    fn visit(&self, name: &'static str, order: &mut Vec<&'static str>) {
        let Some(element) = self.universe.get(name) else {
            return;
        };
        let ready = |other: &&'static str| *other == name || order.contains(other);
        if order.contains(&name) || !element.required().iter().all(ready) {
            return;
        }
        order.push(name);
        for other in element.implied() {
            self.visit(other, order);
        }
    }
}

impl PartialEq for DimensionGroup {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.names == other.0.names
    }
}

impl Eq for DimensionGroup {}

impl Hash for DimensionGroup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Display for DimensionGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0.names.join(", "))
    }
}

impl fmt::Debug for DimensionGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DimensionGroup({self})")
    }
}

impl Serialize for DimensionGroup {
    /// The list of the names of all dimensions.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.names.serialize(serializer)
    }
}
