//! Serving a repository, and using it through the server.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::Place;

/// A server that is stopped with its value.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(place: &Place) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_butler"))
            .args(["serve", "label=repo", "--listen", "127.0.0.1:0"])
            .current_dir(place.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut address).unwrap();
        Self {
            child,
            address: address.trim().to_owned(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines that read, of which REPO is the repository.
const LINES: [&str; 14] = [
    "query-collections REPO",
    "query-collections REPO --chains inverse-table -t",
    "query-collections REPO --chains flatten --format json",
    "query-dataset-types REPO -v",
    "query-dataset-types REPO --collections tag",
    "query-datasets REPO * --collections docs,calib/run",
    "query-datasets REPO document --collections docs --order-by -detector --format csv",
    "query-datasets REPO nothing --collections docs",
    "query-datasets REPO document --collections nothing",
    "query-data-ids REPO detector --where \"instrument = 'Cam' AND detector > 1\"",
    "query-data-ids REPO --datasets note --collections docs",
    "query-dimension-records REPO visit",
    "query-dimension-records REPO detector --format json",
    "get REPO note instrument=Cam visit=1 --collections docs",
];

#[test]
fn reading_commands_say_the_same_through_a_server() {
    let place = Place::with_collections();
    let server = Server::start(&place);
    for line in LINES {
        let direct = place.run(&line.replace("REPO", "repo"));
        let remote = place.run(&line.replace("REPO", &server.address));
        assert_eq!(direct.status, remote.status, "{line}: {}", remote.shown());
        assert_eq!(direct.text(), remote.text(), "{line}: {}", remote.shown());
    }
}

#[test]
fn a_server_says_where_datasets_are() {
    let place = Place::filled();
    let server = Server::start(&place);
    let rows = place.succeed(&format!(
        "query-datasets {} document --collections docs --show-uri --format json",
        server.address
    ));
    for row in rows.json().as_array().unwrap() {
        let uri = row["uri"].as_str().unwrap();
        assert!(uri.starts_with("http://127.0.0.1:"), "{row}");
    }
}

#[test]
fn files_come_through_a_server() {
    let place = Place::filled();
    let server = Server::start(&place);
    let address = &server.address;
    let done = place.succeed(&format!(
        "retrieve-artifacts {address} out -d document --collections docs"
    ));
    assert!(done.text().ends_with(": 3\n"), "{}", done.text());
    place.succeed("create other");
    place.succeed(&format!(
        "transfer-datasets {address} other -d note --collections docs --register-dataset-types"
    ));
    place.succeed("get other 03000000-0000-7000-8000-000000000001");
}

#[test]
fn repositories_behind_a_server_are_not_written_to() {
    let place = Place::filled();
    let server = Server::start(&place);
    let done = place.run(&format!("collection-chain {} chain docs", server.address));
    assert_eq!(done.status, 1, "{}", done.shown());
    assert!(done.stderr.contains("read"), "{}", done.stderr);
}
