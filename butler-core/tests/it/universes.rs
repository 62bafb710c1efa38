use butler_core::dimensions::{
    ColumnSpec, ColumnType, DimensionElement, DimensionUniverse, ElementKind, ElementStorage,
    TopologicalSpace,
};
use butler_core::{Error, Result};
use serde_json::{Value, json};

use crate::support::fixture;

fn column(spec: &ColumnSpec) -> Value {
    let size = match spec.column_type {
        ColumnType::String { length } => Some(length),
        ColumnType::Hash { nbytes } | ColumnType::Region { nbytes } => Some(nbytes),
        _ => None,
    };
    json!([spec.name, spec.column_type.name(), size, spec.nullable])
}

fn describe(element: DimensionElement) -> Value {
    let kind = match element.kind() {
        ElementKind::Governor => "governor",
        ElementKind::Dimension => "dimension",
        ElementKind::Combination => "combination",
        ElementKind::SkyPix { level } => {
            let (system, same_level) = element.skypix().unwrap();
            assert_eq!(level, same_level);
            assert_eq!(system.level(level), Some(element));
            assert_eq!(element.storage(), ElementStorage::SkyPix);
            return json!([element.name(), system.name(), level]);
        }
    };
    let names = |columns: &[ColumnSpec]| columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    let schema = element.schema();
    let populates: Vec<_> = element.populates().map(DimensionElement::name).collect();
    json!({
        "name": element.name(),
        "kind": kind,
        "required": element.required(),
        "implied": element.implied(),
        "group": element.minimal_group(),
        "governor": element.governor().map(DimensionElement::name),
        "fields": schema.columns().iter().map(column).collect::<Vec<_>>(),
        "n_required": schema.required().len(),
        "n_implied": schema.implied().len(),
        "alternate_keys": names(element.alternate_keys()),
        "metadata": names(element.metadata_columns()),
        "spatial": element.spatial().map(|family| family.name()),
        "temporal": element.temporal().map(|family| family.name()),
        "populated_by": element.populated_by().map(DimensionElement::name),
        "populates": populates,
        "always_join": element.always_join(),
        "is_cached": element.is_cached(),
        "has_own_table": element.has_own_table(),
        "has_table": element.has_table(),
        "union_target": element.implied_union_target().map(DimensionElement::name),
        "defines_relationships": element.defines_relationships(),
    })
}

#[test]
fn built_in_universes_are_those_of_the_reference() {
    for facts in fixture("universes.json") {
        let version = facts["version"].as_i64().unwrap();
        let universe = DimensionUniverse::builtin(version).unwrap();
        assert_eq!(universe.version(), version);
        assert_eq!(universe.namespace(), facts["namespace"]);
        let expected = facts["elements"].as_array().unwrap();
        assert_eq!(universe.elements().len(), expected.len());
        for (element, expected) in universe.elements().zip(expected) {
            assert_eq!(
                describe(element),
                *expected,
                "element {element} of version {version}"
            );
        }
        let dimensions: Vec<_> = universe.dimensions().map(DimensionElement::name).collect();
        assert_eq!(json!(dimensions), facts["dimensions"]);
        let governors: Vec<_> = universe
            .governor_dimensions()
            .map(DimensionElement::name)
            .collect();
        assert_eq!(json!(governors), facts["governors"]);
        assert_eq!(universe.common_skypix().name(), facts["common_skypix"]);
        let systems: Vec<_> = universe
            .skypix_systems()
            .map(|system| json!([system.name(), system.class_name(), system.max_level()]))
            .collect();
        assert_eq!(json!(systems), facts["skypix"]);
        for (space, name) in [
            (TopologicalSpace::Spatial, "spatial"),
            (TopologicalSpace::Temporal, "temporal"),
        ] {
            let families: serde_json::Map<_, _> = universe
                .families(space)
                .filter(|family| family.as_skypix().is_none())
                .map(|family| {
                    let members: Vec<_> = family.members().map(DimensionElement::name).collect();
                    (family.name().to_owned(), json!(members))
                })
                .collect();
            assert_eq!(json!(families), facts["families"][name]);
        }
    }
}

#[test]
fn the_normal_form_is_that_of_the_wire_protocol() {
    for expected in fixture("universes_simple.json") {
        let version = expected["version"].as_i64().unwrap();
        let universe = DimensionUniverse::builtin(version).unwrap();
        let mut simple = universe.config().to_simple();
        // The reference sends these as they come out of a set.
        for element in simple["elements"].as_object_mut().unwrap().values_mut() {
            for key in ["requires", "implies"] {
                element[key]
                    .as_array_mut()
                    .unwrap()
                    .sort_by_key(ToString::to_string);
            }
        }
        assert_eq!(simple.to_string(), expected.to_string());
        let reversed = |element: &mut Value| element["requires"].as_array_mut().unwrap().reverse();
        simple["elements"]
            .as_object_mut()
            .unwrap()
            .values_mut()
            .for_each(reversed);
        assert_eq!(
            DimensionUniverse::parse(&simple.to_string()).unwrap(),
            universe
        );
    }
}

