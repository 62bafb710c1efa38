//! Loading millions of datasets with their file records, in batches of bounded size.

use std::path::Path;
use std::time::Instant;

use butler_core::datastore::StoredFileInfo;
use butler_direct::registry::RecordMode;

use crate::fixture;

/// Datasets in one transaction.
const BATCH: i64 = 50_000;

/// Loads `count` datasets, each with a record of a file elsewhere, and prints rate and memory.
pub async fn run(directory: &Path, url: &str, count: i64) {
    let butler = fixture::repository(&directory.join("load"), Some(url)).await;
    fixture::prepare(&butler, count).await;
    let start = Instant::now();
    for first in (0..count).step_by(BATCH as usize) {
        let size = BATCH.min(count - first);
        let datasets = fixture::datasets(&butler, "load", first, size).await;
        let ids: Vec<_> = datasets.iter().map(|dataset| dataset.id()).collect();
        let records: Vec<_> = ids.iter().map(|id| (*id, record(id))).collect();
        let mut transaction = butler.registry().begin().await.unwrap();
        transaction.import_datasets(&datasets).await.unwrap();
        transaction
            .insert_locations("load", &ids, false)
            .await
            .unwrap();
        transaction
            .insert_file_records("file_datastore_records", &records, RecordMode::Insert)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        if (first / BATCH) % 10 == 9 || first + size == count {
            let rate = (first + size) as f64 / start.elapsed().as_secs_f64();
            println!(
                "  {:>9} datasets, {rate:.0}/s, {} MB in memory",
                first + size,
                resident_mb()
            );
        }
    }
    println!(
        "  {count} datasets with file records in {:.0} s",
        start.elapsed().as_secs_f64()
    );
}

/// The record of a file that is elsewhere.
fn record(id: &uuid::Uuid) -> StoredFileInfo {
    StoredFileInfo {
        formatter: "lsst.obs.base.formatters.fitsExposure.FitsExposureFormatter".into(),
        path: format!("s3://bucket/load/{id}.fits"),
        storage_class: "ExposureF".into(),
        component: None,
        checksum: None,
        file_size: 1_000_000,
    }
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}
