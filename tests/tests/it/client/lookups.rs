//! What a [`Butler`] adds to its registry: datasets and data IDs by what people write.

use butler_core::butler::Butler;
use butler_core::dimensions::{DataCoordinate, DataIdValue};
use butler_core::transfer::TransferSource;
use butler_core::{Result, Timespan};
use butler_tests::server::Program;
use uuid::Uuid;

use super::Differences;
use super::served::{Served, Service};

/// Keys and values that a data ID is written with.
type Written<'a> = &'a [(&'a str, DataIdValue)];

pub(crate) async fn are_the_same(program: &Program) {
    let data = ["--data", "base.yaml,datasets.yaml,spatial.yaml"];
    let service = Service::start(program, &data);
    for served in service.open().await {
        let mut wrong = Differences::default();
        by_data_id(&served, &mut wrong).await;
        by_identifier(&served, &mut wrong).await;
        records_with_keys(&served, &mut wrong).await;
        wrong.assert_none(served.label);
        served.direct.close().await;
    }
}

async fn by_data_id(served: &Served, wrong: &mut Differences) {
    let [direct, remote] = &served.readers();
    let cam = || ("instrument", DataIdValue::from("Cam1"));
    let data_ids: [Written<'_>; 10] = [
        &[cam(), ("detector", 2.into())],
        &[cam(), ("detector", "Ab".into())],
        &[cam(), ("detector.full_name", "Ba".into())],
        &[cam(), ("raft", "B".into()), ("name_in_raft", "a".into())],
        &[cam(), ("raft", "B".into())],
        &[cam(), ("detector", 2.into()), ("full_name", "Ba".into())],
        &[cam(), ("detector", 3.into()), ("visit", 1.into())],
        &[cam(), ("detector", 99.into())],
        &[cam(), ("colour", "red".into())],
        &[("detector", 2.into())],
    ];
    let bias = direct.registry().dataset_type("bias").await.unwrap();
    for data_id in data_ids {
        let written: Vec<(String, DataIdValue)> = data_id
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        wrong.compare(
            format!("rewrite_data_id {data_id:?}"),
            direct.rewrite_data_id(&bias, written.clone()).await,
            remote.rewrite_data_id(&bias, written).await,
        );
        for collections in [&["chain"][..], &["imported_*"], &["calibs"], &["nowhere"]] {
            let collections: Vec<String> = collections.iter().map(ToString::to_string).collect();
            let search = Some(collections.as_slice());
            for timespan in [None, Some(Timespan::from_ns(0, 1))] {
                let question = format!("{data_id:?} in {collections:?} at {timespan:?}");
                let given = || data_id.iter().cloned();
                wrong.compare(
                    format!("find_dataset {question}"),
                    direct.find_dataset("bias", given(), search, timespan).await,
                    remote.find_dataset("bias", given(), search, timespan).await,
                );
                wrong.compare(
                    format!("require_dataset {question}"),
                    direct
                        .require_dataset("bias", given(), search, timespan)
                        .await,
                    remote
                        .require_dataset("bias", given(), search, timespan)
                        .await,
                );
            }
        }
    }
}

async fn by_identifier(served: &Served, wrong: &mut Differences) {
    let [direct, remote] = &served.readers();
    let chain = ["chain".to_owned()];
    let found = direct.registry().associations("bias", &chain).await;
    let known = &found.unwrap()[0].dataset;
    for id in [known.id(), Uuid::nil()] {
        wrong.compare(
            format!("dataset {id}"),
            direct.dataset(id).await,
            remote.dataset(id).await,
        );
    }
    let universe = direct.universe();
    for detector in [1, 99] {
        let values = [
            ("instrument", DataIdValue::from("Cam1")),
            ("detector", detector.into()),
            ("visit", 1.into()),
        ];
        let data_id = DataCoordinate::standardize(universe, values, None, None).unwrap();
        // Equality of data IDs does not look at records.
        let expanded = |butler: &Butler| {
            let (butler, data_id) = (butler.clone(), data_id.clone());
            async move {
                let found = butler.expand_data_id(&data_id).await?;
                Ok((found.timespan(), format!("{:?}", found.region()), found))
            }
        };
        wrong.compare(
            format!("expand_data_id {data_id}"),
            expanded(direct).await,
            expanded(remote).await,
        );
    }
}

/// What a transfer asks of its source.
async fn records_with_keys(served: &Served, wrong: &mut Differences) {
    let sources: [&dyn TransferSource; 2] = [&served.direct, &served.remote];
    let keys = &[1, 2].map(|number: i64| vec!["Cam1".into(), number.into()]);
    let universe = served.direct.universe();
    for (element, dimensions) in [
        ("detector", &["instrument", "detector"]),
        ("visit_detector_region", &["instrument", "visit"]),
    ] {
        let element = universe.element(element).unwrap();
        let [direct, remote] = sources.map(|source| async move {
            let mut found = source
                .dimension_records_with(element, dimensions, keys)
                .await?;
            found.sort_by_cached_key(|record| record.required_values().collect::<Vec<_>>());
            Result::Ok(found)
        });
        wrong.compare(
            format!("dimension_records_with {element}"),
            direct.await,
            remote.await,
        );
    }
}
