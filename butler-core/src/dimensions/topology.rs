//! Families of elements that occupy regions of the sky or spans of time.

use super::element::DimensionElement;
use super::group::DimensionGroup;
use super::universe::DimensionUniverse;
use crate::error::{Error, Result};

/// The continuous space a family of elements lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TopologicalSpace {
    /// The sky.
    Spatial,
    /// Time.
    Temporal,
}

/// Elements whose regions (or timespans) contain each other, so that they need no overlap join
/// among themselves: a family of the configuration, or a skypix system.
#[derive(Clone, Copy)]
pub struct TopologicalFamily {
    pub(super) universe: DimensionUniverse,
    pub(super) data: &'static FamilyData,
}

/// A skypix system seen as such.
#[derive(Clone, Copy)]
pub struct SkyPixSystem {
    family: TopologicalFamily,
    class_name: &'static str,
    min_level: u32,
    max_level: u32,
}

pub(super) struct FamilyData {
    pub(super) name: String,
    pub(super) space: TopologicalSpace,
    /// Indices of the members, first choice first; the levels of a skypix system, coarsest first.
    pub(super) members: Vec<usize>,
    pub(super) skypix: Option<SkyPixData>,
}

pub(super) struct SkyPixData {
    pub(super) class_name: String,
    pub(super) min_level: u32,
    pub(super) max_level: u32,
}

impl TopologicalFamily {
    /// The name, unique within its space.
    #[must_use]
    pub fn name(self) -> &'static str {
        &self.data.name
    }

    /// The space its members' regions or timespans live in.
    #[must_use]
    pub fn space(self) -> TopologicalSpace {
        self.data.space
    }

    /// The members: for a configured family the first choice first, for a skypix system the
    /// coarsest level first.
    pub fn members(self) -> impl Iterator<Item = DimensionElement> {
        self.data
            .members
            .iter()
            .map(move |&index| self.universe.element_at(index))
    }

    /// This family as a skypix system, if it is one.
    #[must_use]
    pub fn as_skypix(self) -> Option<SkyPixSystem> {
        self.data.skypix.as_ref().map(|skypix| SkyPixSystem {
            family: self,
            class_name: &skypix.class_name,
            min_level: skypix.min_level,
            max_level: skypix.max_level,
        })
    }

    /// The member that stands for this family in `group`: the most fine-grained one.
    ///
    /// # Errors
    /// [`Error::Internal`] if `group` has no member of this family.
    pub fn choose(self, group: &DimensionGroup) -> Result<DimensionElement> {
        let chosen = if self.data.skypix.is_some() {
            self.members()
                .filter(|member| group.skypix().contains(&member.name()))
                .last()
        } else {
            self.members()
                .find(|member| group.contains_element(member.name()))
        };
        chosen.ok_or_else(|| {
            Error::Internal(format!("no member of family '{}' in {group}", self.name()))
        })
    }

    /// The governor dimension all members of a configured family depend on.
    ///
    /// # Errors
    /// [`Error::Configuration`] if there is none or several.
    pub fn governor(self) -> Result<DimensionElement> {
        let mut governors: Vec<_> = self.members().map(DimensionElement::governor).collect();
        governors.dedup();
        match governors[..] {
            [Some(governor)] => Ok(governor),
            _ => Err(Error::Configuration(format!(
                "the members of family '{}' do not share one governor dimension",
                self.name()
            ))),
        }
    }
}

impl PartialEq for TopologicalFamily {
    fn eq(&self, other: &Self) -> bool {
        self.space() == other.space() && self.name() == other.name()
    }
}

impl Eq for TopologicalFamily {}

impl std::fmt::Debug for TopologicalFamily {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl SkyPixSystem {
    /// The system's name, such as `htm`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.family.name()
    }

    /// The family view of the system.
    #[must_use]
    pub fn family(self) -> TopologicalFamily {
        self.family
    }

    /// The pixelization's class in the reference, such as `lsst.sphgeom.HtmPixelization`.
    #[must_use]
    pub fn class_name(self) -> &'static str {
        self.class_name
    }

    /// The coarsest level that is a dimension.
    #[must_use]
    pub fn min_level(self) -> u32 {
        self.min_level
    }

    /// The finest level that is a dimension.
    #[must_use]
    pub fn max_level(self) -> u32 {
        self.max_level
    }

    /// The dimension of one level, if the universe has it.
    #[must_use]
    pub fn level(self, level: u32) -> Option<DimensionElement> {
        let offset = usize::try_from(level.checked_sub(self.min_level)?).ok()?;
        let index = *self.family.data.members.get(offset)?;
        Some(self.family.universe.element_at(index))
    }

    /// The dimensions of all levels, coarsest first.
    pub fn dimensions(self) -> impl Iterator<Item = DimensionElement> {
        self.family.members()
    }
}
