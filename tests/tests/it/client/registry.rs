//! Everything that a registry answers.

use std::collections::HashMap;

use butler_core::butler::DefaultsOptions;
use butler_core::collections::{CollectionType, CollectionWildcard, DatasetTypeWildcard};
use butler_core::dimensions::{DataCoordinate, DataIdValue, DimensionUniverse};
use butler_core::registry::{CollectionQuery, DatasetAssociation, Registry};
use butler_core::{Result, Timespan};
use butler_tests::server::Program;
use uuid::Uuid;

use super::Differences;
use super::served::Service;

const DATA: [&str; 2] = ["--data", "base.yaml,datasets.yaml,spatial.yaml"];

pub(crate) async fn are_the_same(program: &Program) {
    let service = Service::start(program, &DATA);
    for served in service.open().await {
        let [direct, remote] = served.readers();
        let mut wrong = Differences::default();
        let (direct, remote) = (direct.registry(), remote.registry());
        assert_eq!(direct.universe(), remote.universe());
        dataset_types(direct, remote, &mut wrong).await;
        collections(direct, remote, &mut wrong).await;
        datasets(direct, remote, &mut wrong).await;
        dimensions(direct, remote, &mut wrong).await;
        defaults(&served.readers(), &mut wrong).await;
        wrong.assert_none(served.label);
        served.direct.close().await;
    }
}

async fn dataset_types(direct: &dyn Registry, remote: &dyn Registry, wrong: &mut Differences) {
    for name in [
        "bias",
        "flat",
        "nothing",
        "bad name",
        "a/b?c",
        "flat.part",
        "ü",
    ] {
        let question = format!("dataset_type {name}");
        wrong.compare(
            question,
            direct.dataset_type(name).await,
            remote.dataset_type(name).await,
        );
    }
    for expression in [
        &["*"][..],
        &["b*", "flat"],
        &["nothing", "bias"],
        &["x*"],
        &[],
    ] {
        let wildcard = DatasetTypeWildcard::from_expression(expression).unwrap();
        wrong.compare(
            format!("dataset_types {wildcard}"),
            direct.dataset_types(&wildcard).await,
            remote.dataset_types(&wildcard).await,
        );
    }
}

async fn collections(direct: &dyn Registry, remote: &dyn Registry, wrong: &mut Differences) {
    let mut queries = Vec::new();
    for expression in [
        &["*"][..],
        &["chain"],
        &["outer", "imported*"],
        &["imported_r", "chain", "imported_g"],
        &["nowhere"],
        &["no*"],
        &[],
    ] {
        let plain = CollectionQuery::new(CollectionWildcard::from_expression(expression).unwrap());
        queries.push(plain.clone().flattened());
        let mut with_all = plain.clone();
        with_all.with_parents = true;
        with_all.with_dataset_types = true;
        with_all.with_doc = true;
        queries.push(with_all);
        let mut of_types = plain.clone().flattened();
        of_types.types = vec![CollectionType::Run, CollectionType::Chained];
        of_types.include_chains = Some(true);
        queries.push(of_types);
        queries.push(plain);
    }
    for query in queries {
        let sorted = |found: Result<Vec<_>>| {
            found.map(|mut found: Vec<butler_core::collections::CollectionInfo>| {
                if !query.wildcard.patterns().is_empty() {
                    found.sort_by(|a, b| a.name.cmp(&b.name));
                }
                found
            })
        };
        wrong.compare(
            format!("collections {query:?}"),
            direct.collections(&query).await.and_then(|c| sorted(Ok(c))),
            remote.collections(&query).await.and_then(|c| sorted(Ok(c))),
        );
    }
    for name in [
        "chain",
        "outer",
        "calibs",
        "tag",
        "empty_chain",
        "empty_run",
        "nowhere",
    ] {
        wrong.compare(
            format!("collection_summary {name}"),
            direct.collection_summary(name).await.map(canonical_summary),
            remote.collection_summary(name).await.map(canonical_summary),
        );
    }
}

/// A summary whose dataset types are in order.
fn canonical_summary(
    summary: butler_core::collections::CollectionSummary,
) -> (
    Vec<String>,
    std::collections::BTreeMap<String, std::collections::BTreeSet<String>>,
) {
    let mut types: Vec<String> = summary
        .dataset_types
        .values()
        .map(|t| format!("{t:?}"))
        .collect();
    types.sort();
    (types, summary.governors)
}

fn data_id(universe: DimensionUniverse, values: &[(&str, DataIdValue)]) -> DataCoordinate {
    DataCoordinate::standardize(universe, values.iter().cloned(), None, None).unwrap()
}

fn detector(universe: DimensionUniverse, detector: i64) -> DataCoordinate {
    data_id(
        universe,
        &[("instrument", "Cam1".into()), ("detector", detector.into())],
    )
}

/// Associations in an order.
fn sorted(mut found: Vec<DatasetAssociation>) -> Vec<DatasetAssociation> {
    found.sort_by_cached_key(|a| {
        (
            a.collection.to_string(),
            a.dataset.id(),
            a.timespan.map(|t| (t.begin_ns(), t.end_ns())),
        )
    });
    found
}

