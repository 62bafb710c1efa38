//! Reading pages.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;

use crate::datasets::{DatasetRef, DatasetType, SerializedDatasetRef, SerializedDatasetType};
use crate::dimensions::{
    ColumnSpec, ColumnValue, DataCoordinate, DataIdValue, DimensionRecord, DimensionRecordSet,
    DimensionUniverse, SerializedDataCoordinate, SerializedDimensionRecord, TextInterner,
};
use crate::error::{Error, Result};
use crate::query::{ResultKind, ResultPage, ResultSpec};

/// Reads the lines of one answer.
#[derive(Debug)]
pub struct PageReader {
    universe: DimensionUniverse,
    expected: Expected,
    /// The dataset type read last; most rows have the same.
    dataset_type: Option<(SerializedDatasetType, Arc<DatasetType>)>,
    texts: TextInterner,
}

/// The kind of results.
#[derive(Debug)]
enum Expected {
    DataCoordinates,
    DimensionRecords,
    DatasetRefs,
    General(Vec<ColumnSpec>),
}

impl Expected {
    const fn name(&self) -> &'static str {
        match self {
            Self::DataCoordinates => "data_coordinate",
            Self::DimensionRecords => "dimension_record",
            Self::DatasetRefs => "dataset_ref",
            Self::General(_) => "general",
        }
    }
}

impl PageReader {
    /// A reader of the answer to `query/execute`.
    ///
    /// # Errors
    /// [`Error::Internal`] if the specification names a column that does not exist, which its
    /// construction rules out.
    pub fn new(spec: &ResultSpec) -> Result<Self> {
        let expected = match &spec.kind {
            ResultKind::DataCoordinate { .. } => Expected::DataCoordinates,
            ResultKind::DimensionRecord { .. } => Expected::DimensionRecords,
            ResultKind::DatasetRef { .. } => Expected::DatasetRefs,
            ResultKind::General { .. } => {
                let columns = spec.result_columns();
                let specs = columns.columns().map(|column| column.spec());
                Expected::General(specs.collect::<Result<_>>()?)
            }
        };
        Ok(Self::of(spec.dimensions().universe(), expected))
    }

    /// A reader of the answer to `query/all_datasets`.
    #[must_use]
    pub fn of_datasets(universe: DimensionUniverse) -> Self {
        Self::of(universe, Expected::DatasetRefs)
    }

    fn of(universe: DimensionUniverse, expected: Expected) -> Self {
        Self {
            universe,
            expected,
            dataset_type: None,
            texts: TextInterner::default(),
        }
    }

    /// The page on a line; `None` if the line only says that the server is still at work.
    ///
    /// # Errors
    /// The error that the server reports on the line; [`Error::CorruptRecord`] if it is neither
    /// that nor a page of the kind asked for.
    pub fn read(&mut self, line: &[u8]) -> Result<Option<ResultPage>> {
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        let message = Line(self).deserialize(&mut deserializer);
        let message = message.and_then(|message| deserializer.end().map(|()| message));
        match message.map_err(|error| Error::corrupt("query result", error))? {
            Message::Page(page) => Ok(Some(page)),
            Message::KeepAlive => Ok(None),
            Message::Error(error) => Err(error),
        }
    }

    fn dataset_type(&mut self, simple: &SerializedDatasetType) -> Result<Arc<DatasetType>> {
        if let Some((known, dataset_type)) = &self.dataset_type
            && known == simple
        {
            return Ok(Arc::clone(dataset_type));
        }
        let dataset_type = Arc::new(DatasetType::from_simple(simple, self.universe)?);
        self.dataset_type = Some((simple.clone(), Arc::clone(&dataset_type)));
        Ok(dataset_type)
    }

    fn data_id(&mut self, mut simple: SerializedDataCoordinate) -> Result<DataCoordinate> {
        for value in simple.data_id.values_mut() {
            if let DataIdValue::Str(text) = value {
                *text = self.texts.intern(text);
            }
        }
        DataCoordinate::from_simple(&simple, self.universe)
    }

    fn dataset(&mut self, simple: SerializedDatasetRef) -> Result<DatasetRef> {
        let SerializedDatasetRef {
            id,
            dataset_type: Some(dataset_type),
            data_id: Some(data_id),
            run: Some(run),
            ..
        } = simple
        else {
            return Err(Error::corrupt(
                "query result",
                "a dataset has not all its fields",
            ));
        };
        let dataset_type = self.dataset_type(&dataset_type)?;
        let run = self.texts.intern(&run);
        DatasetRef::new(dataset_type, self.data_id(data_id)?, run, id)
    }
}

