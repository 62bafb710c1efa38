//! Shell-style patterns over names.

use std::fmt;

use regex::Regex;

use crate::error::{Error, Result};

/// One shell-style pattern: `*` is any text, `?` any character, `[…]` and `[!…]` one of a set.
///
/// Slashes are characters like others: `a*` matches `a/b/c`.
#[derive(Clone)]
pub struct Glob {
    text: String,
    regex: Regex,
}

impl Glob {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the pattern is too large.
    pub fn new(text: &str) -> Result<Self> {
        let regex = Regex::new(&translate(text)).map_err(|error| {
            Error::InvalidArgument(format!("the pattern '{text}' cannot be used: {error}"))
        })?;
        Ok(Self {
            text: text.to_owned(),
            regex,
        })
    }

    /// Whether a text without wildcard characters would be taken literally.
    pub fn is_glob(text: &str) -> bool {
        text.contains(['*', '?']) || text.find('[').is_some_and(|at| text[at..].contains(']'))
    }

    /// Whether the whole name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }

    /// The pattern as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The equivalent regular expression, anchored at both ends.
    pub fn regex(&self) -> &Regex {
        &self.regex
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({:?})", self.text)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A name or a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GlobExpression {
    /// A name, taken literally.
    Name(String),
    /// A pattern.
    Pattern(Glob),
}

impl GlobExpression {
    /// Tells patterns from names.
    ///
    /// # Errors
    /// The pattern cannot be compiled.
    pub fn parse(text: &str) -> Result<Self> {
        if Glob::is_glob(text) {
            Glob::new(text).map(Self::Pattern)
        } else {
            Ok(Self::Name(text.to_owned()))
        }
    }
}

/// Whether any of the expressions is a pattern; none at all mean everything, which is one too.
pub fn has_globs<'a>(expressions: impl IntoIterator<Item = &'a str>) -> bool {
    let mut expressions = expressions.into_iter().peekable();
    expressions.peek().is_none() || expressions.any(Glob::is_glob)
}

fn translate(pattern: &str) -> String {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::from(r"(?s)\A");
    let mut i = 0;
    while let Some(&c) = chars.get(i) {
        i += 1;
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => match class(&chars, i) {
                Some((text, next)) => {
                    out.push_str(&text);
                    i = next;
                }
                None => out.push_str(r"\["),
            },
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push_str(r"\z");
    out
}

/// The character class that starts after a `[`, and where it ends; none if it is never closed.
fn class(chars: &[char], start: usize) -> Option<(String, usize)> {
    let negated = chars.get(start) == Some(&'!');
    let first = start + usize::from(negated);
    // A `]` right at the start is a member.
    let from = first + usize::from(chars.get(first) == Some(&']'));
    let end = from + chars.get(from..)?.iter().position(|c| *c == ']')?;
    let members = &chars[first..end];
    let mut text = String::new();
    let mut i = 0;
    while i < members.len() {
        let low = members[i];
        if i + 2 < members.len() && members[i + 1] == '-' {
            let high = members[i + 2];
            // A range that runs backwards has no members.
            if low <= high {
                push_member(&mut text, low);
                text.push('-');
                push_member(&mut text, high);
            }
            i += 3;
        } else {
            push_member(&mut text, low);
            i += 1;
        }
    }
    let text = match (text.is_empty(), negated) {
        (true, false) => r"[^\s\S]".to_owned(),
        (true, true) => ".".to_owned(),
        (false, false) => format!("[{text}]"),
        (false, true) => format!("[^{text}]"),
    };
    Some((text, end + 1))
}

fn push_member(text: &mut String, c: char) {
    if !c.is_alphanumeric() && c.is_ascii() {
        text.push('\\');
    }
    match c {
        // These have no escaped form of their own in a class.
        '\n' => text.push('n'),
        ' ' | '_' | '\'' | '"' | ',' | ':' | ';' | '=' | '@' | '`' | '!' | '%' | '/' | '<'
        | '>' => {
            if text.ends_with('\\') {
                text.pop();
            }
            text.push(c);
        }
        c => text.push(c),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Glob::new(pattern).unwrap().matches(name)
    }

    #[test]
    fn patterns_match_whole_names() {
        assert!(matches("HSC/*", "HSC/raw/all"));
        assert!(!matches("HSC/*", "u/HSC/raw"));
        assert!(matches("a?c", "abc"));
        assert!(!matches("a?c", "abcd"));
        assert!(matches("calexp[12]", "calexp2"));
        assert!(matches("x[!a-c]", "xd"));
        assert!(!matches("x[!a-c]", "xb"));
        assert!(matches("a.b*", "a.bc"));
        assert!(!matches("a.b*", "axbc"));
        assert!(matches("[]x]", "]"));
        assert!(matches("[a", "[a"));
        assert!(!matches("[z-a]", "m"));
        assert!(matches("[-_&~^]", "^"));
        assert!(matches("*", ""));
    }

    #[test]
    fn only_complete_brackets_make_a_pattern() {
        assert!(Glob::is_glob("a*"));
        assert!(Glob::is_glob("a[bc]"));
        assert!(!Glob::is_glob("a[b"));
        assert!(!Glob::is_glob("a]b["));
        assert!(!Glob::is_glob("HSC/raw/all"));
        assert!(has_globs([]));
        assert!(!has_globs(["a", "b"]));
        assert!(has_globs(["a", "b*"]));
    }
}
