//! `butler-pps policy`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use butler_core::collections::DatasetTypeWildcard;
use butler_core::registry::Registry as _;
use butler_direct::{DirectButler, OpenOptions};
use clap::{Args, Subcommand};

use super::Outcome;
use super::failure::print;
use crate::policy::{DEFAULT, Policy, Rule};
use crate::settings::StateOptions;
use crate::state::State;

const HOUR: i64 = 3_600_000;

/// Look at the policy of publication.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the default policy
    Show,
    Check(Check),
}

/// Check a policy, and show what would become of each known dataset type
///
/// Dataset types are those of the repository and of the state database, if these are given, and
/// those named.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The policy; the default policy if none is named.
    #[arg(long, env = "PROMPTPUB_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,

    /// A repository whose dataset types are shown.
    #[arg(long, env = "PROMPTPUB_EMBARGO_REPO_PATH", value_name = "REPO")]
    repo: Option<String>,

    #[command(flatten)]
    state: StateOptions,

    /// Dataset types to show.
    #[arg(value_name = "DATASET_TYPE")]
    dataset_types: Vec<String>,
}

impl Command {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Show => print(DEFAULT),
            Self::Check(check) => check.run().await,
        }
    }
}

impl Check {
    async fn run(self) -> Outcome {
        let policy = Policy::load(self.policy.as_deref())?;
        let mut types: BTreeSet<String> = self.dataset_types.into_iter().collect();
        if let Some(repo) = &self.repo {
            let options = OpenOptions {
                infer_defaults: false,
                ..OpenOptions::default()
            };
            let butler = DirectButler::open(repo, options).await?;
            let all = DatasetTypeWildcard::everything();
            for dataset_type in butler.registry().dataset_types(&all).await? {
                types.insert(dataset_type.name().to_string());
            }
        }
        if self.state.state_database_uri.is_some() {
            let state = State::open(&self.state.location()?, 1).await?;
            types.extend(state.dataset_types().await?.into_keys());
        }
        print(&table(&policy, &types))
    }
}

fn table(policy: &Policy, types: &BTreeSet<String>) -> String {
    let rows = types.iter().map(|name| {
        let [rule, embargo, public, retention] = policy.rule(name).map_or_else(
            || ["(no rule)", "stays", "-", "-"].map(str::to_owned),
            described,
        );
        [name.clone(), rule, embargo, public, retention]
    });
    let head = ["dataset type", "rule", "embargo", "public", "kept"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 4] = std::array::from_fn(width);
    let mut text = String::new();
    for [name, rule, embargo, public, kept] in &rows {
        let [a, b, c, d] = widths;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{name:a$}  {rule:b$}  {embargo:c$}  {public:d$}  {kept}"
        );
    }
    text
}

fn described(rule: &Rule) -> [String; 4] {
    [
        rule.name.clone(),
        format!("{} h", rule.embargo / HOUR),
        if rule.public { "yes" } else { "no" }.to_owned(),
        rule.retention.map_or_else(
            || "forever".to_owned(),
            |retention| format!("{} d", retention / (24 * HOUR)),
        ),
    ]
}
