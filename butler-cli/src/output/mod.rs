//! Results as tables for people, or in formats for machines.

mod cells;
mod columnar;
mod datasets;
mod records;
mod table;
mod text;

pub(crate) use cells::{Cell, Column, Kind, Rows};
pub(crate) use datasets::{data_id_rows, dataset_tables};
pub(crate) use records::record_rows;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::failure::{Failure, Outcome};

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
        let mut sink = self.sink()?;
        let failed = |error: io::Error| Failure::writing(self.output.as_deref(), &error);
        match self.format {
            Format::Table => {
                let terminal = self.output.is_none();
                for table in tables {
                    if tables.len() > 1 {
                        writeln!(sink).map_err(failed)?;
                    }
                    table::write(&mut sink, table, terminal).map_err(failed)?;
                }
                if tables.len() > 1 {
                    writeln!(sink).map_err(failed)?;
                }
            }
            Format::Json => text::json(&mut sink, &Rows::merge(tables)).map_err(failed)?,
            Format::Csv => text::csv(&mut sink, &Rows::merge(tables)).map_err(failed)?,
            Format::Parquet => {
                columnar::parquet(&mut sink, &Rows::merge(tables)).map_err(failed)?;
            }
            Format::Arrow => columnar::arrow(&mut sink, &Rows::merge(tables)).map_err(failed)?,
        }
        sink.flush().map_err(failed)
    }

    fn sink(&self) -> Outcome<Box<dyn Write + Send>> {
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
