//! Queries, as `bench_queries.py` asks them with the Python package, of the same repository.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use butler_core::query::{
    DatasetField, GeneralColumns, QueryDriver, QueryTree, ResultPage, ResultSpec,
};
use butler_direct::registry::query::SqlQueryDriver;
use butler_direct::{DirectButler, OpenOptions};
use butler_tests::meter::ServerClock;
use butler_tests::python::Script;
use futures::TryStreamExt;

use crate::fixture::{DATASET_TYPE, FIRST_EXPOSURE};
use crate::meter::{Cost, measure};
use crate::sky::{self, BIG_RUN, CALIBRATION_TYPE, CALIBRATIONS, STREAM_RUN, Sizes};
use crate::{Arguments, costs, print};

/// A workload: queries that differ in a number.
#[derive(Debug, Clone, Copy)]
struct Workload {
    name: &'static str,
    kind: Kind,
    /// How many of them.
    count: i64,
    /// Whether rates are those of rows, not of queries.
    by_row: bool,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// 100 datasets of an exposure.
    Where,
    /// All datasets of a run.
    Stream { records: bool },
    /// The visits that overlap a tract, with or without the tract in their data IDs.
    Tract { with_tract: bool },
    /// The calibrations of 1,000 exposures for a detector.
    Calibrations,
    /// The number of datasets of a run.
    Count,
}

const WORKLOADS: [Workload; 7] = [
    Workload {
        name: "where_100",
        kind: Kind::Where,
        count: 200,
        by_row: false,
    },
    Workload {
        name: "stream",
        kind: Kind::Stream { records: false },
        count: 10,
        by_row: true,
    },
    Workload {
        name: "stream_records",
        kind: Kind::Stream { records: true },
        count: 5,
        by_row: true,
    },
    Workload {
        name: "tract_visits",
        kind: Kind::Tract { with_tract: true },
        count: 100,
        by_row: false,
    },
    Workload {
        name: "visits_by_tract",
        kind: Kind::Tract { with_tract: false },
        count: 100,
        by_row: false,
    },
    Workload {
        name: "calibrations",
        kind: Kind::Calibrations,
        count: 20,
        by_row: false,
    },
    Workload {
        name: "count",
        kind: Kind::Count,
        count: 10,
        by_row: false,
    },
];

/// A query that is ready to be asked.
struct Question {
    driver: Arc<dyn QueryDriver>,
    spec: ResultSpec,
    tree: QueryTree,
    counts: bool,
}

impl Question {
    /// The number of rows.
    async fn ask(&self) -> u64 {
        if self.counts {
            return self
                .driver
                .count(&self.tree, &self.spec, true, false)
                .await
                .unwrap();
        }
        let pages = self.driver.execute(&self.spec, &self.tree);
        let add = |sum: u64, page: ResultPage| async move { Ok(sum + page.len() as u64) };
        pages.try_fold(0, add).await.unwrap()
    }
}

/// The question of a workload for a number.
async fn question(butler: &DirectButler, kind: Kind, i: i64) -> Question {
    let reader = butler.reader();
    let query = reader.query().unwrap();
    let driver = Arc::clone(query.driver());
    let mut counts = false;
    let [big, stream, calibrations] =
        [BIG_RUN, STREAM_RUN, CALIBRATIONS].map(|name| [name.to_owned()]);
    let (spec, tree) = match kind {
        Kind::Where => {
            let found = query
                .where_(format!(
                    "instrument = 'Bench' AND exposure = {} AND exposure.exposure_time > 10",
                    FIRST_EXPOSURE + i
                ))
                .unwrap()
                .datasets(DATASET_TYPE, Some(&big))
                .await
                .unwrap();
            (found.spec().clone(), found.tree().clone())
        }
        Kind::Stream { records } => {
            let found = query.datasets(DATASET_TYPE, Some(&stream));
            let found = found.await.unwrap();
            let found = if records {
                found.with_dimension_records()
            } else {
                found
            };
            (found.spec().clone(), found.tree().clone())
        }
        Kind::Tract { with_tract } => {
            let query = query
                .where_(format!(
                    "instrument = 'Bench' AND skymap = 'bench' AND tract = {i}"
                ))
                .unwrap();
            let dimensions: &[&str] = if with_tract {
                &["visit", "tract"]
            } else {
                &["visit"]
            };
            let found = query.data_ids_of(dimensions).unwrap();
            (found.spec().clone(), found.tree().clone())
        }
        Kind::Calibrations => {
            let first = FIRST_EXPOSURE + i * 100;
            let columns = GeneralColumns::new()
                .dataset_field(CALIBRATION_TYPE, DatasetField::DatasetId)
                .dataset_field(CALIBRATION_TYPE, DatasetField::Run);
            let found = query
                .join_dimensions(["exposure", "detector"])
                .unwrap()
                .join_dataset_search(CALIBRATION_TYPE, Some(&calibrations))
                .await
                .unwrap()
                .where_(format!(
                    "instrument = 'Bench' AND detector = 42 AND exposure >= {first} AND exposure < {}",
                    first + 1000
                ))
                .unwrap()
                .general(["exposure", "detector"], columns, Some(true))
                .unwrap();
            (found.spec().clone(), found.tree().clone())
        }
        Kind::Count => {
            counts = true;
            let found = query.datasets(DATASET_TYPE, Some(&big));
            let found = found.await.unwrap();
            (found.spec().clone(), found.tree().clone())
        }
    };
    Question {
        driver,
        spec,
        tree,
        counts,
    }
}

