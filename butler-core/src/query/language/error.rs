//! Errors that show their place in the expression.

use super::token::Span;
use crate::error::Error;

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub span: Span,
    /// What is wrong, and what was expected.
    pub message: String,
}

/// How much of a long line is shown before and after the place.
const BEFORE: usize = 60;
const AFTER: usize = 40;

impl Problem {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
        }
    }

    /// The error for a caller: the message, the line and column (both from 1, in characters), and
    /// the line of `text` with the place marked below it.
    #[must_use]
    pub fn into_error(self, text: &str) -> Error {
        let start = floor_boundary(text, self.span.start);
        let end = floor_boundary(text, self.span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..]
            .find('\n')
            .map_or(text.len(), |newline| start + newline);
        let line_number = text[..line_start].matches('\n').count() + 1;
        let before = &text[line_start..start];
        let column = before.chars().count();
        let (lead, shown) = if column > BEFORE {
            let skipped = before.char_indices().nth(column - BEFORE);
            ("…", skipped.map_or(line_start, |(at, _)| line_start + at))
        } else {
            ("", line_start)
        };
        let rest = &text[start..line_end];
        let marked = text[start..end.min(line_end)].chars().count();
        let (rest, tail) = match rest.char_indices().nth(marked.min(BEFORE) + AFTER) {
            Some((cut, _)) => (&rest[..cut], "…"),
            None => (rest, ""),
        };
        let printable = |text: &str| -> String {
            let replaced = text.chars().map(|c| if c.is_control() { ' ' } else { c });
            replaced.collect()
        };
        let before = printable(&text[shown..start]);
        let indent = lead.chars().count() + before.chars().count();
        let width = marked.clamp(1, rest.chars().count().max(1));
        Error::InvalidQuery(format!(
            "Invalid query expression at line {line_number}, column {}: {}\n  {lead}{before}{}{tail}\n  {}{}",
            column + 1,
            self.message,
            printable(rest),
            " ".repeat(indent),
            "^".repeat(width),
        ))
    }
}

/// The last character boundary that is not after `at`.
fn floor_boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, start: usize, end: usize) -> String {
        Problem::new(Span { start, end }, "wrong")
            .into_error(text)
            .to_string()
    }

    #[test]
    fn the_place_is_marked_below_its_line() {
        assert_eq!(
            shown("visit = = 5", 8, 9),
            "Invalid query expression at line 1, column 9: wrong\n  visit = = 5\n          ^"
        );
        assert_eq!(
            shown("a = 1\n\tAND b\n", 7, 10),
            "Invalid query expression at line 2, column 2: wrong\n   AND b\n   ^^^"
        );
        assert_eq!(
            shown("a =", 3, 3),
            "Invalid query expression at line 1, column 4: wrong\n  a =\n     ^"
        );
        assert_eq!(
            shown("a = 'é' b", 9, 10),
            "Invalid query expression at line 1, column 9: wrong\n  a = 'é' b\n          ^"
        );
    }

    #[test]
    fn only_the_surroundings_of_the_place_are_shown() {
        let text = format!("{}x{}", "a".repeat(1000), "b".repeat(1000));
        let error = shown(&text, 1000, 1001);
        let lines: Vec<_> = error.lines().collect();
        let (a, b) = ("a".repeat(60), "b".repeat(40));
        assert_eq!(lines[1], format!("  …{a}x{b}…"));
        assert_eq!(lines[2].chars().position(|c| c == '^'), Some(63));
        let long = shown(&text, 0, 2001);
        assert!(long.len() < 500, "{long}");
    }
}
