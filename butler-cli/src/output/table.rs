//! Tables for people.

use std::io::{self, IsTerminal as _, Write};

use comfy_table::{CellAlignment, ContentArrangement, ContentLineStyle, LineStyle, TableStyle};
use console::{Style, Term};

use super::cells::{Cell, Column, Rows};
use super::stream::RowSink;

/// Columns with a blank between them, below titles that are underlined.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none().junction(' '))
    .header_separator(LineStyle::none().fill('-').junction(' '))
    .content_lines(ContentLineStyle::none().junction(' '));

/// A table whose rows come one after the other. It is sorted and drawn when all are there, if there
/// are any.
pub(super) struct Sorted<W> {
    sink: W,
    rows: Rows,
    sort_by: Vec<String>,
    to_stdout: bool,
}

impl<W: Write> Sorted<W> {
    pub(super) fn new(sink: W, columns: Vec<Column>, sort_by: &[&str], to_stdout: bool) -> Self {
        Self {
            sink,
            rows: Rows::new(columns),
            sort_by: sort_by.iter().map(|&name| name.to_owned()).collect(),
            to_stdout,
        }
    }
}

impl<W: Write> RowSink for Sorted<W> {
    fn write(&mut self, rows: Vec<Vec<Cell>>) -> io::Result<()> {
        self.rows.rows.extend(rows);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if !self.rows.is_empty() {
            self.rows.sort_by(&self.sort_by);
            write(&mut self.sink, &self.rows, self.to_stdout)?;
        }
        self.sink.flush()
    }
}

/// Writes a table. On a terminal it is made to fit, and the titles stand out.
pub(super) fn write(sink: &mut dyn Write, rows: &Rows, to_stdout: bool) -> io::Result<()> {
    let on_terminal = to_stdout && io::stdout().is_terminal();
    let width = on_terminal.then(|| Term::stdout().size().1);
    let lines = lines(rows, width);
    let header = lines.iter().position(|line| is_separator(line));
    for (place, line) in lines.iter().enumerate() {
        if on_terminal && header.is_some_and(|header| place < header) {
            writeln!(sink, "{}", Style::new().bold().apply_to(line))?;
        } else {
            writeln!(sink, "{line}")?;
        }
    }
    Ok(())
}

fn is_separator(line: &str) -> bool {
    line.contains('-') && line.bytes().all(|byte| byte == b'-' || byte == b' ')
}

/// The lines of a table, at most `width` characters wide if that is possible.
fn lines(rows: &Rows, width: Option<u16>) -> Vec<String> {
    let mut table = comfy_table::Table::new();
    table.load_style(STYLE);
    match width {
        Some(width) => table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(rows.columns.iter().map(|column| column.title.as_str()));
    for row in &rows.rows {
        table.add_row(row.iter().map(ToString::to_string));
    }
    for (place, column) in rows.columns.iter().enumerate() {
        if let Some(drawn) = table.column_mut(place) {
            drawn.set_padding((0, 0));
            if column.kind.is_number() {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    fn example() -> Rows {
        let columns = vec![
            Column::new("name", Kind::Text).titled("Name"),
            Column::new("n", Kind::Int),
        ];
        let mut rows = Rows::new(columns);
        rows.push(vec![Cell::text("a rather long name"), Cell::Int(5)]);
        rows.push(vec![Cell::Null, Cell::Int(10)]);
        rows
    }

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let expected = [
            "Name                n",
            "------------------ --",
            "a rather long name  5",
            "                   10",
        ];
        assert_eq!(lines(&example(), None), expected);
    }

    #[test]
    fn tables_are_made_to_fit() {
        let lines = lines(&example(), Some(14));
        assert!(lines.len() > 4, "{lines:?}");
        assert!(lines.iter().all(|line| line.len() <= 14), "{lines:?}");
    }
}
