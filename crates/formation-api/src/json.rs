//! JSON bodies: one well-formed document, and no key twice.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::problem::ApiError;

/// The document in `body`.
pub(crate) fn read(body: &[u8]) -> Result<Value, ApiError> {
    parse(body).map_err(|error| ApiError::MalformedJson(position(&error)))
}

fn parse(body: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = Unambiguous.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// One spelling of a document, whatever the order of its keys and the white space were.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let sorted: BTreeMap<_, _> = object.iter().collect();
            let fields = sorted
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(array) => {
            format!("[{}]", array.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

const TWICE: &str = "a key stands twice in one object";

/// Where the body ceases to be JSON, and nothing of what stands there.
fn position(error: &serde_json::Error) -> String {
    let what = if error.is_eof() {
        "it ends early"
    } else if error.is_data() {
        TWICE
    } else {
        "it has a syntax error, or is nested too deeply,"
    };
    format!("{what} at line {}, column {}", error.line(), error.column())
}

/// Reads any JSON value, and refuses an object with a key twice: parsers disagree about which of
/// the two counts (RFC 8259, section 4), so that what was checked elsewhere may not be what acts.
struct Unambiguous;

impl<'de> DeserializeSeed<'de> for Unambiguous {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = fields.next_key::<Key>()? {
            let value = fields.next_value_seed(Self)?;
            if object.insert(key.0, value).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        Ok(object.into())
    }
}

#[derive(Deserialize)]
struct Key(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &[u8]) -> String {
        match read(body) {
            Err(ApiError::MalformedJson(detail)) => detail,
            _ => panic!("accepted: {}", String::from_utf8_lossy(body)),
        }
    }

    #[test]
    fn every_json_value_is_read_as_serde_json_reads_it() {
        let text = r#"{"a": [1, -2, 3.5, "x\u00e4", null, true], "b": {"a": {}}, "": 18446744073709551615}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(read(text.as_bytes()).unwrap_or_default(), expected);
    }

    #[test]
    fn what_is_not_one_unambiguous_document_is_refused_with_its_place() {
        assert!(refused(b"").contains("ends early at line 1"));
        assert!(refused(b"{\"a\": 1").contains("ends early"));
        assert!(refused(b"{\"a\": 1} {}").contains("syntax error"));
        assert!(refused(b"{\"a\": \"\xff\"}").contains("line 1"));
        assert!(refused(&b"[".repeat(1000)).contains("nested too deeply"));
        let twice = refused(b"{\n\"a\": {\"b\": 1, \"b\": \"s3cr3t\"}}");
        assert!(twice.contains("twice") && twice.contains("line 2"), "{twice}");
        assert!(!twice.contains("s3cr3t"), "{twice}");
    }

    #[test]
    fn two_spellings_of_one_document_are_one() {
        let read = |text: &str| canonical(&serde_json::from_str(text).unwrap());
        let one = read(r#"{"b": [1, {"d": "x", "c": null}], "a": "\u0041"}"#);
        assert_eq!(one, r#"{"a":"A","b":[1,{"c":null,"d":"x"}]}"#);
        assert_eq!(one, read(r#"{"a":"A","b":[1,{"c":null,"d":"x"}]}"#));
        assert_ne!(one, read(r#"{"a":"A","b":[{"c":null,"d":"x"},1]}"#));
    }
}
