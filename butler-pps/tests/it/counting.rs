//! The count of datasets that the state database keeps by itself.

use std::collections::HashMap;

use butler_pps::clock::Moment;
use butler_pps::state::{NewDataset, Night, Origin, Problem, RepositoryName, State, Status, Step};
use uuid::Uuid;

use crate::observatory::{Databases, Observatory, START};

const DAY: i64 = 86_400_000;

/// What the datasets themselves say.
async fn counted(state: &State, ids: &[Uuid]) -> HashMap<(String, [Status; 5]), i64> {
    let mut counts = HashMap::new();
    for dataset in state.datasets(ids).await.unwrap() {
        *counts
            .entry((dataset.dataset_type, dataset.statuses))
            .or_default() += 1;
    }
    counts
}

async fn assert_right(state: &State, ids: &[Uuid]) {
    let counts = state.counts().await.unwrap().into_iter();
    let kept: HashMap<_, _> = counts
        .map(|(name, statuses, count)| ((name, statuses), count))
        .collect();
    assert_eq!(kept, counted(state, ids).await);
    let by_night = state.counts_by_night(Night(0)).await.unwrap();
    let sum: i64 = by_night.iter().map(|(_, _, count)| count).sum();
    assert_eq!(sum, i64::try_from(ids.len()).unwrap());
}

fn made(count: i64, name: &str, observed: Moment) -> Vec<NewDataset> {
    let one = |_| NewDataset {
        id: Uuid::now_v7(),
        origin: Origin::PromptProcessing,
        dataset_type: name.to_owned(),
        instrument: None,
        visit: None,
        observed: Some(observed),
    };
    (0..count).map(one).collect()
}

#[tokio::test]
async fn every_change_is_counted_and_folding_changes_no_count() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        let state = &observatory.state;
        let mut ids = Vec::new();
        // Large inserts go another way than small ones.
        for (count, name, nights) in [
            (3, "isr_log", 0),
            (1_500, "difference_image", 1),
            (7, "isr_log", 9),
        ] {
            let datasets = made(count, name, START.minus(nights * DAY));
            state.add_datasets(&datasets, &[], START).await.unwrap();
            // They are known already.
            state.add_datasets(&datasets, &[], START).await.unwrap();
            ids.extend(datasets.iter().map(|dataset| dataset.id));
            assert_right(state, &ids).await;
        }
        for (step, count) in [
            (Step::ToPromptPrep, 1_000),
            (Step::ToMain, 900),
            (Step::DeleteEmbargo, 5),
        ] {
            for batch in ids[..count].chunks(100) {
                state.record(step, batch, START).await.unwrap();
                state.record(step, batch, START).await.unwrap();
            }
            assert_right(state, &ids).await;
        }
        let problem = |id: &Uuid| Problem {
            id: *id,
            reason: "it is not there".to_owned(),
        };
        let missing: Vec<Problem> = ids[10..14].iter().map(problem).collect();
        let from = RepositoryName::PromptPrep;
        state
            .record_missing(Step::ToGoogleInt, from, &missing)
            .await
            .unwrap();
        assert_right(state, &ids).await;
        state.retry(None).await.unwrap();
        assert_right(state, &ids).await;

        let before = state.counts().await.unwrap();
        let nights = state.counts_by_night(Night::of(START)).await.unwrap();
        // Enough changes that there is something to fold, by two at once.
        for id in &ids[20..320] {
            state
                .record(Step::ToGoogleInt, &[*id], START)
                .await
                .unwrap();
            state
                .record_missing(
                    Step::ToGoogleProd,
                    RepositoryName::GoogleInt,
                    &[problem(id)],
                )
                .await
                .unwrap();
            state.retry(Some(&[*id])).await.unwrap();
        }
        let (one, other) = tokio::join!(state.fold_counts(), state.fold_counts());
        one.and(other).unwrap();
        state.fold_counts().await.unwrap();
        assert_right(state, &ids).await;
        assert_ne!(state.counts().await.unwrap(), before);
        // Earlier nights are counted together.
        let last = state.counts_by_night(Night::of(START)).await.unwrap();
        let earlier = |counts: &[(Night, [Status; 5], i64)]| -> i64 {
            let first = Night(Night::of(START).0 - 1);
            counts
                .iter()
                .filter(|(night, ..)| *night == first)
                .map(|(.., count)| count)
                .sum()
        };
        assert_eq!((earlier(&nights), earlier(&last)), (1_507, 1_507));
    }
}
