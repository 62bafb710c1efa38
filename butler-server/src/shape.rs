//! What the body of a request must look like, and what is wrong with one that does not.
//!
//! Bodies are read by `serde`. Only when it refuses one is it compared with its shape, to tell the
//! client of every mistake where it is, as the reference (by way of FastAPI and pydantic) does.

mod models;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::error::{ApiError, Complaint};

/// How many mistakes one answer tells of.
const MOST: usize = 100;

/// How large a wrong value may be, as JSON, to be repeated to the client.
const MOST_INPUT: usize = 1000;

/// What a value must be.
#[derive(Debug)]
pub(crate) enum Shape {
    Anything,
    Text,
    Boolean,
    Integer,
    Uuid,
    /// An integer or text, of a data ID.
    Key,
    /// The number of a type of collections.
    CollectionType,
    /// Begin and end, in nanoseconds.
    Timespan,
    /// Null, or something else.
    Optional(&'static Self),
    List(&'static Self),
    /// An object with any members.
    Map(&'static Self),
    Model(&'static [Field]),
}

/// A member of an object.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
}

impl Field {
    pub(crate) const fn required(name: &'static str, shape: Shape) -> Self {
        Self {
            name,
            shape,
            required: true,
        }
    }

    pub(crate) const fn optional(name: &'static str, shape: Shape) -> Self {
        Self {
            name,
            shape,
            required: false,
        }
    }
}

/// A request whose body has a shape.
pub(crate) trait Shaped {
    /// The shape.
    const SHAPE: Shape;
}

/// What is wrong with a body that `serde` refused: its syntax, what differs from the shape, or
/// what `otherwise` says.
pub(crate) fn refusal(
    body: &[u8],
    shape: &Shape,
    otherwise: impl FnOnce() -> ApiError,
) -> ApiError {
    if body.is_empty() {
        return ApiError::malformed("missing", ["body"], "Field required", Value::Null);
    }
    let Ok(text) = std::str::from_utf8(body) else {
        let detail = "There was an error parsing the body: it is not UTF-8";
        return ApiError::refused(http::StatusCode::BAD_REQUEST, detail);
    };
    let value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) if error.to_string().starts_with("recursion limit") => return otherwise(),
        Err(error) => return syntax_error(text, &error),
    };
    let mut complaints = Complaints::default();
    complaints.check(&mut vec![json!("body")], shape, &value);
    match complaints.found.is_empty() {
        true => otherwise(),
        false => ApiError::Malformed(complaints.found),
    }
}

fn syntax_error(text: &str, error: &serde_json::Error) -> ApiError {
    let mut lines = text.split_inclusive('\n');
    let before = lines.by_ref().take(error.line() - 1);
    let before: usize = before.map(|line| line.chars().count()).sum();
    // Columns are bytes and count from 1; what is missing at the end has the last one.
    let column = error.column().saturating_sub(usize::from(!error.is_eof()));
    let within = lines.next().and_then(|line| line.get(..column));
    let offset = before + within.map_or(column, |part| part.chars().count());
    let message = format!("JSON decode error: {error}");
    ApiError::malformed(
        "json_invalid",
        [json!("body"), json!(offset)],
        message,
        json!({}),
    )
}

#[derive(Debug, Default)]
struct Complaints {
    found: Vec<Complaint>,
}

impl Complaints {
    fn add(&mut self, place: &[Value], kind: &'static str, msg: &str, input: &Value) {
        if self.found.len() < MOST {
            self.found.push(Complaint {
                kind,
                loc: place.to_vec(),
                msg: msg.to_owned(),
                input: match input.to_string().len() {
                    0..=MOST_INPUT => input.clone(),
                    _ => Value::Null,
                },
            });
        }
    }

    fn check(&mut self, place: &mut Vec<Value>, shape: &Shape, value: &Value) {
        match (shape, value) {
            (Shape::Anything, _)
            | (Shape::Optional(_), Value::Null)
            | (Shape::Text | Shape::Key, Value::String(_))
            | (Shape::Boolean, Value::Bool(_)) => {}
            (Shape::Optional(shape), _) => self.check(place, shape, value),
            (Shape::Text, _) => self.add(place, "string_type", STRING, value),
            (Shape::Boolean, _) => match value {
                Value::String(_) => self.add(place, "bool_parsing", BOOLEAN_TEXT, value),
                Value::Number(number) if !number.is_f64() => {
                    self.add(place, "bool_parsing", BOOLEAN_TEXT, value);
                }
                _ => self.add(place, "bool_type", BOOLEAN, value),
            },
            (Shape::Integer, _) => self.integer(place, value),
            (Shape::Key, _) => {
                if value.as_i64().is_none() {
                    self.below(place, json!("int"), &Shape::Integer, value);
                    self.below(place, json!("str"), &Shape::Text, value);
                }
            }
            (Shape::Uuid, Value::String(text)) => {
                if let Err(error) = Uuid::try_parse(text) {
                    let message = format!("Input should be a valid UUID, {error}");
                    self.add(place, "uuid_parsing", &message, value);
                }
            }
            (Shape::Uuid, _) => self.add(place, "uuid_type", UUID, value),
            (Shape::CollectionType, _) => {
                if !value
                    .as_i64()
                    .is_some_and(|number| (1..=4).contains(&number))
                {
                    self.add(place, "enum", "Input should be 1, 2, 3 or 4", value);
                }
            }
            (Shape::Timespan, _) => {
                place.push(json!("nsec"));
                self.timespan(place, value);
                place.pop();
            }
            (Shape::List(shape), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.below(place, json!(index), shape, item);
                }
            }
            (Shape::List(_), _) => self.add(place, "list_type", LIST, value),
            (Shape::Map(shape), Value::Object(members)) => {
                for (name, member) in members {
                    self.below(place, json!(name), shape, member);
                }
            }
            (Shape::Map(_), _) => self.add(place, "dict_type", DICTIONARY, value),
            (Shape::Model(fields), Value::Object(members)) => {
                self.model(place, fields, members, value);
            }
            (Shape::Model(_), _) => self.add(place, "model_attributes_type", MODEL, value),
        }
    }

