//! What is done with input from anybody: no panic, no answer out of proportion, and what has been read can be written and
//! read again.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use butler_core::Error;
use butler_core::config::Config;
use butler_core::dimensions::{DimensionGroup, DimensionUniverse};
use butler_core::query::language::{
    BindValue, BindValues, ParseContext, parse_order_by, parse_where,
};
use butler_core::query::{DatasetTypeKey, QueryTree, ResultSpec};
use butler_core::wire::{
    ErrorResponse, ExpandDataIdRequest, FindDatasetRequest, GetFileByDataIdRequest,
    GetFileResponse, GetFileTransferInfoRequest, GetManyDatasetsRequest, QueryAllDatasetsRequest,
    QueryAnyRequest, QueryCollectionInfoRequest, QueryCollectionsRequest, QueryCountRequest,
    QueryDatasetTypesRequest, QueryExecuteRequest, QueryExplainRequest,
};
use butler_core::yaml;
use butler_sphgeom::{Region, Relationship};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A target.
pub type Target = fn(&[u8]);

/// All targets by name; `seeds/<name>` has inputs to begin with.
pub const TARGETS: [(&str, Target); 5] = [
    ("where_parser", where_parser),
    ("query_tree_json", query_tree_json),
    ("wire_models", wire_models),
    ("region_decoder", region_decoder),
    ("yaml_configuration", yaml_configuration),
];

static DIMENSIONS: LazyLock<DimensionGroup> = LazyLock::new(|| {
    DimensionUniverse::default_universe()
        .conform(["visit", "exposure", "patch"])
        .expect("these are dimensions")
});
static DATASETS: LazyLock<BTreeSet<DatasetTypeKey>> =
    LazyLock::new(|| [DatasetTypeKey::from("raw")].into());
static BIND: LazyLock<BindValues> = LazyLock::new(|| {
    BindValues::from([
        ("i".to_owned(), BindValue::from(1_i64)),
        ("f".to_owned(), BindValue::from(1.5)),
        ("s".to_owned(), BindValue::from("CIRCLE 1 2 3")),
        ("t".to_owned(), BindValue::Time(1_585_571_433_000_000_000)),
        ("l".to_owned(), BindValue::from(vec![1_i64, 2, 3])),
    ])
});

/// Any text is an expression, or an error that shows its place.
pub fn where_parser(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let context = ParseContext::new(&DIMENSIONS)
        .with_datasets(&DATASETS)
        .with_bind(&BIND);
    match parse_where(text, &context) {
        Ok(predicate) => {
            predicate
                .to_json()
                .expect("literals of expressions are finite");
            let _ = predicate.to_string();
        }
        Err(Error::InvalidQuery(message)) => assert!(message.contains('^'), "{message}"),
        Err(other) => panic!("{other:?}"),
    }
    let _ = parse_order_by(text, &context);
}

/// Any document is a query that survives the way out and in again, or a mistake of its sender.
pub fn query_tree_json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let universe = DimensionUniverse::default_universe();
    match QueryTree::from_json(text, universe) {
        Ok(tree) => {
            let written = tree.to_json().expect("what has been read can be written");
            let again = QueryTree::from_json(&written.to_string(), universe);
            assert_eq!(again.expect("what has been written can be read"), tree);
        }
        Err(error) => assert!(error.is_user_error(), "{error:?}"),
    }
    if let Err(error) = ResultSpec::from_json(text, universe) {
        assert!(error.is_user_error(), "{error:?}");
    }
}

/// Any body of a request or response is read, or refused as its sender's mistake.
pub fn wire_models(data: &[u8]) {
    survives::<ExpandDataIdRequest>(data);
    survives::<FindDatasetRequest>(data);
    survives::<GetFileByDataIdRequest>(data);
    survives::<GetFileTransferInfoRequest>(data);
    survives::<GetManyDatasetsRequest>(data);
    survives::<QueryCollectionInfoRequest>(data);
    survives::<QueryCollectionsRequest>(data);
    survives::<QueryDatasetTypesRequest>(data);
    survives::<QueryAllDatasetsRequest>(data);
    survives::<GetFileResponse>(data);
    survives::<ErrorResponse>(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let universe = DimensionUniverse::default_universe();
    let written = [
        QueryExecuteRequest::from_json(text, universe).and_then(|read| read.to_json()),
        QueryCountRequest::from_json(text, universe).and_then(|read| read.to_json()),
        QueryAnyRequest::from_json(text, universe).and_then(|read| read.to_json()),
        QueryExplainRequest::from_json(text, universe).and_then(|read| read.to_json()),
    ];
    for refused in written.into_iter().filter_map(Result::err) {
        assert!(refused.is_user_error(), "{refused:?}");
    }
}

/// What has been read can be written, and what has been written means the same.
fn survives<T: DeserializeOwned + Serialize>(data: &[u8]) {
    if let Ok(read) = serde_json::from_slice::<T>(data) {
        let written = serde_json::to_value(&read).expect("what has been read can be written");
        let again: T = serde_json::from_value(written.clone()).expect("and read again");
        let again = serde_json::to_value(&again).expect("and written again");
        assert_eq!(again, written);
    }
}

/// Any bytes are a region, which has relations with others, or are refused.
pub fn region_decoder(data: &[u8]) {
    let Ok(region) = Region::decode(data) else {
        return;
    };
    let written = region.encode();
    let again = Region::decode(&written).expect("what has been written can be read");
    assert_eq!(again.encode(), written);
    // Conservative: a region is never said to be disjoint from itself, unless nothing is in it.
    let relation = region.relate(&region);
    let empty = relation.has(Relationship::WITHIN) && relation.has(Relationship::CONTAINS);
    assert!(!relation.is_disjoint() || empty, "{region:?}: {relation:?}");
}

/// Any text is a configuration that survives the way out and in again, or is refused.
pub fn yaml_configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(value) = yaml::parse(text) {
        let _ = value.to_json();
    }
    let Ok(config) = Config::from_yaml(text) else {
        return;
    };
    let written = config.to_yaml_ordered();
    let again = Config::from_yaml(&written).expect("what has been written can be read");
    assert_eq!(again.to_yaml_ordered(), written);
    for path in config.paths() {
        assert!(config.get_path(&path).is_some(), "{path:?}");
    }
    let _ = config.include_sites();
    let mut merged = config.clone();
    merged.merge(&config);
    merged.update(&config);
}
