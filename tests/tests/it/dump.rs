//! What a repository holds as canonical JSON, read by the library: the counterpart of
//! `tests/python/dump_repo.py`.

use butler_core::collections::{CollectionType, CollectionWildcard, DatasetTypeWildcard};
use butler_core::dimensions::{DimensionRecord, DimensionUniverse};
use butler_core::registry::{CollectionQuery, Registry, RegistryWriter};
use butler_core::time::{NS_PER_SECOND, TimeFormat, TimeScale, parse_time};
use butler_direct::DirectButler;
use butler_direct::db::{Dialect, Session};
use serde_json::{Map, Value, json};

/// Everything that does not need the datastore: the document of `dump_repo.py --skip files`.
pub(crate) async fn registry(butler: &DirectButler) -> Value {
    let registry = butler.registry();
    let mut session = registry.database().read().await.unwrap();
    let attributes: Map<String, Value> = registry
        .attributes()
        .await
        .unwrap()
        .into_iter()
        .map(|(name, text)| {
            (
                name,
                serde_json::from_str(&text).unwrap_or(Value::from(text)),
            )
        })
        .collect();
    json!({
        "universe": universe(butler.universe()),
        "attributes": attributes,
        "collections": collections(butler).await,
        "dataset_types": dataset_types(butler).await,
        "dimension_records": dimension_records(butler).await,
        "datasets": datasets(butler, &mut session).await,
        "tagged": associations(butler, CollectionType::Tagged).await,
        "calibrations": associations(butler, CollectionType::Calibration).await,
        "locations": locations(butler, &mut session, "dataset_location").await,
        "trash": locations(butler, &mut session, "dataset_location_trash").await,
        "opaque": opaque(butler, &mut session).await,
        "tables": tables(butler, &mut session).await,
    })
}

fn universe(universe: DimensionUniverse) -> Value {
    let elements: Map<String, Value> = universe
        .elements()
        .map(|element| {
            let facts = json!({"required": element.required(), "implied": element.implied()});
            (element.name().to_owned(), facts)
        })
        .collect();
    json!({
        "version": universe.version(),
        "namespace": universe.namespace(),
        "common_skypix": universe.common_skypix().name(),
        "elements": elements,
    })
}

async fn collections(butler: &DirectButler) -> Value {
    let mut query = CollectionQuery::new(CollectionWildcard::everything());
    query.with_doc = true;
    query.with_parents = true;
    let mut result = Map::new();
    for info in butler.registry().collections(&query).await.unwrap() {
        let chain = info.collection_type == CollectionType::Chained;
        let summary = butler
            .registry()
            .collection_summary(&info.name)
            .await
            .unwrap();
        let types: Vec<&str> = summary.dataset_types.keys().map(|name| &**name).collect();
        let governors: Map<String, Value> = summary
            .governors
            .iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(name, values)| (name.clone(), json!(values)))
            .collect();
        let facts = json!({
            "type": info.collection_type.name(),
            "doc": info.doc,
            "children": info.children,
            "parents": info.parents,
            "dataset_types": if chain { json!([]) } else { json!(types) },
            "governors": if chain { json!({}) } else { Value::Object(governors) },
        });
        result.insert(info.name, facts);
    }
    Value::Object(result)
}

async fn dataset_types(butler: &DirectButler) -> Value {
    let all = butler
        .registry()
        .dataset_types(&DatasetTypeWildcard::everything())
        .await
        .unwrap();
    let facts = all.iter().map(|dataset_type| {
        let facts = json!({
            "dimensions": dataset_type.dimensions().names(),
            "storage_class": &**dataset_type.storage_class_name(),
            "is_calibration": dataset_type.is_calibration(),
        });
        (dataset_type.name().to_string(), facts)
    });
    Value::Object(facts.collect())
}

fn record_value(record: &DimensionRecord) -> Value {
    record
        .fields()
        .map(|(column, value)| (column.name.to_string(), value.to_json()))
        .collect()
}

async fn dimension_records(butler: &DirectButler) -> Value {
    let mut result = Map::new();
    for element in butler
        .universe()
        .elements()
        .filter(|element| !element.is_skypix())
    {
        let records = butler.registry().dimension_records(element).await.unwrap();
        let records: Value = records.iter().map(|record| record_value(record)).collect();
        result.insert(element.name().to_owned(), records);
    }
    Value::Object(result)
}

async fn names_of(butler: &DirectButler, kind: CollectionType) -> Vec<String> {
    let mut query = CollectionQuery::new(CollectionWildcard::everything());
    query.types = vec![kind];
    let found = butler.registry().collections(&query).await.unwrap();
    found.into_iter().map(|info| info.name).collect()
}