/// What a line says.
enum Message {
    Page(ResultPage),
    KeepAlive,
    Error(Error),
}

#[derive(Deserialize)]
struct Failure {
    error_type: String,
    detail: String,
}

/// A line, whose fields may come in any order.
struct Line<'a>(&'a mut PageReader);

impl<'de> DeserializeSeed<'de> for Line<'_> {
    type Value = Message;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Message, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Line<'_> {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of results")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Message, A::Error> {
        let (mut kind, mut page, mut records, mut failure) = (None, None, None, None);
        while let Some(name) = fields.next_key::<Cow<'de, str>>()? {
            match &*name {
                "type" => kind = Some(fields.next_value::<Cow<'de, str>>()?),
                "rows" => page = Some(fields.next_value_seed(Rows(self.0))?),
                "dimension_records" => records = fields.next_value::<Option<NamedRecords>>()?,
                "error" => failure = Some(fields.next_value::<Failure>()?),
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        let kind = kind.ok_or_else(|| A::Error::missing_field("type"))?;
        match &*kind {
            "keep-alive" => return Ok(Message::KeepAlive),
            "error" => {
                let Failure { error_type, detail } =
                    failure.ok_or_else(|| A::Error::missing_field("error"))?;
                return Ok(Message::Error(Error::from_error_type(&error_type, detail)));
            }
            other if other == self.0.expected.name() => {}
            other => {
                let expected = self.0.expected.name();
                return Err(A::Error::custom(format_args!(
                    "expected '{expected}', found '{other}'"
                )));
            }
        }
        let mut page = page.ok_or_else(|| A::Error::missing_field("rows"))?;
        if let ResultPage::General {
            dimension_records, ..
        } = &mut page
        {
            let universe = self.0.universe;
            let sets = records.map(|records| record_sets(records, universe));
            *dimension_records = sets.transpose().map_err(A::Error::custom)?;
        }
        Ok(Message::Page(page))
    }
}

/// The rows of a page; those of general results without records.
struct Rows<'a>(&'a mut PageReader);

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ResultPage;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ResultPage, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ResultPage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows of results")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, rows: A) -> Result<ResultPage, A::Error> {
        let reader = self.0;
        Ok(match &reader.expected {
            Expected::DataCoordinates => {
                ResultPage::DataCoordinates(each(rows, |row| reader.data_id(row))?)
            }
            Expected::DimensionRecords => {
                let record =
                    |row| DimensionRecord::from_simple(&row, reader.universe).map(Arc::new);
                ResultPage::DimensionRecords(each(rows, record)?)
            }
            Expected::DatasetRefs => {
                ResultPage::DatasetRefs(each(rows, |row| reader.dataset(row))?)
            }
            Expected::General(columns) => ResultPage::General {
                rows: each(rows, |row: Vec<Value>| general_row(columns, &row))?,
                dimension_records: None,
            },
        })
    }
}

/// Reads and converts the rows one by one.
fn each<'de, A: SeqAccess<'de>, M: Deserialize<'de>, T>(
    mut rows: A,
    mut convert: impl FnMut(M) -> Result<T>,
) -> Result<Vec<T>, A::Error> {
    let mut converted = Vec::new();
    while let Some(row) = rows.next_element()? {
        converted.push(convert(row).map_err(A::Error::custom)?);
    }
    Ok(converted)
}

fn general_row(columns: &[ColumnSpec], row: &[Value]) -> Result<Vec<ColumnValue>> {
    if row.len() != columns.len() {
        return Err(Error::corrupt(
            "query result",
            format_args!(
                "a row has {} values for {} columns",
                row.len(),
                columns.len()
            ),
        ));
    }
    let values = columns.iter().zip(row);
    values
        .map(|(column, value)| column.value_from_json(value))
        .collect()
}

type NamedRecords = IndexMap<String, Vec<SerializedDimensionRecord>>;

fn record_sets(
    records: NamedRecords,
    universe: DimensionUniverse,
) -> Result<Vec<DimensionRecordSet>> {
    let read = |(name, records): (String, Vec<SerializedDimensionRecord>)| {
        let mut set = DimensionRecordSet::new(universe.element(&name)?);
        for record in &records {
            set.add(DimensionRecord::from_simple(record, universe)?)?;
        }
        Ok(set)
    };
    records.into_iter().map(read).collect()
}