#[test]
fn a_universe_is_made_once_however_its_configuration_is_written() -> Result<()> {
    let document = DimensionUniverse::builtin_document(8)?;
    let universe = DimensionUniverse::parse(document)?;
    assert_eq!(universe.document(), document);
    let reformatted =
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(document).unwrap());
    let reformatted = reformatted.unwrap().replace("A telescope", "The telescope");
    let again = DimensionUniverse::parse(&reformatted)?;
    assert_eq!(again, universe);
    assert_eq!(again.document(), reformatted);
    // JSON is YAML as well, but this is in the style of YAML.
    let yaml = butler_core::yaml::to_string(&butler_core::yaml::parse(document).unwrap());
    assert!(!yaml.starts_with('{'), "{yaml}");
    let from_yaml = DimensionUniverse::parse(&yaml)?;
    assert_eq!(from_yaml, universe);
    assert_eq!(from_yaml.document(), yaml);
    let as_json: Value = serde_json::from_str(&from_yaml.document_json()).unwrap();
    assert_eq!(as_json, serde_json::from_str::<Value>(document).unwrap());
    assert_eq!(universe.document_json(), document);
    assert_eq!(universe, DimensionUniverse::default());
    assert_ne!(DimensionUniverse::builtin(7)?, universe);
    assert!(DimensionUniverse::builtin(7)?.is_compatible_with(universe));
    Ok(())
}

#[test]
fn a_universe_of_any_namespace_and_version_is_accepted_as_configured() -> Result<()> {
    let document = r"
version: 42
namespace: elsewhere
skypix: {common: htm3, htm: {class: lsst.sphgeom.HtmPixelization, max_level: 4}}
elements:
  telescope: {governor: true, keys: [{name: name, type: string, length: 16}]}
  night: {keys: [{name: id, type: int}, {name: label, type: string, length: 8}], requires: [telescope]}
topology: {temporal: {nights: [night]}}
";
    let universe = DimensionUniverse::parse(document)?;
    assert_eq!(universe.to_string(), "elsewhere version 42");
    let names: Vec<_> = universe.elements().map(DimensionElement::name).collect();
    assert_eq!(
        names,
        ["htm1", "htm2", "htm3", "htm4", "telescope", "night"]
    );
    assert!(!universe.is_compatible_with(DimensionUniverse::default()));
    let fields: Vec<_> = universe.element("night")?.schema().names().collect();
    assert_eq!(fields, ["telescope", "id", "label", "timespan"]);
    Ok(())
}

fn refused(change: impl Fn(&mut Value)) -> String {
    let mut document: Value =
        serde_json::from_str(DimensionUniverse::builtin_document(8).unwrap()).unwrap();
    change(&mut document);
    match DimensionUniverse::parse(&document.to_string()) {
        Err(Error::Configuration(text)) => text,
        other => panic!("expected a configuration error, not {other:?}"),
    }
}

#[test]
fn a_broken_configuration_is_refused_with_the_place_of_the_fault() {
    assert!(DimensionUniverse::parse("{").is_err());
    assert!(DimensionUniverse::parse("[1, 2]").is_err());
    let text = refused(|document| {
        document["elements"]["tract"]["requires"] = json!(["skymap", "patch"]);
    });
    assert!(
        text.contains("cycle") && text.contains("tract") && text.contains("patch"),
        "{text}"
    );
    let text = refused(|document| {
        document["elements"]["tract"]["requires"] = json!(["skymaps"]);
    });
    assert!(
        text.contains("'tract'") && text.contains("'skymaps'"),
        "{text}"
    );
    let text = refused(|document| {
        document["elements"]["visit"]["keys"][0]["type"] = json!("float");
    });
    assert!(text.contains("'visit'"), "{text}");
    let text = refused(|document| {
        document["elements"]["visit"]["storage"] = json!({"cls": "no.such.Storage"});
    });
    assert!(text.contains("no.such.Storage"), "{text}");
    let text = refused(|document| document["skypix"]["common"] = json!("htm25"));
    assert!(text.contains("htm25"), "{text}");
    let text = refused(|document| document["skypix"]["htm"]["max_level"] = json!(2_000_000_000));
    assert!(text.contains("'htm'"), "{text}");
    let text = refused(|document| {
        document["topology"]["spatial"]["observation_regions"] = json!(["visit", "skymap"]);
    });
    assert!(text.contains("skymap"), "{text}");
    let text = refused(|document| {
        document["elements"]["band"]["storage"]["nested"]["view_of"] = json!("detector");
    });
    assert!(text.contains("band") && text.contains("detector"), "{text}");
}

#[test]
fn names_that_are_no_dimensions_are_refused() {
    let universe = DimensionUniverse::default();
    let error = universe.element("visits").unwrap_err();
    assert_eq!(error.error_type(), Some("dimension_name"));
    assert!(error.to_string().contains("'visits'") && error.to_string().contains("visit,"));
    let error = universe.conform(["visit", "visit_definition"]).unwrap_err();
    assert!(matches!(error, Error::DimensionName(_)));
    assert!(matches!(
        DimensionUniverse::builtin(9).unwrap_err(),
        Error::UnsupportedVersion { .. }
    ));
}
