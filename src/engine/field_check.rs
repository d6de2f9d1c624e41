//! Which custom fields will sync under an agreement, judged beforehand from the two sides' catalogues.

use serde::Serialize;

use super::{field::fit, mapping};
use crate::domain::{Agreement, Catalogue, CustomField, FieldType, Property, Reason, Title, Value};

/// How one side's field goes into the other's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "syncs", rename_all = "snake_case")]
pub enum Forecast {
    /// Every value will.
    Yes,
    /// Some values will.
    Partly {
        /// Which.
        detail: String,
    },
    /// None will.
    No {
        /// Why, as a code.
        reason: Reason,
        /// Why, in words.
        detail: String,
    },
    /// The other side's fields are not known.
    Unknown,
}

/// One title, on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct FieldCheck {
    /// The title, as this desk writes it where it has the field.
    pub title: Title,
    /// The type of this desk's field, where it has one.
    pub here: Option<FieldType>,
    /// The type of the partner's, where it is known to have one.
    pub there: Option<FieldType>,
    /// From the partner to this desk.
    pub arriving: Forecast,
    /// From this desk to the partner.
    pub leaving: Forecast,
}

/// Compares the catalogues under an agreement, with what this side has settled about single fields; `there` is `None` where
/// the partner has not told its own.
pub fn compare(here: &Catalogue, there: Option<&Catalogue>, agreement: &Agreement) -> Vec<FieldCheck> {
    let known = |title: &Title| there.map(|there| there.find(title));
    let mut named: Vec<Title> = Vec::new();
    let mut checks: Vec<FieldCheck> = Vec::new();
    for field in here.fields() {
        let rule = agreement.local.field(&field.title);
        let name = rule.and_then(|rule| rule.partner_title.clone()).unwrap_or_else(|| field.title.clone());
        let theirs = known(&name);
        let lacking = || no(Reason::UnknownField, format!("the partner has no field \"{name}\""));
        let settled =
            || no(Reason::NotShared, "this side has settled that it does not cross that way".to_owned());
        let property = Property::Field(field.title.clone());
        let leaves = rule.is_none_or(|rule| rule.direction.leaves());
        let arrives = rule.is_none_or(|rule| rule.direction.arrives() && rule.fixed.is_none());
        let out = |value: &Value| mapping::value_out(&property, value, agreement);
        let back = |value: &Value| mapping::value_in(&field.title, value, agreement);
        checks.push(FieldCheck {
            title: field.title.clone(),
            here: Some(field.kind),
            there: theirs.flatten().map(|theirs| theirs.kind),
            arriving: match theirs {
                _ if !arrives => settled(),
                None => Forecast::Unknown,
                Some(None) => lacking(),
                Some(Some(theirs)) => forecast(theirs, field, &back),
            },
            leaving: match theirs {
                _ if !leaves => settled(),
                None => Forecast::Unknown,
                Some(None) => lacking(),
                Some(Some(theirs)) => forecast(field, theirs, &out),
            },
        });
        named.push(name);
    }
    let of_ours = |title: &Title| {
        let local = &agreement.local;
        named.contains(title)
            || local.priority_field.as_ref() == Some(title)
            || local.reference_field.as_ref() == Some(title)
    };
    for theirs in there.into_iter().flat_map(Catalogue::fields).filter(|theirs| !of_ours(&theirs.title)) {
        let lacking = || no(Reason::UnknownField, "this desk has no such field".to_owned());
        checks.push(FieldCheck {
            title: theirs.title.clone(),
            here: None,
            there: Some(theirs.kind),
            arriving: lacking(),
            leaving: lacking(),
        });
    }
    checks
}

fn no(reason: Reason, detail: String) -> Forecast {
    Forecast::No { reason, detail }
}

/// How the values of one field go into another, each said in the other side's words.
fn forecast(from: &CustomField, to: &CustomField, said: &dyn Fn(&Value) -> Value) -> Forecast {
    let catalogue = Catalogue::new(vec![to.clone()]);
    let samples = samples(from);
    let (mut good, mut bad) = (0, Vec::new());
    let mut reason = Reason::IncompatibleType;
    for sample in &samples {
        match fit(&catalogue, &to.title, &said(sample)) {
            Ok(_) => good += 1,
            Err(unfit) => {
                reason = unfit.reason;
                bad.push(unfit.detail);
            }
        }
    }
    let detail = bad.join("; ");
    match (good, bad.is_empty()) {
        (0, _) if !free(from.kind) => Forecast::No { reason, detail },
        (_, true) if to.kind == FieldType::Regexp && from.kind != FieldType::Regexp => {
            Forecast::Partly { detail: "only values that match the other side's pattern".to_owned() }
        }
        (_, true) => Forecast::Yes,
        _ if free(from.kind) => Forecast::Partly { detail: only(to) },
        _ => Forecast::Partly { detail: format!("some values: {detail}") },
    }
}

/// A field of this type may hold any text.
fn free(kind: FieldType) -> bool {
    matches!(kind, FieldType::Text | FieldType::Textarea | FieldType::Regexp)
}

fn only(to: &CustomField) -> String {
    match to.kind {
        FieldType::Integer => "only texts that are whole numbers".to_owned(),
        FieldType::Decimal => "only texts that are numbers".to_owned(),
        FieldType::Checkbox => "only texts such as yes and no".to_owned(),
        FieldType::Date => "only texts that are days, YYYY-MM-DD".to_owned(),
        _ => format!("only the texts {}", to.options.join(", ")),
    }
}

/// Values that stand for all that a field of this type can hold.
fn samples(field: &CustomField) -> Vec<Value> {
    match field.kind {
        FieldType::Text | FieldType::Textarea | FieldType::Regexp => vec!["any text".into()],
        FieldType::Integer => vec![0.into(), 7.into()],
        FieldType::Decimal => vec![1.into(), 1.5.into()],
        FieldType::Checkbox => vec![true.into(), false.into()],
        FieldType::Date => vec!["2026-01-05".into()],
        FieldType::Dropdown => field.options.iter().map(|option| Value::from(option.as_str())).collect(),
        FieldType::Multiselect => {
            field.options.iter().map(|option| Value::from(vec![option.as_str()])).collect()
        }
    }
}
