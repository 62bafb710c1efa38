//! `butler-server check`.

use std::fmt::Write as _;
use std::process::ExitCode;

use butler_core::Result;
use butler_direct::ops::compatibility::{Inspection, inspect};
use butler_direct::registry::compatibility::Support;
use butler_direct::resource::Resources;
use clap::Args;
use serde_json::json;

use super::print;

/// The arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The directory, configuration file or label of the repository.
    #[arg(value_name = "REPO")]
    pub repository: String,

    /// Write a JSON object.
    #[arg(long)]
    pub json: bool,
}

impl Check {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let found = inspect(&self.repository, Resources::default(), Vec::new()).await?;
        let support = found.compatibility.support();
        if self.json {
            let mut report = json!(found);
            report["repository"] = self.repository.into();
            report["support"] = json!(support);
            print(&format!("{report:#}\n"))?;
        } else {
            print(&shown(&self.repository, &found))?;
        }
        Ok(ExitCode::from(match support {
            Support::Current | Support::Older => 0,
            Support::ReadOnly => 3,
            Support::Unsupported => 4,
        }))
    }
}

fn shown(repository: &str, found: &Inspection) -> String {
    let mut text = format!("{repository}: {}", found.database);
    if let Some(namespace) = &found.namespace {
        let _ = write!(text, ", namespace {namespace}");
    }
    text.push('\n');
    for part in &found.compatibility.parts {
        let field = |value: &Option<String>| value.clone().unwrap_or_else(|| "?".to_owned());
        let _ = writeln!(
            text,
            "{}: {} {} -> {} ({})",
            part.part,
            field(&part.class),
            field(&part.version),
            field(&part.revision),
            part.support.name()
        );
        if part.support == Support::Unsupported {
            let _ = writeln!(text, "  supported: {}", part.handled);
        }
    }
    text.push_str(match found.compatibility.support() {
        Support::Current => "The repository can be read and written, and is up to date.\n",
        Support::Older => "The repository can be read and written.\n",
        Support::ReadOnly => "The repository can be read (and served), but not written.\n",
        Support::Unsupported => "The repository is not supported.\n",
    });
    let steps: Vec<&String> = found
        .compatibility
        .parts
        .iter()
        .flat_map(|part| &part.migration)
        .collect();
    if !steps.is_empty() {
        text.push_str(
            "A migration to the newest versions would need (back up the database, stop all writers, and run \
             `butler migrate stamp REPO` first):\n",
        );
        for step in steps {
            let _ = writeln!(text, "  {step}");
        }
    }
    text
}
