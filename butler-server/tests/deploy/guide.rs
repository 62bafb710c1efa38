//! What is written for operators is true.

use butler_server::cli::Cli;
use butler_tests::settings::{assert_describes, quoted};
use clap::CommandFactory as _;

use crate::support::{read, workspace};

#[test]
fn the_table_of_settings_has_every_flag_its_variable_and_its_default() {
    let document = read("docs/server.md");
    assert_describes(&document, &Cli::command(), "DAF_BUTLER_SERVER_", &[]);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents = vec!["README.md".to_owned(), "ARCHITECTURE.md".to_owned()];
    for entry in std::fs::read_dir(workspace().join("docs")).unwrap() {
        documents.push(format!(
            "docs/{}",
            entry.unwrap().file_name().to_str().unwrap()
        ));
    }
    for document in documents {
        let text = read(&document);
        let base = workspace().join(&document);
        for link in text.split("](").skip(1) {
            let link = link.split([')', '#']).next().unwrap();
            if link.is_empty() || link.contains("://") {
                continue;
            }
            let target = base.parent().unwrap().join(link);
            assert!(target.exists(), "{document} leads to {link}");
        }
    }
}

#[test]
fn every_threat_has_an_answer_and_what_shows_it_is_there() {
    let text = read("docs/threat-model.md");
    let threats = text.lines().filter(|line| {
        let first = line.trim_start_matches("| ").chars().next();
        line.starts_with("| ") && first.is_some_and(|first| first.is_ascii_digit())
    });
    let mut count = 0;
    for threat in threats {
        count += 1;
        let cells: Vec<&str> = threat
            .trim_matches('|')
            .split(" | ")
            .map(str::trim)
            .collect();
        assert_eq!(cells.len(), 4, "{threat}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{threat}");
        for file in quoted(cells[3]).iter().filter(|name| name.contains('/')) {
            assert!(
                workspace().join(file).exists(),
                "there is no {file}: {threat}"
            );
        }
    }
    assert!(count > 15);
}

#[test]
fn the_architecture_names_every_crate_with_its_invariants_and_entry_points() {
    let text = read("ARCHITECTURE.md");
    let manifest = read("Cargo.toml");
    let members = manifest.split_once("members = [").unwrap().1;
    let members = members.split_once(']').unwrap().0;
    for member in members.split(',').map(|name| name.trim().trim_matches('"')) {
        let heading =
            |line: &&str| line.starts_with("## ") && line.contains(&format!("`{member}`"));
        let start = text.lines().position(|line| heading(&line));
        let start = start.unwrap_or_else(|| panic!("no section on {member}"));
        let section: Vec<&str> = text
            .lines()
            .skip(start + 1)
            .take_while(|line| !line.starts_with("## "))
            .collect();
        for part in ["Entry points", "Invariants"] {
            let found = section.iter().any(|line| line.contains(part));
            assert!(found, "the section on {member} has no {part}");
        }
    }
}
