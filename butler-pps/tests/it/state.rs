//! The state database.

use std::sync::Arc;
use std::time::Duration;

use butler_pps::scheduler::{self, Schedule};
use butler_pps::state::{InstanceLock, RunReport, State, Step};
use butler_pps::tasks::RegisterTask;
use tokio_util::sync::CancellationToken;

use crate::observatory::{Databases, Observatory};

#[tokio::test]
async fn migrating_again_changes_nothing() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        observatory.register_all().await;
        let again = State::open(observatory.state.location(), 1).await.unwrap();
        let ids = observatory.all_ids();
        assert_eq!(again.datasets(&ids).await.unwrap().len(), ids.len());
    }
}

#[tokio::test]
async fn one_instance_alone_is_active() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        let state = &observatory.state;
        let first = InstanceLock::try_take(state).await.unwrap().unwrap();
        first.check().await.unwrap();
        assert!(InstanceLock::try_take(state).await.unwrap().is_none());
        drop(first);
        let taken = async {
            loop {
                if let Some(lock) = InstanceLock::try_take(state).await.unwrap() {
                    return lock;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let limit = Duration::from_secs(120);
        assert!(tokio::time::timeout(limit, taken).await.is_ok());
    }
}

#[tokio::test]
async fn runs_of_tasks_are_remembered() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        let (state, now) = (&observatory.state, observatory.clock.now());
        let name = Step::ToMain.name();
        assert!(!state.task(name).await.unwrap().paused);
        state.pause_task(name, true).await.unwrap();
        state.request_run(name, now).await.unwrap();
        let report = RunReport {
            done: 5,
            failed: 1,
            error: Some("gone".to_owned()),
        };
        for _ in 0..2 {
            state.start_run(name, now).await.unwrap();
            let next = now.plus(60_000);
            state.finish_run(name, &report, now, next).await.unwrap();
        }
        let task = state.task(name).await.unwrap();
        assert!(task.paused);
        assert_eq!((task.requested, task.done), (None, 5));
        assert_eq!(task.error.as_deref(), Some("gone"));
        let hours = state.throughput(now.minus(3_600_000)).await.unwrap();
        assert_eq!((hours.len(), hours[0].done, hours[0].failed), (1, 10, 2));
    }
}

#[tokio::test]
async fn the_scheduler_takes_all_steps_until_it_is_told_to_stop() {
    for databases in Databases::BOTH {
        let observatory = Observatory::new(databases).await;
        observatory.register_all().await;
        let lock = InstanceLock::try_take(&observatory.state).await.unwrap();
        let stop = CancellationToken::new();
        let (runner, lock) = (observatory.runner(), Arc::new(lock.unwrap()));
        let register = RegisterTask::new(observatory.registrar(), None);
        let token = stop.clone();
        let schedule = Schedule {
            interval: Duration::from_millis(20),
        };
        let running = tokio::spawn(async move {
            scheduler::run(&runner, register, lock, schedule, Vec::new(), token).await
        });
        let published = async {
            loop {
                let states = observatory.states("isr_log").await;
                if states.iter().all(|state| {
                    state.times.google_prod.is_some()
                        && state.times.google_int.is_some()
                        && state.times.embargo_deleted.is_some()
                }) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let limit = Duration::from_secs(120);
        tokio::time::timeout(limit, published).await.unwrap();
        stop.cancel();
        let ended = tokio::time::timeout(limit, running).await.unwrap();
        ended.unwrap().unwrap();
    }
}
