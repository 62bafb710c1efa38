//! The container, the compose file, and the units of systemd.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use butler_core::yaml;
use serde_json::Value;

use crate::support::{deploy_python, errors, program, read, run, workspace};

/// A program that came with the Python that deployments are checked with.
fn beside_python(name: &str) -> PathBuf {
    let python = crate::support::provided("BUTLER_TEST_DEPLOY_PYTHON");
    python.with_file_name(name)
}

#[test]
fn the_dockerfile_is_free_of_known_mistakes() {
    let linted = Command::new(beside_python("hadolint"))
        .arg(workspace().join("Dockerfile"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&linted.stdout);
    assert!(linted.status.success(), "{said}{}", errors(&linted));
}

#[test]
fn the_image_is_made_of_the_archive_that_is_made_without_it() {
    let text = read("Dockerfile");
    let (build, image) = text.split_once("\nFROM gcr.io/distroless/").unwrap();
    assert!(build.contains("cargo xtask dist --output /dist"));
    // No other compiler, and nothing copied that is not in the archive.
    assert_eq!(
        build.matches("cargo ").count(),
        1 + build.matches("# What is built is what `cargo ").count()
    );
    assert!(
        image
            .lines()
            .filter(|line| line.starts_with("COPY"))
            .all(|line| { line.starts_with("COPY --from=build /image/") })
    );
    let user = image.lines().find_map(|line| line.strip_prefix("USER "));
    assert_eq!(user, Some("1000:1000"));
    // What the build reads is sent to it.
    let sent = read(".dockerignore");
    let manifest = read("Cargo.toml");
    let members = manifest.split_once("members = [").unwrap().1;
    let members = members.split_once(']').unwrap().0;
    for member in members.split(',').map(|name| name.trim().trim_matches('"')) {
        let directory = member.split('/').next().unwrap();
        let line = match directory.starts_with("butler") {
            true => "!butler*".to_owned(),
            false => format!("!{directory}"),
        };
        assert!(
            sent.lines().any(|sent| sent == line),
            "{member} is not sent"
        );
    }
}

#[test]
fn the_compose_file_is_valid_and_whole() {
    let file = workspace().join("compose.yaml");
    let arguments = [
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
    ];
    let checked = deploy_python(&[&arguments[..], &[file.to_str().unwrap()]].concat(), b"");
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}{}", errors(&checked));

    let compose = yaml::parse(&read("compose.yaml")).unwrap().to_json();
    let services = compose["services"].as_object().unwrap();
    for name in ["postgres", "s3", "kafka", "server", "writer", "publication"] {
        assert!(services.contains_key(name), "no service {name}");
    }
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for (name, service) in services {
        for other in service["depends_on"].as_object().into_iter().flatten() {
            assert!(
                services.contains_key(other.0),
                "{name} depends on {}",
                other.0
            );
        }
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            assert!(
                compose["volumes"].as_object().unwrap().contains_key(source),
                "{source}"
            );
        }
        for config in service["configs"].as_array().into_iter().flatten() {
            let text = &compose["configs"][config["source"].as_str().unwrap()]["content"];
            yaml::parse(text.as_str().unwrap()).unwrap();
        }
        for variable in service["environment"].as_object().into_iter().flatten() {
            let known = !variable.0.starts_with("DAF_BUTLER_SERVER_") || help.contains(variable.0);
            assert!(known, "the server does not know {}", variable.0);
        }
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(
                port.as_str().unwrap().starts_with("127.0.0.1:"),
                "{name}: {port}"
            );
        }
    }
    let served = &services["server"]["environment"]["DAF_BUTLER_SERVER_REPOSITORIES"];
    let served: Value = serde_json::from_str(served.as_str().unwrap()).unwrap();
    assert_eq!(served["trial"]["config_uri"], "/repo/trial");
}

/// The units, with programs that are there.
fn units(directory: &Path) -> Vec<PathBuf> {
    let from = workspace().join("deploy/systemd");
    let drop_in = Path::new("butler-.service.d/hardening.conf");
    fs::create_dir(directory.join("butler-.service.d")).unwrap();
    fs::copy(from.join(drop_in), directory.join(drop_in)).unwrap();
    let mut units = Vec::new();
    for entry in fs::read_dir(&from).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "service")
        {
            let text = fs::read_to_string(&path).unwrap();
            let text = text
                .replace("/usr/local/bin/butler-server", program().to_str().unwrap())
                .replace("/usr/local/bin/butler-pps", "/bin/true");
            let unit = directory.join(path.file_name().unwrap());
            fs::write(&unit, text).unwrap();
            units.push(unit);
        }
    }
    assert_eq!(units.len(), 3);
    units
}

fn systemd_analyze(directory: &Path, arguments: &[&str], unit: &Path) -> Output {
    Command::new("systemd-analyze")
        .args(arguments)
        .arg(unit)
        .env("SYSTEMD_UNIT_PATH", format!("{}:", directory.display()))
        .env("SYSTEMD_LOG_LEVEL", "warning")
        .output()
        .unwrap()
}

#[test]
fn units_are_valid_and_leave_their_processes_few_rights() {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        // A machine without systemd has nothing to say about its units.
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for unit in units(directory.path()) {
        let verified = systemd_analyze(directory.path(), &["verify", "--man=no"], &unit);
        let said = errors(&verified);
        assert!(
            verified.status.success() && said.is_empty(),
            "{}: {said}",
            unit.display()
        );
        let rate = ["security", "--offline=yes", "--no-pager", "--threshold=20"];
        let rated = systemd_analyze(directory.path(), &rate, &unit);
        let said = String::from_utf8_lossy(&rated.stdout);
        // The threshold is of tenths: 2.0 of 10, where 0 is least exposed.
        assert!(
            rated.status.success(),
            "{}",
            said.lines().last().unwrap_or_default()
        );
    }
}
