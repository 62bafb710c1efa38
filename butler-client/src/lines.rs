//! Lines of a text that comes in pieces.

use butler_core::Result;
use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt};

/// The lines of a stream of bytes, without their ends; empty lines are left out. A last line
/// without an end counts.
pub(crate) struct Lines<S> {
    pieces: S,
    /// What has come of the next line.
    begun: BytesMut,
    /// How much of it was searched for an end.
    searched: usize,
    ended: bool,
}

impl<S: Stream<Item = Result<Bytes>> + Unpin> Lines<S> {
    pub(crate) fn new(pieces: S) -> Self {
        Self {
            pieces,
            begun: BytesMut::new(),
            searched: 0,
            ended: false,
        }
    }

    async fn next_line(&mut self) -> Result<Option<Bytes>> {
        loop {
            let rest = &self.begun[self.searched..];
            if let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                let mut line = self.begun.split_to(self.searched + at + 1);
                self.searched = 0;
                line.truncate(line.trim_ascii_end().len());
                if !line.is_empty() {
                    return Ok(Some(line.freeze()));
                }
                continue;
            }
            self.searched = self.begun.len();
            if self.ended {
                let line = self.begun.split();
                self.searched = 0;
                return Ok((!line.trim_ascii().is_empty()).then(|| line.freeze()));
            }
            match self.pieces.try_next().await? {
                Some(piece) => self.begun.extend_from_slice(&piece),
                None => self.ended = true,
            }
        }
    }

    /// The lines as a stream, which ends after an error.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes>> {
        futures::stream::try_unfold(self, |mut lines| async move {
            let line = lines.next_line().await?;
            Ok(line.map(|line| (line, lines)))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use butler_core::Error;
    use futures::StreamExt;
    use futures::executor::block_on;

    use super::*;

    fn lines(pieces: &[&'static str]) -> Vec<String> {
        let pieces: Vec<Result<Bytes>> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
            .collect();
        let lines = Lines::new(futures::stream::iter(pieces)).into_stream();
        let found: Vec<Result<Bytes>> = block_on(lines.collect());
        let text = |line: Result<Bytes>| String::from_utf8(line.unwrap().to_vec()).unwrap();
        found.into_iter().map(text).collect()
    }

    #[test]
    fn lines_do_not_care_how_they_are_cut_into_pieces() {
        for pieces in [
            &["one\ntwo\r\n\nthree\n"][..],
            &["on", "e\nt", "wo\r", "\n\nthree", "\n"],
            &["one\ntwo\nthree"],
        ] {
            assert_eq!(lines(pieces), ["one", "two", "three"], "{pieces:?}");
        }
        assert!(lines(&[]).is_empty());
    }

    #[test]
    fn what_broke_off_is_no_line() {
        let pieces = [
            Ok(Bytes::from_static(b"one\ntw")),
            Err(Error::Internal("cut".to_owned())),
        ];
        let lines = Lines::new(futures::stream::iter(pieces)).into_stream();
        let found: Vec<Result<Bytes>> = block_on(lines.collect());
        assert_eq!(found.len(), 2);
        assert!(found[0].is_ok() && found[1].is_err());
    }
}
