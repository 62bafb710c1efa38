//! What each command does.

use crate::browser;
use crate::dist::Dist;
use crate::kafka::{Kafka, LIBRARIES_VARIABLE, SERVERS_VARIABLE};
use crate::phase::phase;
use crate::postgres::{Postgres, URL_VARIABLE};
use crate::{deny, native, process, suite, tools, venv, workspace};
use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

/// Prefixes of variables with which a person sets up butlers, databases and object stores of their own.
/// Tests must neither depend on them nor touch what they point to.
const FOREIGN: [&str; 9] = [
    "PG",
    "DAF_BUTLER_",
    "LSST_",
    "AWS_",
    "S3_ENDPOINT_URL",
    "DAX_",
    "KAFKA_",
    "PROMPTPUB_",
    "OUTPUT_DATASET_LIST_DIRECTORY",
];

/// The services of a run. They end when this is dropped.
struct Services {
    python: PathBuf,
    schemathesis: PathBuf,
    deploy: PathBuf,
    helm: PathBuf,
    postgres: Postgres,
    browser: PathBuf,
    kafka: Kafka,
}

impl Services {
    fn start() -> Result<Self, String> {
        let python = phase("python", || venv::REFERENCE.prepare())?;
        let schemathesis = phase("schemathesis", || venv::SCHEMATHESIS.prepare())?;
        let browser = phase("browser", browser::prepare)?;
        let deploy = phase("deploy", || venv::DEPLOY.prepare())?;
        let helm = phase("helm", tools::helm)?;
        let postgres = phase("postgres", Postgres::prepare)?;
        let kafka = phase("kafka", Kafka::prepare)?;
        Ok(Self {
            python,
            schemathesis,
            deploy,
            helm,
            postgres,
            browser,
            kafka,
        })
    }

    /// Hands the services to a command, and keeps the caller's own from it.
    fn offer<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        for (name, _) in env::vars_os() {
            let foreign = |name: &str| FOREIGN.iter().any(|prefix| name.starts_with(prefix));
            if name.to_str().is_some_and(foreign) {
                command.env_remove(name);
            }
        }
        command
            .env(venv::REFERENCE.variable, &self.python)
            .env(venv::SCHEMATHESIS.variable, &self.schemathesis)
            .env(browser::DRIVER_VARIABLE, &self.browser)
            .env(venv::DEPLOY.variable, &self.deploy)
            .env(tools::HELM_VARIABLE, &self.helm)
            .env(URL_VARIABLE, self.postgres.url())
            .env(SERVERS_VARIABLE, self.kafka.servers())
            .env(LIBRARIES_VARIABLE, self.kafka.libraries())
            .env("AWS_EC2_METADATA_DISABLED", "true")
    }
}

/// Builds the tests, starts the services, runs the tests: all of them, or what the arguments of `cargo test` choose.
pub(crate) fn test(args: &[String]) -> Result<(), String> {
    phase("openssl", native::prepare)?;
    if args.is_empty() {
        return test_all();
    }
    let cargo_args: Vec<&String> = args.iter().take_while(|arg| *arg != "--").collect();
    let chosen = cargo_args.iter().any(|arg| {
        ["-p", "--package", "--workspace", "--all", "--manifest-path"]
            .iter()
            .any(|option| arg == option)
            || (arg.starts_with("-p") && !arg.starts_with("--"))
            || arg.starts_with("--package=")
    });
    let scope: &[&str] = if chosen { &[] } else { &["--workspace"] };
    let test = || {
        let mut cargo = workspace::cargo();
        cargo.arg("test").args(scope);
        cargo
    };
    // Options with which Cargo refuses to build ahead.
    let refusing = |arg: &&String| ["--doc", "--no-run", "--help", "-h"].contains(&arg.as_str());
    let (services, ()) = with_services(|| {
        if cargo_args.iter().any(refusing) {
            return Ok(());
        }
        phase("build", || {
            process::run(test().arg("--no-run").args(&cargo_args))?;
            Ok(((), "built".to_owned()))
        })
    })?;
    phase("tests", || {
        process::run(services.offer(test().args(args)))?;
        Ok(((), "passed".to_owned()))
    })
}

