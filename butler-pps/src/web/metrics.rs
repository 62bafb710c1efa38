//! Numbers for Prometheus. All of them are in the state database, so that they outlive the process and are the same
//! whichever instance is asked.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::app::WebApp;
use super::error::WebResult;
use crate::clock::Moment;
use crate::state::{RepositoryName, Step};

type Labels = Vec<(&'static str, &'static str)>;
type Counts = Family<Labels, Counter>;
type Numbers = Family<Labels, Gauge>;
type Seconds = Family<Labels, Gauge<f64, AtomicU64>>;

/// All numbers as text.
pub(super) async fn render(app: &WebApp) -> WebResult<String> {
    let mut registry = Registry::with_prefix("butler_pps");
    let active: Gauge = Gauge::default();
    active.set(i64::from(app.is_active()));
    registry.register("active", "Whether this instance runs the tasks", active);
    datasets(app, &mut registry).await?;
    tasks(app, &mut registry).await?;
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

async fn datasets(app: &WebApp, registry: &mut Registry) -> WebResult<()> {
    let overview = app.overview().await?;
    let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for (_, statuses, count) in &overview.counts {
        for repository in RepositoryName::ALL {
            let status = statuses[repository as usize];
            *counts
                .entry((repository.name(), status.name()))
                .or_default() += count;
        }
    }
    let by_status = Numbers::default();
    for ((repository, status), count) in counts {
        let labels = vec![("repository", repository), ("status", status)];
        by_status.get_or_create(&labels).set(count);
    }
    registry.register(
        "datasets",
        "Datasets by what has become of them in each repository",
        by_status,
    );
    let troubled = Numbers::default();
    for (kind, count) in [
        ("missing", overview.troubles.missing),
        ("stuck", overview.troubles.stuck),
        ("unknown", overview.troubles.unknown),
    ] {
        troubled.get_or_create(&vec![("kind", kind)]).set(count);
    }
    registry.register(
        "troubled_datasets",
        "Datasets that are missing, stuck or unknown",
        troubled,
    );
    let (ready, age) = (Numbers::default(), Seconds::default());
    for (step, backlog) in &overview.backlogs {
        let labels = vec![("task", step.name())];
        ready.get_or_create(&labels).set(backlog.datasets);
        age.get_or_create(&labels).set(seconds(backlog.age));
    }
    registry.register(
        "backlog_datasets",
        "Datasets that are ready for a task",
        ready,
    );
    registry.register_with_unit(
        "backlog_age",
        "For how long the first of them has been",
        Unit::Seconds,
        age,
    );
    Ok(())
}

async fn tasks(app: &WebApp, registry: &mut Registry) -> WebResult<()> {
    let [runs, failed_runs, done, failed] = [(); 4].map(|()| Counts::default());
    let (paused, success, start) = (Numbers::default(), Seconds::default(), Seconds::default());
    for step in Step::ALL {
        let task = app.state.task(step.name()).await?;
        let labels = vec![("task", step.name())];
        for (counter, value) in [
            (&runs, task.runs),
            (&failed_runs, task.failed_runs),
            (&done, task.total_done),
            (&failed, task.total_failed),
        ] {
            let value = u64::try_from(value).unwrap_or_default();
            counter.get_or_create(&labels).inc_by(value);
        }
        paused.get_or_create(&labels).set(i64::from(task.paused));
        for (gauge, moment) in [(&success, task.succeeded), (&start, task.started)] {
            if let Some(Moment(time)) = moment {
                gauge.get_or_create(&labels).set(seconds(time));
            }
        }
    }
    registry.register("task_runs", "Runs of a task", runs);
    registry.register("task_run_errors", "Runs of a task that failed", failed_runs);
    registry.register("task_datasets", "Datasets that went through a step", done);
    registry.register(
        "task_dataset_failures",
        "Times that a dataset could not go through a step",
        failed,
    );
    registry.register("task_paused", "Whether somebody has paused a task", paused);
    registry.register(
        "task_last_success_timestamp_seconds",
        "When a run of a task ended last that went well",
        success,
    );
    registry.register(
        "task_last_start_timestamp_seconds",
        "When a run of a task began last",
        start,
    );
    Ok(())
}

/// Milliseconds as seconds; precise for some hundred thousand years.
#[allow(clippy::cast_precision_loss)]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1e3
}
