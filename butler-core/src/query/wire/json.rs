//! Walking through JSON documents of unknown quality.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::query::limits::MAX_JSON_DEPTH;

/// Reads a JSON document that may come from anybody.
///
/// # Errors
/// [`Error::InvalidQuery`] if it is not JSON, if a key appears twice in an object, or if it is
/// nested deeper than [`MAX_JSON_DEPTH`].
pub fn parse_json(text: &str) -> Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // The limit of serde_json is less than queries may need; ours takes its place.
    deserializer.disable_recursion_limit();
    let value = Node { depth: 0 }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| Error::InvalidQuery(format!("invalid JSON: {error}")))
}

/// A part of a document that is being read.
#[derive(Clone, Copy)]
struct Node {
    depth: usize,
}

impl Node {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_JSON_DEPTH {
            return Err(E::custom(format_args!(
                "it is nested deeper than {MAX_JSON_DEPTH} levels"
            )));
        }
        Ok(Self {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(inner)?;
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!(
                    "key {key:?} appears twice in one object"
                )));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// A value in a document, with the way to it.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    value: &'a Value,
    step: Step<'a>,
    parent: Option<&'a At<'a>>,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root(&'static str),
    Key(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    /// A whole document, of which `what` is the name.
    pub(super) fn root(what: &'static str, value: &'a Value) -> Self {
        Self {
            value,
            step: Step::Root(what),
            parent: None,
            depth: 0,
        }
    }

    fn child<'b>(&'b self, step: Step<'b>, value: &'b Value) -> Result<At<'b>>
    where
        'a: 'b,
    {
        let child = At {
            value,
            step,
            parent: Some(self),
            depth: self.depth + 1,
        };
        if child.depth > MAX_JSON_DEPTH {
            return Err(Error::InvalidQuery(format!(
                "invalid query: it is nested deeper than {MAX_JSON_DEPTH} levels"
            )));
        }
        Ok(child)
    }

    /// An [`Error::InvalidQuery`] that says where the fault is.
    pub(super) fn error(&self, message: impl fmt::Display) -> Error {
        Error::InvalidQuery(format!("invalid query at {self}: {message}"))
    }

    fn expected(&self, what: &str) -> Error {
        let found = match self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(text) if text.len() <= 80 => format!("{text:?}"),
            Value::String(_) => "a long text".to_owned(),
            Value::Array(_) => "an array".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        };
        self.error(format_args!("expected {what}, found {found}"))
    }

    pub(super) fn is_null(&self) -> bool {
        self.value.is_null()
    }

    pub(super) fn object(&self) -> Result<&'a Map<String, Value>> {
        self.value
            .as_object()
            .ok_or_else(|| self.expected("an object"))
    }

    /// The value of a key, if it is there.
    pub(super) fn get<'b>(&'b self, key: &'b str) -> Result<Option<At<'b>>>
    where
        'a: 'b,
    {
        let value = self.object()?.get(key);
        value
            .map(|value| self.child(Step::Key(key), value))
            .transpose()
    }

    /// The value of a key, if it is there and not null.
    pub(super) fn get_some<'b>(&'b self, key: &'b str) -> Result<Option<At<'b>>>
    where
        'a: 'b,
    {
        Ok(self.get(key)?.filter(|at| !at.is_null()))
    }

    /// The value of a key that must be there.
    pub(super) fn field<'b>(&'b self, key: &'b str) -> Result<At<'b>>
    where
        'a: 'b,
    {
        self.get(key)?
            .ok_or_else(|| self.error(format_args!("'{key}' is missing")))
    }

    /// Reads all items of an array.
    pub(super) fn each<T>(&self, mut read: impl FnMut(At<'_>) -> Result<T>) -> Result<Vec<T>> {
        let items = self
            .value
            .as_array()
            .ok_or_else(|| self.expected("an array"))?;
        let items = items.iter().enumerate();
        items
            .map(|(index, item)| read(self.child(Step::Index(index), item)?))
            .collect()
    }

    /// Reads all entries of an object.
    pub(super) fn each_entry<T>(
        &self,
        mut read: impl FnMut(&str, At<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let entries = self.object()?.iter();
        entries
            .map(|(key, value)| read(key, self.child(Step::Key(key), value)?))
            .collect()
    }

    pub(super) fn str(&self) -> Result<&'a str> {
        self.value.as_str().ok_or_else(|| self.expected("text"))
    }

    pub(super) fn bool(&self) -> Result<bool> {
        self.value
            .as_bool()
            .ok_or_else(|| self.expected("true or false"))
    }

    /// An integer of 64 bits with sign.
    pub(super) fn int(&self) -> Result<i64> {
        /// Up to here all integers are floats.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let Value::Number(number) = self.value else {
            return Err(self.expected("an integer"));
        };
        if let Some(value) = number.as_i64() {
            return Ok(value);
        }
        match number.as_f64() {
            #[allow(clippy::cast_possible_truncation)]
            Some(value) if value.fract() == 0.0 && value.abs() <= EXACT => Ok(value as i64),
            Some(value) if value.fract() == 0.0 => Err(self.error(format_args!(
                "integer {number} is out of range: it must be between {} and {}",
                i64::MIN,
                i64::MAX
            ))),
            _ => Err(self.expected("an integer")),
        }
    }

    /// A finite number.
    pub(super) fn float(&self) -> Result<f64> {
        let value = self.value.as_f64().filter(|value| value.is_finite());
        value.ok_or_else(|| self.expected("a number"))
    }

    pub(super) fn uuid(&self) -> Result<Uuid> {
        Uuid::parse_str(self.str()?).map_err(|error| self.error(format_args!("no UUID: {error}")))
    }

    /// One of several names.
    pub(super) fn one_of<T>(
        &self,
        known: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> &'static str,
    ) -> Result<T> {
        let mut names = Vec::new();
        let text = self.value.as_str();
        for item in known {
            if text == Some(name(&item)) {
                return Ok(item);
            }
            names.push(name(&item));
        }
        Err(self.expected(&format!("one of '{}'", names.join("', '"))))
    }

    pub(super) fn value(&self) -> &'a Value {
        self.value
    }
}

impl fmt::Display for At<'_> {
    /// The way from the root: `predicate.operands[0][1].a`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Long ways are shortened: somebody has to read this.
        const SHOWN: usize = 24;
        let mut steps = Vec::new();
        let mut next = Some(self);
        while let Some(at) = next {
            steps.push(at.step);
            next = at.parent;
        }
        let hidden = steps.len().saturating_sub(SHOWN);
        for (index, step) in steps.iter().rev().enumerate() {
            match step {
                Step::Root(what) => f.write_str(what)?,
                _ if (2..2 + hidden).contains(&index) => {
                    if index == 2 {
                        f.write_str("…")?;
                    }
                }
                Step::Key(key) if key.len() > 80 => f.write_str(".(a long key)")?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
