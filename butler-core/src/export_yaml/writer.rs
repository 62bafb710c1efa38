//! Writing an export file piece by piece.

use super::EXPORT_FORMAT_VERSION;
use super::scalar::{
    from_column_value, from_data_id_value, time_value, timespan_value, uuid_value,
};
use crate::collections::CollectionType;
use crate::datasets::{DatasetType, FileDataset};
use crate::dimensions::{ColumnValue, DimensionElement, DimensionRecord, DimensionUniverse};
use crate::timespan::Timespan;
use crate::yaml::{Emitter, Map, Value};
use uuid::Uuid;

/// What is exported of a collection beside its name.
#[derive(Debug, Clone, PartialEq)]
pub enum CollectionExport<'a> {
    /// A RUN collection: the host it was made on, and when.
    Run(Option<&'a str>, Timespan),
    /// A CHAINED collection with its members.
    Chained(&'a [String]),
    /// A TAGGED collection.
    Tagged,
    /// A CALIBRATION collection.
    Calibration,
}

impl CollectionExport<'_> {
    fn collection_type(&self) -> CollectionType {
        match self {
            Self::Run(..) => CollectionType::Run,
            Self::Chained(_) => CollectionType::Chained,
            Self::Tagged => CollectionType::Tagged,
            Self::Calibration => CollectionType::Calibration,
        }
    }
}

/// Writes an export file to a text. Take what is finished with [`ExportWriter::take`] now and then
/// to keep memory flat.
#[derive(Debug)]
pub struct ExportWriter {
    out: String,
    empty: bool,
}

const EMITTER: Emitter = Emitter { sorted: false };

impl ExportWriter {
    /// A writer that has written the head of the file.
    pub fn new(universe: DimensionUniverse) -> Self {
        let (major, minor, patch) = EXPORT_FORMAT_VERSION;
        let mut out = String::new();
        for (key, value) in [
            ("description", Value::from("Butler Data Repository Export")),
            ("version", format!("{major}.{minor}.{patch}").into()),
            ("universe_version", universe.version().into()),
            ("universe_namespace", universe.namespace().into()),
        ] {
            EMITTER.entry(&mut out, key, &value, 0);
        }
        Self { out, empty: true }
    }

