//! Whatever happens, in whatever order: no dataset is where it must not be, and none is lost.

use std::collections::HashSet;
use std::time::Duration;

use butler_core::registry::Registry as _;
use butler_pps::state::RepositoryName::{self, Embargo, Main, PromptPrep};
use butler_pps::state::Status::{Deleted, Present};
use butler_pps::state::Step;
use butler_pps::tasks::Limits;
use uuid::Uuid;

use crate::observatory::{DAY, Databases, HOUR, Observatory};

/// Numbers that are as good as random, and the same each time.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[tokio::test]
async fn the_order_of_safety_holds_through_any_sequence_on_sqlite() {
    for seed in 1..=6 {
        sequence(Databases::Sqlite, seed).await;
    }
}

#[tokio::test]
async fn the_order_of_safety_holds_through_any_sequence_on_postgresql() {
    for seed in 11..=13 {
        sequence(Databases::Postgres, seed).await;
    }
}

async fn sequence(databases: Databases, seed: u64) {
    let mut dice = Dice::new(seed);
    let mut observatory = Observatory::new(databases).await;
    let all = observatory.all_ids();
    let mut lost: HashSet<Uuid> = HashSet::new();
    for turn in 0..60 {
        let what = happen(&mut dice, &mut observatory, &all, &mut lost).await;
        assert_safe(
            &observatory,
            &lost,
            &format!("seed {seed}, turn {turn}: {what}"),
        )
        .await;
    }
    // In the end everything is where it should be.
    observatory.reopen().await;
    for visit in crate::observatory::VISITS {
        observatory
            .state
            .hold_visit("LSSTCam", visit, false)
            .await
            .unwrap();
    }
    // What a task was deleting when it was dropped is left alone for a second.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    observatory.register_all().await;
    observatory.clock.advance(DAY * 100);
    observatory.settle().await;
    observatory.clock.advance(DAY * 100);
    observatory.settle().await;
    assert_safe(&observatory, &lost, &format!("seed {seed}, at the end")).await;
    let mut stored: Vec<(RepositoryName, HashSet<Uuid>)> = Vec::new();
    for name in RepositoryName::ALL {
        stored.push((name, observatory.stored(name).await.into_iter().collect()));
    }
    for state in observatory.state.datasets(&all).await.unwrap() {
        if lost.contains(&state.id) && state.status(PromptPrep) != Deleted {
            continue;
        }
        for (name, stored) in &stored {
            let there = stored.contains(&state.id);
            assert_eq!(
                state.status(*name) == Present,
                there,
                "seed {seed}, {name}: {state:?}"
            );
        }
        let expected = match state.dataset_type.as_str() {
            "mystery" => Present,
            _ => Deleted,
        };
        assert_eq!(state.status(Embargo), expected, "seed {seed}: {state:?}");
        if state.dataset_type == "difference_image" {
            assert_eq!(state.status(PromptPrep), Deleted, "seed {seed}: {state:?}");
            assert_eq!(state.status(Main), Deleted, "seed {seed}: {state:?}");
        }
    }
}

