//! From template and dataset to a path.

use std::borrow::Cow;

use super::FileTemplate;
use super::parse::{Field, Name};
use crate::datasets::DatasetRef;
use crate::dimensions::{ColumnValue, DataIdValue};
use crate::error::{Error, Result};
use crate::pyfmt::{PyValue, format_value, str_repr};

impl FileTemplate {
    /// The path of a dataset's file, relative to the datastore's root and without an extension.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a field is neither known nor optional, its value does not
    /// suit its format, its record is not attached to the data ID, or the dataset is a component
    /// and the template has no field for that. [`Error::PathEscapesRoot`] if the path would lead
    /// upwards.
    pub fn format(&self, dataset: &DatasetRef) -> Result<String> {
        let skypix = match dataset.dataset_type().dimensions().skypix() {
            [alias] => Some(*alias),
            _ => None,
        };
        let context = Context {
            template: self,
            dataset,
            skypix,
        };
        let mut output = String::with_capacity(self.text.len());
        let mut used_component = false;
        for part in &self.parts {
            let Some(field) = &part.field else {
                output.push_str(&part.literal);
                continue;
            };
            let name = context.choose(field);
            used_component |= name.full == "component";
            let value = context.value(name)?;
            if value.is_none() {
                if !field.optional {
                    return Err(context.fault(format!("the field '{}' has no value", name.full)));
                }
                // Text before a missing field goes with it, unless it holds a separator.
                if !part.literal.contains('/') {
                    continue;
                }
            }
            output.push_str(&part.literal);
            let (value, spec) = match value {
                Some(value) => (clean(value, field.keep_slashes), field.spec.as_str()),
                None => (PyValue::Str("".into()), ""),
            };
            let value = match field.conversion {
                None => value,
                Some('s') => PyValue::Str(value.to_text().into()),
                Some(_) => PyValue::Str(match &value {
                    PyValue::Str(text) => str_repr(text).into(),
                    other => other.to_text().into(),
                }),
            };
            let text = format_value(&value, spec)
                .map_err(|why| context.fault(format!("the field '{}': {why}", name.full)))?;
            output.push_str(&text);
        }
        let component = dataset.dataset_type().component();
        if let (Some(component), false) = (component, used_component) {
            return Err(context.fault(format!("it has no place for the component '{component}'")));
        }
        let path = finish(&output);
        if path == ".." || path.starts_with("../") {
            return Err(Error::PathEscapesRoot {
                path,
                root: "the datastore's root".into(),
            });
        }
        Ok(path)
    }
}

struct Context<'a> {
    template: &'a FileTemplate,
    dataset: &'a DatasetRef,
    skypix: Option<&'static str>,
}

impl<'a> Context<'a> {
    /// The first alternative that there is a value for, else the first one.
    fn choose<'f>(&self, field: &'f Field) -> &'f Name {
        field
            .names
            .iter()
            .find(|name| self.plain(&name.primary).is_some())
            .unwrap_or(&field.names[0])
    }

    /// The value of a field without a dot.
    fn plain(&self, name: &str) -> Option<PyValue<'a>> {
        match name {
            "datasetType" => Some(PyValue::Str(
                self.dataset.dataset_type().name_and_component().0.into(),
            )),
            "component" => self
                .dataset
                .dataset_type()
                .component()
                .map(|c| PyValue::Str(c.into())),
            "run" => Some(PyValue::Str((&**self.dataset.run()).into())),
            "id" => Some(PyValue::Other(self.dataset.id().to_string().into())),
            _ => self
                .dataset
                .data_id()
                .get(self.dimension(name))
                .map(|value| match value {
                    DataIdValue::Int(number) => PyValue::Int(*number),
                    DataIdValue::Str(text) => PyValue::Str((&**text).into()),
                }),
        }
    }

    fn dimension<'n>(&self, name: &'n str) -> &'n str
    where
        'a: 'n,
    {
        match self.skypix {
            Some(alias) if name == "skypix" => alias,
            _ => name,
        }
    }

    /// The value of a field; none if it is not known.
    fn value(&self, name: &Name) -> Result<Option<PyValue<'a>>> {
        let Some(secondary) = &name.secondary else {
            return Ok(self.plain(&name.full));
        };
        let primary = self.dimension(&name.primary);
        if self.plain(&name.primary).is_none() {
            return Ok(None);
        }
        if !self.dataset.data_id().has_records() {
            return Err(self.fault(format!(
                "the field '{}' needs dimension records, but none are attached to the data ID of \
                 {}; expand it first",
                name.full, self.dataset
            )));
        }
        let Some(record) = self.dataset.data_id().record(primary) else {
            return Ok(None);
        };
        match record.get(secondary) {
            None => {
                tracing::info!(
                    field = name.full,
                    "file template wants a field that records of this dimension do not have"
                );
                Ok(None)
            }
            Some(value) => column_value(value).map(Some).ok_or_else(|| {
                self.fault(format!(
                    "the field '{}' cannot be part of a path",
                    name.full
                ))
            }),
        }
    }

    fn fault(&self, why: String) -> Error {
        Error::InvalidArgument(format!(
            "file template '{}' cannot be used for dataset type '{}': {why}",
            self.template.text,
            self.dataset.dataset_type().name()
        ))
    }
}

fn column_value(value: &ColumnValue) -> Option<PyValue<'_>> {
    Some(match value {
        ColumnValue::Null => PyValue::None,
        ColumnValue::Bool(flag) => PyValue::Bool(*flag),
        ColumnValue::Int(number) => PyValue::Int(*number),
        ColumnValue::Float(number) => PyValue::Float(*number),
        ColumnValue::Str(text) => PyValue::Str((&**text).into()),
        ColumnValue::Uuid(id) => PyValue::Other(id.to_string().into()),
        _ => return None,
    })
}

/// Replaces what makes trouble in file names.
fn clean(value: PyValue<'_>, keep_slashes: bool) -> PyValue<'_> {
    let PyValue::Str(text) = value else {
        return value;
    };
    let bad = |c: char| {
        matches!(c, ' ' | '<' | '>' | ':' | '"' | '\\' | '|' | '?' | '*')
            || (c == '/' && !keep_slashes)
    };
    PyValue::Str(if text.contains(bad) {
        Cow::Owned(text.replace(bad, "_"))
    } else {
        text
    })
}

/// Guards the file's name against being taken for an extension or a fragment, and makes the path
/// normal and relative.
fn finish(output: &str) -> String {
    let (head, tail) = match output.rfind('/') {
        Some(at) => output.split_at(at + 1),
        None => ("", output),
    };
    let tail = tail.replace('.', "_").replace('#', "HASH");
    normalize(&format!("{head}{tail}"))
}

/// As `os.path.normpath`, but always relative.
fn normalize(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_normal_and_relative() {
        assert_eq!(finish("a//b/./c.d"), "a/b/c_d");
        assert_eq!(finish("/a/../b#1"), "bHASH1");
        assert_eq!(finish("a.b/c"), "a.b/c");
        assert_eq!(normalize("../a"), "../a");
        assert_eq!(normalize("a/.."), ".");
    }
}
