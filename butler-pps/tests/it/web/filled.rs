//! A state database with some history in it, and the web app that shows it.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::map_request;
use axum::routing::get as on_get;
use butler_pps::clock::{Clock, Moment};
use butler_pps::policy::{DEFAULT, Policy};
use butler_pps::state::{
    NewDataset, Origin, Problem, RepositoryName, RunReport, State, StateLocation, Step, VisitState,
};
use butler_pps::web::{PREFIX, WebApp, WebOptions, router};
use butler_server::serve::serve;
use butler_tests::postgres::TestSchema;
use http::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::observatory::{Databases, START};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// By these an ingress says who sends a request; here, tokens are names.
const USER_HEADERS: [&str; 2] = ["x-auth-request-user", "x-auth-request-token"];

/// How many days ago visits were.
pub(crate) const NIGHTS: [i64; 22] = [
    0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 17, 18, 20, 23, 26, 29, 35, 50, 70,
];

/// Dataset types, how many hours they are under embargo, and after how many days they expire.
const TYPES: [(&str, i64, Option<i64>); 7] = [
    ("preliminary_visit_image", 80, None),
    ("difference_image", 80, Some(30)),
    ("dia_source_apdb", 0, Some(30)),
    ("dia_object_apdb", 0, Some(30)),
    ("difference_kernel", 0, None),
    ("isr_log", 0, None),
    ("mystery", 1_000_000, None),
];

/// Visits of a night, and datasets of each type of a visit.
const VISITS: i64 = 3;
const DETECTORS: i64 = 4;

pub(crate) struct Filled {
    _directory: TempDir,
    _schema: Option<TestSchema>,
    pub(crate) state: State,
    pub(crate) clock: Clock,
    /// The missing dataset, one that is stuck, one that is published, and one that nobody knows.
    pub(crate) missing: Uuid,
    pub(crate) stuck: Uuid,
    pub(crate) published: Uuid,
    pub(crate) unknown: Uuid,
    /// All datasets.
    pub(crate) count: i64,
    /// The visit of the published one.
    pub(crate) visit: i64,
}