/// The time at which each dataset came in, TAI nanoseconds, by ID.
async fn ingest_dates(butler: &DirectButler, session: &mut Session) -> Map<String, Value> {
    let database = butler.registry().database();
    let tai = butler.registry().versions().ingest_date_is_tai();
    let date = match (tai, database.dialect()) {
        (false, Dialect::Postgres) => "ingest_date::text",
        _ => "ingest_date",
    };
    let sql = format!("SELECT id, {date} FROM {}", database.table("dataset"));
    let rows = session.fetch_all(&sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| {
            let date = if tai {
                row.int(1).unwrap()
            } else {
                let text = row.timestamp_text(1).unwrap();
                let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
                let nanoseconds: i64 = format!("{fraction:0<9}").parse().unwrap();
                assert!(nanoseconds < NS_PER_SECOND);
                parse_time(whole, TimeFormat::Iso, TimeScale::Utc).unwrap() + nanoseconds
            };
            (row.uuid(0).unwrap().to_string(), Value::from(date))
        })
        .collect()
}

async fn datasets(butler: &DirectButler, session: &mut Session) -> Value {
    let dates = ingest_dates(butler, session).await;
    let mut result = Vec::new();
    for run in names_of(butler, CollectionType::Run).await {
        let ids = butler.registry().run_dataset_ids(&run).await.unwrap();
        let found: Vec<_> = butler
            .registry()
            .datasets(&ids)
            .await
            .unwrap()
            .into_values()
            .collect();
        let data_ids: Vec<_> = found
            .iter()
            .map(|dataset| dataset.data_id().clone())
            .collect();
        let expanded = butler.registry().expand_data_ids(&data_ids).await.unwrap();
        for (dataset, data_id) in found.iter().zip(expanded) {
            let mapping: Map<String, Value> = data_id
                .mapping()
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .collect();
            let id = dataset.id().to_string();
            result.push(json!({
                "ingest_date": dates[&id],
                "id": id,
                "dataset_type": &**dataset.dataset_type().name(),
                "run": &**dataset.run(),
                "data_id": mapping,
            }));
        }
    }
    Value::Array(result)
}

async fn associations(butler: &DirectButler, kind: CollectionType) -> Value {
    let types = butler
        .registry()
        .dataset_types(&DatasetTypeWildcard::everything())
        .await
        .unwrap();
    let mut result = Map::new();
    for collection in names_of(butler, kind).await {
        let mut found = Vec::new();
        for dataset_type in &types {
            let collections = [collection.clone()];
            let members = butler
                .registry()
                .associations(dataset_type.name(), &collections)
                .await
                .unwrap();
            for member in members {
                let id = member.dataset.id().to_string();
                found.push(match member.timespan {
                    None => Value::from(id),
                    Some(timespan) => {
                        json!({"id": id, "timespan": [timespan.begin_ns(), timespan.end_ns()]})
                    }
                });
            }
        }
        result.insert(collection, Value::Array(found));
    }
    Value::Object(result)
}

async fn locations(butler: &DirectButler, session: &mut Session, table: &str) -> Value {
    let table = butler.registry().database().table(table);
    let sql = format!("SELECT datastore_name, dataset_id FROM {table}");
    let mut result = Map::new();
    for row in session.fetch_all(&sql, &[]).await.unwrap() {
        let ids = result
            .entry(row.text(0).unwrap())
            .or_insert_with(|| json!([]));
        ids.as_array_mut()
            .unwrap()
            .push(row.uuid(1).unwrap().to_string().into());
    }
    Value::Object(result)
}

/// The names of the opaque tables.
async fn opaque_names(butler: &DirectButler, session: &mut Session) -> Vec<String> {
    let table = butler.registry().database().table("opaque_meta");
    let rows = session
        .fetch_all(&format!("SELECT table_name FROM {table}"), &[])
        .await
        .unwrap();
    rows.iter()
        .map(|row| row.text(0).unwrap().to_owned())
        .collect()
}

async fn opaque(butler: &DirectButler, session: &mut Session) -> Value {
    let mut result = Map::new();
    for name in opaque_names(butler, session).await {
        let sql = format!(
            "SELECT dataset_id, path, formatter, storage_class, component, checksum, file_size \
             FROM {}",
            butler.registry().database().table(&name)
        );
        let rows = session.fetch_all(&sql, &[]).await.unwrap();
        let rows: Value = rows
            .iter()
            .map(|row| {
                json!({
                    "dataset_id": row.uuid(0).unwrap().to_string(),
                    "path": row.text(1).unwrap(),
                    "formatter": row.text(2).unwrap(),
                    "storage_class": row.text(3).unwrap(),
                    "component": row.text(4).unwrap(),
                    "checksum": row.opt_text(5).unwrap(),
                    "file_size": row.opt_int(6).unwrap(),
                })
            })
            .collect();
        result.insert(name, rows);
    }
    Value::Object(result)
}

async fn tables(butler: &DirectButler, session: &mut Session) -> Value {
    let database = butler.registry().database();
    let sql = match database.dialect() {
        Dialect::Postgres => format!(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = '{}'",
            database.namespace().unwrap()
        ),
        Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'".to_owned(),
    };
    let mut result = Map::new();
    for row in session.fetch_all(&sql, &[]).await.unwrap() {
        let name = row.text(0).unwrap();
        if !name.starts_with("sqlite_") {
            let sql = format!("SELECT count(*) FROM {}", database.table(name));
            let count = session.fetch_optional(&sql, &[]).await.unwrap().unwrap();
            result.insert(name.to_owned(), count.int(0).unwrap().into());
        }
    }
    Value::Object(result)
}
