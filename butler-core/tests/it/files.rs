//! File templates, lookups, records of stored files and patterns.

use std::sync::Arc;

use butler_core::collections::{CollectionWildcard, GlobExpression};
use butler_core::config::{Config, EmbeddedDefaults, Section};
use butler_core::datasets::DatasetType;
use butler_core::datastore::{
    CacheableTable, CompositesMap, Constraints, DatastoreRecordData, Entity, FileTemplate,
    FileTemplates, FormatterTable, SerializedDatastoreRecordData, SerializedStoredFileInfo,
    StoredFileInfo, make_datastore_path_relative,
};
use butler_core::dimensions::DimensionUniverse;
use butler_core::storage_class::StorageClassRegistry;
use butler_core::yaml::{Map, Value as Yaml};
use serde_json::{Value, json};

use crate::datasets::{datasets, key_text};
use crate::support::fixture;

/// The dataset types of the fixture, each once, in its order.
fn dataset_types() -> Vec<Arc<DatasetType>> {
    let mut types: Vec<Arc<DatasetType>> = Vec::new();
    for (dataset, _) in datasets() {
        if !types.contains(dataset.dataset_type()) {
            types.push(Arc::clone(dataset.dataset_type()));
        }
    }
    types
}

#[test]
fn templates_give_the_paths_of_the_reference() {
    let refs = datasets();
    let (mut paths, mut refusals) = (0, 0);
    for row in fixture("file_templates.json") {
        let Some(text) = row["template"].as_str() else {
            continue;
        };
        let template = FileTemplate::new(text).unwrap();
        for ((dataset, _), expected) in refs.iter().zip(row["paths"].as_array().unwrap()) {
            match (template.format(dataset), expected.as_str()) {
                (Ok(path), Some(expected)) => {
                    assert_eq!(path, expected, "{template} for {dataset}");
                    paths += 1;
                }
                (Err(_), None) => refusals += 1,
                (result, expected) => {
                    panic!("{template} for {dataset}: {result:?}, expected {expected:?}")
                }
            }
        }
    }
    assert!(
        paths > 1000 && refusals > 100,
        "{paths} paths, {refusals} refusals"
    );
}

#[test]
fn templates_are_validated_as_in_the_reference() {
    let types = dataset_types();
    for row in fixture("file_templates.json") {
        for pair in row["basics"].as_array().into_iter().flatten() {
            let text = pair[0].as_str().unwrap();
            assert_eq!(
                FileTemplate::new(text).is_ok(),
                pair[1].as_bool().unwrap(),
                "{text}"
            );
        }
        let Some(text) = row["template"].as_str() else {
            continue;
        };
        let template = FileTemplate::new(text).unwrap();
        for (dataset_type, expected) in types.iter().zip(row["valid"].as_array().unwrap()) {
            let result = template.validate(&**dataset_type);
            assert_eq!(
                result.is_ok(),
                expected.as_bool().unwrap(),
                "{template} for {dataset_type}: {result:?}"
            );
        }
    }
}

struct Tables {
    templates: FileTemplates,
    formatters: FormatterTable,
    default_formatters: FormatterTable,
    composites: CompositesMap,
    cacheable: CacheableTable,
    constraints: Vec<Constraints>,
    classes: StorageClassRegistry,
}

impl Tables {
    fn new(text: &str) -> Self {
        let universe = DimensionUniverse::default_universe();
        let config = Config::from_yaml(text).unwrap();
        let subset = |key: &str| config.require_subset(key).unwrap();
        let defaults = Section::Datastore
            .expand(&Config::new(), &EmbeddedDefaults)
            .unwrap();
        let constraints = config.get("constraints").unwrap().as_seq().unwrap();
        Self {
            templates: FileTemplates::from_config(&subset("templates"), None, universe).unwrap(),
            formatters: FormatterTable::from_config(&subset("formatters"), universe).unwrap(),
            default_formatters: FormatterTable::from_config(
                &defaults.require_subset("formatters").unwrap(),
                universe,
            )
            .unwrap(),
            composites: CompositesMap::from_config(&subset("composites"), universe).unwrap(),
            cacheable: CacheableTable::from_config(&subset("cached"), universe).unwrap(),
            constraints: constraints
                .iter()
                .map(|item| {
                    let config = Config::try_from(item.clone()).unwrap();
                    Constraints::from_config(Some(&config), universe).unwrap()
                })
                .collect(),
            classes: StorageClassRegistry::with_defaults(),
        }
    }

    fn describe(&self, entity: Entity<'_>) -> Value {
        let formatter = |table: &FormatterTable| match table.find(entity) {
            Err(_) => Value::Null,
            Ok((key, entry)) => {
                let mut kwargs = Map::new();
                if !entry.write_parameters.is_empty() {
                    kwargs.insert(
                        "write_parameters".into(),
                        Yaml::Map(entry.write_parameters.clone()),
                    );
                }
                if let Some(recipes) = &entry.write_recipes {
                    kwargs.insert("write_recipes".into(), recipes.clone());
                }
                json!([key_text(&key), &*entry.class, Yaml::Map(kwargs).to_json()])
            }
        };
        let (key, template) = self.templates.find(entity).unwrap();
        let accept: Vec<bool> = self
            .constraints
            .iter()
            .map(|constraints| constraints.is_acceptable(entity))
            .collect();
        json!({
            "template": [key_text(&key), template.as_str()],
            "formatter": formatter(&self.formatters),
            "default_formatter": formatter(&self.default_formatters),
            "disassemble": self.composites.should_be_disassembled(entity, &self.classes).unwrap(),
            "cache": self.cacheable.should_be_cached(entity),
            "accept": accept,
        })
    }
}

