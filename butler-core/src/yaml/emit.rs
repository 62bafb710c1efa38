//! [`Value`] to text that PyYAML reads back as the same values.

use std::fmt::Write as _;

use base64::Engine as _;

use super::resolve::is_plain_string;
use super::{Map, Value};
use crate::pyfmt::float_repr;

/// Writes a tree as a document in block style, mapping keys in their own order.
pub fn to_string(value: &Value) -> String {
    render(value, false)
}

/// Writes a tree as a document in block style, mapping keys sorted as the reference does when it
/// writes `butler.yaml`.
pub fn to_string_sorted(value: &Value) -> String {
    render(value, true)
}

fn render(value: &Value, sorted: bool) -> String {
    let mut out = String::new();
    let emitter = Emitter { sorted };
    match value {
        Value::Map(map) if !map.is_empty() => emitter.map(&mut out, map, 0, false),
        Value::Seq(items) if !items.is_empty() => emitter.seq(&mut out, items, 0),
        Value::Tagged(_) => {
            let mut marked = String::new();
            emitter.after_marker(&mut marked, value, 0);
            out.push_str(marked.trim_start_matches(' '));
        }
        other => {
            emitter.inline(&mut out, other, 0);
            out.push('\n');
        }
    }
    out
}

/// Appends block-style YAML to a text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Emitter {
    /// Whether mapping keys are sorted.
    pub sorted: bool,
}

impl Emitter {
    /// Appends a list item (`- …`) at an indentation.
    pub fn item(&self, out: &mut String, value: &Value, indent: usize) {
        pad(out, indent);
        out.push('-');
        match value {
            Value::Map(map) if !map.is_empty() => {
                out.push(' ');
                self.map(out, map, indent + 2, true);
            }
            Value::Seq(items) if !items.is_empty() => {
                // A list within a list starts on its parent's line.
                out.push(' ');
                let mut inner = String::new();
                self.seq(&mut inner, items, indent + 2);
                out.push_str(inner.trim_start_matches(' '));
            }
            other => self.after_marker(out, other, indent),
        }
    }

    /// Appends `key: value` at an indentation.
    pub fn entry(&self, out: &mut String, key: &str, value: &Value, indent: usize) {
        pad(out, indent);
        self.bare_entry(out, key, value, indent);
    }

    fn bare_entry(&self, out: &mut String, key: &str, value: &Value, indent: usize) {
        out.push_str(&scalar_text(key));
        out.push(':');
        match value {
            Value::Map(map) if !map.is_empty() => {
                out.push('\n');
                self.map(out, map, indent + 2, false);
            }
            // Lists stand at their key's own indentation, as PyYAML has them.
            Value::Seq(items) if !items.is_empty() => {
                out.push('\n');
                self.seq(out, items, indent);
            }
            other => self.after_marker(out, other, indent),
        }
    }

    fn map(&self, out: &mut String, map: &Map, indent: usize, mut first_inline: bool) {
        let mut entries: Vec<(&String, &Value)> = map.iter().collect();
        if self.sorted {
            entries.sort_by_key(|(key, _)| *key);
        }
        for (key, value) in entries {
            if !std::mem::take(&mut first_inline) {
                pad(out, indent);
            }
            self.bare_entry(out, key, value, indent);
        }
    }

    fn seq(&self, out: &mut String, items: &[Value], indent: usize) {
        for item in items {
            self.item(out, item, indent);
        }
    }

    /// What follows `key:` or `-` when it is no plain collection.
    fn after_marker(&self, out: &mut String, value: &Value, indent: usize) {
        out.push(' ');
        match value {
            Value::Tagged(tagged) => {
                push_tag(out, &tagged.tag);
                match &tagged.value {
                    Value::Map(map) if !map.is_empty() => {
                        out.push('\n');
                        self.map(out, map, indent + 2, false);
                    }
                    Value::Seq(items) if !items.is_empty() => {
                        out.push('\n');
                        self.seq(out, items, indent + 2);
                    }
                    Value::Str(text) => {
                        // The tag decides the type, quotes only guard the syntax.
                        out.push(' ');
                        out.push_str(&tagged_text(text));
                        out.push('\n');
                    }
                    other => {
                        out.push(' ');
                        self.inline(out, other, indent);
                        out.push('\n');
                    }
                }
            }
            other => {
                self.inline(out, other, indent);
                out.push('\n');
            }
        }
    }

