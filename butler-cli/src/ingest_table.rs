//! The tables that list files to take in.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use butler_core::dimensions::DataIdValue;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::failure::{Failure, Outcome};

/// A table of files and the data IDs of what is in them.
#[derive(Debug, PartialEq)]
pub(crate) struct IngestTable {
    /// The names of all columns but the first.
    pub(crate) dimensions: Vec<String>,
    /// The rows.
    pub(crate) rows: Vec<IngestRow>,
}

/// A file and a data ID of something in it.
#[derive(Debug, PartialEq)]
pub(crate) struct IngestRow {
    /// The file, as the first column has it.
    pub(crate) file: String,
    /// The values of the other columns.
    pub(crate) data_id: Vec<DataIdValue>,
}

impl IngestTable {
    /// Reads a table; the end of its name says in which format it is.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(format!("cannot read {}: {error}", path.display()))
        };
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("parquet" | "parq")) {
            let file = File::open(path).map_err(|error| failed(&error))?;
            return parquet(file).map_err(|error| failed(&error));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
        let separator = match extension {
            Some("csv") => b',',
            Some("tsv") => b'\t',
            _ => declared_separator(&text).unwrap_or(b' '),
        };
        delimited(&text, separator).map_err(|error| failed(&error))
    }
}

/// The separator that the header of an ECSV file declares.
fn declared_separator(text: &str) -> Option<u8> {
    let header = text.lines().take_while(|line| line.starts_with('#'));
    let mut declarations = header.filter_map(|line| {
        line.trim_start_matches('#')
            .trim()
            .strip_prefix("delimiter:")
    });
    let value = declarations.next()?.trim().trim_matches(['\'', '"']);
    value.bytes().next()
}

/// Reads text with the names of columns in the first line. Lines that begin with `#` are comments;
/// several blanks separate as one does.
fn delimited(text: &str, separator: u8) -> Result<IngestTable, csv::Error> {
    let squeezed;
    let text = if separator == b' ' {
        squeezed = text.lines().map(squeeze).collect::<Vec<_>>().join("\n");
        &squeezed
    } else {
        text
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let dimensions = reader
        .headers()?
        .iter()
        .skip(1)
        .map(str::to_owned)
        .collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let mut fields = record.iter();
        rows.push(IngestRow {
            file: fields.next().unwrap_or_default().to_owned(),
            data_id: fields.map(DataIdValue::from).collect(),
        });
    }
    Ok(IngestTable { dimensions, rows })
}

/// A line without blanks at its ends, and with single ones outside of quotes.
fn squeeze(line: &str) -> String {
    let mut quoted = false;
    let mut squeezed = String::with_capacity(line.len());
    for character in line.trim().chars() {
        quoted ^= character == '"';
        let blank = matches!(character, ' ' | '\t') && !quoted;
        match blank {
            true if squeezed.ends_with(' ') => {}
            true => squeezed.push(' '),
            false => squeezed.push(character),
        }
    }
    squeezed
}

fn parquet(file: File) -> Result<IngestTable, Box<dyn std::error::Error>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.build()?;
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    let names = schema.fields().iter().map(|field| field.name().clone());
    let mut table = IngestTable {
        dimensions: names.skip(1).collect(),
        rows: Vec::new(),
    };
    for batch in reader {
        table.rows.extend(rows_of(&batch?)?);
    }
    Ok(table)
}

fn rows_of(batch: &RecordBatch) -> Result<Vec<IngestRow>, Box<dyn std::error::Error>> {
    let mut columns: Vec<Vec<DataIdValue>> = Vec::with_capacity(batch.num_columns());
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        if array.null_count() > 0 {
            return Err(format!("the column '{}' has missing values", field.name()).into());
        }
        columns.push(if array.data_type().is_integer() {
            let array = cast(array, &DataType::Int64)?;
            let values = array.as_primitive::<Int64Type>().values();
            values.iter().copied().map(DataIdValue::from).collect()
        } else {
            let array = cast(array, &DataType::Utf8)?;
            let values = array.as_string::<i32>().iter().flatten();
            values.map(DataIdValue::from).collect()
        });
    }
    let rows = (0..batch.num_rows()).map(|place| {
        let mut cells = columns.iter().map(|column| column[place].clone());
        IngestRow {
            file: cells.next().map_or(String::new(), |cell| cell.to_string()),
            data_id: cells.collect(),
        }
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn table(dimensions: [&str; 2], rows: &[(&str, [&str; 2])]) -> IngestTable {
        let row = |(file, data_id): &(&str, [&str; 2])| IngestRow {
            file: (*file).to_owned(),
            data_id: data_id
                .iter()
                .map(|value| DataIdValue::from(*value))
                .collect(),
        };
        IngestTable {
            dimensions: dimensions.map(str::to_owned).into(),
            rows: rows.iter().map(row).collect(),
        }
    }

    fn read(name: &str, text: &str) -> IngestTable {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        IngestTable::read(&path).unwrap()
    }

    #[test]
    fn the_end_of_the_name_tells_the_format() {
        let expected = table(
            ["instrument", "detector"],
            &[("a b.fits", ["Cam1", "1"]), ("c.fits", ["Cam1", "2"])],
        );
        for (name, text) in [
            (
                "files.csv",
                "file,instrument,detector\na b.fits,Cam1,1\nc.fits,Cam1,2\n",
            ),
            (
                "files.tsv",
                "file\tinstrument\tdetector\na b.fits\tCam1\t1\nc.fits\tCam1\t2\n",
            ),
            (
                "files.txt",
                "file   instrument detector\n\"a b.fits\"  Cam1  1\nc.fits   Cam1  2\n",
            ),
            (
                "files.ecsv",
                "# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype: []\n\
                 file,instrument,detector\na b.fits,Cam1,1\nc.fits,Cam1,2\n",
            ),
            (
                "blanks.ecsv",
                "# %ECSV 1.0\n# ---\nfile instrument detector\n\"a b.fits\" Cam1 1\nc.fits Cam1 2\n",
            ),
        ] {
            assert_eq!(read(name, text), expected, "{name}");
        }
    }
}