/// Runs a workload; its cost, the rows of one query, and the middle time of one.
async fn ours(
    butler: &DirectButler,
    clock: &ServerClock,
    workload: Workload,
) -> (Cost, u64, Duration) {
    // What is made once, such as statements, is not what is measured.
    let rows = question(butler, workload.kind, 0).await.ask().await;
    let mut times = Vec::new();
    let items = workload.count
        * if workload.by_row {
            rows.try_into().unwrap()
        } else {
            1
        };
    let cost = measure(Some(clock), items, async {
        for i in 0..workload.count {
            let start = Instant::now();
            question(butler, workload.kind, i).await.ask().await;
            times.push(start.elapsed());
        }
    });
    (cost.await, rows, median(times))
}

/// The middle time of the same statements without anything around them.
async fn bare(butler: &DirectButler, workload: Workload) -> Duration {
    let registry = butler.registry();
    let defaults = butler.defaults().clone();
    let driver = SqlQueryDriver::new(registry.clone(), defaults.into());
    let mut session = registry.database().read().await.unwrap();
    let mut times = Vec::new();
    for i in 0..workload.count {
        let question = question(butler, workload.kind, i).await;
        let (sql, params) = driver
            .statement(&question.spec, &question.tree)
            .await
            .unwrap();
        if i == 0 {
            session.fetch_all(&sql, &params).await.unwrap();
        }
        let start = Instant::now();
        let mut rows = session.fetch(&sql, &params);
        while rows.try_next().await.unwrap().is_some() {}
        times.push(start.elapsed());
    }
    median(times)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Makes the repository, asks everything, and prints what it costs.
pub(crate) async fn run(directory: &Path, url: &str, arguments: &Arguments) {
    let place = arguments.at.as_deref().unwrap_or(directory);
    let root = place.join("queries");
    let scaled = |count: f64| (count * arguments.scale).max(100_000.0) as i64;
    let sizes = Sizes {
        big: scaled(1_000_000.0),
        stream: scaled(100_000.0),
    };
    let start = Instant::now();
    let butler = match root.exists() {
        true => DirectButler::open(root.to_str().unwrap(), OpenOptions::default())
            .await
            .unwrap(),
        false => sky::repository(&root, url, sizes).await,
    };
    println!(
        "repository ready after {:.0} s",
        start.elapsed().as_secs_f64()
    );
    let clock = ServerClock::new(url).await;
    let chosen = |workload: &Workload| {
        arguments
            .only
            .as_ref()
            .is_none_or(|only| *workload.name == **only)
    };
    let mut all = BTreeMap::new();
    let mut latencies = Vec::new();
    let mut counts = BTreeMap::new();
    for workload in WORKLOADS.into_iter().filter(chosen) {
        let (cost, rows, time) = ours(&butler, &clock, workload).await;
        all.insert(workload.name.to_owned(), cost);
        counts.insert(workload.name, rows);
        if !workload.by_row && !matches!(workload.kind, Kind::Count) {
            latencies.push((workload, time, bare(&butler, workload).await));
        }
    }
    let theirs = match arguments.ours_only {
        true => BTreeMap::new(),
        false => {
            let script = Script::new("bench_queries.py")
                .arg(&root)
                .args(["--db", url]);
            let document = script.run();
            for (name, rows) in counts {
                assert_eq!(document["workloads"][name]["rows"], rows, "{name}");
            }
            costs(&document)
        }
    };
    print("PostgreSQL", &all, &theirs);
    println!("  time of one query   ours ms    bare SQL ms     ratio");
    for (workload, ours, bare) in latencies {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "  {:<18} {:>8.3} {:>14.3} {:>9.2}",
            workload.name,
            ms(ours),
            ms(bare),
            ms(ours) / ms(bare)
        );
    }
}
