//! Text to [`Value`], whole or a piece at a time.

use std::collections::HashMap;

use base64::Engine as _;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, StrInput, Tag};

use super::resolve::{float, integer, resolve_plain};
use super::{Map, Tagged, Value};

/// How deeply nodes may nest.
const MAX_DEPTH: usize = 200;
/// How many nodes aliases may copy in one document, against documents that expand without end.
const MAX_ALIASED_NODES: usize = 5_000_000;
/// The prefix of the tags that YAML itself defines.
const CORE: &str = "tag:yaml.org,2002:";

/// Why a text is not acceptable YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct YamlError {
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

type Result<T> = std::result::Result<T, YamlError>;

/// Reads a text that holds one document; an empty text is null.
///
/// # Errors
/// The text is not YAML, holds several documents, or holds an integer beyond 64 bits.
pub fn parse(text: &str) -> Result<Value> {
    let mut reader = EventReader::new(text);
    if !reader.start_document()? {
        return Ok(Value::Null);
    }
    let value = reader.read_value()?;
    reader.end_document()?;
    Ok(value)
}

/// Reads a document piece by piece, so that a large one never is in memory as a whole tree.
pub struct EventReader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Value>,
    aliased_nodes: usize,
    last: Marker,
}

impl<'a> EventReader<'a> {
    /// A reader at the start of a text.
    pub fn new(text: &'a str) -> Self {
        // A byte order mark is not part of the document.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            parser: Parser::new_from_str(text),
            anchors: HashMap::new(),
            aliased_nodes: 0,
            last: Marker::default(),
        }
    }

    /// Moves to the first node of the document; false if the text holds none.
    ///
    /// # Errors
    /// The text is not YAML.
    pub fn start_document(&mut self) -> Result<bool> {
        loop {
            match self.next()? {
                Event::StreamStart | Event::Nothing => {}
                Event::DocumentStart(_) => return Ok(true),
                Event::StreamEnd => return Ok(false),
                _ => return Err(self.fault("expected the start of a document")),
            }
        }
    }

    /// Checks that nothing but comments follows the node that was read.
    ///
    /// # Errors
    /// There is more text, or it is not YAML.
    pub fn end_document(&mut self) -> Result<()> {
        match self.next()? {
            Event::DocumentEnd => {}
            _ => return Err(self.fault("expected the end of the document")),
        }
        match self.next()? {
            Event::StreamEnd => Ok(()),
            _ => Err(self.fault("expected a single document, but another one follows")),
        }
    }

    /// Enters a mapping whose entries are then read with [`EventReader::next_key`].
    ///
    /// # Errors
    /// The next node is no mapping.
    pub fn start_mapping(&mut self) -> Result<()> {
        match self.next()? {
            Event::MappingStart(..) => Ok(()),
            _ => Err(self.fault("expected a mapping")),
        }
    }

    /// The next key of the mapping that was entered, or none at its end. Its value is the next
    /// node.
    ///
    /// # Errors
    /// The text is not YAML, or the key is a collection.
    pub fn next_key(&mut self) -> Result<Option<String>> {
        match self.next()? {
            Event::MappingEnd => Ok(None),
            event => self.key(event).map(Some),
        }
    }

    /// Enters a sequence whose items are then asked for with [`EventReader::has_item`]; false if
    /// the node is null instead.
    ///
    /// # Errors
    /// The next node is neither a sequence nor null.
    pub fn start_sequence(&mut self) -> Result<bool> {
        match self.next()? {
            Event::SequenceStart(..) => Ok(true),
            Event::Scalar(text, ScalarStyle::Plain, _, None)
                if matches!(resolve_plain(&text), Ok(Value::Null)) =>
            {
                Ok(false)
            }
            _ => Err(self.fault("expected a list")),
        }
    }

    /// Whether another item follows in the sequence that was entered; its end is consumed.
    ///
    /// # Errors
    /// The text is not YAML.
    pub fn has_item(&mut self) -> Result<bool> {
        if matches!(self.peek()?, Event::SequenceEnd) {
            self.next()?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Reads the next node whole.
    ///
    /// # Errors
    /// The text is not YAML, nests too deeply, or holds an integer beyond 64 bits.
    pub fn read_value(&mut self) -> Result<Value> {
        let event = self.next()?;
        self.node(event, 0)
    }

    /// An error at the place that was read last.
    pub fn fault(&self, message: impl Into<String>) -> YamlError {
        YamlError {
            line: self.last.line(),
            column: self.last.col() + 1,
            message: message.into(),
        }
    }

    fn next(&mut self) -> Result<Event<'a>> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.last = span.start;
                Ok(event)
            }
            Some(Err(error)) => Err(scan_error(&error)),
            None => Ok(Event::StreamEnd),
        }
    }

    fn peek(&mut self) -> Result<&Event<'a>> {
        match self.parser.peek() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(scan_error(&error)),
            None => Ok(&Event::StreamEnd),
        }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Value> {
        if depth > MAX_DEPTH {
            return Err(self.fault(format!("nested more than {MAX_DEPTH} levels deep")));
        }
        let (anchor, value) = match event {
            Event::Alias(id) => return self.alias(id),
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, self.scalar(&text, style, tag.as_deref())?)
            }
            Event::SequenceStart(anchor, tag) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        item => items.push(self.node(item, depth + 1)?),
                    }
                }
                (anchor, tagged(tag.as_deref(), Value::Seq(items)))
            }
            Event::MappingStart(anchor, tag) => {
                let map = self.mapping(depth)?;
                (anchor, tagged(tag.as_deref(), Value::Map(map)))
            }
            _ => return Err(self.fault("expected a value")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    /// Reads a mapping up to its end and merges what `<<` keys bring in below its own keys.
    fn mapping(&mut self, depth: usize) -> Result<Map> {
        let mut map = Map::new();
        let mut merged: Vec<Map> = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let is_merge = matches!(
                &event,
                Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<"
            );
            let key = self.key(event)?;
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            if !is_merge {
                map.insert(key, value);
                continue;
            }
            match value {
                Value::Map(other) => merged.push(other),
                Value::Seq(items) => {
                    for item in items {
                        match item {
                            Value::Map(other) => merged.push(other),
                            _ => return Err(self.fault("only mappings can be merged with `<<`")),
                        }
                    }
                }
                _ => return Err(self.fault("only mappings can be merged with `<<`")),
            }
        }
        if merged.is_empty() {
            return Ok(map);
        }
        // Earlier merges win over later ones, own keys win over all.
        let mut result = Map::new();
        for other in merged.into_iter().rev() {
            result.extend(other);
        }
        result.extend(map);
        Ok(result)
    }

    fn key(&mut self, event: Event<'a>) -> Result<String> {
        match event {
            Event::Scalar(text, ..) => Ok(text.into_owned()),
            Event::Alias(id) => match self.alias(id)? {
                Value::Str(text) => Ok(text),
                _ => Err(self.fault("a mapping key must be a scalar")),
            },
            _ => Err(self.fault("a mapping key must be a scalar")),
        }
    }

    fn alias(&mut self, id: usize) -> Result<Value> {
        let Some(value) = self.anchors.get(&id).cloned() else {
            return Err(self.fault("an alias refers to a node that is not complete"));
        };
        self.aliased_nodes += count(&value);
        if self.aliased_nodes > MAX_ALIASED_NODES {
            return Err(self.fault("aliases expand to too many nodes"));
        }
        Ok(value)
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value> {
        let Some(tag) = tag.map(full_tag) else {
            if style != ScalarStyle::Plain {
                return Ok(Value::Str(text.to_owned()));
            }
            return resolve_plain(text)
                .map_err(|number| self.fault(format!("{number} does not fit 64 bits")));
        };
        let Some(core) = tag.strip_prefix(CORE) else {
            if tag == "!" {
                return Ok(Value::Str(text.to_owned()));
            }
            return Ok(Value::Tagged(Box::new(Tagged {
                tag,
                value: Value::Str(text.to_owned()),
            })));
        };
        let wrong = || self.fault(format!("{text:?} is not a valid !!{core}"));
        match core {
            "str" => Ok(Value::Str(text.to_owned())),
            "null" => Ok(Value::Null),
            "bool" => match resolve_plain(text) {
                Ok(Value::Bool(flag)) => Ok(Value::Bool(flag)),
                _ => Err(wrong()),
            },
            "int" => integer(text).map(Value::Int).ok_or_else(wrong),
            "float" => Ok(Value::Float(float(text))),
            "timestamp" => Ok(Value::Timestamp(text.to_owned())),
            "binary" => {
                let clean: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
                base64::engine::general_purpose::STANDARD
                    .decode(clean)
                    .map(Value::Bytes)
                    .map_err(|_| wrong())
            }
            _ => Ok(Value::Tagged(Box::new(Tagged {
                tag,
                value: Value::Str(text.to_owned()),
            }))),
        }
    }
}

