//! What goes wrong holds up nothing else.

use butler_pps::collections::{EXPIRED, OUTPUTS};
use butler_pps::state::RepositoryName::{Embargo, GoogleInt, GoogleProd, PromptPrep};
use butler_pps::state::Status::{Deleted, Expired, Missing, NeverPresent, Present};
use butler_pps::state::Step;

use crate::observatory::{DAY, Databases, HOUR, Observatory};

#[tokio::test]
async fn a_file_that_is_lost_is_missing_with_a_reason_and_can_be_retried() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        observatory.register_all().await;
        let lost = observatory.ids("isr_log")[1];
        let path = observatory.file(Embargo, lost).await;
        let kept = path.with_extension("kept");
        std::fs::rename(&path, &kept).unwrap();

        let troubles = observatory.settle().await;
        assert_eq!(troubles.len(), 1, "{troubles:?}");
        let state = &observatory.state.datasets(&[lost]).await.unwrap()[0];
        assert_eq!(state.status(Embargo), Missing);
        assert_eq!(state.status(PromptPrep), NeverPresent);
        assert_eq!(state.problem_step.as_deref(), Some("to_prompt_prep"));
        let reason = state.problem.as_deref().unwrap();
        assert!(reason.contains("not there"), "{reason}");
        assert_eq!(observatory.state.missing(10).await.unwrap().len(), 1);
        let others = observatory.ids("isr_log");
        for state in observatory.state.datasets(&others).await.unwrap() {
            assert_eq!(state.status(PromptPrep) == Present, state.id != lost);
        }

        std::fs::rename(&kept, &path).unwrap();
        assert_eq!(observatory.state.retry(Some(&[lost])).await.unwrap(), 1);
        observatory.settle_well().await;
        let public = [Deleted, Present, Present, Present, Present];
        assert_eq!(observatory.statuses("isr_log").await, public);
    }
}

#[tokio::test]
async fn a_repository_that_is_down_keeps_no_other_waiting() {
    for databases in Databases::BOTH {
        let mut observatory = Observatory::new(databases).await;
        observatory.register_all().await;
        let config = observatory.root(GoogleInt).join("butler.yaml");
        let aside = config.with_extension("aside");
        std::fs::rename(&config, &aside).unwrap();

        let troubles = observatory.settle().await;
        assert!(
            troubles.iter().all(|(step, _)| *step == Step::ToGoogleInt),
            "{troubles:?}"
        );
        let waiting = [Deleted, Present, Present, NeverPresent, Present];
        assert_eq!(observatory.statuses("isr_log").await, waiting);
        // Nothing that is not expired everywhere may go.
        observatory.clock.advance(DAY * 40);
        observatory.settle().await;
        let expired = [Deleted, Present, Present, NeverPresent, Expired];
        assert_eq!(observatory.statuses("dia_source_apdb").await, expired);

        std::fs::rename(&aside, &config).unwrap();
        observatory.reopen().await;
        observatory.settle_well().await;
        let public = [Deleted, Present, Present, Present, Present];
        assert_eq!(observatory.statuses("isr_log").await, public);
        observatory.clock.advance(DAY * 31);
        observatory.settle_well().await;
        let gone = [Deleted, Deleted, Deleted, Expired, Expired];
        assert_eq!(observatory.statuses("dia_source_apdb").await, gone);
    }
}

#[tokio::test]
async fn what_was_processed_again_takes_the_place_of_what_was_tagged() {
    let runs = ["LSSTCam/prompt/first", "LSSTCam/prompt/again"];
    let observatory = Observatory::with_runs(Databases::Sqlite, &runs).await;
    observatory.register_all().await;
    observatory.settle().await;
    // The tagged collection has room for one of two with the same data ID: the newest.
    let logs = observatory.ids("isr_log");
    assert_eq!(logs.len(), 8);
    for name in [GoogleInt, GoogleProd] {
        assert_eq!(
            observatory.stored(name).await.len(),
            stored_types(&observatory)
        );
        let tagged = observatory.members(name, OUTPUTS).await;
        let of_logs = tagged.iter().filter(|id| logs.contains(id)).count();
        assert_eq!(of_logs, 4, "{name}");
    }
    observatory.clock.advance(HOUR * 81);
    observatory.settle().await;
    observatory.clock.advance(DAY * 31);
    observatory.settle_well().await;
    let gone = [Deleted, Deleted, Deleted, Expired, Expired];
    assert_eq!(observatory.statuses("dia_source_apdb").await, gone);
    for name in [GoogleInt, GoogleProd] {
        let expired = observatory.members(name, EXPIRED).await;
        let of_sources = observatory.ids("dia_source_apdb");
        let count = expired.iter().filter(|id| of_sources.contains(id)).count();
        assert_eq!(count, 4, "{name}");
    }
}

/// How many datasets are published without an embargo.
fn stored_types(observatory: &Observatory) -> usize {
    ["isr_log", "isr_config", "dia_source_apdb"]
        .map(|name| observatory.ids(name).len())
        .iter()
        .sum()
}

#[tokio::test]
async fn a_step_that_loses_its_database_changes_nothing_that_is_recorded() {
    for databases in Databases::BOTH {
        let mut observatory = Observatory::new(databases).await;
        observatory.register_all().await;
        observatory.butler(PromptPrep).await.close().await;
        let report = observatory.runner().run(Step::ToPromptPrep).await.unwrap();
        assert_eq!(report.done, 0);
        assert!(report.error.is_some());
        assert_eq!(observatory.statuses("isr_log").await[1], NeverPresent);
        assert!(
            observatory
                .state
                .with_problems(10)
                .await
                .unwrap()
                .is_empty()
        );
        observatory.reopen().await;
        observatory.settle_well().await;
        assert_eq!(observatory.statuses("isr_log").await[4], Present);
    }
}
