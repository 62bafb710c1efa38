//! The command line.

use std::process::{Command, Output};

use crate::observatory::{Databases, Observatory};

fn run(arguments: &[&str], variables: &[(String, String)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_butler-pps"))
        .args(arguments)
        .envs(variables.iter().cloned())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_default_policy_can_be_checked_without_anything_else() {
    let text = said(&run(&["policy", "check", "difference_image", "x"], &[]));
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[1].contains("80 h") && lines[1].contains("30 d"),
        "{text}"
    );
    assert!(lines[2].contains("(no rule)"), "{text}");
    assert!(said(&run(&["policy", "show"], &[])).contains("rules:"));
}

#[test]
fn a_wrong_setting_is_one_line_on_standard_error() {
    for arguments in [
        &["run"][..],
        &["run", "--state-database-uri", "nonsense"],
        &["policy", "check", "--policy", "/does/not/exist"],
    ] {
        let output = run(arguments, &[]);
        assert!(!output.status.success());
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[tokio::test]
async fn collections_are_registered_and_counted_by_command() {
    let observatory = Observatory::new(Databases::Sqlite).await;
    let variables = observatory.environment();
    let registered = run(&["register", "collections", "LSSTCam/prompt/*"], &variables);
    assert!(
        said(&registered).starts_with("25 new, 0 known"),
        "{registered:?}"
    );
    let again = run(&["register", "collections", "LSSTCam/prompt/*"], &variables);
    assert!(said(&again).starts_with("0 new, 25 known"));
    let counts = said(&run(&["state", "counts"], &variables));
    assert!(
        counts.contains("4 isr_log PRESENT NEVER_PRESENT"),
        "{counts}"
    );
    let checked = said(&run(&["policy", "check"], &variables));
    assert!(checked.contains("mystery"), "{checked}");
}

#[tokio::test]
async fn commands_are_noted_in_the_audit_log() {
    let observatory = Observatory::new(Databases::Sqlite).await;
    let variables = observatory.environment();
    said(&run(&["state", "pause", "to_main"], &variables));
    assert!(said(&run(&["state", "tasks"], &variables)).contains("to_main paused"));
    said(&run(&["state", "pause", "to_main", "--resume"], &variables));
    said(&run(&["state", "hold-visit", "LSSTCam", "7"], &variables));
    let log = observatory.state.audit_log(10).await.unwrap();
    let actions: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["hold visit", "resume", "pause"]);
    assert!(
        !run(&["state", "pause", "nonsense"], &variables)
            .status
            .success()
    );
}
