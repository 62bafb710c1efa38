//! Putting a universe together from its configuration.

use std::collections::{BTreeMap, HashMap};
use std::sync::{OnceLock, RwLock};

use super::column::{ColumnSpec, ColumnType};
use super::config::{ElementConfig, UniverseConfig};
use super::element::{ElementData, ElementKind};
use super::topology::{FamilyData, SkyPixData, TopologicalSpace};
use super::universe::UniverseData;
use crate::error::{Error, Result};

/// Something of the configuration that waits for what it depends on.
enum Pending {
    SkyPix {
        class_name: String,
        min_level: u32,
        max_level: u32,
    },
    Element(ElementConfig),
    Family {
        space: TopologicalSpace,
        members: Vec<String>,
    },
}

impl Pending {
    fn waits_for(&self, name: &str) -> bool {
        match self {
            Self::SkyPix { .. } => false,
            Self::Element(element) => element
                .requires
                .iter()
                .chain(&element.implies)
                .any(|other| other == name),
            Self::Family { members, .. } => members.iter().any(|other| other == name),
        }
    }
}

/// Puts a universe together in the order of dependencies, names breaking ties, which makes the
/// order of elements a function of the configuration's facts alone.
#[derive(Default)]
pub(super) struct Builder {
    elements: Vec<ElementData>,
    dimensions: Vec<usize>,
    families: Vec<FamilyData>,
    by_name: HashMap<&'static str, usize>,
}

impl Builder {
    /// Makes the universe's data.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the relations of the elements do not hold together.
    pub(super) fn build(mut self, config: UniverseConfig) -> Result<UniverseData> {
        let mut pending = Self::pending(&config)?;
        while !pending.is_empty() {
            let ready: Vec<String> = pending
                .iter()
                .filter(|(_, item)| !pending.keys().any(|name| item.waits_for(name)))
                .map(|(name, _)| name.clone())
                .collect();
            if ready.is_empty() {
                let names: Vec<_> = pending.into_keys().collect();
                return Err(Error::Configuration(format!(
                    "dimension elements depend on each other in a cycle: {}",
                    names.join(", ")
                )));
            }
            for name in ready {
                match pending.remove(&name).expect("a ready item is pending") {
                    Pending::SkyPix {
                        class_name,
                        min_level,
                        max_level,
                    } => {
                        self.add_skypix(&name, class_name, min_level, max_level);
                    }
                    Pending::Element(element) => self.add_element(&name, &element)?,
                    Pending::Family { space, members } => {
                        self.add_family(name, space, &members)?;
                    }
                }
            }
        }
        self.resolve_views(&config)?;
        for index in 0..self.elements.len() {
            if let Some(dimension) = self.elements[index].populated_by {
                self.elements[dimension].populates.push(index);
            }
        }
        let common_skypix = self
            .by_name
            .get(config.common_skypix.as_str())
            .copied()
            .filter(|&index| matches!(self.elements[index].kind, ElementKind::SkyPix { .. }))
            .ok_or_else(|| {
                Error::Configuration(format!(
                    "the common skypix dimension '{}' is not one of the skypix systems' levels",
                    config.common_skypix
                ))
            })?;
        Ok(UniverseData {
            config,
            elements: self.elements,
            dimensions: self.dimensions,
            families: self.families,
            by_name: self.by_name,
            common_skypix,
            groups: RwLock::default(),
            empty: OnceLock::new(),
        })
    }

    fn pending(config: &UniverseConfig) -> Result<BTreeMap<String, Pending>> {
        let mut pending = BTreeMap::new();
        for (name, system) in &config.skypix {
            let limit = max_level_of(&system.class_name);
            let max_level = system.max_level.or(limit).ok_or_else(|| {
                Error::Configuration(format!(
                    "skypix system '{name}' of class '{}' needs a max_level",
                    system.class_name
                ))
            })?;
            if limit.is_some_and(|limit| max_level > limit) || max_level > 64 {
                return Err(Error::Configuration(format!(
                    "skypix system '{name}' cannot have level {max_level}"
                )));
            }
            let class_name = system.class_name.clone();
            let item = Pending::SkyPix {
                class_name,
                min_level: system.min_level,
                max_level,
            };
            pending.insert(name.clone(), item);
        }
        for (name, element) in &config.elements {
            pending.insert(name.clone(), Pending::Element(element.clone()));
        }
        let spatial = config
            .topology
            .spatial
            .iter()
            .map(|f| (TopologicalSpace::Spatial, f));
        let temporal = config
            .topology
            .temporal
            .iter()
            .map(|f| (TopologicalSpace::Temporal, f));
        for (space, (name, members)) in spatial.chain(temporal) {
            pending.insert(
                name.clone(),
                Pending::Family {
                    space,
                    members: members.clone(),
                },
            );
        }
        Ok(pending)
    }

    fn push(&mut self, element: ElementData) -> usize {
        let index = self.elements.len();
        self.by_name.insert(element.name, index);
        if element.kind != ElementKind::Combination {
            self.dimensions.push(index);
        }
        self.elements.push(element);
        index
    }

