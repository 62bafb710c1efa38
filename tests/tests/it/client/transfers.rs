//! Taking datasets from a server.

use butler_core::datasets::DatasetRef;
use butler_core::progress::NoProgress;
use butler_core::registry::Registry;
use butler_core::transfer::TransferSource;
use butler_direct::DirectButler;
use butler_direct::ops::transfer::TransferOptions;
use butler_tests::python::Script;
use butler_tests::server::Program;

use super::served::Service;
use crate::repos::Place;

pub(crate) async fn transfer(
    source: &dyn TransferSource,
    target: &DirectButler,
    datasets: &[DatasetRef],
) {
    let options = TransferOptions {
        register_dataset_types: true,
        transfer_dimensions: true,
        ..TransferOptions::default()
    };
    let done = target
        .transfer_from(source, datasets, options, &NoProgress)
        .await
        .unwrap();
    assert_eq!(done.len(), datasets.len());
}

pub(crate) async fn transferred(program: &Program) {
    let service = Service::start(program, &["--data", "base.yaml", "--with-files"]);
    for served in service.open().await {
        let datasets: Vec<DatasetRef> = served.put.iter().map(|put| put.dataset.clone()).collect();
        let place = Place::sqlite();
        let target = place.create().await;
        transfer(&served.remote, &target, &datasets).await;
        // Again, which changes nothing.
        transfer(&served.remote, &target, &datasets).await;
        for dataset in &datasets {
            assert_eq!(
                target.get_bytes(dataset).await.unwrap(),
                served.direct.get_bytes(dataset).await.unwrap(),
                "{dataset}"
            );
        }
        let instrument = target.universe().element("instrument").unwrap();
        let records = target
            .registry()
            .dimension_records(instrument)
            .await
            .unwrap();
        assert_eq!(records.len(), 1, "only what the datasets need");
        target.close().await;
        served.direct.close().await;
        let checked = Script::new("check_repo.py").arg(place.root()).run();
        let failures = checked["failures"].as_array().unwrap().iter();
        // The configuration here has no templates for the formats of the repository there.
        let failures = failures.filter(|failure| {
            !failure
                .as_str()
                .unwrap_or_default()
                .starts_with("butler config-validate")
        });
        assert_eq!(
            failures.collect::<Vec<_>>(),
            Vec::<&serde_json::Value>::new()
        );
    }
}
