//! The service is killed again and again, and in the end every dataset is exactly where the policy
//! says.

use std::collections::HashSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use butler_pps::state::RepositoryName::{self, Embargo, GoogleInt, GoogleProd, Main, PromptPrep};

use crate::notifying::listed;
use crate::observatory::{Databases, Observatory, START};
use crate::places::{PARTS, PLACES};
use crate::safety::{Dice, assert_safe};

/// How often it is killed while it is at work.
const KILLS: usize = 25;

/// How long it may take in all.
const LIMIT: Duration = Duration::from_secs(600);

const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn killing_the_service_loses_and_doubles_nothing_on_sqlite() {
    survive(Databases::Sqlite, 1).await;
}

#[tokio::test]
async fn killing_the_service_loses_and_doubles_nothing_on_postgresql() {
    survive(Databases::Postgres, 2).await;
}

async fn survive(databases: Databases, seed: u64) {
    let runs = ["LSSTCam/prompt/a", "LSSTCam/prompt/b"];
    let mut observatory = Observatory::with_runs(databases, &runs).await;
    let batch = observatory.directory().join("batches");
    std::fs::create_dir(&batch).unwrap();
    let named = serde_json::json!({"datasets": observatory.all_ids()});
    std::fs::write(batch.join("a.json"), named.to_string()).unwrap();

    let mut dice = Dice::new(seed);
    let started = Instant::now();
    let mut kills = 0;
    for hours in PARTS {
        let now = START.0 + hours * HOUR;
        // Ever longer, so that it comes to an end; slowly at first, so that fast machines kill often
        // enough, too.
        for pause in (0..).map(|before: u64| 40 + before + before * before / 8) {
            let mut child = start(&observatory, now);
            if wait(&mut child, Duration::from_millis(20 + dice.below(pause))) {
                let output = child.wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{said}");
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            assert!(started.elapsed() < LIMIT, "{kills} kills take too long");
        }
        // Files that were being deleted when it was killed are left alone for a second, and tried
        // again later.
        std::thread::sleep(Duration::from_millis(2_100));
        let output = start(&observatory, now + 3 * HOUR)
            .wait_with_output()
            .unwrap();
        assert!(output.status.success());
    }
    assert!(kills >= KILLS, "killed {kills} times only");
    eprintln!(
        "{databases:?}: killed {kills} times in {:?}",
        started.elapsed()
    );
    observatory.reopen().await;
    assert_safe(&observatory, &HashSet::new(), "after all kills").await;
    assert_in_place(&observatory).await;
    assert_told(&observatory);
}

fn start(observatory: &Observatory, now: i64) -> Child {
    Command::new(env!("CARGO_BIN_EXE_butler-pps"))
        .args(["run", "--once", "--batch-size", "2", "--workers", "2"])
        .args(["--run-size", "8", "--trash-claim-seconds", "1"])
        .args(["--start-time", &now.to_string()])
        .arg("--embargo-batch-file-directory")
        .arg(observatory.directory().join("batches"))
        .arg("--release-list-directory")
        .arg(observatory.directory().join("releases"))
        .envs(observatory.environment())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Whether the child ends within a time.
fn wait(child: &mut Child, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    while Instant::now() < until {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.try_wait().unwrap().is_some()
}

pub(crate) async fn assert_in_place(observatory: &Observatory) {
    for (name, [.., last]) in PLACES {
        assert_eq!(observatory.statuses(name).await, last, "{name}");
    }
    let sorted = |names: &[&str]| {
        let mut ids: Vec<_> = names
            .iter()
            .flat_map(|name| observatory.ids(name))
            .collect();
        ids.sort();
        ids
    };
    let kept = sorted(&["preliminary_visit_image", "isr_log", "isr_config"]);
    for name in [PromptPrep, Main, GoogleInt, GoogleProd] {
        assert_eq!(observatory.stored(name).await, kept, "{name}");
    }
    assert_eq!(observatory.stored(Embargo).await, sorted(&["mystery"]));
    for (name, ids) in [
        (Embargo, sorted(&["mystery"])),
        (PromptPrep, kept.clone()),
        (Main, kept.clone()),
    ] {
        assert_no_orphans(observatory, name, &ids).await;
    }
}

/// Users were told of every dataset that became public, once.
fn assert_told(observatory: &Observatory) {
    let mut told = listed(&observatory.directory().join("releases"));
    told.sort();
    let internal = ["preloaded_dia_object", "mystery"];
    let public = observatory.datasets.iter();
    let public = public.filter(|(name, _)| !internal.contains(*name));
    let mut public: Vec<_> = public.flat_map(|(name, _)| observatory.ids(name)).collect();
    public.sort();
    assert_eq!(told, public);
}

/// Every file belongs to a dataset, and every dataset has its file.
pub(crate) async fn assert_no_orphans(
    observatory: &Observatory,
    name: RepositoryName,
    ids: &[uuid::Uuid],
) {
    let butler = observatory.butler(name).await;
    let recorded = butler.reader().datastore().files(ids).await.unwrap();
    let mut recorded: Vec<std::path::PathBuf> = recorded
        .values()
        .flatten()
        .map(|file| file.info.path.clone().into())
        .collect();
    recorded.sort();
    assert_eq!(observatory.files(name), recorded, "{name}");
}
