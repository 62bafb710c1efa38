//! Rows written as they come, however many there are.

use std::io;

use futures::{Stream, TryStreamExt as _};

use super::cells::Cell;
use crate::failure::{Failure, Outcome};

/// What takes rows one page after the other.
pub(super) trait RowSink {
    /// Takes rows, which have a cell for each column.
    fn write(&mut self, rows: Vec<Vec<Cell>>) -> io::Result<()>;

    /// Ends what has been written.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Gives every page to the writer before it asks for the next one, and tells how many rows there
/// were.
pub(super) async fn pass_on(
    mut writer: Box<dyn RowSink>,
    mut pages: impl Stream<Item = Outcome<Vec<Vec<Cell>>>> + Unpin,
    failed: impl Fn(io::Error) -> Failure,
) -> Outcome<usize> {
    let mut count = 0;
    while let Some(rows) = pages.try_next().await? {
        if !rows.is_empty() {
            count += rows.len();
            writer.write(rows).map_err(&failed)?;
        }
    }
    writer.finish().map_err(failed)?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::StreamExt as _;
    use futures::executor::block_on;

    use super::super::cells::{Column, Kind};
    use super::super::{columnar, text};
    use super::*;

    /// A reader who leaves as soon as there is something to read after a number of bytes.
    struct Leaving(usize);

    impl Write for Leaving {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.0 = self.0.saturating_sub(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const PAGE: usize = 1000;

    /// How many rows are asked for until the reader leaves. There is no end to the rows.
    fn asked_for(writer: Box<dyn RowSink>) -> usize {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let pages = futures::stream::repeat_with(move || {
            let before = counted.fetch_add(PAGE, Ordering::Relaxed);
            assert!(before < 1_000_000, "nothing is written of so many rows");
            let row = |n| vec![Cell::Int(n), Cell::text(format!("row {n}"))];
            Ok((0..1000).map(row).collect())
        });
        let failed = |error: io::Error| Failure::writing(None, &error);
        let outcome = block_on(pass_on(writer, pages.boxed(), failed));
        assert!(matches!(outcome, Err(Failure::OutputClosed)), "{outcome:?}");
        asked.load(Ordering::Relaxed)
    }

    #[test]
    fn rows_are_written_before_all_are_there() {
        let columns = vec![Column::new("n", Kind::Int), Column::new("name", Kind::Text)];
        let sink = || Leaving(4_000);
        let json = text::Json::new(sink(), columns.clone());
        assert_eq!(asked_for(Box::new(json)), PAGE);
        let csv = text::Csv::new(sink(), &columns).unwrap();
        assert_eq!(asked_for(Box::new(csv)), PAGE);
        let arrow = columnar::Arrow::new(sink(), &columns).unwrap();
        assert_eq!(asked_for(Box::new(arrow)), PAGE);
        let parquet = columnar::Parquet::new(sink(), &columns).unwrap();
        let asked = asked_for(Box::new(parquet));
        assert!(asked < 3 * columnar::ROW_GROUP, "{asked}");
    }
}
