//! What the service stands on gives way again and again, and in the end every dataset is exactly where the policy says.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use butler_pps::clock::Clock;
use butler_pps::state::Step;
use butler_tests::postgres::{PostgresServer, Shutdown, start_server};
use butler_tests::s3::S3Server;

use crate::killing::assert_in_place;
use crate::observatory::{BUCKETS, Observatory, Plan, START};
use crate::places::{PARTS, PLACES};
use crate::process::Process;
use crate::safety::{Dice, assert_safe};

/// Runs of the datasets: two, so that some take the place of others.
const RUNS: [&str; 2] = ["LSSTCam/prompt/a", "LSSTCam/prompt/b"];

/// How long one part of the datasets' lives may take.
const LIMIT: Duration = Duration::from_secs(240);

/// How many times as fast the service's clock is: a minute is a second.
const FACTOR: u32 = 60;

/// How many requests to the object store go wrong at least.
const FAULTS: u64 = 15;

const HOUR: i64 = 3_600_000;

/// The service, which is started again whenever it ends, as it would be where it is deployed.
struct Supervised<'a> {
    observatory: &'a Observatory,
    /// Where it reads which datasets there are.
    batches: String,
    clock: Clock,
    process: Option<Process>,
    /// How often it ended by itself.
    ended: usize,
}

impl Supervised<'_> {
    fn check(&mut self) {
        if self.process.as_mut().is_some_and(Process::runs) {
            return;
        }
        self.ended += usize::from(self.process.is_some());
        let now = self.clock.now().0.to_string();
        let factor = FACTOR.to_string();
        let arguments = [
            "run",
            "--start-time",
            &now,
            "--accelerate",
            &factor,
            "--interval-seconds",
            &factor,
            "--batch-size",
            "2",
            "--workers",
            "2",
            "--run-size",
            "8",
            "--trash-claim-seconds",
            "1",
            "--embargo-batch-file-directory",
            &self.batches,
        ];
        let log = self.observatory.directory().join("log");
        let environment = self.observatory.environment();
        self.process = Some(Process::start(&arguments, environment, log));
    }

    /// Whether all datasets are where they are to be at the end of a part.
    async fn arrived(&self, part: usize) -> bool {
        for (name, places) in PLACES {
            let ids = self.observatory.ids(name);
            // The database may just be away.
            let Ok(states) = self.observatory.state.datasets(&ids).await else {
                return false;
            };
            let there = states
                .iter()
                .filter(|state| state.statuses == places[part])
                .count();
            if there < ids.len() {
                return false;
            }
        }
        true
    }

    /// Lets the service work until everything is in its place. Nobody waits for the pauses that it makes after
    /// failures.
    async fn finish(&mut self, part: usize) {
        let begun = Instant::now();
        while !self.arrived(part).await {
            self.check();
            for step in Step::ALL {
                // It says itself if the database is away.
                let _ = self
                    .observatory
                    .state
                    .request_run(step.name(), self.clock.now())
                    .await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            if begun.elapsed() > LIMIT {
                let states = self.observatory.state.counts().await;
                let log = std::fs::read_to_string(self.observatory.directory().join("log"));
                let log = log.unwrap();
                let lines: Vec<&str> = log.lines().collect();
                let last = lines[lines.len().saturating_sub(60)..].join("\n");
                panic!("part {part}: {states:?}\n{last}");
            }
        }
    }
}

/// Lives through all parts; `trouble` is made in each, until it returns.
async fn live(
    observatory: &Observatory,
    batches: String,
    mut trouble: impl AsyncFnMut(usize, &mut Supervised<'_>),
) {
    for (part, hours) in PARTS.into_iter().enumerate() {
        let mut service = Supervised {
            observatory,
            batches: batches.clone(),
            clock: Clock::accelerated(START.plus(hours * HOUR), f64::from(FACTOR)),
            process: None,
            ended: 0,
        };
        service.check();
        trouble(part, &mut service).await;
        service.finish(part).await;
        eprintln!("part {part}: the service ended {} times", service.ended);
    }
}

/// What names all datasets.
fn batch(observatory: &Observatory) -> String {
    serde_json::json!({"datasets": observatory.all_ids()}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_that_restart_lose_and_double_nothing() {
    let mut servers: [PostgresServer; 2] = [start_server(), start_server()];
    let plan = Plan {
        servers: Some(servers.each_ref().map(PostgresServer::url)),
        runs: &RUNS,
        store: None,
    };
    let mut observatory = Observatory::planned(plan).await;
    let batches = observatory.directory().join("batches");
    std::fs::create_dir(&batches).unwrap();
    std::fs::write(batches.join("a.json"), batch(&observatory)).unwrap();
    let mut dice = Dice::new(7);
    let batches = batches.to_str().unwrap().to_owned();
    live(&observatory, batches, async |_, service| {
        // Both databases, in both manners, while the service is at work.
        for (server, how) in [
            (1, Shutdown::Immediate),
            (0, Shutdown::Fast),
            (1, Shutdown::Fast),
            (0, Shutdown::Immediate),
            (1, Shutdown::Immediate),
        ] {
            service.check();
            tokio::time::sleep(Duration::from_millis(300 + dice.below(900))).await;
            servers[server].stop(how).unwrap();
            tokio::time::sleep(Duration::from_millis(dice.below(500))).await;
            servers[server].launch().unwrap();
        }
    })
    .await;
    observatory.reopen().await;
    assert_safe(&observatory, &HashSet::new(), "after all restarts").await;
    assert_in_place(&observatory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_store_that_fails_loses_and_doubles_nothing() {
    let plan = Plan {
        servers: None,
        runs: &RUNS,
        store: Some(S3Server::start(&BUCKETS)),
    };
    let mut observatory = Observatory::planned(plan).await;
    let list = observatory.store().object_file(BUCKETS[2], "a.json");
    std::fs::write(list, batch(&observatory)).unwrap();
    let faults = observatory.store().faults();
    let batches = format!("s3://{}/", BUCKETS[2]);
    live(&observatory, batches, async |part, service| {
        // Half of the requests, for as long as there is something to do; on a slow machine until enough have been made.
        faults.set(500);
        let begun = Instant::now();
        while !service.arrived(part).await
            && (begun.elapsed() < Duration::from_secs(8) || faults.count() <= FAULTS)
        {
            assert!(begun.elapsed() < LIMIT, "nobody asks the object store");
            service.check();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        faults.set(0);
    })
    .await;
    let count = faults.count();
    assert!(count > FAULTS, "{count} requests went wrong only");
    eprintln!("{count} requests went wrong");
    observatory.reopen().await;
    assert_safe(&observatory, &HashSet::new(), "after all faults").await;
    assert_in_place(&observatory).await;
}
