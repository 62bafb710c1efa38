//! Users are told of what is public: each dataset once, whatever fails.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use butler_direct::environment::Environment;
use butler_direct::resource::{ResourcePath, Resources};
use butler_pps::notify::{INDEX, Lists, Notifier, Webhook, sign};
use butler_pps::state::{DeliveryCounts, Step};
use butler_tests::s3::S3Server;
use serde_json::Value;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::observatory::{DAY, Databases, HOUR, Observatory};

const SECRET: &[u8] = b"a secret of the tests";

/// Somebody who is told.
struct Receiver {
    url: String,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    /// How many requests there were.
    requests: usize,
    /// The messages that were accepted, by delivery.
    messages: BTreeMap<String, Value>,
}

impl Receiver {
    /// Answers the n-th request (from 0) as told.
    async fn start(answer: impl Fn(usize) -> StatusCode + Clone + Send + Sync + 'static) -> Self {
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let noted = Arc::clone(&heard);
        let listen = move |headers: HeaderMap, body: Bytes| {
            let status = note(&mut noted.lock().unwrap(), &answer, &headers, &body);
            std::future::ready(status)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().route("/hook", post(listen));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, heard }
    }

    fn webhook(&self, name: &str, attempts: u32) -> Webhook {
        Webhook {
            name: name.to_owned(),
            url: self.url.parse().unwrap(),
            secret: SECRET.to_vec(),
            attempts,
        }
    }

    /// The datasets that it was told of, each as often as messages name it.
    fn datasets(&self) -> Vec<Uuid> {
        let heard = self.heard.lock().unwrap();
        let datasets = heard.messages.values();
        datasets
            .flat_map(|message| message["datasets"].as_array().unwrap())
            .map(|dataset| dataset["id"].as_str().unwrap().parse().unwrap())
            .collect()
    }
}

/// Checks a request, notes it if it is accepted, and gives the answer.
fn note(
    heard: &mut Heard,
    answer: &dyn Fn(usize) -> StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap();
    let id = header("webhook-id");
    let seconds = header("webhook-timestamp").parse().unwrap();
    assert_eq!(
        sign(SECRET, id, seconds, body).unwrap(),
        header("webhook-signature")
    );
    let status = answer(heard.requests);
    heard.requests += 1;
    if status.is_success() {
        let message: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(message["id"], id);
        let known = heard.messages.insert(id.to_owned(), message.clone());
        // What comes again is the same.
        assert!(known.is_none_or(|known| known == message));
    }
    status
}

fn lists(directory: &Path) -> Lists {
    let directory = ResourcePath::from_local_directory(directory).unwrap();
    Lists::new(Resources::default(), directory)
}

/// The datasets in all lists of a directory, each as often as it is there. The index has to be right.
pub(crate) fn listed(directory: &Path) -> Vec<Uuid> {
    let index = std::fs::read(directory.join(INDEX)).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let mut found = Vec::new();
    for entry in index["lists"].as_array().unwrap() {
        let file = entry["file"].as_str().unwrap();
        let text = std::fs::read_to_string(directory.join(file)).unwrap();
        assert_eq!(entry["datasets"], text.lines().count());
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            found.push(line["id"].as_str().unwrap().parse().unwrap());
        }
    }
    found
}