async fn datasets(direct: &dyn Registry, remote: &dyn Registry, wrong: &mut Differences) {
    let universe = direct.universe();
    let mut known: Vec<Uuid> = vec![Uuid::nil(), Uuid::from_u128(1)];
    for name in ["bias", "flat"] {
        for collections in [
            &["outer"][..],
            &["tag", "imported_r"],
            &["empty_run"],
            &["nowhere"],
        ] {
            let collections: Vec<String> = collections.iter().map(ToString::to_string).collect();
            let found = direct.associations(name, &collections).await.map(sorted);
            if let Ok(found) = &found {
                known.extend(found.iter().map(|association| association.dataset.id()));
            }
            wrong.compare(
                format!("associations {name} {collections:?}"),
                found,
                remote.associations(name, &collections).await.map(sorted),
            );
        }
    }
    assert!(known.len() > 10);
    let all = |found: Result<HashMap<Uuid, butler_core::datasets::DatasetRef>>| found;
    wrong.compare(
        "datasets",
        all(direct.datasets(&known).await),
        all(remote.datasets(&known).await),
    );
    for id in &known[..4] {
        wrong.compare(
            format!("dataset {id}"),
            direct.dataset(*id).await,
            remote.dataset(*id).await,
        );
    }
    let spans = [
        None,
        Some(Timespan::from_ns(0, 1)),
        Some(Timespan::new(None, None).unwrap()),
    ];
    for name in ["bias", "flat", "nothing"] {
        for collections in [
            &["chain"][..],
            &["imported_g", "tag"],
            &["calibs"],
            &["nowhere"],
        ] {
            let collections: Vec<String> = collections.iter().map(ToString::to_string).collect();
            for timespan in spans {
                let mut values = vec![("instrument", "Cam1".into()), ("detector", 2.into())];
                if name == "flat" {
                    values.push(("physical_filter", "Cam1-G".into()));
                }
                let data_id = data_id(universe, &values);
                wrong.compare(
                    format!("find_dataset {name} {collections:?} {timespan:?}"),
                    direct
                        .find_dataset(name, &data_id, &collections, timespan)
                        .await,
                    remote
                        .find_dataset(name, &data_id, &collections, timespan)
                        .await,
                );
            }
        }
    }
}

async fn dimensions(direct: &dyn Registry, remote: &dyn Registry, wrong: &mut Differences) {
    let universe = direct.universe();
    for element in universe.elements() {
        let question = format!("dimension_records {element}");
        wrong.compare(
            question,
            direct.dimension_records(element).await,
            remote.dimension_records(element).await,
        );
    }
    let few = vec![detector(universe, 1), DataCoordinate::empty(universe)];
    let mut many: Vec<DataCoordinate> = (1..=4).map(|n| detector(universe, n)).collect();
    many.push(detector(universe, 1));
    for record in direct
        .dimension_records(universe.element("visit").unwrap())
        .await
        .unwrap()
    {
        many.push(record.data_id().unwrap());
    }
    let filter = [
        ("instrument", "Cam1".into()),
        ("physical_filter", "Cam1-G".into()),
    ];
    many.push(data_id(universe, &filter));
    many.push(data_id(universe, &[("htm7", 231_819.into())]));
    let missing = vec![detector(universe, 1), detector(universe, 99)];
    let mut many_and_missing = many.clone();
    many_and_missing.push(detector(universe, 99));
    for data_ids in [few, many, missing, many_and_missing, Vec::new()] {
        // Equality of data IDs does not look at records.
        let shown = |found: Vec<DataCoordinate>| {
            let found = found.iter();
            found
                .map(|data_id| {
                    let records = data_id.records().into_iter().flatten();
                    let records: Vec<_> = records
                        .map(|(name, record)| (name, record.cloned()))
                        .collect();
                    (
                        data_id.clone(),
                        data_id.full_values().map(<[_]>::to_vec),
                        records,
                    )
                })
                .collect::<Vec<_>>()
        };
        wrong.compare(
            format!("expand_data_ids {data_ids:?}"),
            direct.expand_data_ids(&data_ids).await.map(shown),
            remote.expand_data_ids(&data_ids).await.map(shown),
        );
    }
}

async fn defaults(readers: &[butler_core::butler::Butler; 2], wrong: &mut Differences) {
    let [direct, remote] = readers;
    for collections in [&["chain"][..], &["outer", "nowhere"], &[]] {
        let options = DefaultsOptions {
            collections: Some(collections.iter().map(ToString::to_string).collect()),
            ..DefaultsOptions::default()
        };
        let of = |butler: Result<butler_core::butler::Butler>| {
            butler.map(|butler| butler.defaults().clone())
        };
        let (direct, remote) = (
            direct.with_defaults(options.clone()).await,
            remote.with_defaults(options.clone()).await,
        );
        if let (Ok(direct), Ok(remote)) = (&direct, &remote) {
            for detector in [2_i64, 99] {
                let data_id = [("detector", detector)];
                wrong.compare(
                    format!("find_dataset with the defaults of {collections:?}"),
                    direct.find_dataset("bias", data_id, None, None).await,
                    remote.find_dataset("bias", data_id, None, None).await,
                );
            }
        }
        wrong.compare(format!("defaults {collections:?}"), of(direct), of(remote));
    }
}
