//! `butler config-dump`.

use std::path::{Path, PathBuf};

use butler_core::Error;
use butler_core::yaml::{self, Value};
use butler_direct::config::ConfigReader;
use butler_direct::resource::{ResourcePath, Resources};
use clap::Args;

use crate::failure::{Failure, Outcome};
use crate::options::Repository;
use crate::output::say;

/// Shows a configuration.
#[derive(Debug, Args)]
pub(crate) struct ConfigDump {
    #[command(flatten)]
    repository: Repository,

    /// Only what is under this key; its first character separates its parts, as in .datastore.root
    #[arg(short, long, value_name = "KEY")]
    subset: Option<String>,

    /// Directories with configuration that wins over the defaults, separated by commas
    #[arg(short = 'p', long, value_name = "DIRECTORY", value_delimiter = ',')]
    searchpath: Vec<String>,

    /// The file that the configuration is written to; `-` is standard output
    #[arg(long = "file", value_name = "FILE", default_value = "-")]
    outfile: PathBuf,
}

impl ConfigDump {
    pub(crate) async fn run(self) -> Outcome {
        let directories = self
            .searchpath
            .iter()
            .map(|path| ResourcePath::directory(path));
        let directories: Vec<ResourcePath> =
            directories.collect::<Result<_, _>>().map_err(Error::from)?;
        let reader = ConfigReader::new(Resources::default()).search_path(directories);
        let config = reader.open(&self.repository.repo).await?;
        let config = config.config();
        let text = match &self.subset {
            None => config.to_yaml(),
            Some(key) => match config.get(key) {
                Some(map @ Value::Map(_)) => yaml::to_string_sorted(map),
                Some(value) => format!("{key}: {}\n", yaml::to_string(value).trim_end()),
                None => {
                    let names: Vec<&str> = config.as_map().keys().map(String::as_str).collect();
                    return Err(Failure::new(format!(
                        "there is nothing under '{key}' in the configuration of {}",
                        self.repository.repo
                    ))
                    .hint(format!("it has {}", names.join(", "))));
                }
            },
        };
        if self.outfile == Path::new("-") {
            return say(text.trim_end());
        }
        std::fs::write(&self.outfile, text)
            .map_err(|error| Failure::writing(Some(&self.outfile), &error))
    }
}
