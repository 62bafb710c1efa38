//! What is written for operators is true.

use std::path::Path;

use butler_pps::settings::Options;
use butler_pps::writer::WriterSettings;
use butler_tests::settings::assert_describes;
use clap::{Args as _, Command};

/// Flags that all sub-commands have.
const GLOBAL: [&str; 2] = ["log-format", "log-level"];

fn document(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    std::fs::read_to_string(docs.join(name)).unwrap()
}

#[test]
fn the_table_of_the_services_settings_is_whole() {
    let command = Options::augment_args(Command::new("run"));
    assert_describes(&document("pps.md"), &command, "PROMPTPUB_", &GLOBAL);
}

#[test]
fn the_table_of_the_writers_settings_is_whole() {
    let command = WriterSettings::augment_args(Command::new("writer"));
    assert_describes(&document("writer.md"), &command, "", &GLOBAL);
}
