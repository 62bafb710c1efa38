//! Expression text to tokens.

use super::error::Problem;
use super::token::{Keyword, Span, Symbol, Token, TokenKind};

/// The tokens of `text`, the last of which is [`TokenKind::End`]. The time is linear in its length.
///
/// # Errors
/// A [`Problem`] where something begins that is no token.
pub fn tokenize(text: &str) -> Result<Vec<Token<'_>>, Problem> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next_token()?;
        tokens.push(token);
        if token.kind == TokenKind::End {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn next_token(&mut self) -> Result<Token<'a>, Problem> {
        self.at = self.skip(self.at, |byte| matches!(byte, b' ' | b'\t' | b'\n'));
        let start = self.at;
        let (kind, end) = self.token_at(start)?;
        self.at = end;
        Ok(Token {
            kind,
            span: Span { start, end },
        })
    }

    /// The token that begins at `start`, and where it ends.
    fn token_at(&self, start: usize) -> Result<(TokenKind<'a>, usize), Problem> {
        let Some(first) = self.byte(start) else {
            return Ok((TokenKind::End, start));
        };
        match first {
            b'T' | b't' if self.byte(start + 1) == Some(b'\'') => {
                let (value, end) = self.quoted(start, start + 1)?;
                Ok((TokenKind::Time(value), end))
            }
            b'\'' => {
                let (value, end) = self.quoted(start, start)?;
                Ok((TokenKind::Str(value), end))
            }
            b'-' | b'0'..=b'9' if let Some((range, end)) = self.range(start)? => Ok((range, end)),
            b'0'..=b'9' | b'.' if let Some(end) = self.number(start) => {
                Ok((TokenKind::Number(&self.text[start..end]), end))
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => Ok(self.name(start)),
            b':' if self.byte(start + 1).is_some_and(begins_name) => {
                let end = self.skip(start + 1, continues_name);
                Ok((TokenKind::Bind(&self.text[start + 1..end]), end))
            }
            _ => self.symbol(start, first),
        }
    }

    fn symbol(&self, start: usize, first: u8) -> Result<(TokenKind<'a>, usize), Problem> {
        let equal_follows = self.byte(start + 1) == Some(b'=');
        let symbol = match first {
            b'(' => Symbol::LeftParen,
            b')' => Symbol::RightParen,
            b',' => Symbol::Comma,
            b'=' => Symbol::Equal,
            b'!' if equal_follows => Symbol::NotEqual,
            b'<' if equal_follows => Symbol::LessOrEqual,
            b'<' => Symbol::Less,
            b'>' if equal_follows => Symbol::GreaterOrEqual,
            b'>' => Symbol::Greater,
            b'+' => Symbol::Plus,
            b'-' => Symbol::Minus,
            b'*' => Symbol::Times,
            b'/' => Symbol::Divide,
            b'%' => Symbol::Modulo,
            _ => return Err(self.no_token(start)),
        };
        Ok((TokenKind::Symbol(symbol), start + symbol.text().len()))
    }

    fn no_token(&self, start: usize) -> Problem {
        let found = self.text[start..].chars().next().unwrap_or_default();
        let span = Span {
            start,
            end: start + found.len_utf8(),
        };
        let hint = match found {
            '"' | '`' | '‘' | '’' | '“' | '”' => {
                "strings are written in single quotes: 'text'"
            }
            '!' => "'not equal' is written !=, and 'not' is written NOT",
            ':' => "a bind name follows its colon at once, as in :name",
            '.' => {
                "a name has at most two dots, each between two parts, as in visit.timespan.begin"
            }
            ';' => "an expression is one condition, without a semicolon",
            _ => "only ASCII letters, digits, operators and strings in single quotes can be used",
        };
        Problem::new(span, format!("unexpected character {found:?}: {hint}"))
    }

    /// The text in the quotes that begin at `quote`, and where they end.
    fn quoted(&self, start: usize, quote: usize) -> Result<(&'a str, usize), Problem> {
        let content = quote + 1;
        let rest = &self.text[content..];
        match rest.find(['\'', '\n']) {
            Some(length) if rest.as_bytes()[length] == b'\'' => {
                let end = content + length;
                Ok((&self.text[content..end], end + 1))
            }
            _ => Err(Problem::new(
                Span {
                    start,
                    end: content,
                },
                "expected a closing quote for the string that begins here, on the same line",
            )),
        }
    }

    /// A range that begins at `start`, and where it ends; `None` if something else begins there.
    fn range(&self, start: usize) -> Result<Option<(TokenKind<'a>, usize)>, Problem> {
        let space = |at| self.skip(at, |byte| byte.is_ascii_whitespace() || byte == 0x0b);
        let Some(first_end) = self.integer(start) else {
            return Ok(None);
        };
        let dots = space(first_end);
        if !self.text.as_bytes()[dots..].starts_with(b"..") {
            return Ok(None);
        }
        let last_start = space(dots + 2);
        let Some(last_end) = self.integer(last_start) else {
            return Ok(None);
        };
        let mut end = last_end;
        let mut stride = None;
        let colon = space(last_end);
        if self.byte(colon) == Some(b':') {
            let stride_start = space(colon + 1);
            if matches!(self.byte(stride_start), Some(b'1'..=b'9')) {
                end = self.skip(stride_start, |byte| byte.is_ascii_digit());
                stride = Some(self.value(stride_start, end)?);
            }
        }
        let range = TokenKind::Range {
            start: self.value(start, first_end)?,
            stop: self.value(last_start, last_end)?,
            stride,
        };
        Ok(Some((range, end)))
    }

    /// Where the integer that begins at `start`, with or without a minus, ends.
    fn integer(&self, start: usize) -> Option<usize> {
        let digits = start + usize::from(self.byte(start) == Some(b'-'));
        let end = self.skip(digits, |byte| byte.is_ascii_digit());
        (end > digits).then_some(end)
    }

    fn value(&self, start: usize, end: usize) -> Result<i64, Problem> {
        self.text[start..end].parse().map_err(|_| {
            Problem::new(
                Span { start, end },
                "this integer is too large: 64 bits with a sign is what a database holds",
            )
        })
    }

    /// Where the number that begins at `start` ends; `None` if no number does.
    fn number(&self, start: usize) -> Option<usize> {
        let digits = |at| self.skip(at, |byte| byte.is_ascii_digit());
        let mut end = digits(start);
        if self.byte(end) == Some(b'.') {
            let fraction_end = digits(end + 1);
            if end == start && fraction_end == end + 1 {
                return None;
            }
            end = fraction_end;
        }
        if matches!(self.byte(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.byte(end + 1), Some(b'+' | b'-')));
            let exponent = end + 1 + sign;
            let exponent_end = digits(exponent);
            if exponent_end > exponent {
                end = exponent_end;
            }
        }
        Some(end)
    }

    /// The name or reserved word that begins at `start`, and where it ends.
    fn name(&self, start: usize) -> (TokenKind<'a>, usize) {
        let first_end = self.skip(start, continues_name);
        let mut end = first_end;
        for _ in 0..2 {
            if self.byte(end) == Some(b'.') && self.byte(end + 1).is_some_and(begins_name) {
                end = self.skip(end + 1, continues_name);
            }
        }
        let text = &self.text[start..end];
        let kind = if end > first_end {
            TokenKind::QualifiedName(text)
        } else {
            Keyword::of(text).map_or(TokenKind::Name(text), TokenKind::Keyword)
        };
        (kind, end)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The first position from `at` on whose byte does not fulfil `wanted`.
    fn skip(&self, at: usize, wanted: impl Fn(u8) -> bool) -> usize {
        let bytes = self.text.as_bytes();
        let length = bytes[at.min(bytes.len())..]
            .iter()
            .position(|byte| !wanted(*byte));
        length.map_or(bytes.len(), |length| at + length)
    }
}

const fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

const fn continues_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
