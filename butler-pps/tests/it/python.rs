//! The reference opens all five repositories and agrees.

use butler_pps::collections::{EXPIRED, OUTPUTS};
use butler_pps::state::{RepositoryName, Status};
use butler_tests::python::run_script;
use serde_json::{Value, json};

use crate::observatory::{DAY, Databases, HOUR, Observatory};

#[tokio::test]
async fn the_reference_sees_each_dataset_where_it_is() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        observatory.register_all().await;
        observatory.settle_well().await;
        assert_agreed(&observatory).await;
        observatory.clock.advance(HOUR * 81);
        observatory.settle_well().await;
        observatory.clock.advance(DAY * 30);
        observatory.settle_well().await;
        assert_agreed(&observatory).await;
    }
}

async fn assert_agreed(observatory: &Observatory) {
    let ids = observatory.all_ids();
    let repositories: serde_json::Map<String, Value> = RepositoryName::ALL
        .into_iter()
        .map(|name| (name.to_string(), json!(observatory.root(name))))
        .collect();
    let input = json!({
        "repositories": repositories,
        "ids": ids,
        "tags": [OUTPUTS, EXPIRED],
    });
    let answer =
        tokio::task::spawn_blocking(move || run_script("seen_datasets.py", [""; 0], &input));
    let seen = answer.await.unwrap();
    for state in observatory.state.datasets(&ids).await.unwrap() {
        for name in RepositoryName::ALL {
            let expected = match (name, state.status(name)) {
                (_, Status::Present) => "present",
                (_, Status::NeverPresent) | (RepositoryName::Embargo, _) => "unknown",
                _ => "expired",
            };
            let found = &seen[name.name()]["datasets"][state.id.to_string()];
            assert_eq!(found, expected, "{name}: {state:?}");
        }
    }
    for name in RepositoryName::PUBLIC {
        for tag in [OUTPUTS, EXPIRED] {
            let members = observatory.members(name, tag).await;
            assert_eq!(
                seen[name.name()]["tags"][tag],
                json!(members),
                "{name} {tag}"
            );
        }
    }
}
