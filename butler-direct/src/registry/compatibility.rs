//! What a repository's schema is made of, which of it this library handles, and what it would take
//! to bring it up to date.
//!
//! The names are those of the reference's migration tool: a *tree* for each part of the schema
//! (`dimensions-config` is the universe), and in it a revision for each class and version.

use std::collections::BTreeMap;

use butler_core::dimensions::DimensionUniverse;
use uuid::{Uuid, uuid};

use super::attributes::DIMENSIONS;
use super::versions::{Part, Version, compatible, parts};

/// The tree of dimension universes.
const UNIVERSES: &str = "dimensions-config";

/// The namespace of the universes that come with the reference.
const UNIVERSE_NAMESPACE: &str = "daf_butler";

/// The part that only some repositories have: a table of observations for the archive.
const OBSCORE: &str = "obscore";

/// From it and the names of a revision follows its identifier.
const REVISIONS: Uuid = uuid!("840b31d9-05cd-5161-b2c8-00d32b280d0f");

/// A migration from one class to another.
struct OneShot {
    tree: &'static str,
    class: &'static str,
    version: Version,
    name: &'static str,
    to: Version,
}

/// Those that the migration tool has.
static ONE_SHOTS: [OneShot; 2] = [
    OneShot {
        tree: "collections",
        class: "NameKeyCollectionManager",
        version: Version::new(2, 0, 0),
        name: "name_2.0.0_to_int_2.0.0",
        to: Version::new(2, 0, 0),
    },
    OneShot {
        tree: "datasets",
        class: "ByDimensionsDatasetRecordStorageManager",
        version: Version::new(1, 0, 0),
        name: "int_1.0.0_to_uuid_1.0.0",
        to: Version::new(1, 0, 0),
    },
];

/// What can be done with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// Reading and writing; there is nothing newer.
    Current,
    /// Reading and writing.
    Older,
    /// Reading alone.
    ReadOnly,
    /// Nothing.
    Unsupported,
}

impl Support {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Older => "supported",
            Self::ReadOnly => "read only",
            Self::Unsupported => "not supported",
        }
    }
}

/// A part of a repository's schema.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PartReport {
    /// The name of its tree.
    pub part: String,
    /// The class of its manager, or the namespace of the universe; none if it is not recorded.
    pub class: Option<String>,
    /// The version; none if it is not recorded.
    pub version: Option<String>,
    /// The revision that the migration tool knows this by.
    pub revision: Option<String>,
    /// What can be done with it.
    pub support: Support,
    /// What would be handled, newest last: a class and versions.
    pub handled: String,
    /// The steps that lead to the newest version: commands of the migration tool, or advice.
    pub migration: Vec<String>,
}

/// The parts of a repository's schema.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Compatibility {
    /// The parts, sorted by name.
    pub parts: Vec<PartReport>,
}

impl Compatibility {
    /// What these attributes of a repository say.
    #[must_use]
    pub fn of_attributes(attributes: &BTreeMap<String, String>) -> Self {
        let mut found: Vec<PartReport> = parts().map(|part| of_manager(part, attributes)).collect();
        found.push(of_universe(attributes.get(DIMENSIONS)));
        found.extend(of_obscore(attributes));
        found.sort_by(|a, b| a.part.cmp(&b.part));
        Self { parts: found }
    }

    /// What can be done with the repository: as much as with the part that is handled least.
    #[must_use]
    pub fn support(&self) -> Support {
        let worst = self.parts.iter().map(|part| part.support).max();
        worst.unwrap_or(Support::Unsupported)
    }
}

fn recorded(attributes: &BTreeMap<String, String>, part: &str) -> (Option<String>, Option<String>) {
    let class = attributes.get(&format!("config:registry.managers.{part}"));
    let version = class.and_then(|class| attributes.get(&format!("version:{class}")));
    (class.cloned(), version.cloned())
}

