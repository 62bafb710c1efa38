//! Repositories that the reference implementation has made, and servers of them.

use std::path::{Path, PathBuf};

use butler_tests::postgres::TestSchema;
use butler_tests::python::Script;
use butler_tests::s3::S3Server;
use butler_tests::server::{Program, ServerSetup};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

/// The buckets of repositories whose files are in S3.
const BUCKETS: [&str; 2] = ["bucket", "other-bucket"];

/// The buckets of a repository with four datastores, each with credentials of its own.
const FOUR_BUCKETS: [&str; 4] = ["raw", "calib-data", "refcats", "products"];

/// Where a repository has its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// A repository with data of all kinds, and what it needs.
pub(crate) struct Place {
    directory: TempDir,
    schema: Option<TestSchema>,
    /// Held until the place is gone.
    _objects: Option<S3Server>,
    environment: Vec<(String, String)>,
}

/// The server that is tested: ours, unless `BUTLER_TEST_SERVER` is `reference`.
pub(crate) fn tested() -> Program {
    if std::env::var("BUTLER_TEST_SERVER").is_ok_and(|name| name == "reference") {
        Program::ForgetfulReference
    } else {
        Program::Ours(
            option_env!("CARGO_BIN_EXE_butler-server")
                .unwrap_or_default()
                .into(),
        )
    }
}

impl Place {
    /// Makes a repository with all of `arguments` of `make_repo.py`, its files on this machine.
    pub(crate) fn on_disk(database: Database, arguments: &[&str]) -> Self {
        Self::make(database, None, Vec::new(), arguments)
    }

    /// As [`on_disk`](Self::on_disk), its files in S3.
    pub(crate) fn in_buckets(database: Database, kind: &str, arguments: &[&str]) -> Self {
        let root = format!("s3://{}/files/", BUCKETS[0]);
        let arguments = [&["--datastore", kind, "--s3", &root], arguments].concat();
        let objects = S3Server::start(&BUCKETS);
        let environment = objects.environment();
        Self::make(database, Some(objects), environment, &arguments)
    }

    /// As [`on_disk`](Self::on_disk), its files in four buckets, for which there are different
    /// credentials.
    pub(crate) fn in_four_buckets(database: Database, arguments: &[&str]) -> Self {
        let roots = FOUR_BUCKETS.map(|bucket| {
            let profile = bucket.replace('-', "_");
            format!("s3://{profile}@{bucket}/repo/")
        });
        let roots = roots.join(",");
        let arguments = [&["--datastore", "production", "--s3", &roots], arguments].concat();
        let objects = S3Server::with_accounts(&FOUR_BUCKETS);
        let environment = objects.profiles(&FOUR_BUCKETS);
        Self::make(database, Some(objects), environment, &arguments)
    }

    /// The same place, where the server also has this variable.
    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn make(
        database: Database,
        objects: Option<S3Server>,
        environment: Vec<(String, String)>,
        arguments: &[&str],
    ) -> Self {
        let place = Self {
            directory: tempfile::tempdir().unwrap(),
            schema: (database == Database::Postgres).then(TestSchema::new),
            _objects: objects,
            environment,
        };
        let mut script = place.script("make_repo.py").arg(place.root());
        if let Some(schema) = &place.schema {
            script = script.args(["--db", schema.url(), "--namespace", schema.name()]);
        }
        script.args(arguments).run();
        place
    }

    /// The repository's root.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("repo")
    }

    /// A script of `tests/python` that finds what the repository needs and starts the tested server.
    pub(crate) fn script(&self, name: &str) -> Script {
        with_server(Script::new(name)).envs(self.environment())
    }

    /// A server, which has no repository yet, that finds what this one needs.
    pub(crate) fn server(&self, program: &Program) -> ServerSetup {
        ServerSetup::new(program).envs(self.environment())
    }

    /// The path of a file below the repository's directory.
    pub(crate) fn outside(&self) -> &Path {
        self.directory.path()
    }

    /// The datasets of one of the kinds that `stored_datasets.py` tells apart.
    pub(crate) fn datasets(&self, kind: &str) -> Vec<Uuid> {
        let found = self.script("stored_datasets.py").arg(self.root()).run();
        let ids = found[kind].as_array().unwrap().iter();
        ids.map(|id| id.as_str().unwrap().parse().unwrap())
            .collect()
    }

    /// A dataset that has a file on this machine.
    pub(crate) fn a_stored_dataset(&self) -> Uuid {
        self.datasets("local")[0]
    }

    fn environment(&self) -> Vec<(String, String)> {
        self.environment.clone()
    }
}

/// Tells a script which server it is to start.
pub(crate) fn with_server(script: Script) -> Script {
    match tested() {
        Program::Ours(path) => script.envs([("BUTLER_TEST_SERVER", path)]),
        Program::Reference | Program::ForgetfulReference => {
            script.envs([("BUTLER_TEST_SERVER", "")])
        }
    }
}

/// Asserts that tests ran in Python, so many at least, and none failed.
#[track_caller]
pub(crate) fn assert_passed(outcomes: &Value, least: usize) {
    let failed: Vec<String> = outcomes["failed"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, text)| format!("{name}: {}", text.as_str().unwrap()))
        .collect();
    assert!(
        failed.is_empty(),
        "{} tests failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
    let passed = outcomes["passed"].as_array().unwrap().len();
    assert!(passed >= least, "only {passed} tests ran");
}
