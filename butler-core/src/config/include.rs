//! Where a configuration asks for other files. The files are read elsewhere; these are the hooks.

use super::key::Segment;
use super::tree::{Config, join, wrong_kind};
use crate::error::{Error, Result};
use crate::yaml::Value;

/// The key whose value names files to be merged in below the mapping it stands in.
pub const INCLUDE_KEY: &str = "includeConfigs";
/// The tag of a node that stands for the content of other files.
pub const INCLUDE_TAG: &str = "!include";

/// A place with an `includeConfigs` key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncludeSite {
    /// The mapping that holds the key; empty for the top level.
    pub path: Vec<Segment>,
    /// The files, as written: relative ones are sought beside the file that names them, then in
    /// the working directory; environment variables are not expanded.
    pub files: Vec<String>,
}

/// A node with an application tag.
#[derive(Debug, Clone, PartialEq)]
pub struct TagSite {
    /// Where the node is.
    pub path: Vec<Segment>,
    /// What the tag was put on: for `!include` a file name, a list of them, or a mapping to them.
    pub value: Value,
}

impl Config {
    /// All places with an `includeConfigs` key, in document order.
    ///
    /// # Errors
    /// A value is neither a file name nor a list of file names.
    pub fn include_sites(&self) -> Result<Vec<IncludeSite>> {
        let mut sites = Vec::new();
        for mut path in self.paths() {
            if path.last() != Some(&Segment::Key(INCLUDE_KEY.to_owned())) {
                continue;
            }
            let value = self.get_path(&path).unwrap_or(&Value::Null);
            let items = match value {
                Value::Seq(items) => items.as_slice(),
                single => std::slice::from_ref(single),
            };
            let files = items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .filter(|files| !files.is_empty())
                .ok_or_else(|| {
                    wrong_kind(&join(&path), "a file name or a list of file names", value)
                })?;
            path.pop();
            sites.push(IncludeSite { path, files });
        }
        Ok(sites)
    }

    /// Merges the files of an include site below the values that stand there: among the files
    /// the later ones win.
    ///
    /// # Errors
    /// The site is not of this configuration.
    pub fn apply_include(&mut self, site: &IncludeSite, files: &[Config]) -> Result<()> {
        let mut key = site.path.clone();
        key.push(INCLUDE_KEY.into());
        self.remove_path(&key);
        let mut merged = Config::new();
        for file in files {
            merged.update(file);
        }
        if site.path.is_empty() {
            merged.update(self);
            *self = merged;
            return Ok(());
        }
        let Some(Value::Map(own)) = self.get_path(&site.path) else {
            return Err(Error::Configuration(format!(
                "there is no mapping at '{}' to include files into",
                join(&site.path)
            )));
        };
        merged.update(&Config::from(own.clone()));
        self.set_path(&site.path, merged)
    }

    /// All nodes with a given application tag, in document order. Replace one with
    /// [`Config::set_path`].
    pub fn tag_sites(&self, tag: &str) -> Vec<TagSite> {
        self.paths()
            .into_iter()
            .filter_map(|path| match self.get_path(&path) {
                Some(Value::Tagged(tagged)) if tagged.tag == tag => Some(TagSite {
                    path,
                    value: tagged.value.clone(),
                }),
                _ => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn included_values_lie_below_explicit_ones() {
        let mut config =
            Config::from_yaml("a:\n  includeConfigs: [one.yaml, two.yaml]\n  x: 1\n").unwrap();
        let sites = config.include_sites().unwrap();
        assert_eq!(sites[0].files, ["one.yaml", "two.yaml"]);
        let one = Config::from_yaml("x: 5\ny: 5\nz: 5").unwrap();
        let two = Config::from_yaml("y: 6").unwrap();
        config.apply_include(&sites[0], &[one, two]).unwrap();
        assert_eq!(config, Config::from_yaml("a: {x: 1, y: 6, z: 5}").unwrap());
    }

    #[test]
    fn includes_may_stand_at_the_top() {
        let mut config = Config::from_yaml("includeConfigs: one.yaml\nx: 1\n").unwrap();
        let site = config.include_sites().unwrap().remove(0);
        config
            .apply_include(&site, &[Config::from_yaml("x: 2\ny: 3").unwrap()])
            .unwrap();
        assert_eq!(config, Config::from_yaml("x: 1\ny: 3").unwrap());
    }

    #[test]
    fn include_tags_are_found_where_they_are() {
        let config = Config::from_yaml("d:\n  f: !include formatters.yaml\n").unwrap();
        let sites = config.tag_sites(INCLUDE_TAG);
        assert_eq!(sites.len(), 1);
        assert_eq!(sites[0].path, ["d".into(), "f".into()]);
        assert_eq!(sites[0].value, Value::from("formatters.yaml"));
    }

    #[test]
    fn an_include_must_name_files() {
        assert!(
            Config::from_yaml("includeConfigs: {a: b}")
                .unwrap()
                .include_sites()
                .is_err()
        );
        assert!(
            Config::from_yaml("includeConfigs: []")
                .unwrap()
                .include_sites()
                .is_err()
        );
    }
}
