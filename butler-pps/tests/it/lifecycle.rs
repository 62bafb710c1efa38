//! Datasets go the way that the policy says.

use std::os::unix::fs::MetadataExt as _;

use butler_core::registry::Registry as _;
use butler_pps::collections::{ALL, AVAILABLE, CALIBS, EXPIRED, OUTPUTS};
use butler_pps::state::RepositoryName::{self, Embargo, GoogleInt, GoogleProd, Main, PromptPrep};
use butler_pps::state::Status::{Deleted, Expired, NeverPresent, Present};
use butler_pps::state::Step;
use butler_pps::tasks::action;

use crate::observatory::{DAY, Databases, HOUR, Observatory};

#[tokio::test]
async fn datasets_are_published_after_their_embargo_and_expire_after_their_time() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        observatory.register_all().await;
        let unmoved = [
            Present,
            NeverPresent,
            NeverPresent,
            NeverPresent,
            NeverPresent,
        ];
        let public = [Deleted, Present, Present, Present, Present];
        let internal = [Deleted, Present, Present, NeverPresent, NeverPresent];

        observatory.settle_well().await;
        for (name, expected) in [
            ("preliminary_visit_image", unmoved),
            ("difference_image", unmoved),
            ("mystery", unmoved),
            ("dia_source_apdb", public),
            ("isr_log", public),
            ("isr_config", public),
            ("preloaded_dia_object", internal),
        ] {
            assert_eq!(observatory.statuses(name).await, expected, "{name}");
        }

        // Five minutes have passed already.
        observatory.clock.advance(HOUR * 79);
        observatory.settle_well().await;
        assert_eq!(observatory.statuses("difference_image").await, unmoved);
        observatory.clock.advance(HOUR);
        observatory.settle_well().await;
        assert_eq!(observatory.statuses("difference_image").await, public);
        assert_eq!(observatory.statuses("mystery").await, unmoved);
        let left = observatory.files(Embargo);
        assert_eq!(left.len(), observatory.ids("mystery").len(), "{left:?}");

        observatory.clock.advance(DAY * 30);
        observatory.settle_well().await;
        let gone = [Deleted, Deleted, Deleted, Expired, Expired];
        let internally = [Deleted, Deleted, Deleted, NeverPresent, NeverPresent];
        for (name, expected) in [
            ("preliminary_visit_image", public),
            ("isr_log", public),
            ("isr_config", public),
            ("difference_image", gone),
            ("dia_source_apdb", gone),
            ("preloaded_dia_object", internally),
        ] {
            assert_eq!(observatory.statuses(name).await, expected, "{name}");
        }
        // Two images, one log and one configuration remain.
        for name in [PromptPrep, Main] {
            assert_eq!(observatory.files(name).len(), 4 + 4 + 1, "{name}");
        }
        for name in [GoogleInt, GoogleProd] {
            assert_expired(&observatory, name).await;
        }
    }
}

async fn assert_expired(observatory: &Observatory, name: RepositoryName) {
    let mut expected = observatory.ids("difference_image");
    expected.extend(observatory.ids("dia_source_apdb"));
    expected.sort();
    assert_eq!(observatory.members(name, EXPIRED).await, expected);
    let mut available = observatory.ids("preliminary_visit_image");
    available.extend(observatory.ids("isr_log"));
    available.extend(observatory.ids("isr_config"));
    available.sort();
    assert_eq!(observatory.members(name, OUTPUTS).await, available);
    assert_eq!(observatory.members(name, AVAILABLE).await, available);
    assert_eq!(observatory.stored(name).await, available);
    // The registry still knows what has expired, and who asks for it is told.
    let butler = observatory.butler(name).await;
    let gone = butler.registry().dataset(expected[0]).await.unwrap();
    let refused = butler.get_bytes(&gone.unwrap()).await;
    assert!(matches!(refused, Err(butler_core::Error::FileNotFound(_))));
    let image = &observatory.datasets["preliminary_visit_image"][0];
    let content = butler.get_bytes(image).await.unwrap();
    let text = std::str::from_utf8(&content).unwrap();
    assert!(text.contains(&image.id().to_string()), "{text}");
}

