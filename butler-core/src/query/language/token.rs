//! Tokens of the expression language.

use std::fmt;

/// Where something stands in an expression: byte offsets, the end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The span from the beginning of `self` to the end of `other`.
    #[must_use]
    pub const fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind<'a>,
    /// Where it stands.
    pub span: Span,
}

/// What a token is. Text is borrowed from the expression, without quotes and prefixes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TokenKind<'a> {
    /// A number without a sign, such as `12`, `1.5`, `.5` or `1e-3`.
    Number(&'a str),
    /// `'text'`.
    Str(&'a str),
    /// `T'time'`.
    Time(&'a str),
    /// `first..last` or `first..last:stride`, both ends inclusive.
    Range {
        /// The first value.
        start: i64,
        /// The last value.
        stop: i64,
        /// The distance between values, at least 1.
        stride: Option<i64>,
    },
    /// A name without dots that is no reserved word.
    Name(&'a str),
    /// A name with one or two dots.
    QualifiedName(&'a str),
    /// `:name`.
    Bind(&'a str),
    /// An operator or a parenthesis.
    Symbol(Symbol),
    /// A reserved word.
    Keyword(Keyword),
    /// The end of the expression.
    End,
}

/// Operators and punctuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Symbol {
    LeftParen,
    RightParen,
    Comma,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
}

impl Symbol {
    /// How it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::LeftParen => "(",
            Self::RightParen => ")",
            Self::Comma => ",",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }
}

/// Reserved words; upper and lower case are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Keyword {
    And,
    Or,
    Not,
    In,
    Overlaps,
}

impl Keyword {
    /// The reserved word that `name` is, if it is one.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::And, Self::Or, Self::Not, Self::In, Self::Overlaps]
            .into_iter()
            .find(|keyword| keyword.text().eq_ignore_ascii_case(name))
    }

    /// The word in capitals.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::And => "AND",
            Self::Or => "OR",
            Self::Not => "NOT",
            Self::In => "IN",
            Self::Overlaps => "OVERLAPS",
        }
    }
}

impl fmt::Display for TokenKind<'_> {
    /// What an error message calls the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(text) => write!(f, "the number {}", clipped(text)),
            Self::Str(text) => write!(f, "the string '{}'", clipped(text)),
            Self::Time(text) => write!(f, "the time T'{}'", clipped(text)),
            Self::Range {
                start,
                stop,
                stride,
            } => {
                write!(f, "the range {start}..{stop}")?;
                stride.map_or(Ok(()), |stride| write!(f, ":{stride}"))
            }
            Self::Name(name) | Self::QualifiedName(name) => write!(f, "'{}'", clipped(name)),
            Self::Bind(name) => write!(f, "':{}'", clipped(name)),
            Self::Symbol(symbol) => write!(f, "'{}'", symbol.text()),
            Self::Keyword(keyword) => f.write_str(keyword.text()),
            Self::End => f.write_str("the end of the expression"),
        }
    }
}

/// The beginning of a text, short enough for a message.
pub(super) fn clipped(text: &str) -> Clipped<'_> {
    Clipped(text)
}

pub(super) struct Clipped<'a>(&'a str);

impl fmt::Display for Clipped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 40;
        match self.0.char_indices().nth(LONGEST) {
            Some((end, _)) => write!(f, "{}…", &self.0[..end]),
            None => f.write_str(self.0),
        }
    }
}
