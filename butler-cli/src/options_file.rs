//! Options from a file: `--options-file`, or `-@`.
//!
//! The file is YAML with the names of sub-commands, and below them the long names of their options
//! without dashes. What is on the command line wins.

use std::ffi::{OsStr, OsString};

use butler_core::yaml::{self, Value};
use clap::{Arg, ArgAction, Command};

use crate::failure::{Failure, Outcome};

/// The command line with the options of its files after what was given.
pub(crate) fn expand(arguments: Vec<OsString>, command: &Command) -> Outcome<Vec<OsString>> {
    let (mut arguments, files) = split(arguments)?;
    if files.is_empty() {
        return Ok(arguments);
    }
    let called = arguments.iter().skip(1).find_map(|word| {
        let mut known = command.get_subcommands();
        known.find(|known| word == known.get_name())
    });
    let Some(called) = called else {
        return Ok(arguments);
    };
    let mut added = Vec::new();
    for file in files {
        let name = file.to_string_lossy();
        let text = std::fs::read_to_string(&file)
            .map_err(|error| Failure::Usage(format!("cannot read {name}: {error}")))?;
        let document = yaml::parse(&text)
            .map_err(|error| Failure::Usage(format!("{name} is not YAML: {error}")))?;
        let Some(options) = document.get(called.get_name()) else {
            continue;
        };
        let options = options.as_map().ok_or_else(|| {
            Failure::Usage(format!(
                "'{}' in {name} is not a mapping of options",
                called.get_name()
            ))
        })?;
        for (key, value) in options {
            let option = option(called, key).ok_or_else(|| {
                Failure::Usage(format!(
                    "'{key}' in {name} is not an option of {}",
                    called.get_name()
                ))
            })?;
            if !is_given(&arguments, key, option) {
                added.extend(words(key, value, option)?);
            }
        }
    }
    // Before what are no options for sure.
    let end = arguments.iter().position(|word| word == "--");
    let end = end.unwrap_or(arguments.len());
    arguments.splice(end..end, added);
    Ok(arguments)
}

/// The words of a command line without the options that name files, and the files.
fn split(arguments: Vec<OsString>) -> Outcome<(Vec<OsString>, Vec<OsString>)> {
    let (mut kept, mut files) = (Vec::new(), Vec::new());
    let mut words = arguments.into_iter();
    while let Some(word) = words.next() {
        let inline = word.to_str().and_then(|text| {
            let joined = text.strip_prefix("--options-file=");
            joined.or_else(|| text.strip_prefix("-@").filter(|rest| !rest.is_empty()))
        });
        if let Some(file) = inline {
            files.push(file.into());
        } else if word == "-@" || word == "--options-file" {
            let file = words.next();
            files.push(file.ok_or_else(|| {
                Failure::Usage("--options-file (-@) needs the name of a file".to_owned())
            })?);
        } else {
            let end = word == "--";
            kept.push(word);
            if end {
                break;
            }
        }
    }
    kept.extend(words);
    Ok((kept, files))
}

/// The option of a sub-command with this long name, or with this letter.
fn option<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_opts().chain(flags(command)).find(|option| {
        let mut letter = [0; 4];
        option.get_long() == Some(name)
            || option
                .get_short()
                .map(|short| &*short.encode_utf8(&mut letter))
                == Some(name)
    })
}

/// The options without values, which `get_opts` leaves out.
fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|argument| !argument.is_positional() && is_flag(argument))
}

fn is_flag(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::SetTrue)
}

/// Whether an option, or its contrary, is on the command line.
fn is_given(arguments: &[OsString], key: &str, option: &Arg) -> bool {
    let long = option.get_long().unwrap_or(key);
    let contrary = match long.strip_prefix("no-") {
        Some(positive) => positive.to_owned(),
        None => format!("no-{long}"),
    };
    let given = |word: &OsStr| {
        let Some(word) = word.to_str() else {
            return false;
        };
        if let Some(name) = word.strip_prefix("--") {
            let name = name.split_once('=').map_or(name, |(name, _)| name);
            return name == long || name == contrary;
        }
        let letter = word.strip_prefix('-').and_then(|rest| rest.chars().next());
        letter.is_some() && letter == option.get_short()
    };
    let options = arguments.iter().take_while(|word| *word != "--");
    options.into_iter().any(|word| given(word))
}

/// What the value of an option is on a command line.
fn words(key: &str, value: &Value, option: &Arg) -> Outcome<Vec<OsString>> {
    let long = option.get_long().unwrap_or(key);
    if is_flag(option) {
        return match (value.as_bool(), long.strip_prefix("no-")) {
            (Some(true), _) => Ok(vec![format!("--{long}").into()]),
            (Some(false), Some(positive)) => Ok(vec![format!("--{positive}").into()]),
            (Some(false), None) => Ok(Vec::new()),
            (None, _) => Err(Failure::Usage(format!("'{key}' must be true or false"))),
        };
    }
    let values = match value.as_seq() {
        Some(values) => values,
        None => std::slice::from_ref(value),
    };
    let word = |value: &Value| match value {
        Value::Str(text) => Ok(format!("--{long}={text}").into()),
        Value::Int(number) => Ok(format!("--{long}={number}").into()),
        other => Err(Failure::Usage(format!(
            "'{key}' must be text or a number, not {}",
            other.kind()
        ))),
    };
    values.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    fn expanded(yaml: &str, line: &[&str]) -> Outcome<Vec<String>> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("options.yaml");
        std::fs::write(&file, yaml).unwrap();
        let mut arguments: Vec<OsString> = ["butler", "-@"].map(Into::into).into();
        arguments.push(file.into());
        arguments.extend(line.iter().map(Into::into));
        let words = expand(arguments, &Cli::command())?.into_iter();
        Ok(words.map(|word| word.into_string().unwrap()).collect())
    }

    const FILE: &str = "query-datasets:\n  collections: [a, b]\n  limit: -5\n  find-first: true\n";

    #[test]
    fn options_of_the_sub_command_are_added() {
        let line = expanded(FILE, &["query-datasets", "repo", "bias"]).unwrap();
        assert_eq!(
            line[1..],
            [
                "query-datasets",
                "repo",
                "bias",
                "--collections=a",
                "--collections=b",
                "--limit=-5",
                "--find-first",
            ]
        );
    }

    #[test]
    fn the_command_line_wins() {
        let line = [
            "query-datasets",
            "repo",
            "--collections",
            "c",
            "--no-find-first",
        ];
        let line = expanded(FILE, &line).unwrap();
        assert_eq!(line.last().unwrap(), "--limit=-5");
        assert_eq!(line.len(), 7);
    }

    #[test]
    fn options_of_other_sub_commands_do_not_matter() {
        let line = expanded(FILE, &["query-collections", "repo"]).unwrap();
        assert_eq!(line, ["butler", "query-collections", "repo"]);
    }

    #[test]
    fn unknown_options_are_refused() {
        let line = ["query-datasets", "repo"];
        assert!(expanded("query-datasets: {colour: red}", &line).is_err());
    }
}
