//! Any text is an expression or an error that shows its place.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use butler_core::Error;
use butler_core::dimensions::{DimensionGroup, DimensionUniverse};
use butler_core::query::language::{
    BindValue, BindValues, ParseContext, parse_order_by, parse_where,
};
use butler_core::query::{DatasetTypeKey, Predicate};
use libfuzzer_sys::fuzz_target;

static DIMENSIONS: LazyLock<DimensionGroup> = LazyLock::new(|| {
    DimensionUniverse::default_universe()
        .conform(&["visit", "exposure", "patch"])
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

fuzz_target!(|text: &str| {
    let context = ParseContext::new(&DIMENSIONS)
        .with_datasets(&DATASETS)
        .with_bind(&BIND);
    match parse_where(text, &context) {
        Ok(predicate) => check(&predicate),
        Err(Error::InvalidQuery(message)) => assert!(message.contains('^'), "{message}"),
        Err(other) => panic!("{other:?}"),
    }
    let _ = parse_order_by(text, &context);
});

fn check(predicate: &Predicate) {
    predicate
        .to_json()
        .expect("literals of expressions are finite");
    let _ = predicate.to_string();
}