    /// A scalar or an empty collection, on the line where we are.
    fn inline(&self, out: &mut String, value: &Value, indent: usize) {
        match value {
            Value::Null => out.push_str("null"),
            Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Value::Int(number) => {
                let _ = write!(out, "{number}");
            }
            Value::Float(number) => out.push_str(&float_text(*number)),
            Value::Str(text) => out.push_str(&scalar_text(text)),
            Value::Timestamp(text) => out.push_str(text),
            Value::Bytes(bytes) => {
                out.push_str("!!binary |");
                let text = base64::engine::general_purpose::STANDARD.encode(bytes);
                for line in text.as_bytes().chunks(76) {
                    out.push('\n');
                    pad(out, indent + 2);
                    out.extend(line.iter().map(|byte| char::from(*byte)));
                }
            }
            Value::Seq(_) => out.push_str("[]"),
            Value::Map(_) => out.push_str("{}"),
            Value::Tagged(tagged) => {
                push_tag(out, &tagged.tag);
                out.push(' ');
                self.inline(out, &tagged.value, indent);
            }
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn push_tag(out: &mut String, tag: &str) {
    if tag.starts_with('!') {
        out.push_str(tag);
    } else {
        let _ = write!(out, "!<{tag}>");
    }
}

fn float_text(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = float_repr(number);
    match text.split_once('e') {
        // YAML 1.1 floats need a point before the exponent.
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => text,
    }
}

/// The text of a string scalar, quoted when it would otherwise be read as something else.
pub fn scalar_text(text: &str) -> String {
    if is_plain_string(text) && is_plain_syntax(text) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn tagged_text(text: &str) -> String {
    if !text.is_empty() && is_plain_syntax(text) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn is_plain_syntax(text: &str) -> bool {
    let mut chars = text.chars();
    let (Some(first), second) = (chars.next(), chars.next()) else {
        return false;
    };
    let starts_badly = match first {
        '-' | '?' | ':' => second.is_none_or(char::is_whitespace),
        ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
        | '@' | '`' | ' ' => true,
        _ => false,
    };
    !starts_badly
        && !text.starts_with("---")
        && !text.starts_with("...")
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text
            .chars()
            .all(|c| c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && printable(c)))
}

fn printable(c: char) -> bool {
    c.is_alphanumeric() && c != '\u{feff}'
}

fn quoted(text: &str) -> String {
    if text
        .chars()
        .all(|c| c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && printable(c)))
    {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c == ' ' || c.is_ascii_graphic() => out.push(c),
            c if (c as u32) <= 0xff => {
                let _ = write!(out, "\\x{:02X}", c as u32);
            }
            c if (c as u32) <= 0xffff => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => {
                let _ = write!(out, "\\U{:08X}", c as u32);
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Tagged, parse};
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let strings = [
            "x: y",
            "yes",
            "1e5",
            "0777",
            "12:30",
            "2020-01-01",
            "- a",
            "#x",
            "a #b",
            "it's",
            "tab\tx",
            "nl\nx",
            "",
            " lead",
            "trail ",
            "<b>",
            "%x",
            "@x",
            "`x",
            "!x",
            "&x",
            "*x",
            "?x",
            "? x",
            "a,b",
            "[x",
            "x]",
            "x:",
            "=",
            "<<",
            "~",
            "é",
            "x\\y",
            "\"q\"",
            "multi\n\n",
            "-",
            ".",
            "...",
            "---",
            "null",
            "1.5",
            "\u{2028}",
            "\u{7}",
            "😀",
            ": x",
            "-x",
            ":x",
            "sqlite:///<butlerRoot>/gen3.sqlite3",
            "a: b # c",
        ];
        let value = Value::Map(Map::from_iter([
            (
                "strings".to_owned(),
                Value::Seq(strings.iter().map(|s| Value::from(*s)).collect()),
            ),
            (
                "no".to_owned(),
                Value::Seq(vec![Value::Null, true.into(), 1.5.into(), 1e20.into()]),
            ),
            (
                "nested".to_owned(),
                Value::Seq(vec![
                    Value::Seq(vec![1i64.into(), Value::Seq(vec![2i64.into()])]),
                    Value::Map(Map::from_iter([
                        ("k".to_owned(), Value::Seq(vec![3i64.into()])),
                        ("e".to_owned(), Value::Map(Map::new())),
                    ])),
                ]),
            ),
            ("bytes".to_owned(), Value::Bytes((0..100).collect())),
            (
                "tag".to_owned(),
                Value::Seq(vec![Value::Tagged(Box::new(Tagged {
                    tag: "lsst.sphgeom.Circle".into(),
                    value: Value::Map(Map::from_iter([("encoded".to_owned(), "63ab".into())])),
                }))]),
            ),
        ]));
        for text in [to_string(&value), to_string_sorted(&value)] {
            assert_eq!(
                parse(&text).unwrap().to_json(),
                value.to_json(),
                "written as:\n{text}"
            );
        }
        assert_eq!(parse(&to_string(&value)).unwrap(), value);
    }

    #[test]
    fn sorted_output_looks_like_the_reference() {
        let value = parse("datastore: {root: x, cls: y, l: [1, {b: 2, a: 1}]}\nb: {}\n").unwrap();
        assert_eq!(
            to_string_sorted(&value),
            "b: {}\ndatastore:\n  cls: y\n  l:\n  - 1\n  - a: 1\n    b: 2\n  root: x\n"
        );
    }
}
