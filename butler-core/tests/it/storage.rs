//! Storage classes and default configurations.

use butler_core::config::{Config, DefaultFile, EmbeddedDefaults, Section};
use butler_core::storage_class::StorageClassRegistry;
use butler_core::yaml::Value as Yaml;
use serde_json::{Value, json};

use crate::support::fixture;

fn names<'a>(values: impl Iterator<Item = &'a str>) -> Value {
    values.collect::<Vec<_>>().into()
}

#[test]
fn default_storage_classes_are_those_of_the_reference() {
    let registry = StorageClassRegistry::with_defaults();
    let rows = fixture("storage_classes.json");
    assert_eq!(rows.len(), registry.len());
    for row in rows {
        let class = registry.get(row["name"].as_str().unwrap()).unwrap();
        let components = |map: &indexmap::IndexMap<String, std::sync::Arc<_>>| -> Value {
            map.iter()
                .map(
                    |(k, c): (_, &std::sync::Arc<butler_core::storage_class::StorageClass>)| {
                        (k.clone(), Value::from(&**c.name()))
                    },
                )
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let mut all: Vec<&str> = class.all_components().map(|(name, _)| name).collect();
        let mut expected_all: Vec<&str> = row["all"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_str().unwrap())
            .collect();
        all.sort_unstable();
        expected_all.sort_unstable();
        assert_eq!(all, expected_all);
        let actual = json!({
            "name": &**class.name(),
            "pytype": class.pytype(),
            "components": components(class.components()),
            "derived": components(class.derived_components()),
            "all": row["all"],
            "parameters": names(class.parameters().iter().map(String::as_str)),
            "known": class.known_parameters().into_iter().collect::<Vec<_>>(),
            "delegate": class.delegate(),
            "converters": class.converters(),
            "composite": class.is_composite(),
        });
        assert_eq!(actual, row);
    }
}

#[test]
fn conversions_are_those_of_the_reference() {
    let registry = StorageClassRegistry::with_defaults();
    let mut count = 0;
    for row in fixture("conversions.json") {
        let to = registry.get(row[0].as_str().unwrap()).unwrap();
        let possible = row[1].as_array().unwrap();
        for name in row[2].as_array().unwrap() {
            let from = registry.get(name.as_str().unwrap()).unwrap();
            assert_eq!(
                to.can_convert(&from),
                possible.contains(name),
                "{to} from {from}"
            );
            count += 1;
        }
    }
    assert!(count > 300, "{count}");
}

#[test]
fn default_configurations_are_those_of_the_reference() {
    for row in fixture("default_configs.json") {
        let (config, section) = match row[0].as_str().unwrap() {
            "datastore" => (Config::new(), Section::Datastore),
            "registry" => (Config::new(), Section::Registry),
            "storageClasses" => (Config::new(), Section::StorageClasses),
            "composites" => (Config::new(), Section::Composites),
            "chain" => (
                Config::from_json(
                    r#"{"datastore": {
                        "cls": "lsst.daf.butler.datastores.chainedDatastore.ChainedDatastore",
                        "datastores": [
                            {"datastore": {"cls":
                                "lsst.daf.butler.datastores.inMemoryDatastore.InMemoryDatastore"}},
                            {"root": "<butlerRoot>/x",
                             "templates": {"default": "{run}/{datasetType}_{visit}"}}
                        ]}}"#,
                )
                .unwrap(),
                Section::Datastore,
            ),
            other => panic!("{other}"),
        };
        let expanded = section.expand(&config, &EmbeddedDefaults).unwrap();
        assert_eq!(Yaml::from(expanded).to_json(), row[1], "{}", row[0]);
    }
    assert!(DefaultFile::RepoTransferFormats.embedded().is_some());
}

#[test]
fn scalars_and_merges_are_those_of_the_reference() {
    let rows = fixture("configs.json");
    for row in rows[0].as_array().unwrap() {
        let text = row[0].as_str().unwrap();
        let config = Config::from_yaml(&format!("k: {text}")).unwrap();
        let read = config.get("k").unwrap().to_json();
        assert_eq!(read, row[1], "{text}");
    }
    for row in rows[1].as_array().unwrap() {
        let read = |index: usize| Config::from_yaml(row[index].as_str().unwrap()).unwrap();
        let mut updated = read(0);
        updated.update(&read(1));
        assert_eq!(updated.to_yaml(), row[4].as_str().unwrap());
        assert_eq!(Yaml::from(updated).to_json(), row[2]);
        let mut merged = read(0);
        merged.merge(&read(1));
        assert_eq!(Yaml::from(merged).to_json(), row[3]);
    }
}
