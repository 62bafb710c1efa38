//! Datasets become known, however often they are named.

use butler_direct::resource::{ResourcePath, Resources};
use butler_pps::state::{Origin, RepositoryName};
use uuid::Uuid;

use crate::observatory::{Databases, Observatory, START, VISITS};

#[tokio::test]
async fn registering_again_changes_nothing() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        let ids = observatory.all_ids();
        let registrar = observatory.registrar();
        let origin = Origin::PromptProcessing;
        let first = registrar.register(&ids, origin).await.unwrap();
        assert_eq!((first.new, first.known), (ids.len() as u64, 0));
        observatory.settle_well().await;
        let before = observatory.state.datasets(&ids).await.unwrap();
        // By now many have left embargo.
        let second = registrar.register(&ids, origin).await.unwrap();
        assert_eq!((second.new, second.known), (0, ids.len() as u64));
        assert_eq!(second.unknown, 0);
        assert_eq!(observatory.state.datasets(&ids).await.unwrap(), before);
    }
}

#[tokio::test]
async fn the_end_of_the_visit_is_when_the_embargo_begins() {
    let observatory = Observatory::new(Databases::Sqlite).await;
    observatory.register_all().await;
    // 2025-12-03T07:59:38.355 TAI, 37 s earlier in UTC.
    let end = 1_764_748_778_355 - 37_000;
    let visit = observatory.state.visit("LSSTCam", VISITS[0]).await.unwrap();
    assert_eq!(visit.unwrap().end.unwrap().0, end);
    for state in observatory.states("difference_image").await {
        if state.visit == Some(VISITS[0]) {
            assert_eq!(state.times.observed.0, end);
        }
    }
    // Exposures have an end as well; without either, the time of registration serves.
    assert!(observatory.states("isr_log").await[0].times.observed < START);
    assert_eq!(
        observatory.states("isr_config").await[0].times.observed,
        START
    );
}

#[tokio::test]
async fn what_is_not_there_yet_is_looked_for_again() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        let registrar = observatory.registrar();
        let known = observatory.ids("isr_config")[0];
        let stranger = Uuid::now_v7();
        // As if the batch file had come before the dataset.
        let (state, now) = (&observatory.state, observatory.clock.now());
        let origin = Origin::PromptProcessing;
        state
            .add_unknown(&[known], origin, "not there", now, now)
            .await
            .unwrap();
        registrar.register(&[stranger], origin).await.unwrap();
        let found = registrar.look_again().await.unwrap();
        assert_eq!(found.new, 1);
        let left = state.unknown(now, true, 10).await.unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].id, stranger);
    }
}

#[tokio::test]
async fn files_of_a_directory_are_read_once() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        let directory = observatory.directory().join("batches");
        std::fs::create_dir_all(directory.join("2025/12")).unwrap();
        let batch = serde_json::json!({"batch_id": "b", "datasets": observatory.ids("isr_log")});
        std::fs::write(directory.join("2025/12/a.json"), batch.to_string()).unwrap();
        let list = format!("id,origin\n{},catchup\n", observatory.ids("isr_config")[0]);
        std::fs::write(directory.join("b.csv"), list).unwrap();
        std::fs::write(directory.join("c.json"), "nonsense").unwrap();
        std::fs::write(directory.join("notes.txt"), "nothing").unwrap();
        let uri = ResourcePath::options()
            .directory(true)
            .parse(directory.to_str().unwrap())
            .unwrap();
        let registrar = observatory.registrar();
        let resources = Resources::default();
        let first = registrar.read_directory(&resources, &uri).await.unwrap();
        assert_eq!(first.new, 5);
        let second = registrar.read_directory(&resources, &uri).await.unwrap();
        assert_eq!((second.new, second.known), (0, 0));
        let config = &observatory.states("isr_config").await[0];
        assert_eq!(config.origin, Origin::Catchup);
        let bad = uri.join("c.json").unwrap().to_string();
        let read = observatory.state.input_files(&[bad]).await.unwrap();
        assert!(read[0].error.is_some());
    }
}

#[tokio::test]
async fn collections_of_the_embargo_repository_can_be_registered() {
    let observatory = Observatory::new(Databases::Sqlite).await;
    let registered = observatory
        .registrar()
        .register_collections(
            &["LSSTCam/prompt/*".to_owned()],
            &["isr_*".to_owned()],
            Origin::Catchup,
        )
        .await
        .unwrap();
    assert_eq!(registered.new, 5);
    assert!(observatory.repositories.has(RepositoryName::Embargo));
}
