//! The number of statements grows with what is different about datasets, not with their number.

use std::sync::Arc;

use butler_core::datasets::DatasetRef;
use butler_core::dimensions::{DataCoordinate, DataIdValue};
use butler_core::progress::NoProgress;
use butler_core::registry::{InsertMode, RegistryWriter};
use butler_direct::DirectButler;
use butler_direct::datastores::IngestOptions;
use butler_direct::ops::prune::Prune;
use butler_direct::ops::transfer::TransferOptions;
use butler_direct::resource::TransferMode;

use super::fixture::{Place, RUN, dataset_type};
use crate::registry::fixture::{add_instruments, element, record};

const FEW: i64 = 100;
const MANY: i64 = 5_000;

/// New datasets of two types with different dimensions: by group, and by group and detector.
async fn datasets(butler: &DirectButler, count: i64) -> Vec<DatasetRef> {
    add_instruments(butler.registry()).await;
    let records: Vec<_> = (0..count / 2)
        .map(|number| {
            let name = format!("{number:05}");
            let fields = [
                ("instrument", "Cam1".into()),
                ("name", name.as_str().into()),
            ];
            record("group", fields)
        })
        .collect();
    butler
        .registry()
        .insert_dimension_records(element("group"), &records, InsertMode::Insert)
        .await
        .unwrap();
    let mut refs = Vec::new();
    for (name, dimensions) in [("one", &["group"][..]), ("two", &["group", "detector"])] {
        let dataset_type = Arc::new(dataset_type(butler, name, dimensions));
        for number in 0..count / 2 {
            let values: [(&str, DataIdValue); 3] = [
                ("instrument", "Cam1".into()),
                ("group", format!("{number:05}").as_str().into()),
                ("detector", 1.into()),
            ];
            let given = values.into_iter().take(dimensions.len() + 1);
            let group = Some(dataset_type.dimensions());
            let data_id =
                DataCoordinate::standardize(butler.universe(), given, group, None).unwrap();
            let mode = butler_core::datasets::DatasetIdMode::Unique;
            let dataset_type = Arc::clone(&dataset_type);
            refs.push(DatasetRef::generate(dataset_type, data_id, RUN, mode).unwrap());
        }
    }
    refs
}

/// The statements that operations on so many datasets send, by operation.
async fn statements(from: &Place, count: i64) -> Vec<(&'static str, u64)> {
    let source = from.create().await;
    let refs = datasets(&source, count).await;
    let to = from.sibling();
    let target = to.create().await;
    let mut counts = Vec::new();
    let total = || {
        source.registry().database().statement_count()
            + target.registry().database().statement_count()
    };
    macro_rules! count {
        ($name:literal, $operation:expr) => {{
            let before = total();
            let result = $operation.await.unwrap();
            counts.push(($name, total() - before));
            result
        }};
    }
    let files = from.files(&refs);
    let ingest = IngestOptions::new(Some(TransferMode::Hardlink));
    let ingested = count!("ingest", source.ingest(files, ingest, false, &NoProgress));
    assert_eq!(ingested, refs.len());
    let options = TransferOptions {
        mode: TransferMode::Hardlink,
        register_dataset_types: true,
        transfer_dimensions: true,
        ..TransferOptions::default()
    };
    let moved = count!(
        "transfer",
        target.transfer_from(&source, &refs, options, &NoProgress)
    );
    assert_eq!(moved.len(), refs.len());
    let moved = count!(
        "transfer again",
        target.transfer_from(&source, &refs, options, &NoProgress)
    );
    assert_eq!(moved.len(), refs.len());
    count!("existence", target.exists(&refs, false));
    count!(
        "unstoring",
        target.prune_datasets(&refs[..20], &Prune::Unstore, &NoProgress)
    );
    count!(
        "purging",
        target.prune_datasets(&refs, &Prune::Purge, &NoProgress)
    );
    let mut transaction = source.registry().begin().await.unwrap();
    let ids: Vec<_> = refs.iter().map(DatasetRef::id).collect();
    source
        .datastore()
        .trash(&mut transaction, &ids)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let removed = count!("emptying trash", source.empty_trash(false));
    assert_eq!(removed.len(), refs.len());
    source.close().await;
    target.close().await;
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_do_not_grow_with_the_number_of_datasets() {
    for place in Place::both() {
        let few = statements(&place, FEW).await;
        let many = statements(&place.sibling(), MANY).await;
        for ((name, few), (_, many)) in few.into_iter().zip(many) {
            // Many rows get into a table of PostgreSQL by other means, which cost a few statements
            // more for each table, and into one of SQLite in parts, each of so many values.
            let room = 40;
            assert!(
                many <= few + room,
                "{name}: {few} statements for {FEW} datasets, {many} for {MANY}"
            );
        }
    }
}
