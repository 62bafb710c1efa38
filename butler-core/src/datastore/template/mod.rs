//! File templates: where in a datastore the file of a dataset goes.
//!
//! A template is a format string with the fields `datasetType`, `component`, `run`, `id` and the
//! dimensions. `{a.b}` is field `b` of the record of dimension `a`, `{a|b}` the first of both that
//! the data ID has. Beside Python's format specifications, `?` marks a field as optional and `/`
//! keeps slashes in its value.

mod parse;
mod render;
mod table;
mod validate;

pub use table::FileTemplates;

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use parse::Part;

/// One file template.
#[derive(Clone, PartialEq)]
pub struct FileTemplate {
    text: String,
    parts: Vec<Part>,
}

impl FileTemplate {
    /// Reads a template and checks what can be checked without a dataset.
    ///
    /// # Errors
    /// [`Error::Validation`] if the text is no format string, has neither `{run}` nor `{id}`, no
    /// field of a dimension, leads upwards, or has `{id}` outside of the file's name.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let parts = parse::parse(&text)
            .map_err(|why| Error::Validation(format!("file template '{text}': {why}")))?;
        let template = Self { text, parts };
        template.validate_basics(None)?;
        Ok(template)
    }

    /// The text of the template.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for FileTemplate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl fmt::Display for FileTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for FileTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileTemplate({:?})", self.text)
    }
}