    fn below(&mut self, place: &mut Vec<Value>, step: Value, shape: &Shape, value: &Value) {
        place.push(step);
        self.check(place, shape, value);
        place.pop();
    }

    fn model(
        &mut self,
        place: &mut Vec<Value>,
        fields: &[Field],
        members: &Map<String, Value>,
        value: &Value,
    ) {
        for field in fields {
            match members.get(field.name) {
                Some(member) => self.below(place, json!(field.name), &field.shape, member),
                None if field.required => self.missing(place, json!(field.name), value),
                None => {}
            }
        }
    }

    fn missing(&mut self, place: &mut Vec<Value>, step: Value, value: &Value) {
        place.push(step);
        self.add(place, "missing", "Field required", value);
        place.pop();
    }

    fn integer(&mut self, place: &[Value], value: &Value) {
        match value {
            Value::Number(number) if number.is_i64() => {}
            Value::Number(number) if number.is_f64() => {
                self.add(place, "int_from_float", INTEGER_FRACTION, value);
            }
            Value::Number(_) => self.add(place, "int_parsing_size", INTEGER_SIZE, value),
            Value::String(_) => self.add(place, "int_parsing", INTEGER_TEXT, value),
            _ => self.add(place, "int_type", INTEGER, value),
        }
    }

    fn timespan(&mut self, place: &mut Vec<Value>, value: &Value) {
        let Value::Array(bounds) = value else {
            return self.add(place, "tuple_type", "Input should be a valid tuple", value);
        };
        for index in 0..2 {
            match bounds.get(index) {
                Some(bound) => self.below(place, json!(index), &Shape::Integer, bound),
                None => self.missing(place, json!(index), value),
            }
        }
        if bounds.len() > 2 {
            let message = "Tuple should have at most 2 items after validation";
            self.add(place, "too_long", message, value);
        }
    }
}

const STRING: &str = "Input should be a valid string";
const BOOLEAN: &str = "Input should be a valid boolean";
const BOOLEAN_TEXT: &str = "Input should be a valid boolean, unable to interpret input";
const UUID: &str = "UUID input should be a string, bytes or UUID object";
const LIST: &str = "Input should be a valid list";
const DICTIONARY: &str = "Input should be a valid dictionary";
const MODEL: &str = "Input should be a valid dictionary or object to extract fields from";
const INTEGER: &str = "Input should be a valid integer";
const INTEGER_TEXT: &str = "Input should be a valid integer, unable to parse string as an integer";
const INTEGER_SIZE: &str = "Unable to parse input string as an integer, exceeded maximum size";
const INTEGER_FRACTION: &str =
    "Input should be a valid integer, got a number with a fractional part";

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: Shape = Shape::Model(&[
        Field::required("name", Shape::Text),
        Field::optional("ids", Shape::List(&Shape::Uuid)),
    ]);

    fn refused(body: &[u8]) -> Vec<(String, Value)> {
        match refusal(body, &BODY, || ApiError::not_found("otherwise")) {
            ApiError::Malformed(complaints) => complaints
                .into_iter()
                .map(|complaint| (complaint.kind.to_owned(), json!(complaint.loc)))
                .collect(),
            other => panic!("not malformed: {other:?}"),
        }
    }

    #[test]
    fn every_mistake_is_told_where_it_is() {
        let found = refused(br#"{"ids": ["x", 1]}"#);
        let expected = [
            ("missing", json!(["body", "name"])),
            ("uuid_parsing", json!(["body", "ids", 0])),
            ("uuid_type", json!(["body", "ids", 1])),
        ];
        assert_eq!(found, expected.map(|(kind, loc)| (kind.to_owned(), loc)));
    }

    #[test]
    fn syntax_errors_have_the_place_that_python_gives_them() {
        for (body, offset) in [
            ("{", 1),
            (r#"{"a":1,}"#, 7),
            ("[1,2", 4),
            (r#"{"a":1} x"#, 8),
            ("{\n\"é\": }", 7),
        ] {
            let expected = ("json_invalid".to_owned(), json!(["body", offset]));
            assert_eq!(refused(body.as_bytes()), [expected], "{body}");
        }
    }

    #[test]
    fn what_a_client_sent_is_not_repeated_at_length() {
        let ids = vec!["x"; 10 * MOST];
        let body = json!({ "ids": ids }).to_string();
        let ApiError::Malformed(complaints) = refusal(body.as_bytes(), &BODY, || unreachable!())
        else {
            panic!("not malformed");
        };
        assert_eq!(complaints.len(), MOST);
        assert_eq!(complaints[0].input, Value::Null);
    }
}
