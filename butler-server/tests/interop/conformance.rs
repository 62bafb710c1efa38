//! Schemathesis makes requests of all kinds from the document of the protocol. The server never fails, and answers as the
//! document says.

use std::process::Command;

use butler_tests::server::ServerProcess;
use uuid::Uuid;

use crate::places::{Database, Place, tested};

/// Checks that concern the server, not how strictly it reads requests.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

const LABEL: &str = "repo";

/// Values with which requests get further than made-up ones would.
fn parameters(dataset: Uuid) -> String {
    format!(
        "warnings = false\n[parameters]\n\"path.repository\" = \"{LABEL}\"\n\"path.id\" = \"{dataset}\"\n\
         \"path.name\" = \"bias\"\n\"query.name\" = \"imported_g\"\n"
    )
}

fn schemathesis(server: &ServerProcess) -> Command {
    let python = std::env::var_os("BUTLER_TEST_SCHEMATHESIS")
        .expect("BUTLER_TEST_SCHEMATHESIS is not set: run the tests with `cargo xtask test`");
    let mut command = Command::new(python);
    command
        .args(["-m", "schemathesis.cli"])
        .args(["--config-file", "schemathesis.toml", "run"])
        .arg(format!("{}/api/butler/openapi.json", server.url()))
        .args(["--url", &server.url()])
        .args(["--checks", CHECKS])
        .args(["--phases", "coverage,fuzzing"])
        .args(["--max-examples", "25", "--workers", "1"])
        .args(["--seed", "1", "--generation-deterministic"])
        .arg("--no-color")
        .arg("--continue-on-failure");
    command
}

#[test]
fn answers_are_those_that_the_document_describes() {
    let place = Place::on_disk(
        Database::Sqlite,
        &["--data", "base.yaml,datasets.yaml", "--with-files"],
    );
    let server = place
        .server(&tested())
        .env("DAF_BUTLER_SERVER_LOG_LEVEL", "error")
        .repository(LABEL, &place.root(), &["*"])
        .start();
    let configuration = place.outside().join("schemathesis.toml");
    std::fs::write(configuration, parameters(place.a_stored_dataset())).unwrap();
    let output = schemathesis(&server)
        .current_dir(place.outside())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{text}\n{errors}\n{}",
        server.log()
    );
}