/// Runs the tests of the workspace, then the examples in its documentation.
fn test_all() -> Result<(), String> {
    let (services, programs) = with_services(|| {
        phase("build", || {
            let programs = suite::build()?;
            let summary = format!("{} test programs", programs.len());
            Ok((programs, summary))
        })
    })?;
    phase("tests", || {
        suite::run(programs, &|command: &mut Command| {
            services.offer(command);
        })?;
        Ok(((), "passed".to_owned()))
    })?;
    phase("doc tests", || {
        process::run(services.offer(workspace::cargo().args(["test", "--workspace", "--doc"])))?;
        Ok(((), "passed".to_owned()))
    })
}

/// Starts the services while something is built: the one waits for the network, the other for the processor.
fn with_services<T>(build: impl FnOnce() -> Result<T, String>) -> Result<(Services, T), String> {
    thread::scope(|threads| {
        let services = threads.spawn(Services::start);
        let built = build()?;
        let services = services
            .join()
            .map_err(|_| "the services' thread panicked".to_owned())??;
        Ok((services, built))
    })
}

/// Starts the services and runs a benchmark: of the server, the Butler writer or the publication service if that is
/// the first argument, else of bulk writes, against the reference implementation.
pub(crate) fn bench(args: &[String]) -> Result<(), String> {
    let (package, bench, args) = match args {
        [first, rest @ ..] if first == "server" => ("butler-server", "load", rest),
        [first, rest @ ..] if first == "writer" => ("butler-pps", "writer", rest),
        [first, rest @ ..] if first == "pps" => ("butler-pps", "pps", rest),
        all => ("butler-tests", "peer", all),
    };
    phase("openssl", native::prepare)?;
    let services = Services::start()?;
    let mut cargo = workspace::cargo();
    cargo
        .args(["bench", "--package", package, "--bench", bench, "--"])
        .args(args);
    phase("benchmark", || {
        process::run(services.offer(&mut cargo))?;
        Ok(((), "done".to_owned()))
    })
}

/// Starts the services and runs a command, or a shell, that sees them.
pub(crate) fn env(command: &[String]) -> Result<(), String> {
    let services = Services::start()?;
    let shell = env::var("SHELL").unwrap_or_else(|_| "sh".to_owned());
    let (program, args) = match command {
        [program, args @ ..] => (program, args),
        [] => (&shell, &[][..]),
    };
    let mut command = Command::new(program);
    command.args(args);
    workspace::forget_own_package(&mut command);
    process::run(services.offer(&mut command))
}

/// Writes the documents of the server's protocol and of the publication service's API: the tests that compare them do so
/// when told.
pub(crate) fn openapi() -> Result<(), String> {
    phase("openapi", || {
        process::run(
            workspace::cargo()
                .args(["test", "--quiet", "-p", "butler-server", "-p", "butler-pps"])
                .args(["--test", "it", "the_document_that_is_checked_in"])
                .env("BUTLER_UPDATE_OPENAPI", "1"),
        )?;
        Ok(((), "openapi/butler-server.json, butler-pps.json".to_owned()))
    })
}

/// Makes the archive that is installed from.
pub(crate) fn dist(output: PathBuf, programs: Option<PathBuf>) -> Result<(), String> {
    let dist = Dist { output, programs };
    phase("dist", || dist.make()).map(drop)
}

/// Runs every check that needs no service.
pub(crate) fn check() -> Result<(), String> {
    phase("openssl", native::prepare)?;
    cargo_step("format", &["fmt", "--all", "--check"])?;
    cargo_step(
        "clippy",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    cargo_step(
        "rustdoc",
        &[
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--quiet",
        ],
    )?;
    deny::check()
}

/// Runs Cargo, with warnings about documentation as errors.
fn cargo_step(name: &str, args: &[&str]) -> Result<(), String> {
    phase(name, || {
        process::run(
            workspace::cargo()
                .args(args)
                .env("RUSTDOCFLAGS", "-D warnings"),
        )?;
        Ok(((), "clean".to_owned()))
    })
}
