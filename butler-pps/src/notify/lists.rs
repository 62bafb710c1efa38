//! Lists of releases: a file of JSON Lines for each hour, and an index, which users poll over HTTP.
//!
//! A file changes only when something was released: then it is replaced as a whole, and begins with what it was. So
//! that caches and `ETag`s of whatever serves the directory say when there is something new.

use butler_core::error::Result;
use butler_direct::resource::{ResourcePath, Resources};
use bytes::Bytes;
use serde::Serialize;

use super::message::{lines, unwritable};
use crate::clock::Moment;
use crate::state::{ListedHour, State};

/// The name of the index.
pub const INDEX: &str = "index.json";

/// How far back the index goes, in milliseconds; older lists stay where they are.
const INDEXED: i64 = 31 * 24 * 3_600_000;

/// A directory of lists.
#[derive(Debug, Clone)]
pub struct Lists {
    resources: Resources,
    directory: ResourcePath,
}

#[derive(Debug, Serialize)]
struct Index {
    /// Of the form of index and lists.
    version: u32,
    /// The latest first.
    lists: Vec<IndexEntry>,
}

#[derive(Debug, Serialize)]
struct IndexEntry {
    /// When the hour began.
    hour: String,
    /// The list's name in the directory.
    file: String,
    /// How many datasets it has.
    datasets: i64,
}

impl Lists {
    /// Lists in a directory, local or of S3. `resources` should make sure that local files are on the disk when they
    /// count as written: the state database notes that they are.
    #[must_use]
    pub fn new(resources: Resources, directory: ResourcePath) -> Self {
        Self {
            resources,
            directory,
        }
    }

    /// Writes the lists that lack announcements, then the index. Killed in between, it writes the same again.
    ///
    /// # Errors
    /// The directory or the state database cannot be reached.
    pub(super) async fn write(&self, state: &State) -> Result<()> {
        let hours = state.unlisted_hours().await?;
        let Some(latest) = hours.last() else {
            return Ok(());
        };
        for hour in &hours {
            let releases = state.releases_of_hour(hour).await?;
            self.put(&file_name(hour.hour), lines(&releases)?).await?;
        }
        let since = latest.hour.minus(INDEXED);
        let indexed = state.listed_hours(since).await?;
        let index = Index {
            version: 1,
            lists: indexed.iter().rev().map(entry).collect(),
        };
        let mut text = serde_json::to_vec_pretty(&index).map_err(unwritable)?;
        text.push(b'\n');
        self.put(INDEX, text).await?;
        for hour in &hours {
            state.set_listed(hour).await?;
        }
        Ok(())
    }

    async fn put(&self, name: &str, text: Vec<u8>) -> Result<()> {
        let place = self.directory.join(name)?;
        self.resources
            .write(&place, Bytes::from(text), true)
            .await?;
        Ok(())
    }
}

fn entry(hour: &ListedHour) -> IndexEntry {
    IndexEntry {
        hour: hour.hour.to_string(),
        file: file_name(hour.hour),
        datasets: hour.datasets,
    }
}

/// `2025-12-06T08.jsonl`.
fn file_name(hour: Moment) -> String {
    let text = hour.to_string();
    // Times begin with the day and the hour, up to the first colon.
    let (begin, _) = text.split_once(':').unwrap_or((&text, ""));
    format!("{begin}.jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_named_after_their_hours() {
        assert_eq!(file_name(Moment(1_765_008_000_000)), "2025-12-06T08.jsonl");
    }
}