#[test]
fn lookups_decide_as_in_the_reference() {
    let rows = fixture("lookups.json");
    let tables = Tables::new(rows[0].as_str().unwrap());
    for ((dataset, _), expected) in datasets().iter().zip(rows[1].as_array().unwrap()) {
        assert_eq!(tables.describe(dataset.into()), *expected, "{dataset}");
    }
    for (dataset_type, expected) in dataset_types().iter().zip(rows[2].as_array().unwrap()) {
        assert_eq!(
            tables.describe((&**dataset_type).into()),
            *expected,
            "{dataset_type}"
        );
    }
    for row in rows[3].as_array().unwrap() {
        let class = tables.classes.get(row[0].as_str().unwrap()).unwrap();
        assert_eq!(tables.describe((&*class).into()), row[1], "{class}");
    }
}

#[test]
fn patterns_match_as_in_the_reference() {
    let rows = fixture("globs.json");
    let names: Vec<&str> = rows[0]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect();
    for row in rows[1].as_array().unwrap() {
        let text = row[0].as_str().unwrap();
        if row[1] == "all" {
            assert!(
                CollectionWildcard::from_expression([text])
                    .unwrap()
                    .is_everything()
            );
            continue;
        }
        match GlobExpression::parse(text).unwrap() {
            GlobExpression::Name(name) => {
                assert_eq!((row[1].as_str(), name.as_str()), (Some("name"), text))
            }
            GlobExpression::Pattern(glob) => {
                assert_eq!(row[1], "pattern", "{text}");
                let matched: Vec<&str> = names
                    .iter()
                    .copied()
                    .filter(|name| glob.matches(name))
                    .collect();
                assert_eq!(json!(matched), row[2], "{text}");
            }
        }
    }
    let wildcard = CollectionWildcard::from_expression(["b", "a", "b", "x*"]).unwrap();
    assert_eq!(json!(wildcard.names()), rows[2]);
}

#[test]
fn records_of_stored_files_are_those_of_the_reference() {
    let rows = fixture("stored_files.json");
    for row in rows[0].as_array().unwrap() {
        let simple: SerializedStoredFileInfo = serde_json::from_value(row[0].clone()).unwrap();
        let info = StoredFileInfo::from_simple(simple);
        assert_eq!(json!(info.to_simple()), row[0]);
        assert_eq!(
            info.component_column(),
            row[1]["component"].as_str().unwrap()
        );
        assert_eq!(info.artifact_path(), row[2].as_str().unwrap());
    }
    let simple: SerializedDatastoreRecordData = serde_json::from_value(rows[1].clone()).unwrap();
    let data = DatastoreRecordData::from_simple(simple).unwrap();
    assert_eq!(data.records.len(), 3);
    assert_eq!(json!(data.to_simple()), rows[1]);
    for row in rows[2].as_array().unwrap() {
        let path = row[0].as_str().unwrap();
        assert_eq!(
            make_datastore_path_relative(path).unwrap(),
            row[1].as_str().unwrap()
        );
    }
}

#[test]
fn broken_tables_are_refused() {
    let universe = DimensionUniverse::default_universe();
    let config = |text: &str| Config::from_yaml(text).unwrap();
    let refuse = |result: butler_core::Result<()>| result.unwrap_err().to_string();

    let constraints =
        |text: &str| Constraints::from_config(Some(&config(text)), universe).map(drop);
    assert!(refuse(constraints("{accept: [all], reject: [all]}")).contains("both"));
    assert!(refuse(constraints("accept: [{calexp: [x]}]")).contains("'calexp'"));

    let composites = |text: &str| CompositesMap::from_config(&config(text), universe).map(drop);
    assert!(refuse(composites("disassembled: {calexp: 1}")).contains("disassembled.calexp"));

    let formatters = |text: &str| FormatterTable::from_config(&config(text), universe).map(drop);
    assert!(refuse(formatters("raw: {class: a.B}")).contains("'class'"));
    assert!(refuse(formatters("raw: {parameters: {}}")).contains("'formatter'"));
    assert!(refuse(formatters("raw: 3")).contains("an integer"));

    let templates =
        |text: &str| FileTemplates::from_config(&config(text), None, universe).map(drop);
    assert!(refuse(templates("raw: {x: y}")).contains("dimension<value>"));
    assert!(refuse(templates("raw: true")).contains("must be a string"));
    assert!(refuse(templates("default: '{visit}'")).contains("'run'"));
    assert!(templates("default: false").is_ok());
}

#[test]
fn formatters_know_their_extensions() {
    let universe = DimensionUniverse::default_universe();
    let defaults = Section::Datastore
        .expand(&Config::new(), &EmbeddedDefaults)
        .unwrap();
    let section = defaults.require_subset("formatters").unwrap();
    let table = FormatterTable::from_config(&section, universe).unwrap();
    let extension = |name: &str| table.find_by_name(name).unwrap().extension().unwrap();
    assert_eq!(extension("DataFrame").as_deref(), Some(".parq"));
    assert_eq!(extension("StructuredDataDict").as_deref(), Some(".yaml"));
    assert_eq!(extension("TaskMetadata").as_deref(), Some(".json"));
    assert_eq!(extension("Packages").as_deref(), Some(".yaml"));
    assert_eq!(extension("AstropyTable").as_deref(), Some(".ecsv"));
    assert_eq!(extension("ExposureF").as_deref(), Some(".fits"));
    assert_eq!(extension("HealSparseMap"), None);
}
