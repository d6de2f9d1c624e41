//! The value of a part of a ticket: nearly always a short text.

use std::{
    borrow::Cow,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer},
};
use smol_str::SmolStr;

/// Any JSON value: partners and desks put anything into a custom field.
pub type Value = serde_json::Value;

/// A text that is nearly always short. One of up to 23 bytes stands in its place itself, a longer one in a piece of memory that all
/// copies share: a busy ticket is looked through with every event.
pub type Word = SmolStr;

/// A value that stands in many places at once: as the desk told it, as it was agreed, as it goes out. Copies cost nothing.
///
/// ```
/// use crossdesk::domain::{Shared, Value};
/// let site = Shared::from("Lyon");
/// assert_eq!(site.as_str(), Some("Lyon"));
/// assert_eq!(*site.json(), Value::from("Lyon"));
/// assert!(Shared::default().is_null());
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Shared(Form);

#[derive(Clone, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Null,
    Text(Word),
    Other(Arc<Value>),
}

impl Hash for Form {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Text(text) => text.hash(state),
            Self::Other(value) => hash(value, state),
        }
    }
}

fn extent(value: &Value) -> (usize, usize) {
    let inner = |(depth, count): (usize, usize), value: &Value| {
        let (below, more) = extent(value);
        (depth.max(below + 1), count + more)
    };
    match value {
        Value::Array(list) => list.iter().fold((1, 1), inner),
        Value::Object(map) => map.values().fold((1, 1), inner),
        _ => (0, 1),
    }
}

fn weight(value: &Value) -> usize {
    let inner = match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(weight).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| 64 + key.len() + weight(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + inner
}

/// By all that two values differ in: serde_json's own hash takes 0 and 0.0 for the same.
fn hash(value: &Value, state: &mut impl Hasher) {
    std::mem::discriminant(value).hash(state);
    match value {
        Value::Null => {}
        Value::Bool(flag) => flag.hash(state),
        Value::Number(number) => {
            (number.is_u64(), number.is_i64()).hash(state);
            number.hash(state);
        }
        Value::String(text) => text.hash(state),
        Value::Array(list) => {
            list.len().hash(state);
            for value in list {
                hash(value, state);
            }
        }
        Value::Object(map) => {
            map.len().hash(state);
            for (key, value) in map {
                key.hash(state);
                hash(value, state);
            }
        }
    }
}

impl Shared {
    /// The text that it is, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Form::Text(text) => Some(text),
            Form::Null | Form::Other(_) => None,
        }
    }

    /// The list that it is, if it is one.
    pub fn as_array(&self) -> Option<&Vec<Value>> {
        match &self.0 {
            Form::Other(value) => value.as_array(),
            Form::Null | Form::Text(_) => None,
        }
    }

    /// Whether it is nothing: an empty field.
    pub fn is_null(&self) -> bool {
        matches!(self.0, Form::Null)
    }

    /// As JSON.
    pub fn json(&self) -> Cow<'_, Value> {
        match &self.0 {
            Form::Null => Cow::Owned(Value::Null),
            Form::Text(text) => Cow::Owned(Value::from(text.as_str())),
            Form::Other(value) => Cow::Borrowed(value),
        }
    }

    /// How deep it is nested, and of how many values it is made.
    ///
    /// ```
    /// use crossdesk::domain::Shared;
    /// assert_eq!(Shared::from("Lyon").extent(), (0, 1));
    /// assert_eq!(Shared::from(serde_json::json!(["a", {"b": [1]}])).extent(), (3, 5));
    /// ```
    pub fn extent(&self) -> (usize, usize) {
        match &self.0 {
            Form::Null | Form::Text(_) => (0, 1),
            Form::Other(value) => extent(value),
        }
    }

    /// About how many bytes it takes beside its place.
    pub fn weight(&self) -> usize {
        match &self.0 {
            Form::Null => 0,
            Form::Text(text) => {
                if text.is_heap_allocated() {
                    text.len()
                } else {
                    0
                }
            }
            Form::Other(value) => weight(value),
        }
    }

    /// Whether it is a copy of this very value, which is no text.
    pub(super) fn is_copy_of(&self, other: &Self) -> bool {
        matches!((&self.0, &other.0), (Form::Other(one), Form::Other(other)) if Arc::ptr_eq(one, other))
    }
}

impl From<Value> for Shared {
    fn from(value: Value) -> Self {
        Self(match value {
            Value::Null => Form::Null,
            Value::String(text) => Form::Text(text.into()),
            other => Form::Other(Arc::new(other)),
        })
    }
}

impl From<Word> for Shared {
    fn from(text: Word) -> Self {
        Self(Form::Text(text))
    }
}

impl From<&str> for Shared {
    fn from(text: &str) -> Self {
        Self(Form::Text(text.into()))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.json().fmt(f)
    }
}

impl schemars::JsonSchema for Shared {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Value::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Value::json_schema(generator)
    }
}

/// As JSON.
impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.json().fmt(f)
    }
}

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Form::Null => serializer.serialize_unit(),
            Form::Text(text) => serializer.serialize_str(text),
            Form::Other(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadShared)
    }
}

/// Reads a text into its place; whatever else there is, as serde_json reads it.
struct ReadShared;

impl<'de> Visitor<'de> for ReadShared {
    type Value = Shared;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Shared, E> {
        Ok(Shared::from(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Shared, E> {
        Ok(Shared::default())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Shared, E> {
        Ok(Value::from(flag).into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Shared, E> {
        Ok(Value::from(number).into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Shared, E> {
        Ok(Value::from(number).into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Shared, E> {
        Ok(Value::from(number).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Shared, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(list)).map(Shared::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Shared, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(map)).map(Shared::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_json_value_is_read_and_written_as_serde_json_does() {
        for text in [
            "null",
            "true",
            "0",
            "-7",
            "18446744073709551615",
            "1e300",
            "0.1",
            r#""""#,
            r#""v""#,
            r#""a text of more than twenty-three bytes""#,
            r#""\u0000 \" é""#,
            "[]",
            r#"["a",null,{"b":[1.5]}]"#,
            "{}",
            r#"{"a":"x","b":{"c":false}}"#,
        ] {
            let json: Value = serde_json::from_str(text).unwrap_or_default();
            let read: Shared = serde_json::from_str(text).unwrap_or_default();
            assert_eq!(read, Shared::from(json.clone()), "{text}");
            assert_eq!(*read.json(), json, "{text}");
            assert_eq!(read.to_string(), json.to_string());
            assert_eq!(serde_json::to_string(&read).ok(), serde_json::to_string(&json).ok());
            assert_eq!(serde_json::from_value::<Shared>(json).ok(), Some(read));
        }
    }
}
