//! Whether a partner's value fits a custom field of this desk, decided by the JSON value and the field's type.

use crate::domain::{Catalogue, CustomField, FieldType, Reason, Title, Value};

/// A value that was left out: the code and the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Why, as a code.
    pub reason: Reason,
    /// Why, in words.
    pub detail: String,
}

/// The value as this desk's field takes it. Null clears every field.
///
/// # Errors
/// [`Unfit`] with `unknown_field`, `incompatible_type` or `unknown_option`.
///
/// ```
/// use crossdesk::domain::{Catalogue, CustomField, FieldType, Title};
/// use crossdesk::engine::field::fit;
/// let model = CustomField { title: Title::new("Model"), kind: FieldType::Dropdown, options: vec!["X100".into()] };
/// let catalogue = Catalogue::new(vec![model]);
/// assert_eq!(fit(&catalogue, &Title::new("MODEL"), &"x100".into()).unwrap(), "X100");
/// assert!(fit(&catalogue, &Title::new("Serial"), &"1".into()).is_err());
/// ```
pub fn fit(catalogue: &Catalogue, title: &Title, value: &Value) -> Result<Value, Unfit> {
    let Some(field) = catalogue.find(title) else {
        return Err(Unfit {
            reason: Reason::UnknownField,
            detail: format!("this desk has no custom field titled \"{title}\""),
        });
    };
    if value.is_null() {
        return Ok(Value::Null);
    }
    match field.kind {
        FieldType::Text | FieldType::Textarea | FieldType::Regexp => text(value).map(Value::from),
        FieldType::Integer => integer(value),
        FieldType::Decimal => decimal(value),
        FieldType::Checkbox => checkbox(value),
        FieldType::Date => date(value),
        FieldType::Dropdown => return option(field, value),
        FieldType::Multiselect => return options(field, value),
    }
    .ok_or_else(|| incompatible(field, value))
}

fn incompatible(field: &CustomField, value: &Value) -> Unfit {
    let kind = format!("{:?}", field.kind).to_lowercase();
    Unfit {
        reason: Reason::IncompatibleType,
        detail: format!("{} does not fit a field of type {kind}", brief(value)),
    }
}

fn brief(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(60).chain("…".chars()).collect() }
}

/// A single value as people write it.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(value.clone()),
        Value::Number(number) => {
            let whole = number.as_f64().filter(|n| n.fract() == 0.0)?;
            format!("{whole:.0}").parse::<i64>().ok().map(Value::from)
        }
        Value::String(text) => text.trim().parse::<i64>().ok().map(Value::from),
        _ => None,
    }
}

fn decimal(value: &Value) -> Option<Value> {
    match value {
        Value::Number(_) => Some(value.clone()),
        Value::String(text) => {
            text.trim().parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
        }
        _ => None,
    }
}

fn checkbox(value: &Value) -> Option<Value> {
    let flag = match value {
        Value::Bool(flag) => *flag,
        Value::Number(number) if number.as_i64() == Some(0) => false,
        Value::Number(number) if number.as_i64() == Some(1) => true,
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "1" | "on" => true,
            "false" | "no" | "0" | "off" | "" => false,
            _ => return None,
        },
        _ => return None,
    };
    Some(Value::Bool(flag))
}

fn date(value: &Value) -> Option<Value> {
    let text = value.as_str()?.trim();
    let day: jiff::civil::Date = text.get(..10)?.parse().ok()?;
    let rest = text.get(10..)?;
    (rest.is_empty() || rest.starts_with(['T', ' '])).then(|| Value::from(day.to_string()))
}

fn find_option(field: &CustomField, value: &Value) -> Result<String, Unfit> {
    let Some(text) = text(value) else { return Err(incompatible(field, value)) };
    let folded = text.trim().to_lowercase();
    field.options.iter().find(|option| option.to_lowercase() == folded).cloned().ok_or_else(|| Unfit {
        reason: Reason::UnknownOption,
        detail: format!("{} is none of the field's options", brief(value)),
    })
}

fn option(field: &CustomField, value: &Value) -> Result<Value, Unfit> {
    find_option(field, value).map(Value::from)
}

fn options(field: &CustomField, value: &Value) -> Result<Value, Unfit> {
    match value {
        Value::Array(items) => {
            items.iter().map(|item| option(field, item)).collect::<Result<Vec<_>, _>>().map(Value::from)
        }
        one => option(field, one).map(|option| Value::from(vec![option])),
    }
}