    fn add_skypix(&mut self, name: &str, class_name: String, min_level: u32, max_level: u32) {
        let family = self.families.len();
        let members = (min_level..=max_level)
            .map(|level| {
                let index = self.elements.len();
                let element_name: &'static str = format!("{name}{level}").leak();
                self.push(ElementData {
                    name: element_name,
                    doc: format!("Level {level} of the '{name}' pixelization of the sky."),
                    kind: ElementKind::SkyPix { level },
                    required: vec![index],
                    required_names: vec![element_name],
                    implied: Vec::new(),
                    implied_names: Vec::new(),
                    unique_keys: vec![ColumnSpec::new("id", ColumnType::Int, false)],
                    metadata: Vec::new(),
                    is_cached: false,
                    implied_union_target: None,
                    always_join: false,
                    populated_by: Some(index),
                    populates: Vec::new(),
                    spatial: Some(family),
                    temporal: None,
                    minimal_group: OnceLock::new(),
                    schema: OnceLock::new(),
                })
            })
            .collect();
        self.families.push(FamilyData {
            name: name.to_owned(),
            space: TopologicalSpace::Spatial,
            members,
            skypix: Some(SkyPixData {
                class_name,
                min_level,
                max_level,
            }),
        });
    }

    fn dimension_index(&self, name: &str, user: &str) -> Result<usize> {
        let found = self.by_name.get(name).copied();
        found
            .filter(|&index| self.elements[index].kind != ElementKind::Combination)
            .ok_or_else(|| {
                Error::Configuration(format!(
                    "dimension element '{user}' refers to '{name}', which is not a dimension"
                ))
            })
    }

    fn add_element(&mut self, name: &str, config: &ElementConfig) -> Result<()> {
        let index = self.elements.len();
        let mut required = Vec::new();
        let mut implied = Vec::new();
        if !config.governor {
            for dependency in &config.requires {
                let dependency = self.dimension_index(dependency, name)?;
                required.extend_from_slice(&self.elements[dependency].required);
            }
            for dependency in &config.implies {
                implied.push(self.dimension_index(dependency, name)?);
            }
        }
        for list in [&mut required, &mut implied] {
            list.sort_unstable();
            list.dedup();
        }
        let kind = match (config.governor, config.keys.is_empty()) {
            (true, _) => ElementKind::Governor,
            (false, false) => ElementKind::Dimension,
            (false, true) => ElementKind::Combination,
        };
        let populated_by = if kind == ElementKind::Combination {
            let dimension = config.populated_by.as_ref();
            dimension
                .map(|dimension| self.dimension_index(dimension, name))
                .transpose()?
        } else {
            required.push(index);
            Some(index)
        };
        let name: &'static str = name.to_owned().leak();
        let name_of = |&i: &usize| {
            if i == index {
                name
            } else {
                self.elements[i].name
            }
        };
        let required_names = required.iter().map(name_of).collect();
        let implied_names = implied.iter().map(name_of).collect();
        self.push(ElementData {
            name,
            doc: config.doc.clone(),
            kind,
            required,
            required_names,
            implied,
            implied_names,
            unique_keys: config.keys.clone(),
            metadata: config.metadata.clone(),
            is_cached: config.is_cached,
            implied_union_target: None,
            always_join: config.always_join,
            populated_by,
            populates: Vec::new(),
            spatial: None,
            temporal: None,
            minimal_group: OnceLock::new(),
            schema: OnceLock::new(),
        });
        Ok(())
    }

    fn add_family(
        &mut self,
        name: String,
        space: TopologicalSpace,
        members: &[String],
    ) -> Result<()> {
        let family = self.families.len();
        let mut indices = Vec::with_capacity(members.len());
        for member in members {
            let index = self.by_name.get(member.as_str()).copied().filter(|&index| {
                let kind = self.elements[index].kind;
                matches!(kind, ElementKind::Dimension | ElementKind::Combination)
            });
            let Some(index) = index else {
                return Err(Error::Configuration(format!(
                    "family '{name}' has a member '{member}' that cannot be in a family"
                )));
            };
            let element = &mut self.elements[index];
            let slot = match space {
                TopologicalSpace::Spatial => &mut element.spatial,
                TopologicalSpace::Temporal => &mut element.temporal,
            };
            if slot.is_some_and(|other| other != family) {
                return Err(Error::Configuration(format!(
                    "element '{member}' is a member of two families of one space; one is '{name}'"
                )));
            }
            *slot = Some(family);
            indices.push(index);
        }
        self.families.push(FamilyData {
            name,
            space,
            members: indices,
            skypix: None,
        });
        Ok(())
    }

    fn resolve_views(&mut self, config: &UniverseConfig) -> Result<()> {
        for (name, element) in &config.elements {
            let Some(target) = &element.implied_union_target else {
                continue;
            };
            let index = self.by_name[name.as_str()];
            let target_index = self.by_name.get(target.as_str()).copied();
            let target_index =
                target_index.filter(|&target| self.elements[target].implied.contains(&index));
            if target_index.is_none() {
                return Err(Error::Configuration(format!(
                    "dimension '{name}' is a view of '{target}', which does not imply it"
                )));
            }
            self.elements[index].implied_union_target = target_index;
        }
        Ok(())
    }
}

/// The finest level of the pixelizations that have a limit.
fn max_level_of(class_name: &str) -> Option<u32> {
    match class_name.rsplit('.').next()? {
        "HtmPixelization" => Some(24),
        "HealpixPixelization" => Some(17),
        "Mq3cPixelization" | "Q3cPixelization" => Some(30),
        _ => None,
    }
}
