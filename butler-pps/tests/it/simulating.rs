//! A simulated observatory is a real one, in small.

use std::path::Path;
use std::process::Command;

use butler_core::registry::Registry as _;
use butler_direct::{DirectButler, OpenOptions};
use butler_pps::collections::{EXPIRED, OUTPUTS};
use butler_pps::state::RepositoryName;
use butler_tests::python::run_script;
use serde_json::json;
use uuid::Uuid;

use crate::notifying::listed;

fn simulate(directory: &Path, more: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_butler-pps"))
        .arg("simulate")
        .arg(directory)
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn members(butler: &DirectButler, dataset_type: &str, tag: &str) -> Vec<Uuid> {
    let tags = [tag.to_owned()];
    let members = butler.registry().associations(dataset_type, &tags).await;
    members
        .unwrap()
        .iter()
        .map(|member| member.dataset.id())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_night_is_published_and_expires() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("observatory");
    let said = simulate(&directory, &["--visits", "3", "--speed", "200"]);
    // 4 detectors, 3 visits: two types that are kept, two that expire, one for staff alone.
    let row = said
        .lines()
        .take_while(|line| !line.is_empty())
        .last()
        .unwrap();
    let row: Vec<&str> = row.split_whitespace().skip(2).collect();
    assert_eq!(row, ["0", "24", "24", "24", "24", "24"], "{said}");

    let public = directory.join(RepositoryName::GoogleProd.name());
    let options = OpenOptions::default();
    let butler = DirectButler::open(public.to_str().unwrap(), options)
        .await
        .unwrap();
    let kept = members(&butler, "preliminary_visit_image", OUTPUTS).await;
    let expired = members(&butler, "difference_image", EXPIRED).await;
    assert_eq!((kept.len(), expired.len()), (12, 12));
    let mut told = listed(&directory.join("releases"));
    assert_eq!(told.len(), 48);
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 48);

    // The reference agrees.
    let repositories: serde_json::Map<String, serde_json::Value> = RepositoryName::ALL
        .into_iter()
        .map(|name| (name.to_string(), json!(directory.join(name.name()))))
        .collect();
    let ids = [kept[0], expired[0]];
    let input = json!({"repositories": repositories, "ids": ids, "tags": []});
    let seen = tokio::task::spawn_blocking(move || run_script("seen_datasets.py", [""; 0], &input));
    let seen = seen.await.unwrap();
    for name in RepositoryName::ALL {
        let datasets = &seen[name.name()]["datasets"];
        let expected = match name {
            RepositoryName::Embargo => ["unknown", "unknown"],
            _ => ["present", "expired"],
        };
        assert_eq!(ids.map(|id| &datasets[id.to_string()]), expected, "{name}");
    }

    // It can be done again, and what is no simulation is left alone.
    let said = simulate(
        &directory,
        &["--visits", "1", "--speed", "200", "--until", "published"],
    );
    assert!(said.contains("Try:"), "{said}");
    let output = Command::new(env!("CARGO_BIN_EXE_butler-pps"))
        .arg("simulate")
        .arg(place.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(directory.exists());
}