#[tokio::test]
async fn the_tree_of_collections_is_that_of_the_technote() {
    let observatory = Observatory::new(Databases::Sqlite).await;
    observatory.register_all().await;
    observatory.settle_well().await;
    let butler = observatory.butler(GoogleProd).await;
    for (chain, children) in [
        (ALL, vec![AVAILABLE, EXPIRED]),
        (AVAILABLE, vec!["LSSTCam/raw/all", OUTPUTS, CALIBS]),
        (CALIBS, vec![]),
    ] {
        let wildcard = butler_core::collections::CollectionWildcard::from_names([chain]);
        let query = butler_core::registry::CollectionQuery::new(wildcard);
        let found = butler.registry().collections(&query).await.unwrap();
        assert_eq!(found[0].children, children, "{chain}");
    }
}

#[tokio::test]
async fn both_repositories_at_usdf_share_one_copy_of_each_file() {
    let observatory = Observatory::new(Databases::Sqlite).await;
    observatory.register_all().await;
    observatory.settle_well().await;
    let id = observatory.ids("isr_config")[0];
    let staged = std::fs::metadata(observatory.file(PromptPrep, id).await).unwrap();
    let linked = std::fs::metadata(observatory.file(Main, id).await).unwrap();
    assert_eq!((staged.dev(), staged.ino()), (linked.dev(), linked.ino()));
    assert_eq!(staged.nlink(), 2);
}

#[tokio::test]
async fn each_step_may_be_taken_twice() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        let raws = ["LSSTCam/raw/all".to_owned()];
        let ids = observatory.all_ids();
        // The first and the last one change no repository.
        for step in &Step::ALL[1..Step::ALL.len() - 1] {
            let step = *step;
            let action = action(step, &observatory.repositories, &raws)
                .await
                .unwrap();
            let first = action.act(&ids).await.unwrap();
            assert_eq!(first.done.len(), ids.len(), "{step}: {first:?}");
            let stored = observatory.stored(step.target()).await;
            let files = observatory.files(step.target());
            let second = action.act(&ids).await.unwrap();
            assert_eq!(second, first, "{step}");
            assert_eq!(observatory.stored(step.target()).await, stored, "{step}");
            assert_eq!(observatory.files(step.target()), files, "{step}");
        }
    }
}

#[tokio::test]
async fn a_visit_that_is_held_back_stays_until_it_may_go_on() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        let [held, free] = crate::observatory::VISITS;
        observatory
            .state
            .hold_visit("LSSTCam", held, true)
            .await
            .unwrap();
        observatory.register_all().await;
        observatory.settle_well().await;
        for state in observatory.states("dia_source_apdb").await {
            let moved = state.status(PromptPrep) == Present;
            assert_eq!(moved, state.visit == Some(free), "{state:?}");
        }
        observatory
            .state
            .hold_visit("LSSTCam", held, false)
            .await
            .unwrap();
        observatory.settle_well().await;
        let public = [Deleted, Present, Present, Present, Present];
        assert_eq!(observatory.statuses("dia_source_apdb").await, public);
    }
}

#[tokio::test]
async fn a_type_that_is_held_back_stays_until_it_may_go_on() {
    let observatory = Observatory::new(Databases::Sqlite).await;
    observatory
        .state
        .hold_dataset_type("isr_log", true)
        .await
        .unwrap();
    observatory.register_all().await;
    observatory.settle_well().await;
    assert_eq!(observatory.statuses("isr_log").await[1], NeverPresent);
    observatory
        .state
        .hold_dataset_type("isr_log", false)
        .await
        .unwrap();
    observatory.settle_well().await;
    assert_eq!(observatory.statuses("isr_log").await[4], Present);
}

#[tokio::test]
async fn what_is_forced_to_expire_is_gone_everywhere_whatever_the_policy_says() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        observatory.register_all().await;
        observatory.settle_well().await;
        let ids = observatory.ids("isr_log");
        assert_eq!(observatory.state.force_expire(&ids).await.unwrap(), 4);
        observatory.settle_well().await;
        let gone = [Deleted, Deleted, Deleted, Expired, Expired];
        assert_eq!(observatory.statuses("isr_log").await, gone);
        // What is still under embargo cannot.
        let pixels = observatory.ids("difference_image");
        assert_eq!(observatory.state.force_expire(&pixels).await.unwrap(), 0);
    }
}