impl Filled {
    pub(crate) async fn new(databases: Databases) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let schema = (databases == Databases::Postgres).then(TestSchema::new);
        let location = match &schema {
            Some(schema) => StateLocation::Postgres {
                url: schema.url().to_owned(),
                schema: Some(schema.name().to_owned()),
            },
            None => StateLocation::Sqlite(directory.path().join("state.db")),
        };
        let state = State::open(&location, 4).await.unwrap();
        let mut filled = Self {
            _directory: directory,
            _schema: schema,
            state,
            clock: Clock::manual(START.plus(2 * HOUR)),
            missing: Uuid::nil(),
            stuck: Uuid::nil(),
            published: Uuid::nil(),
            unknown: Uuid::now_v7(),
            count: 0,
            visit: 0,
        };
        for night in NIGHTS {
            filled.night(night).await;
        }
        filled.troubles().await;
        filled.runs().await;
        filled
    }

    /// The datasets of a night, as far as they are by now.
    async fn night(&mut self, night: i64) {
        let now = self.clock.now();
        for visit in 0..VISITS {
            let end = START.minus(night * DAY + visit * HOUR / 10);
            let number = 2_025_120_200_000 - night * 100_000 + visit;
            for (name, embargo, retention) in TYPES {
                let ids: Vec<Uuid> = (0..DETECTORS).map(|_| Uuid::now_v7()).collect();
                let datasets: Vec<NewDataset> = ids
                    .iter()
                    .map(|id| NewDataset {
                        id: *id,
                        origin: Origin::PromptProcessing,
                        dataset_type: name.to_owned(),
                        instrument: Some("LSSTCam".to_owned()),
                        visit: Some(number),
                        observed: Some(end),
                    })
                    .collect();
                let visits = [VisitState {
                    instrument: "LSSTCam".to_owned(),
                    visit: number,
                    end: Some(end),
                    held: false,
                }];
                let known = end.plus(HOUR / 10);
                self.state
                    .add_datasets(&datasets, &visits, known)
                    .await
                    .unwrap();
                self.count += DETECTORS;
                if name == "dia_source_apdb" && night == 5 {
                    (self.published, self.visit) = (ids[0], number);
                }
                if name == "preliminary_visit_image" && (night, visit) == (10, 0) {
                    self.missing = ids[1];
                }
                if name == "isr_log" && (night, visit) == (0, 0) {
                    self.stuck = ids[2];
                }
                self.live(&ids, end.plus(embargo * HOUR), retention, now)
                    .await;
            }
        }
    }

    /// Takes datasets through all steps that are due by now.
    async fn live(&self, ids: &[Uuid], free: Moment, retention: Option<i64>, now: Moment) {
        let minute = HOUR / 60;
        let mut steps = vec![
            (Step::ToPromptPrep, free.plus(9 * minute)),
            (Step::ToMain, free.plus(11 * minute)),
            (Step::DeleteEmbargo, free.plus(13 * minute)),
            (Step::ToGoogleInt, free.plus(14 * minute)),
            (Step::ToGoogleProd, free.plus(16 * minute)),
        ];
        if let Some(days) = retention {
            let end = free.plus(days * DAY);
            steps.extend([
                (Step::ExpireGoogleInt, end.plus(14 * minute)),
                (Step::ExpireGoogleProd, end.plus(16 * minute)),
                (Step::DeletePromptPrep, end.plus(10 * DAY)),
                (Step::DeleteMain, end.plus(10 * DAY + minute)),
            ]);
        }
        for (step, time) in steps {
            // These two do not get so far.
            let troubled = [self.missing, self.stuck];
            let on = |id: &&Uuid| step != Step::ToGoogleProd || !troubled.contains(*id);
            let ids: Vec<Uuid> = ids.iter().filter(on).copied().collect();
            if time <= now {
                self.state.record(step, &ids, time).await.unwrap();
            }
        }
    }

    async fn troubles(&self) {
        let (state, now) = (&self.state, self.clock.now());
        let problem = |id, reason: &str| {
            [Problem {
                id,
                reason: reason.to_owned(),
            }]
        };
        let gone = problem(
            self.missing,
            "the file LSSTCam/prompt/image.fits is not there",
        );
        state
            .record_missing(Step::ToGoogleProd, RepositoryName::PromptPrep, &gone)
            .await
            .unwrap();
        let refused = problem(
            self.stuck,
            "dataset isr_log of exposure 2025120200000 conflicts with one that is there already",
        );
        state
            .record_problems(Step::ToGoogleProd, &refused, now.plus(4 * HOUR / 60))
            .await
            .unwrap();
        let retry = now.plus(HOUR / 6);
        state
            .add_unknown(
                &[self.unknown],
                Origin::Catchup,
                "no such dataset in the embargo repository",
                now.minus(HOUR),
                retry,
            )
            .await
            .unwrap();
    }

    /// Two days of runs.
    async fn runs(&self) {
        let now = self.clock.now();
        for hour in (0..48).rev() {
            for (place, step) in (0..).zip(Step::ALL) {
                let time = now.minus(hour * HOUR + 20_000 - 1000 * place);
                // Nights are busy, days are not.
                let phase = (hour + 6) % 24;
                let busy = if phase < 11 {
                    90_000 + 9_000 * phase
                } else {
                    2_000
                };
                let report = RunReport {
                    done: u64::try_from(busy + 700 * (place + 1)).unwrap(),
                    failed: u64::from(hour == 3 && step == Step::ToGoogleProd) * 2_000,
                    error: (hour == 0 && step == Step::ToGoogleInt).then(|| {
                        "repository google_int does not answer: connection refused".to_owned()
                    }),
                };
                self.state
                    .start_run(step.name(), time.minus(4000))
                    .await
                    .unwrap();
                let next = time.plus(60_000);
                self.state
                    .finish_run(step.name(), &report, time, next)
                    .await
                    .unwrap();
            }
        }
    }

    /// The web app on it, which lets everybody do everything.
    pub(crate) async fn open(&self) -> Site {
        let options = WebOptions {
            gafaelfawr_url: Some("DISABLED".to_owned()),
            ..WebOptions::default()
        };
        Site::at(listen(self.router(options).await).await)
    }

    /// The web app on it, where `ada` is in `g_curators`, and `bob` in `g_others`.
    pub(crate) async fn guarded(&self, readers: &[&str]) -> Site {
        Site::at(listen(self.guarded_router(readers).await).await)
    }

    /// The same behind an ingress that knows whoever comes as this user.
    pub(crate) async fn guarded_for(&self, user: &'static str) -> Site {
        let name = move |mut request: Request| async move {
            for header in USER_HEADERS {
                let value = HeaderValue::from_static(user);
                request.headers_mut().insert(header, value);
            }
            request
        };
        let router = self.guarded_router(&[]).await;
        Site::at(listen(router.layer(map_request(name))).await)
    }

    async fn guarded_router(&self, readers: &[&str]) -> Router {
        let service = Router::new().route("/auth/api/v1/user-info", on_get(user_info));
        let address = listen(service).await;
        self.router(WebOptions {
            gafaelfawr_url: Some(format!("http://{address}/auth")),
            web_groups: Some(vec!["g_curators".to_owned()]),
            web_readers: Some(readers.iter().map(ToString::to_string).collect()),
            ..WebOptions::default()
        })
        .await
    }

    async fn router(&self, options: WebOptions) -> Router {
        let options = WebOptions {
            listen: Some(([127, 0, 0, 1], 0).into()),
            ..options
        };
        let settings = options.check().unwrap().unwrap();
        let policy = Policy::parse(DEFAULT).unwrap();
        let app = WebApp::new(settings, self.state.clone(), policy, self.clock.clone());
        let app = app.await.unwrap();
        app.set_active(true);
        router(app)
    }
}

