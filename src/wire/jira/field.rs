//! Values as the fields of a Jira take them, and as a desk reads them.

use serde_json::{Value, json};

use super::text::{rich, summary};
use crate::{domain::Property, wire::adf};

/// A custom field as a Jira describes it (`GET field`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// `customfield_10010`
    pub id: String,
    /// Its name.
    pub name: String,
    /// `string number option array date datetime user …`
    pub kind: String,
    /// What an array holds.
    pub items: String,
    /// It takes rich text on Cloud.
    pub is_long: bool,
}

/// Whether what a Jira shows is what it was told, in its own form: a summary cut short, a number where a text was.
pub fn is_as_told(property: &Property, told: &Value, shown: &Value) -> bool {
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.trim().parse::<f64>().ok());
    match property {
        Property::Subject => told.as_str().is_some_and(|told| Some(summary(told).as_str()) == shown.as_str()),
        Property::Field(_) if shown.is_number() => {
            number(told).is_some_and(|told| Some(told) == number(shown))
        }
        _ => told == shown,
    }
}

/// A Jira's name for a priority of help desks.
pub fn priority(word: &str) -> &str {
    match word {
        "low" => "Low",
        "normal" => "Medium",
        "high" => "High",
        "urgent" => "Highest",
        other => other,
    }
}

/// A desk's word for a priority of Jira.
pub fn priority_here(name: &str) -> String {
    match name.to_lowercase().as_str() {
        "lowest" | "low" => "low".to_owned(),
        "medium" => "normal".to_owned(),
        "high" => "high".to_owned(),
        "highest" => "urgent".to_owned(),
        other => other.to_owned(),
    }
}

/// A value as a custom field of a Jira takes it.
///
/// # Errors
/// Why the field takes no such value.
pub fn value(field: &Field, value: &Value, cloud: bool) -> Result<Value, String> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => if *flag { "Yes" } else { "No" }.to_owned(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let list =
        || -> Vec<Value> { value.as_array().cloned().unwrap_or_else(|| vec![Value::from(text.clone())]) };
    match (field.kind.as_str(), value) {
        ("string", Value::Array(_) | Value::Object(_)) => Err(format!("{} takes one text", field.name)),
        ("string", _) if field.is_long => Ok(rich(&text, cloud)),
        ("string" | "date" | "datetime", _) => Ok(Value::from(text)),
        ("number", Value::Number(_)) => Ok(value.clone()),
        ("number", _) => text
            .trim()
            .parse::<serde_json::Number>()
            .map(Value::Number)
            .map_err(|_| format!("{} takes a number, not \"{text}\"", field.name)),
        ("option", Value::Array(_) | Value::Object(_)) => Err(format!("{} takes one option", field.name)),
        ("option", _) => Ok(json!({"value": text})),
        ("array", _) if field.items == "option" => {
            Ok(list().into_iter().map(|item| json!({"value": item})).collect())
        }
        ("array", _) if field.items == "string" => Ok(Value::Array(list())),
        (kind, _) => Err(format!("{} is of type {kind}, which nothing is set in", field.name)),
    }
}

/// A custom field's value as a desk reads it.
pub fn value_here(value: &Value) -> Value {
    match value {
        Value::Object(object) if object.get("type").and_then(Value::as_str) == Some("doc") => {
            Value::from(adf::to_text(value))
        }
        Value::Object(object) => {
            let name = ["value", "name", "displayName"].into_iter().find_map(|key| object.get(key));
            name.cloned().unwrap_or_else(|| value.clone())
        }
        Value::Array(items) => items.iter().map(value_here).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: &str, items: &str) -> Field {
        let name = "Camera model".to_owned();
        Field {
            id: "customfield_1".to_owned(),
            name,
            kind: kind.to_owned(),
            items: items.to_owned(),
            is_long: false,
        }
    }

    #[test]
    fn values_take_the_form_of_their_field() {
        for (kind, items, given, becomes) in [
            ("string", "", json!("X100"), Some(json!("X100"))),
            ("string", "", json!(7), Some(json!("7"))),
            ("number", "", json!("7"), Some(json!(7))),
            ("number", "", json!("seven"), None),
            ("option", "", json!("X100"), Some(json!({"value": "X100"}))),
            ("option", "", json!(["X100"]), None),
            ("array", "option", json!(["a", "b"]), Some(json!([{"value": "a"}, {"value": "b"}]))),
            ("array", "string", json!("a"), Some(json!(["a"]))),
            ("user", "", json!("joe"), None),
            ("option", "", Value::Null, Some(Value::Null)),
        ] {
            assert_eq!(value(&field(kind, items), &given, true).ok(), becomes, "{kind} {given}");
        }
    }

    #[test]
    fn what_jira_shows_in_its_own_form_is_what_it_was_told() {
        let serial = Property::Field(crate::domain::Title::new("Serial"));
        let long = "x".repeat(300);
        for (property, told, shown, same) in [
            (&Property::Subject, json!("Lens \n stuck"), json!("Lens stuck"), true),
            (&Property::Subject, json!(long), json!("x".repeat(255)), true),
            (&Property::Subject, json!("Lens"), json!("Lens stuck"), false),
            (&serial, json!("7"), json!(7.0), true),
            (&serial, json!(7), json!(7.0), true),
            (&serial, json!("7"), json!(8.0), false),
            (&serial, json!("a"), json!("b"), false),
        ] {
            assert_eq!(is_as_told(property, &told, &shown), same, "{told} {shown}");
        }
    }
}
