//! Results as tables for people, or in formats for machines.

mod cells;
mod columnar;
mod datasets;
mod records;
mod stream;
mod table;
mod text;

pub(crate) use cells::{Cell, Column, Kind, Rows};
pub(crate) use datasets::{
    DatasetRows, Uris, data_id_cells, data_id_columns, dataset_tables, sort_keys,
};
pub(crate) use records::{record_cells, record_columns};

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use futures::{Stream, StreamExt as _, TryStreamExt as _};

use crate::failure::{Failure, Outcome};
use stream::RowSink;

/// Where the bytes go.
type Sink = Box<dyn Write + Send>;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables for people
    Table,
    /// A JSON array with an object for each row
    Json,
    /// Comma-separated values with a header line
    Csv,
    /// An Apache Parquet file
    Parquet,
    /// An Apache Arrow IPC stream
    Arrow,
}

/// Where results go, and how.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// How results are written
    #[arg(long, value_enum, ignore_case = true, default_value_t = Format::Table)]
    format: Format,

    /// The file that results are written to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Output {
    /// Whether people read the results.
    pub(crate) fn is_table(&self) -> bool {
        self.format == Format::Table
    }

    /// Writes tables one after the other, or for machines the rows of all of them in one.
    pub(crate) fn write(&self, tables: &[Rows]) -> Outcome {
        let failed = |error: io::Error| Failure::writing(self.output.as_deref(), &error);
        let mut sink = self.sink()?;
        if !self.is_table() {
            let Rows { columns, rows } = Rows::merge(tables);
            let mut writer = self.writer(sink, columns, &[]).map_err(failed)?;
            writer.write(rows).map_err(failed)?;
            return writer.finish().map_err(failed);
        }
        for table in tables {
            if tables.len() > 1 {
                writeln!(sink).map_err(failed)?;
            }
            table::write(&mut sink, table, self.output.is_none()).map_err(failed)?;
        }
        if tables.len() > 1 {
            writeln!(sink).map_err(failed)?;
        }
        sink.flush().map_err(failed)
    }

    /// Writes pages of rows as they come, and tells how many rows there were; people get a table at
    /// the end, if there are any, sorted by these columns. If there is no first page because of a
    /// failure, nothing is written at all; a later one leaves what has been written without its
    /// end.
    pub(crate) async fn stream(
        &self,
        columns: Vec<Column>,
        sort_by: &[&str],
        mut pages: impl Stream<Item = Outcome<Vec<Vec<Cell>>>> + Unpin,
    ) -> Outcome<usize> {
        let first = pages.try_next().await?.unwrap_or_default();
        let failed = |error: io::Error| Failure::writing(self.output.as_deref(), &error);
        let sink = self.sink()?;
        let writer = self.writer(sink, columns, sort_by).map_err(failed)?;
        let first = futures::stream::iter([Ok(first)]);
        stream::pass_on(writer, first.chain(pages), failed).await
    }

    /// What writes rows; a table is sorted by these columns.
    fn writer(
        &self,
        sink: Sink,
        columns: Vec<Column>,
        sort_by: &[&str],
    ) -> io::Result<Box<dyn RowSink>> {
        Ok(match self.format {
            Format::Table => {
                let to_stdout = self.output.is_none();
                Box::new(table::Sorted::new(sink, columns, sort_by, to_stdout))
            }
            Format::Csv => Box::new(text::Csv::new(sink, &columns)?),
            Format::Json => Box::new(text::Json::new(sink, columns)),
            Format::Parquet => Box::new(columnar::Parquet::new(sink, &columns)?),
            Format::Arrow => Box::new(columnar::Arrow::new(sink, &columns)?),
        })
    }

    fn sink(&self) -> Outcome<Sink> {
        if let Some(path) = &self.output {
            let file = File::create(path).map_err(|error| Failure::writing(Some(path), &error))?;
            return Ok(Box::new(BufWriter::new(file)));
        }
        let binary = matches!(self.format, Format::Parquet | Format::Arrow);
        if binary && io::stdout().is_terminal() {
            return Err(Failure::Usage(
                "this format is not for terminals; redirect the output, or name a file with \
                 --output"
                    .to_owned(),
            ));
        }
        Ok(Box::new(BufWriter::new(io::stdout())))
    }
}

/// Writes a line to standard output.
pub(crate) fn say(line: impl AsRef<str>) -> Outcome {
    let written = writeln!(io::stdout().lock(), "{}", line.as_ref());
    written.map_err(|error| Failure::writing(None, &error))
}

/// Writes a table to standard output.
pub(crate) fn show(rows: &Rows) -> Outcome {
    let mut stdout = io::stdout().lock();
    table::write(&mut stdout, rows, true).map_err(|error| Failure::writing(None, &error))
}

/// Writes a line to standard error that says something of the results, so that it is not among
/// them.
pub(crate) fn note(line: &str) {
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{line}");
}