    /// Adds records of one element.
    pub fn dimension_records<'r>(
        &mut self,
        element: DimensionElement,
        records: impl IntoIterator<Item = &'r DimensionRecord>,
    ) {
        self.start("dimension", [("element", element.name().into())]);
        self.list("records", records.into_iter().map(record_value));
    }

    /// Adds a collection.
    pub fn collection(&mut self, name: &str, doc: Option<&str>, what: &CollectionExport<'_>) {
        let collection_type = what.collection_type().name();
        self.start(
            "collection",
            [
                ("collection_type", collection_type.into()),
                ("name", name.into()),
            ],
        );
        if let Some(doc) = doc {
            self.entry("doc", &doc.into());
        }
        match what {
            CollectionExport::Run(host, timespan) => {
                self.entry("host", &host.map_or(Value::Null, Value::from));
                self.entry("timespan_begin", &time_value(timespan.begin()));
                self.entry("timespan_end", &time_value(timespan.end()));
            }
            CollectionExport::Chained(children) => {
                self.list(
                    "children",
                    children.iter().map(|child| child.as_str().into()),
                );
            }
            CollectionExport::Tagged | CollectionExport::Calibration => {}
        }
    }

    /// Adds a dataset type and datasets of it in one run.
    pub fn datasets<'f>(
        &mut self,
        dataset_type: &DatasetType,
        run: &str,
        files: impl IntoIterator<Item = &'f FileDataset>,
    ) {
        let names = dataset_type.dimensions().names();
        let dimensions: Vec<Value> = names.iter().map(|name| Value::from(*name)).collect();
        self.start(
            "dataset_type",
            [
                ("name", (&**dataset_type.name()).into()),
                ("dimensions", dimensions.into()),
                (
                    "storage_class",
                    (&**dataset_type.storage_class_name()).into(),
                ),
                ("is_calibration", dataset_type.is_calibration().into()),
            ],
        );
        self.start(
            "dataset",
            [
                ("dataset_type", (&**dataset_type.name()).into()),
                ("run", run.into()),
            ],
        );
        self.list("records", files.into_iter().map(file_value));
    }

    /// Adds members of a TAGGED collection.
    pub fn tags(&mut self, collection: &str, ids: impl IntoIterator<Item = Uuid>) {
        self.associations(collection, CollectionType::Tagged);
        self.list("dataset_ids", ids.into_iter().map(uuid_value));
    }

    /// Adds members of a CALIBRATION collection by the timespan that they are valid for.
    pub fn calibrations<'c>(
        &mut self,
        collection: &str,
        ranges: impl IntoIterator<Item = (Timespan, &'c [Uuid])>,
    ) {
        self.associations(collection, CollectionType::Calibration);
        self.list(
            "validity_ranges",
            ranges.into_iter().map(|(timespan, ids)| {
                let ids: Vec<Value> = ids.iter().copied().map(uuid_value).collect();
                map([
                    ("timespan", timespan_value(timespan)),
                    ("dataset_ids", ids.into()),
                ])
            }),
        );
    }

    /// Takes the text that has been written since the last time.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// How many bytes [`ExportWriter::take`] would give.
    pub fn pending(&self) -> usize {
        self.out.len()
    }

    /// The rest of the text, which makes the file complete.
    #[must_use]
    pub fn finish(mut self) -> String {
        if self.empty {
            self.out.push_str("data: []\n");
        }
        self.out
    }

    fn associations(&mut self, collection: &str, collection_type: CollectionType) {
        self.start(
            "associations",
            [
                ("collection", collection.into()),
                ("collection_type", collection_type.name().into()),
            ],
        );
    }

    fn start<const N: usize>(&mut self, kind: &str, fields: [(&str, Value); N]) {
        if std::mem::take(&mut self.empty) {
            self.out.push_str("data:\n");
        }
        self.out.push_str("- ");
        EMITTER.entry(&mut self.out, "type", &kind.into(), 0);
        for (key, value) in fields {
            self.entry(key, &value);
        }
    }

    fn entry(&mut self, key: &str, value: &Value) {
        EMITTER.entry(&mut self.out, key, value, 2);
    }

    fn list(&mut self, key: &str, items: impl Iterator<Item = Value>) {
        let mut items = items.peekable();
        if items.peek().is_none() {
            self.entry(key, &Value::Seq(Vec::new()));
            return;
        }
        self.out.push_str("  ");
        self.out.push_str(key);
        self.out.push_str(":\n");
        for item in items {
            EMITTER.item(&mut self.out, &item, 2);
        }
    }
}

fn map<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Map(
        fields
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

fn record_value(record: &DimensionRecord) -> Value {
    let mut fields = Map::new();
    for (column, value) in record.fields() {
        match value {
            // Bounds are apart in files; a record without a timespan has neither.
            ColumnValue::Timespan(timespan) if &*column.name == "timespan" => {
                fields.insert("datetime_begin".into(), time_value(timespan.begin()));
                fields.insert("datetime_end".into(), time_value(timespan.end()));
            }
            ColumnValue::Null if &*column.name == "timespan" => {}
            other => {
                fields.insert(column.name.to_string(), from_column_value(other));
            }
        }
    }
    Value::Map(fields)
}

fn file_value(file: &FileDataset) -> Value {
    let mut refs: Vec<_> = file.refs.iter().collect();
    refs.sort_by(|a, b| a.sort_order(b));
    let ids: Vec<Value> = refs
        .iter()
        .map(|dataset| uuid_value(dataset.id()))
        .collect();
    let data_ids: Vec<Value> = refs
        .iter()
        .map(|dataset| {
            let required = dataset.data_id().required();
            Value::Map(
                required
                    .map(|(k, v)| (k.to_owned(), from_data_id_value(v)))
                    .collect(),
            )
        })
        .collect();
    let mut fields = Map::from_iter([
        ("dataset_id".to_owned(), Value::from(ids)),
        ("data_id".to_owned(), data_ids.into()),
        // Readers want a path, be it an empty one.
        ("path".to_owned(), file.path.as_str().into()),
    ]);
    // The reference takes a null for the name of a class, so what is not known is left out.
    if let Some(formatter) = &file.formatter {
        fields.insert("formatter".into(), (&**formatter).into());
    }
    Value::Map(fields)
}