/// One thing that may happen.
async fn happen(
    dice: &mut Dice,
    observatory: &mut Observatory,
    all: &[Uuid],
    lost: &mut HashSet<Uuid>,
) -> String {
    let some = |dice: &mut Dice| {
        let start = usize::try_from(dice.below(all.len() as u64)).unwrap();
        let end = (start + 1 + usize::try_from(dice.below(8)).unwrap()).min(all.len());
        all[start..end].to_vec()
    };
    match dice.below(20) {
        0..=2 => {
            let ids = some(dice);
            let registrar = observatory.registrar();
            let origin = butler_pps::state::Origin::PromptProcessing;
            registrar.register(&ids, origin).await.unwrap();
            format!("{} datasets are registered", ids.len())
        }
        3..=4 => {
            let hours = 1 + dice.below(90);
            observatory
                .clock
                .advance(HOUR * u32::try_from(hours).unwrap());
            format!("{hours} hours pass")
        }
        5 => {
            let days = 1 + dice.below(20);
            observatory
                .clock
                .advance(DAY * u32::try_from(days).unwrap());
            format!("{days} days pass")
        }
        6 => {
            let id = some(dice)[0];
            let butler = observatory.butler(Embargo).await;
            let known = butler.reader().datastore().knows(&[id]).await.unwrap();
            if known.contains(&id) {
                let path = observatory.file(Embargo, id).await;
                let _ = std::fs::remove_file(path);
                lost.insert(id);
            }
            format!("the file of {id} is lost")
        }
        7 => {
            let ids = some(dice);
            observatory.state.force_expire(&ids).await.unwrap();
            format!("{} datasets are forced to expire", ids.len())
        }
        8 => {
            let held = dice.below(2) == 0;
            let visit = crate::observatory::VISITS[usize::try_from(dice.below(2)).unwrap()];
            observatory
                .state
                .hold_visit("LSSTCam", visit, held)
                .await
                .unwrap();
            format!("visit {visit} is held: {held}")
        }
        9 => {
            observatory.state.retry(None).await.unwrap();
            "all is tried again".to_owned()
        }
        10..=11 => {
            // The connections of a repository end while a step is at work.
            let name = RepositoryName::ALL[usize::try_from(dice.below(5)).unwrap()];
            let step = Step::ALL[1 + usize::try_from(dice.below(9)).unwrap()];
            let butler = observatory.butler(name).await;
            let pause = Duration::from_millis(dice.below(30));
            let runner = small(observatory, dice);
            let (_, outcome) = tokio::join!(
                async {
                    tokio::time::sleep(pause).await;
                    butler.close().await;
                },
                runner.run(step)
            );
            outcome.unwrap();
            observatory.reopen().await;
            format!("{name} goes away during {step}")
        }
        12 => {
            // A task is dropped in the middle.
            let step = Step::ALL[1 + usize::try_from(dice.below(9)).unwrap()];
            let runner = small(observatory, dice);
            let pause = Duration::from_millis(dice.below(40));
            let cut = tokio::time::timeout(pause, runner.run(step)).await.is_err();
            observatory.reopen().await;
            format!("{step} is dropped: {cut}")
        }
        _ => {
            // Several tasks at the same time.
            let steps: Vec<Step> = (0..3)
                .map(|_| Step::ALL[1 + usize::try_from(dice.below(9)).unwrap()])
                .collect();
            let runner = small(observatory, dice);
            let runs = steps.iter().map(|step| runner.run(*step));
            for outcome in futures::future::join_all(runs).await {
                outcome.unwrap();
            }
            format!("{steps:?}")
        }
    }
}

fn small(observatory: &Observatory, dice: &mut Dice) -> butler_pps::tasks::Runner {
    observatory.runner_with(Limits {
        batch: 1 + usize::try_from(dice.below(6)).unwrap(),
        workers: 1 + usize::try_from(dice.below(3)).unwrap(),
        run: 1 + usize::try_from(dice.below(12)).unwrap(),
    })
}

/// What always holds, by what the repositories themselves say.
pub(crate) async fn assert_safe(observatory: &Observatory, lost: &HashSet<Uuid>, when: &str) {
    let mut stored: Vec<HashSet<Uuid>> = Vec::new();
    for name in RepositoryName::ALL {
        stored.push(observatory.stored(name).await.into_iter().collect());
    }
    let [embargo, staged, _, int, prod] = &stored[..] else {
        panic!("there are five repositories");
    };
    for id in int.union(prod) {
        assert!(
            staged.contains(id),
            "{when}: {id} is public, but not staged"
        );
    }
    let butler = observatory.butler(PromptPrep).await;
    let ids: Vec<Uuid> = staged.iter().copied().collect();
    let refs: Vec<_> = butler
        .registry()
        .datasets(&ids)
        .await
        .unwrap()
        .into_values()
        .collect();
    let there = butler.reader().datastore().exists(&refs).await.unwrap();
    assert_eq!(
        there.len(),
        ids.len(),
        "{when}: files of prompt_prep are gone"
    );
    let states = observatory
        .state
        .datasets(&observatory.all_ids())
        .await
        .unwrap();
    for state in states {
        let id = state.id;
        let policy = butler_pps::policy::Policy::parse(butler_pps::policy::DEFAULT).unwrap();
        let public = policy
            .rule(&state.dataset_type)
            .is_some_and(|rule| rule.public);
        if !public {
            assert!(
                !int.contains(&id) && !prod.contains(&id),
                "{when}: {id} is internal, but published"
            );
        }
        // What has left embargo is, or by intent no longer is, at USDF.
        if !embargo.contains(&id) && !lost.contains(&id) {
            let arrived = |name| matches!(state.status(name), Present | Deleted);
            assert!(
                arrived(PromptPrep) && arrived(Main),
                "{when}: {state:?} has left embargo without being safe"
            );
        }
    }
}
