//! Tables of settings in documents, compared with what programs take.

use clap::{Arg, Command};

/// What is in backquotes.
#[must_use]
pub fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The default that a flag has or tells of in its help, if any.
fn default_of(argument: &Arg) -> Option<String> {
    if let [default] = argument.get_default_values() {
        return Some(default.to_string_lossy().into_owned());
    }
    let help = argument.get_long_help().or(argument.get_help());
    let help = help.map(ToString::to_string)?.replace('\n', " ");
    let (_, told) = help.split_once("[default: ")?;
    told.split([']', ';']).next().map(str::to_owned)
}

/// Asserts that the tables of settings in a document have every flag of a command, with its variable, its default and
/// a meaning.
///
/// A row has flags, variables, their default and their meaning. Variables go without `prefix`; `JWT_…` stands for all that
/// are named as their flags are. `elsewhere` are flags of the tables that the command has from another one.
///
/// # Panics
/// When they have not.
#[track_caller]
pub fn assert_describes(document: &str, command: &Command, prefix: &str, elsewhere: &[&str]) {
    let argument_of = |name: &str| {
        let mut arguments = command.get_arguments();
        arguments.find(|argument| argument.get_long() == Some(name))
    };
    let mut described = Vec::new();
    for row in document.lines().filter(|line| line.starts_with("| `--")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [flags, variables, default, meaning] = cells[..] else {
            panic!("a row has four cells: {row}")
        };
        assert!(!meaning.is_empty(), "{flags}");
        let (flags, variables) = (quoted(flags), quoted(variables));
        let named_alike = variables.len() == 1 && variables[0].ends_with('…');
        assert!(named_alike || flags.len() == variables.len(), "{flags:?}");
        for (at, flag) in flags.iter().enumerate() {
            let name = flag.trim_start_matches("--");
            if elsewhere.contains(&name) {
                continue;
            }
            let argument = argument_of(name).unwrap_or_else(|| panic!("there is no {flag}"));
            let variable = match named_alike {
                true => name.replace('-', "_").to_uppercase(),
                false => variables[at].to_owned(),
            };
            let variable = format!("{prefix}{variable}");
            assert_eq!(argument.get_env(), Some(variable.as_ref()), "{flag}");
            if let Some(told) = default_of(argument) {
                let shown = default.trim_matches('`');
                let same =
                    told == shown || shown.starts_with("from ") && told.starts_with("taken from");
                assert!(same, "{flag}: the help says {told}, the table {shown}");
            }
            described.push(name);
        }
    }
    let flags = command.get_arguments().filter(|flag| !flag.is_hide_set());
    let missing: Vec<&str> = flags
        .filter_map(Arg::get_long)
        .filter(|flag| !["help", "version"].contains(flag) && !described.contains(flag))
        .collect();
    assert!(missing.is_empty(), "the tables lack {missing:?}");
}
