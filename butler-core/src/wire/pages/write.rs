//! Writing pages.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use crate::datasets::{DatasetRef, DatasetType};
use crate::dimensions::{
    ColumnValue, DataCoordinate, DimensionGroup, DimensionRecord, DimensionRecordSet,
};
use crate::query::ResultPage;

/// Appends a page as one JSON object, without an end of line.
pub fn write_page(page: &ResultPage, out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    let kind = match page {
        ResultPage::DataCoordinates(_) => "data_coordinate",
        ResultPage::DimensionRecords(_) => "dimension_record",
        ResultPage::DatasetRefs(_) => "dataset_ref",
        ResultPage::General { .. } => "general",
    };
    writer.text("{\"type\":\"");
    writer.text(kind);
    writer.text("\",\"rows\":");
    match page {
        ResultPage::DataCoordinates(rows) => writer.list(rows, Writer::data_id),
        ResultPage::DimensionRecords(rows) => writer.list(rows, |writer, row| writer.record(row)),
        ResultPage::DatasetRefs(rows) => writer.list(rows, Writer::dataset),
        ResultPage::General {
            rows,
            dimension_records,
        } => {
            writer.list(rows, |writer, row| writer.list(row, Writer::value));
            writer.text(",\"dimension_records\":");
            writer.record_sets(dimension_records.as_deref());
        }
    }
    writer.text("}");
}

/// Appends a dataset as a JSON object: the serialized form of [`DatasetRef::to_simple`].
pub fn write_dataset_ref(dataset: &DatasetRef, out: &mut Vec<u8>) {
    Writer::new(out).dataset(dataset);
}

/// Writes values of one page, which outlives it.
///
/// What many rows share is written once and copied from there.
struct Writer<'p> {
    out: &'p mut Vec<u8>,
    /// The dataset type written last, and where it is.
    dataset_type: Option<(&'p Arc<DatasetType>, Range<usize>)>,
    /// The dimensions of the data ID written last.
    group: Option<&'p DimensionGroup>,
    /// What precedes each value of a data ID of these dimensions: `{"instrument":` and so on.
    keys: Vec<Vec<u8>>,
    /// Where records are that several rows share, with the names of their elements before them.
    records: HashMap<*const DimensionRecord, Range<usize>>,
}

impl<'p> Writer<'p> {
    fn new(out: &'p mut Vec<u8>) -> Self {
        Self {
            out,
            dataset_type: None,
            group: None,
            keys: Vec::new(),
            records: HashMap::new(),
        }
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn json(&mut self, value: &(impl Serialize + ?Sized)) {
        put(self.out, value);
    }

    fn list<T>(&mut self, items: &'p [T], mut write: impl FnMut(&mut Self, &'p T)) {
        for (index, item) in items.iter().enumerate() {
            self.out.push(if index == 0 { b'[' } else { b',' });
            write(self, item);
        }
        self.text(if items.is_empty() { "[]" } else { "]" });
    }

    fn dataset(&mut self, dataset: &'p DatasetRef) {
        self.text("{\"id\":\"");
        let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
        let id = dataset.id().as_hyphenated().encode_lower(&mut id);
        self.text(id);
        self.text("\",\"datasetType\":");
        self.dataset_type(dataset.dataset_type());
        self.text(",\"dataId\":");
        self.data_id(dataset.data_id());
        self.text(",\"run\":");
        self.json(dataset.run());
        self.text(",\"component\":null}");
    }

    fn dataset_type(&mut self, dataset_type: &'p Arc<DatasetType>) {
        match &self.dataset_type {
            Some((known, place)) if Arc::ptr_eq(known, dataset_type) => {
                self.out.extend_from_within(place.clone());
            }
            _ => {
                let start = self.out.len();
                self.json(&dataset_type.to_simple(false));
                self.dataset_type = Some((dataset_type, start..self.out.len()));
            }
        }
    }

    fn data_id(&mut self, data_id: &'p DataCoordinate) {
        self.text("{\"dataId\":");
        let group = data_id.dimensions();
        if self.group != Some(group) {
            self.group = Some(group);
            self.keys = keys(group);
        }
        let mut empty = true;
        for (key, (_, value)) in self.keys.iter().zip(data_id.mapping()) {
            self.out.extend_from_slice(key);
            put(self.out, value);
            empty = false;
        }
        self.text(if empty { "{}" } else { "}" });
        self.text(",\"records\":");
        match data_id.records() {
            None => self.text("null"),
            Some(records) => {
                let mut separator = "{";
                for (name, record) in records {
                    let Some(record) = record else { continue };
                    self.text(separator);
                    separator = ",";
                    self.named_record(name, record);
                }
                self.text(if separator == "{" { "{}" } else { "}" });
            }
        }
        self.text("}");
    }

    /// A record after the name of its element.
    fn named_record(&mut self, name: &str, record: &'p Arc<DimensionRecord>) {
        // Most of those that belong to one row only are not worth remembering.
        let shared = Arc::strong_count(record) > 1;
        let address = Arc::as_ptr(record);
        if shared && let Some(place) = self.records.get(&address) {
            self.out.extend_from_within(place.clone());
            return;
        }
        let start = self.out.len();
        self.json(name);
        self.text(":");
        self.record(record);
        if shared {
            self.records.insert(address, start..self.out.len());
        }
    }

    fn record(&mut self, record: &DimensionRecord) {
        self.text("{\"definition\":");
        self.json(record.element().name());
        self.text(",\"record\":{");
        for (index, (column, value)) in record.fields().enumerate() {
            if index > 0 {
                self.text(",");
            }
            self.json(&column.name);
            self.text(":");
            self.value(value);
        }
        self.text("}}");
    }

    fn value(&mut self, value: &ColumnValue) {
        match value {
            ColumnValue::Region(region) => self.hexadecimal(region.as_bytes()),
            ColumnValue::Bytes(bytes) => self.hexadecimal(bytes),
            other => self.json(other),
        }
    }

    fn hexadecimal(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.text("\"");
        let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
        self.out.extend(bytes.iter().flat_map(digits));
        self.text("\"");
    }

    fn record_sets(&mut self, sets: Option<&'p [DimensionRecordSet]>) {
        let Some(sets) = sets else {
            return self.text("null");
        };
        self.text("{");
        for (index, set) in sets.iter().enumerate() {
            if index > 0 {
                self.text(",");
            }
            self.json(set.element().name());
            self.text(":[");
            for (index, record) in set.iter().enumerate() {
                if index > 0 {
                    self.text(",");
                }
                self.record(record);
            }
            self.text("]");
        }
        self.text("}");
    }
}

fn keys(group: &DimensionGroup) -> Vec<Vec<u8>> {
    let names = group.data_coordinate_keys().iter().enumerate();
    let key = |(index, name): (usize, &&str)| {
        let mut key = vec![if index == 0 { b'{' } else { b',' }];
        put(&mut key, name);
        key.push(b':');
        key
    };
    names.map(key).collect()
}

fn put(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value)
        .expect("what is written here has a JSON form, and memory takes it");
}
