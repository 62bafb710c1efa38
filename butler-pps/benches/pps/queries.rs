//! How long the state database takes to find what is ready, however much it holds.

use std::time::{Duration, Instant};

use butler_pps::clock::Moment;
use butler_pps::policy::{DEFAULT, Policy};
use butler_pps::state::{Night, State, StateLocation, Step};
use butler_tests::postgres::TestSchema;

use crate::observatory::START;

/// What the issue asks for.
const AIM: Duration = Duration::from_millis(50);

/// How often each query is asked.
const TIMES: usize = 20;

const DAY: i64 = 86_400_000;

/// Fills the state database with rows, and asks what is ready.
pub(crate) async fn measure(rows: usize) {
    let schema = TestSchema::new();
    let location = StateLocation::Postgres {
        url: schema.url().to_owned(),
        schema: Some(schema.name().to_owned()),
    };
    let state = State::open(&location, 2).await.unwrap();
    let started = Instant::now();
    fill(&state, rows).await;
    println!(
        "\n{rows} rows in the state database (filled in {:.0?})",
        started.elapsed()
    );
    println!(
        "{:20} {:>8} {:>10} {:>10}   aim {AIM:?}",
        "query", "found", "median", "worst"
    );
    let policy = Policy::parse(DEFAULT).unwrap();
    for step in Step::ALL.into_iter().skip(1) {
        let mut took = Vec::new();
        let mut found = 0;
        for _ in 0..TIMES {
            let started = Instant::now();
            found = state
                .ready(step, &policy, START, 1_000)
                .await
                .unwrap()
                .len();
            took.push(started.elapsed());
        }
        tell(step.name(), found, took);
    }
    page(&state, &policy).await;
    let ids = state
        .ready(Step::DeleteEmbargo, &policy, START, 1_000)
        .await
        .unwrap();
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let started = Instant::now();
        state.datasets(&ids).await.unwrap();
        took.push(started.elapsed());
    }
    tell("rows by ID", ids.len(), took);
    let started = Instant::now();
    state
        .record(Step::DeleteEmbargo, &ids, START)
        .await
        .unwrap();
    tell("record", ids.len(), vec![started.elapsed()]);
}

/// What the web app asks for each time its page is brought up to date.
async fn page(state: &State, policy: &Policy) {
    let first = Night(Night::of(START).0 - 45);
    let mut whole = Vec::new();
    for _ in 0..TIMES {
        let started = Instant::now();
        state.counts().await.unwrap();
        state.counts_by_night(first).await.unwrap();
        state.dataset_types().await.unwrap();
        state.troubles().await.unwrap();
        for step in Step::ALL {
            state.backlog(step, policy, START).await.unwrap();
            state.task(step.name()).await.unwrap();
        }
        state.throughput(START.minus(2 * DAY)).await.unwrap();
        state.missing(200).await.unwrap();
        state.stuck(200).await.unwrap();
        state.unknown(START, true, 200).await.unwrap();
        state.failed_input_files(200).await.unwrap();
        state.visits_held_back().await.unwrap();
        state.delivery_counts().await.unwrap();
        state.audit_log(50).await.unwrap();
        whole.push(started.elapsed());
    }
    tell("the whole page", 1, whole);
    let mut visits = Vec::new();
    let mut found = 0;
    for _ in 0..TIMES {
        let started = Instant::now();
        state.visits_numbered(2_025_120_200_500).await.unwrap();
        let datasets = state.datasets_of_visit("LSSTCam", 2_025_120_200_500, 5_000);
        found = datasets.await.unwrap().len();
        visits.push(started.elapsed());
    }
    tell("a visit", found, visits);
}

fn tell(name: &str, found: usize, mut took: Vec<Duration>) {
    took.sort();
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    let verdict = if worst < AIM { "" } else { "   TOO LONG" };
    println!("{name:20} {found:>8} {median:>10.2?} {worst:>10.2?}{verdict}");
}

/// Most datasets are at the end of their life or published, many wait for the end of their embargo,
/// and a few thousand are on their way from one step to the next.
async fn fill(state: &State, rows: usize) {
    let types = [
        "difference_image",
        "preliminary_visit_image",
        "dia_source_apdb",
        "dia_object_apdb",
        "preloaded_dia_object",
        "isr_log",
        "isr_metadata",
        "mystery",
    ];
    let database = state.database();
    let mut session = database.begin().await.unwrap();
    for name in types {
        let sql = format!(
            "INSERT INTO {} (name) VALUES ('{name}')",
            database.table("dataset_type")
        );
        session.execute(&sql, &[]).await.unwrap();
    }
    let list = types.map(|name| format!("'{name}'")).join(", ");
    let Moment(now) = START;
    // The last of 1,000 rows is on its way.
    let on_its_way = [
        "1, 0, 0, 0, 0",
        "1, 1, 0, 0, 0",
        "1, 1, 1, 0, 0",
        "3, 1, 1, 0, 0",
        "3, 1, 1, 4, 4",
        "3, 3, 1, 4, 4",
    ];
    let cases: String = on_its_way
        .iter()
        .enumerate()
        .map(|(case, statuses)| {
            format!("WHEN i % 1000 = 999 AND i / 1000 % 6 = {case} THEN ARRAY[{statuses}] ")
        })
        .collect();
    let sql = format!(
        "INSERT INTO {} (id, origin, dataset_type, instrument, visit, observed_time,
                registered_time, embargo_status, prompt_prep_status, repo_main_status,
                google_int_status, google_prod_status, unembargo_time, repo_main_time,
                google_int_time, google_prod_time, prompt_prep_deleted_time)
         SELECT gen_random_uuid(), 1,
                CASE WHEN i % 1000 BETWEEN 850 AND 929 THEN 'preloaded_dia_object'
                     WHEN i % 1000 BETWEEN 930 AND 998
                     THEN (ARRAY['difference_image', 'preliminary_visit_image'])[1 + i % 2]
                     ELSE (ARRAY[{list}])[1 + i / 7 % {count}] END,
                'LSSTCam',
                2025120200000 + i / 1000, t, t, s[1], s[2], s[3], s[4], s[5], t + 1, t + 2, t + 3,
                t + 4, t + 5
           FROM (SELECT i,
                CASE {cases}
                     WHEN i % 1000 < 600 THEN ARRAY[3, 3, 3, 4, 4]
                     WHEN i % 1000 < 850 THEN ARRAY[3, 1, 1, 1, 1]
                     WHEN i % 1000 < 930 THEN ARRAY[3, 1, 1, 0, 0]
                     ELSE ARRAY[1, 0, 0, 0, 0] END AS s,
                CASE WHEN i % 1000 < 930 OR i % 1000 = 999
                     THEN {now} - 29 * {DAY}::bigint + i % {DAY} ELSE {now} - i % {DAY} END AS t
                  FROM generate_series(0::bigint, {rows} - 1) AS i) AS made",
        database.table("dataset"),
        count = types.len(),
    );
    session.execute(&sql, &[]).await.unwrap();
    session.commit().await.unwrap();
    let mut session = database.read().await.unwrap();
    let sql = format!("VACUUM ANALYZE {}", database.table("dataset"));
    session.execute(&sql, &[]).await.unwrap();
}