/// Answers as Gafaelfawr does.
async fn user_info(headers: HeaderMap) -> Result<axum::Json<Value>, http::StatusCode> {
    let groups = match headers["authorization"].to_str().unwrap() {
        "Bearer ada" => json!([{"name": "g_curators"}]),
        "Bearer bob" => json!([{"name": "g_others"}]),
        _ => return Err(http::StatusCode::UNAUTHORIZED),
    };
    Ok(axum::Json(json!({ "username": "x", "groups": groups })))
}

/// Serves on a port that is free, until the test ends.
async fn listen(router: Router) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let forever = std::future::pending();
    tokio::spawn(serve(listener, router, forever, Duration::ZERO));
    address
}

pub(crate) struct Site {
    address: SocketAddr,
    client: Client,
}

/// What the web app has answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

impl Site {
    fn at(address: SocketAddr) -> Self {
        let client = Client::builder().no_proxy().build().unwrap();
        Self { address, client }
    }

    pub(crate) fn page(&self) -> String {
        format!("http://{}{PREFIX}/", self.address)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// What a route of the API says.
    pub(crate) async fn ask(&self, path: &str) -> Value {
        let answer = self.get(&format!("{PREFIX}/api/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// A command, confirmed with these words.
    pub(crate) fn command(&self, command: &Value, confirm: &str) -> RequestBuilder {
        let body = json!({ "command": command, "confirm": confirm });
        self.request(Method::POST, &format!("{PREFIX}/api/commands"))
            .json(&body)
    }

    /// What comes of a command, confirmed with these words.
    pub(crate) async fn order(&self, command: Value, confirm: &str) -> Value {
        let answer = send(self.command(&command, confirm)).await;
        assert_eq!(answer.status, 200, "{command}: {answer:?}");
        answer.json()["outcome"].clone()
    }
}

/// As a user whom the ingress knows.
pub(crate) fn from_user(request: RequestBuilder, user: &str) -> RequestBuilder {
    USER_HEADERS
        .into_iter()
        .fold(request, |request, header| request.header(header, user))
}

pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let answer = request
        .timeout(Duration::from_secs(60))
        .send()
        .await
        .unwrap();
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        text: answer.text().await.unwrap(),
    }
}
