use std::collections::HashSet;

use butler_core::dimensions::{DimensionGroup, DimensionUniverse, TopologicalFamily};
use serde_json::{Value, json};

use crate::support::fixture;

/// The names behind a list of element indices.
fn names(universe: DimensionUniverse, indices: &Value) -> Vec<&'static str> {
    let elements: Vec<_> = universe.elements().collect();
    let index = |item: &Value| usize::try_from(item.as_u64().unwrap()).unwrap();
    indices
        .as_array()
        .unwrap()
        .iter()
        .map(|item| elements[index(item)].name())
        .collect()
}

fn family_names(families: &[TopologicalFamily]) -> Value {
    json!(
        families
            .iter()
            .map(|family| family.name())
            .collect::<Vec<_>>()
    )
}

#[test]
fn groups_are_closed_ordered_and_combined_as_in_the_reference() {
    for (version, rows) in (0..).zip(fixture("groups.json")) {
        let universe = DimensionUniverse::builtin(version).unwrap();
        let mut previous = universe.empty_group().clone();
        let rows = rows.as_array().unwrap();
        assert!(rows.len() >= 250);
        for row in rows {
            let expect = |index: usize| names(universe, &row[index]);
            let group = universe.conform(expect(0)).unwrap();
            let context = format!("version {version}, dimensions {:?}", expect(0));
            assert_eq!(group.required(), expect(1), "{context}");
            assert_eq!(group.implied(), expect(2), "{context}");
            assert_eq!(group.names(), expect(3), "{context}");
            assert_eq!(group.elements(), expect(4), "{context}");
            assert_eq!(group.governors(), expect(5), "{context}");
            assert_eq!(group.skypix(), expect(6), "{context}");
            assert_eq!(family_names(group.spatial()), row[7], "{context}");
            assert_eq!(family_names(group.temporal()), row[8], "{context}");
            assert_eq!(json!(group.region_dimension()), row[9], "{context}");
            assert_eq!(json!(group.timespan_dimension()), row[10], "{context}");
            assert_eq!(group.lookup_order(), expect(11), "{context}");
            assert_eq!(group.union(&previous).names(), expect(12), "{context}");
            assert_eq!(
                group.intersection(&previous).names(),
                expect(13),
                "{context}"
            );
            assert_eq!(group.difference(&previous).names(), expect(14), "{context}");
            assert_eq!(group.is_subset(&previous), row[15], "{context}");
            assert_eq!(group.is_superset(&previous), row[16], "{context}");
            assert_eq!(group.is_disjoint(&previous), row[17], "{context}");
            if let Some(shown) = row[18].as_str() {
                assert_eq!(group.to_string(), shown);
            }
            previous = group;
        }
    }
}

#[test]
fn equal_groups_are_one_while_in_use_and_forgotten_afterwards() {
    let universe = DimensionUniverse::default();
    let by_one = universe.conform(["visit", "detector"]).unwrap();
    let by_two = universe
        .conform(["detector", "visit", "instrument", "band"])
        .unwrap();
    assert!(by_one.ptr_eq(&by_two));
    assert_eq!(
        std::mem::size_of::<DimensionGroup>(),
        std::mem::size_of::<usize>()
    );
    let levels = |level: u32| format!("htm{}", level % 24 + 1);
    for i in 0..2_000_u32 {
        let group = universe
            .conform([levels(i), levels(i / 24), levels(i / 576)])
            .unwrap();
        assert!(!group.is_empty());
    }
    assert!(by_one.ptr_eq(&universe.conform(["visit", "detector"]).unwrap()));
}

#[test]
fn groups_of_different_universes_are_equal_if_their_names_are() {
    let group = |version, names: &[&str]| {
        DimensionUniverse::builtin(version)
            .unwrap()
            .conform(names)
            .unwrap()
    };
    assert_eq!(group(7, &["tract"]), group(8, &["tract"]));
    assert_ne!(
        group(5, &["visit"]),
        group(8, &["visit"]),
        "day_obs came with version 6"
    );
    let set: HashSet<_> = [group(7, &["tract"]), group(8, &["tract"])]
        .into_iter()
        .collect();
    assert_eq!(set.len(), 1);
}

#[test]
fn a_group_serializes_as_the_list_of_its_names() {
    let group = DimensionUniverse::default()
        .conform(["patch", "band"])
        .unwrap();
    assert_eq!(json!(group), json!(["band", "skymap", "tract", "patch"]));
    assert_eq!(json!(DimensionUniverse::default().empty_group()), json!([]));
}