impl std::fmt::Debug for EventReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventReader")
            .field("line", &self.last.line())
            .finish_non_exhaustive()
    }
}

fn full_tag(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

fn tagged(tag: Option<&Tag>, value: Value) -> Value {
    match tag.map(full_tag) {
        Some(tag) if tag != "!" && !tag.starts_with(CORE) => {
            Value::Tagged(Box::new(Tagged { tag, value }))
        }
        _ => value,
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Seq(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Map(map) => 1 + map.values().map(count).sum::<usize>(),
        Value::Tagged(tagged) => count(&tagged.value),
        _ => 1,
    }
}

fn scan_error(error: &saphyr_parser::ScanError) -> YamlError {
    YamlError {
        line: error.marker().line(),
        column: error.marker().col() + 1,
        message: error.info().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn application_tags_are_kept() {
        let value = parse(concat!(
            "a: !include b.yaml\n",
            "u: !uuid e15ab039-bc8b-4135-87c5-90902a7c0b22\n",
            "t: !butler_time/tai/iso '2013-06-17 00:00:00.000000000'\n",
            "r: !<lsst.sphgeom.ConvexPolygon>\n  encoded: 70cb\n",
            "h: !!binary |\n  Kt7s\n",
        ))
        .unwrap();
        let tag = |key: &str| match value.get(key) {
            Some(Value::Tagged(tagged)) => tagged.tag.clone(),
            other => panic!("{key}: {other:?}"),
        };
        assert_eq!(tag("a"), "!include");
        assert_eq!(tag("u"), "!uuid");
        assert_eq!(tag("t"), "!butler_time/tai/iso");
        assert_eq!(tag("r"), "lsst.sphgeom.ConvexPolygon");
        assert_eq!(value.get("h"), Some(&Value::Bytes(vec![0x2a, 0xde, 0xec])));
    }

    #[test]
    fn merge_keys_fill_what_a_mapping_lacks() {
        let value = parse("base: &b {x: 1, y: 2}\nd:\n  <<: *b\n  y: 3\n").unwrap();
        assert_eq!(
            value.get("d").unwrap().to_json(),
            serde_json::json!({"x": 1, "y": 3})
        );
    }

    #[test]
    fn faults_carry_their_place() {
        let error = parse("a: 1\nb: [1, 2\n").unwrap_err();
        assert!(error.line >= 2, "{error}");
        assert!(parse("a: 1\n---\nb: 2\n").is_err());
    }

    #[test]
    fn aliases_cannot_expand_without_end() {
        let mut text = String::from("a: &a [x,x,x,x,x,x,x,x,x,x]\n");
        let mut last = 'a';
        for next in 'b'..='j' {
            text.push_str(&format!(
                "{next}: &{next} [{}]\n",
                vec![format!("*{last}"); 10].join(",")
            ));
            last = next;
        }
        assert!(parse(&text).unwrap_err().message.contains("too many"));
    }

    #[test]
    fn empty_text_is_null() {
        assert_eq!(parse("# nothing\n").unwrap(), Value::Null);
    }
}