/// The last part of a class's full name.
fn short(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

/// The identifier of a revision.
fn revision(tree: &str, branch: &str, version: &str) -> String {
    let name = format!("{tree}-{branch}-{version}");
    let id = Uuid::new_v5(&REVISIONS, name.as_bytes()).simple();
    id.to_string().split_off(20)
}

fn upgrade(tree: &str, branch: &str, version: &str) -> String {
    format!(
        "butler migrate upgrade REPO {} ({tree} {version})",
        revision(tree, branch, version)
    )
}

fn of_manager(part: Part, attributes: &BTreeMap<String, String>) -> PartReport {
    let (class, version) = recorded(attributes, part.name);
    let (newest, versions) = part.classes[0];
    let known = part
        .classes
        .iter()
        .find(|(name, _)| Some(*name) == class.as_deref());
    let number: Option<Version> = version.as_deref().and_then(|text| text.parse().ok());
    let last = versions.last().copied();
    let support = match (known, number) {
        (Some((_, versions)), Some(found)) => {
            let handled = |write| {
                versions
                    .iter()
                    .any(|known| compatible(found, *known, write))
            };
            match (handled(true), handled(false)) {
                (true, _) if class.as_deref() == Some(newest) && number >= last => Support::Current,
                (true, _) => Support::Older,
                (false, true) => Support::ReadOnly,
                (false, false) => Support::Unsupported,
            }
        }
        _ => Support::Unsupported,
    };
    let migration = if support == Support::Current {
        Vec::new()
    } else {
        migration(part.name, (newest, versions), class.as_deref(), number)
    };
    let list: Vec<String> = versions.iter().map(ToString::to_string).collect();
    PartReport {
        revision: class
            .as_deref()
            .zip(version.as_deref())
            .map(|(class, version)| revision(part.name, short(class), version)),
        part: part.name.to_owned(),
        class,
        version,
        support,
        handled: format!("{newest} {}", list.join(", ")),
        migration,
    }
}

/// What leads from a class and a version to the newest one of a part.
fn migration(
    tree: &str,
    (newest, versions): (&str, &[Version]),
    class: Option<&str>,
    found: Option<Version>,
) -> Vec<String> {
    let Some((class, found)) = class.zip(found) else {
        return vec![format!(
            "the repository records no class and version for '{tree}': it is damaged, or no repository"
        )];
    };
    let Some(last) = versions.last() else {
        return Vec::new();
    };
    if class != newest {
        let known =
            |shot: &&OneShot| (shot.tree, shot.class, shot.version) == (tree, short(class), found);
        let Some(shot) = ONE_SHOTS.iter().find(known) else {
            return vec![format!("no migration is known from {class} {found}")];
        };
        let to = revision(tree, short(newest), &shot.to.to_string());
        let step = format!(
            "butler migrate upgrade --one-shot-tree {tree}/{} REPO {to} ({tree} {} {})",
            shot.name,
            short(newest),
            shot.to
        );
        let later = migration(tree, (newest, versions), Some(newest), Some(shot.to));
        return [vec![step], later].concat();
    }
    if found > *last {
        return vec![format!(
            "'{tree}' is of version {found}, which is newer than this program: install a newer one"
        )];
    }
    let newer = versions.iter().filter(|known| **known > found);
    newer
        .map(|version| upgrade(tree, short(newest), &version.to_string()))
        .collect()
}

fn of_universe(document: Option<&String>) -> PartReport {
    let newest = DimensionUniverse::DEFAULT_VERSION;
    let universe = document.map(|document| DimensionUniverse::parse(document));
    let mut report = PartReport {
        part: UNIVERSES.to_owned(),
        class: None,
        version: None,
        revision: None,
        support: Support::Unsupported,
        handled: format!(
            "{UNIVERSE_NAMESPACE} 0 to {newest}, and other namespaces with the same kinds of elements"
        ),
        migration: Vec::new(),
    };
    let universe = match universe {
        None => {
            report.migration = vec!["the repository records no universe: it is damaged".to_owned()];
            return report;
        }
        Some(Err(error)) => {
            report.migration = vec![format!("the universe cannot be understood: {error}")];
            return report;
        }
        Some(Ok(universe)) => universe,
    };
    let (namespace, version) = (universe.namespace(), universe.version());
    report.class = Some(namespace.to_owned());
    report.version = Some(version.to_string());
    report.revision = Some(revision(UNIVERSES, namespace, &version.to_string()));
    if namespace != UNIVERSE_NAMESPACE {
        report.support = Support::Older;
        return report;
    }
    report.support = match version.cmp(&newest) {
        std::cmp::Ordering::Less => Support::Older,
        std::cmp::Ordering::Equal => Support::Current,
        std::cmp::Ordering::Greater => Support::Unsupported,
    };
    if report.support == Support::Unsupported {
        report.migration = vec![format!(
            "universe {version} is newer than this program: install a newer one"
        )];
    }
    for step in version + 1..=newest {
        let mut command = upgrade(UNIVERSES, UNIVERSE_NAMESPACE, &step.to_string());
        match step {
            1 => command.push_str(", with --namespace=daf_butler"),
            2 => command.push_str(", with --options has_simulated=0 (or 1 for simulated data)"),
            _ => {}
        }
        report.migration.push(command);
    }
    report
}

/// A table that only the reference keeps up to date, if there is one.
fn of_obscore(attributes: &BTreeMap<String, String>) -> Option<PartReport> {
    let (class, version) = recorded(attributes, OBSCORE);
    let class = class?;
    let revision = version
        .as_deref()
        .map(|version| revision(OBSCORE, short(&class), version));
    Some(PartReport {
        part: OBSCORE.to_owned(),
        revision,
        class: Some(class),
        version,
        support: Support::ReadOnly,
        handled: "repositories with an ObsCore table, for reading".to_owned(),
        migration: vec![
            "write with the reference, which keeps the ObsCore table up to date".to_owned(),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_are_gone_are_migrated_in_one_shot_and_then_on() {
        let found = |name: &str, class: &str, version: &str| {
            BTreeMap::from([
                (format!("config:registry.managers.{name}"), class.to_owned()),
                (format!("version:{class}"), version.to_owned()),
            ])
        };
        let class = "lsst.daf.butler.registry.datasets.byDimensions.ByDimensionsDatasetRecordStorageManager";
        let report = Compatibility::of_attributes(&found("datasets", class, "1.0.0"));
        let part = report.parts.iter().find(|part| part.part == "datasets");
        let part = part.expect("there is such a part");
        assert_eq!(part.support, Support::Unsupported);
        let steps = [
            "butler migrate upgrade --one-shot-tree datasets/int_1.0.0_to_uuid_1.0.0 REPO 2101fbf51ad3 \
             (datasets ByDimensionsDatasetRecordStorageManagerUUID 1.0.0)",
            "butler migrate upgrade REPO 4e2d7a28475b (datasets 2.0.0)",
        ];
        assert_eq!(part.migration, steps);
        // All other parts are missing.
        assert_eq!(report.support(), Support::Unsupported);
    }

    #[test]
    fn revisions_are_those_of_the_migration_tool() {
        let class = "ByDimensionsDatasetRecordStorageManagerUUID";
        assert_eq!(revision("datasets", class, "1.0.0"), "2101fbf51ad3");
        assert_eq!(revision("datasets", class, "2.0.0"), "4e2d7a28475b");
        assert_eq!(revision(UNIVERSES, "daf_butler", "3"), "c5ae3a2cd7c2");
        assert_eq!(revision(UNIVERSES, "daf_butler", "8"), "aa7a2f893cba");
    }
}
