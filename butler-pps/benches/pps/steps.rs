//! How fast datasets go through each step.

use std::time::{Duration, Instant};

use butler_pps::state::{Origin, RepositoryName, Step};
use butler_pps::tasks::Limits;
use uuid::Uuid;

use crate::NEED;
use crate::fill::fill;
use crate::observatory::{DAY, Databases, HOUR, Observatory};

/// Takes datasets with files of a size through their life.
pub(crate) async fn measure(count: usize, bytes: usize) {
    let observatory = Observatory::new(Databases::Postgres).await;
    let embargo = observatory.butler(RepositoryName::Embargo).await;
    let refs = fill(&embargo, "difference_image", count, bytes).await;
    let ids: Vec<Uuid> = refs.iter().map(|dataset| dataset.id()).collect();
    println!("{count} datasets with files of {bytes} bytes; PostgreSQL, local files");
    println!(
        "{:20} {:>10} {:>12}   of the day's need",
        "step", "seconds", "datasets/s"
    );

    let started = Instant::now();
    let registered = observatory
        .registrar()
        .register(&ids, Origin::PromptProcessing)
        .await
        .unwrap();
    assert_eq!(registered.new, ids.len() as u64);
    tell("register", ids.len() as u64, started.elapsed());

    let runner = observatory.runner_with(Limits::default());
    observatory.clock.advance(HOUR * 100);
    for step in Step::ALL.into_iter().skip(1) {
        if step == Step::ExpireGoogleInt {
            observatory.clock.advance(DAY * 31);
        }
        let started = Instant::now();
        let mut done = 0;
        loop {
            let report = runner.run(step).await.unwrap();
            assert_eq!((report.failed, &report.error), (0, &None), "{step}");
            if report.done == 0 {
                break;
            }
            done += report.done;
        }
        assert_eq!(done, ids.len() as u64, "{step}");
        tell(step.name(), done, started.elapsed());
    }
}

#[allow(clippy::cast_precision_loss)]
fn tell(name: &str, count: u64, took: Duration) {
    let rate = count as f64 / took.as_secs_f64();
    println!(
        "{name:20} {:>10.2} {rate:>12.0}   {:.0} times {NEED:.0}/s",
        took.as_secs_f64(),
        rate / NEED
    );
}
