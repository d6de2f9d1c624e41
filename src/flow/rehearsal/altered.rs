//! Two lists of messages held against each other: what would be sent, what was, and where they differ.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::{Channel, Message};

/// A message that would be another.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Altered {
    /// The agreement's name; the desk, where it is a command.
    pub to: String,
    /// What it is.
    pub kind: &'static str,
    /// How it would be another.
    pub how: How,
    /// Path in the body: before, after; null where it is not there.
    pub parts: BTreeMap<String, (Value, Value)>,
}

/// How a message would be another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It would be sent, and was not.
    Added,
    /// It was sent, and would not be.
    Gone,
    /// It would say something else.
    Changed,
}

/// What goes to one place in messages of one type.
#[derive(Default)]
struct Pair {
    made: Vec<Value>,
    would: Vec<Value>,
}

/// What a message says, without what only counts messages.
fn says(message: &Message) -> Value {
    let mut body: Value = serde_json::from_str(&message.body).unwrap_or_default();
    if message.kind.channel() == Channel::Command {
        body = body.get_mut("data").map(Value::take).unwrap_or_default();
    } else if let Some(Value::Object(ours)) = body.get_mut("crossdesk") {
        ours.remove("seq");
        ours.remove("seen");
    }
    body
}

/// The messages that differ: those to the same place of the same type are held against each other in their order.
pub(super) fn compare(made: &[(String, Message)], would: &[(String, Message)]) -> Vec<Altered> {
    let mut pairs: BTreeMap<(&str, &'static str), Pair> = BTreeMap::new();
    for (to, message) in made {
        pairs.entry((to, message.kind.as_str())).or_default().made.push(says(message));
    }
    for (to, message) in would {
        pairs.entry((to, message.kind.as_str())).or_default().would.push(says(message));
    }
    let mut altered = Vec::new();
    for ((to, kind), Pair { made, would }) in pairs {
        let (mut made, mut would) = (made.into_iter(), would.into_iter());
        loop {
            let mut parts = BTreeMap::new();
            let how = match (made.next(), would.next()) {
                (None, None) => break,
                (Some(one), Some(other)) if one == other => continue,
                (Some(one), Some(other)) => {
                    differing("", &one, &other, &mut parts);
                    How::Changed
                }
                (one, other) => {
                    let how = if one.is_some() { How::Gone } else { How::Added };
                    let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
                    differing("", &one, &other, &mut parts);
                    how
                }
            };
            altered.push(Altered { to: to.to_owned(), kind, how, parts });
        }
    }
    altered
}

/// Where two bodies differ, by the path of each part.
fn differing(path: &str, one: &Value, other: &Value, parts: &mut BTreeMap<String, (Value, Value)>) {
    if one == other {
        return;
    }
    let empty = serde_json::Map::new();
    let (ours, theirs) = match (one, other) {
        (Value::Object(one), Value::Object(other)) => (one, other),
        (Value::Object(one), Value::Null) => (one, &empty),
        (Value::Null, Value::Object(other)) => (&empty, other),
        _ => {
            parts.insert(path.to_owned(), (one.clone(), other.clone()));
            return;
        }
    };
    for key in ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key))) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let value = |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or_default();
        differing(&path, &value(ours), &value(theirs), parts);
    }
}