/// Polls a future so many times, and drops it then.
async fn interrupted<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut count = 0;
    std::future::poll_fn(|context| {
        if count == polls {
            return Poll::Ready(None);
        }
        count += 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

async fn run(notifier: &Notifier, observatory: &Observatory) {
    let (state, clock) = (&observatory.state, &observatory.clock);
    let report = notifier.run(state, clock, 1_000).await.unwrap();
    assert_eq!(report.error, None);
}

async fn release(observatory: &Observatory, ids: &[Uuid]) {
    let now = observatory.clock.now();
    let state = &observatory.state;
    state.record(Step::ToGoogleProd, ids, now).await.unwrap();
}

fn sorted(ids: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.into_iter().collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn no_interruption_loses_or_doubles_a_release() {
    for databases in Databases::BOTH {
        let runs = ["a", "b", "c", "d"];
        let observatory = Observatory::with_runs(databases, &runs).await;
        observatory.register_all().await;
        let directory = observatory.directory().join("releases");
        let receiver = Receiver::start(|_| StatusCode::OK).await;
        let webhooks = vec![receiver.webhook("portal", 5)];
        let notifier = Notifier::new(Some(lists(&directory)), webhooks).unwrap();
        let ids = observatory.all_ids();
        let mut interruptions = 0;
        for (number, some) in ids.chunks(2).enumerate() {
            release(&observatory, some).await;
            observatory.clock.advance(HOUR / 3);
            let (state, clock) = (&observatory.state, &observatory.clock);
            let whole = interrupted(notifier.run(state, clock, 1_000), number / 2 + 1).await;
            interruptions += usize::from(whole.is_none());
        }
        assert!(interruptions > 5, "{interruptions} interruptions");
        run(&notifier, &observatory).await;
        assert_eq!(sorted(listed(&directory)), sorted(ids.clone()));
        // It may have been told twice of what it was told at an interruption, by the same delivery.
        assert_eq!(sorted(receiver.datasets()), sorted(ids));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_has_lost_its_lock_announces_nothing_twice() {
    let observatory = Observatory::new(Databases::Postgres).await;
    observatory.register_all().await;
    let directory = observatory.directory().join("releases");
    let notifier = Notifier::new(Some(lists(&directory)), Vec::new()).unwrap();
    let now = observatory.clock.now();
    for id in observatory.all_ids() {
        release(&observatory, &[id]).await;
        let announce = || observatory.state.announce(&[], now, 1_000);
        let both = tokio::join!(announce(), announce(), announce());
        let counts = [both.0, both.1, both.2].map(|count| count.unwrap_or(0));
        assert_eq!(counts.iter().sum::<u64>(), 1);
    }
    run(&notifier, &observatory).await;
    assert_eq!(sorted(listed(&directory)), sorted(observatory.all_ids()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_listed_in_its_hour() {
    let observatory = Observatory::new(Databases::Sqlite).await;
    let directory = observatory.directory().join("releases");
    let notifier = Notifier::new(Some(lists(&directory)), Vec::new()).unwrap();
    observatory.register_all().await;
    observatory.settle_well().await;
    run(&notifier, &observatory).await;
    let first = listed(&directory);
    assert_eq!(first.len(), 9);
    // 80 hours and some minutes later.
    observatory.clock.advance(HOUR * 80 + HOUR / 2);
    observatory.settle_well().await;
    run(&notifier, &observatory).await;
    let list = directory.join("2025-12-06T16.jsonl");
    let text = std::fs::read_to_string(&list).unwrap();
    assert_eq!(text.lines().count(), 8);
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["released"], "2025-12-06T16:35:00.000Z");
    assert_eq!(line["instrument"], "LSSTCam");
    let mut all = sorted(listed(&directory));
    all.dedup();
    assert_eq!(all.len(), first.len() + 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_in_an_object_store_change_only_when_something_is_released() {
    let store = S3Server::start(&["releases"]);
    let observatory = Observatory::new(Databases::Sqlite).await;
    observatory.register_all().await;
    let environment = Environment::fixed(store.environment());
    let resources = Resources::builder().environment(environment).build();
    let directory = ResourcePath::new("s3://releases/prompt/").unwrap();
    let index = directory.join(INDEX).unwrap();
    let lists = Lists::new(resources.clone(), directory);
    let notifier = Notifier::new(Some(lists), Vec::new()).unwrap();
    let ids = observatory.all_ids();
    let (first, rest) = ids.split_at(3);
    release(&observatory, first).await;
    run(&notifier, &observatory).await;
    let file = store.object_file("releases", &format!("prompt/{INDEX}"));
    let changed = || std::fs::metadata(&file).unwrap().modified().unwrap();
    let written = changed();
    observatory.clock.advance(DAY);
    run(&notifier, &observatory).await;
    assert_eq!(changed(), written);
    release(&observatory, rest).await;
    run(&notifier, &observatory).await;
    let text = resources.read(&index).await.unwrap();
    let index: Value = serde_json::from_slice(&text).unwrap();
    let counts = index["lists"].as_array().unwrap().iter();
    let counts: Vec<&Value> = counts.map(|list| &list["datasets"]).collect();
    assert_eq!(counts, [rest.len(), first.len()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_is_told_later_and_keeps_nobody_waiting() {
    let observatory = Observatory::new(Databases::Sqlite).await;
    observatory.register_all().await;
    let failing = Receiver::start(|request| match request % 3 {
        2 => StatusCode::NO_CONTENT,
        1 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::FOUND,
    })
    .await;
    let good = Receiver::start(|_| StatusCode::OK).await;
    let mut nobody = good.webhook("nobody", 30);
    nobody.url = "http://127.0.0.1:9/".parse().unwrap();
    let webhooks = vec![
        failing.webhook("failing", 30),
        nobody,
        good.webhook("good", 30),
    ];
    let notifier = Notifier::new(None, webhooks).unwrap();
    let mut released = BTreeSet::new();
    for some in observatory.all_ids().chunks(5) {
        release(&observatory, some).await;
        released.extend(some.iter().copied());
        observatory.clock.advance(HOUR * 7);
        run(&notifier, &observatory).await;
        assert_eq!(sorted(good.datasets()), sorted(released.clone()));
    }
    for _ in 0..20 {
        observatory.clock.advance(HOUR * 7);
        run(&notifier, &observatory).await;
    }
    assert_eq!(sorted(failing.datasets()), sorted(released));
    let counts = observatory.state.delivery_counts().await.unwrap();
    let [failing, good, nobody] = &counts[..] else {
        panic!("{counts:?}");
    };
    assert_eq!((failing.delivered, failing.pending), (5, 0));
    assert_eq!((good.delivered, good.pending), (5, 0));
    assert_eq!((nobody.delivered, nobody.pending), (0, 5));
    assert!(nobody.error.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tried_too_often_is_given_up_until_it_is_asked_for() {
    let observatory = Observatory::new(Databases::Sqlite).await;
    observatory.register_all().await;
    let receiver = Receiver::start(|request| match request {
        0..3 => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::OK,
    })
    .await;
    let notifier = Notifier::new(None, vec![receiver.webhook("portal", 3)]).unwrap();
    let ids = observatory.ids("isr_log");
    release(&observatory, &ids).await;
    for _ in 0..5 {
        run(&notifier, &observatory).await;
        observatory.clock.advance(HOUR * 7);
    }
    let counts = observatory.state.delivery_counts().await.unwrap();
    let dead = DeliveryCounts {
        webhook: "portal".to_owned(),
        pending: 0,
        delivered: 0,
        dead: 1,
        error: Some("the receiver answers 500 Internal Server Error".to_owned()),
    };
    assert_eq!(counts, [dead]);
    let now = observatory.clock.now();
    let again = observatory.state.resend(Some("portal"), now).await;
    assert_eq!(again.unwrap(), 1);
    run(&notifier, &observatory).await;
    assert_eq!(sorted(receiver.datasets()), sorted(ids));
}
