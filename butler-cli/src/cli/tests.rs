//! The command line and that of the reference.
#![allow(clippy::unwrap_used)]

use butler_tests::python::Script;
use clap::{Arg, Command, CommandFactory as _};
use serde_json::{Value, json};

use super::Cli;

/// Options that differ, with the sub-command; `docs/cli.md` says why.
const DEPARTURES: [(&str, &str); 5] = [
    ("butler", "--no-progress --progress"),
    // The default is the same; here it is named.
    ("import", "--export-file"),
    ("query-data-ids", "--offset"),
    ("query-dimension-records", "--offset"),
    ("query-dimension-records", "--no-check"),
];

/// How an option of theirs, with all its names, differs from ours.
fn difference(command: &Command, names: &str, default: &Value) -> Option<String> {
    let of_name = |name: &str| {
        command.get_arguments().find(|argument| {
            let short = argument.get_short().map(|short| format!("-{short}"));
            let long = argument.get_long().map(|long| format!("--{long}"));
            [short, long].into_iter().flatten().any(|own| own == name)
        })
    };
    let mut found: Vec<(&str, &Arg)> = Vec::new();
    for name in names.split(' ') {
        match of_name(name) {
            Some(argument) => found.push((name, argument)),
            None => return Some(format!("{name} is missing")),
        }
    }
    let expected = default.as_str().unwrap_or_default();
    let is_on = |(name, argument): &(&str, &Arg)| {
        !name.starts_with("--no-") && name.starts_with("--") && argument.is_hide_set()
    };
    let ours = match found
        .iter()
        .find(|(_, argument)| argument.get_num_args() == Some(0.into()))
    {
        // Of two opposite flags, the one that is the default is hidden.
        Some(_) if found.iter().any(is_on) => "True".to_owned(),
        Some(_) if default.is_null() => String::new(),
        Some(_) => "False".to_owned(),
        None => {
            let values = found[0].1.get_default_values().iter();
            let values: Vec<&str> = values.filter_map(|value| value.to_str()).collect();
            values.join(",")
        }
    };
    let same = ours.eq_ignore_ascii_case(expected);
    (!same).then(|| format!("{names} is '{ours}' by default, not '{expected}'"))
}

#[test]
fn sub_commands_of_the_reference_have_its_arguments_options_and_defaults() {
    let theirs = Script::new("command_options.py").run();
    let mut cli = Cli::command();
    cli.build();
    let mut wrong = Vec::new();
    for (name, described) in theirs.as_object().unwrap() {
        let found = match name == cli.get_name() {
            true => Some(&cli),
            false => cli.find_subcommand(name),
        };
        let Some(command) = found else {
            wrong.push(format!("{name} is missing"));
            continue;
        };
        let arguments = command.get_positionals();
        let arguments: Vec<&str> = arguments.map(|own| own.get_id().as_str()).collect();
        if json!(arguments) != described["arguments"] {
            wrong.push(format!("{name}: {arguments:?}"));
        }
        for (names, default) in described["options"].as_object().unwrap() {
            let difference = difference(command, names, default);
            let known = DEPARTURES.contains(&(name, names));
            match difference {
                Some(why) if !known => wrong.push(format!("{name}: {why}")),
                None if known => wrong.push(format!("{name}: {names} does not differ any more")),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
