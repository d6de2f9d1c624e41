//! Which custom fields will sync under an agreement, judged beforehand from the two sides' catalogues.

use serde::Serialize;

use super::field::fit;
use crate::domain::{Catalogue, CustomField, FieldType, Reason, Title, Value};

/// How one side's field goes into the other's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// Compares the catalogues; `there` is `None` where the partner has not told its own.
///
/// ```
/// use crossdesk::domain::{Catalogue, CustomField, FieldType, Title};
/// use crossdesk::engine::field_check::{Forecast, compare};
/// let field = |title, kind| CustomField { title: Title::new(title), kind, options: vec![] };
/// let here = Catalogue::new(vec![field("Serial", FieldType::Integer)]);
/// let there = Catalogue::new(vec![field("SERIAL", FieldType::Date), field("Model", FieldType::Text)]);
/// let checks = compare(&here, Some(&there));
/// assert!(matches!(checks[0].arriving, Forecast::No { .. }), "a date is no whole number");
/// assert_eq!(checks[1].here, None, "this desk lacks Model");
/// ```
pub fn compare(here: &Catalogue, there: Option<&Catalogue>) -> Vec<FieldCheck> {
    let ours = here.fields().iter().map(|field| {
        let theirs = there.map(|there| there.find(&field.title));
        FieldCheck {
            title: field.title.clone(),
            here: Some(field.kind),
            there: theirs.flatten().map(|theirs| theirs.kind),
            arriving: theirs.map_or(Forecast::Unknown, |theirs| match theirs {
                Some(theirs) => forecast(theirs, field),
                None => Forecast::No {
                    reason: Reason::UnknownField,
                    detail: "the partner has no such field".to_owned(),
                },
            }),
            leaving: theirs.map_or(Forecast::Unknown, |theirs| match theirs {
                Some(theirs) => forecast(field, theirs),
                None => Forecast::No {
                    reason: Reason::UnknownField,
                    detail: "the partner has no such field".to_owned(),
                },
            }),
        }
    });
    let lacking =
        there.into_iter().flat_map(Catalogue::fields).filter(|theirs| here.find(&theirs.title).is_none());
    let lacking = lacking.map(|theirs| {
        let no = || Forecast::No {
            reason: Reason::UnknownField,
            detail: "this desk has no such field".to_owned(),
        };
        FieldCheck {
            title: theirs.title.clone(),
            here: None,
            there: Some(theirs.kind),
            arriving: no(),
            leaving: no(),
        }
    });
    ours.chain(lacking).collect()
}

/// How the values of one field go into another.
fn forecast(from: &CustomField, to: &CustomField) -> Forecast {
    let catalogue = Catalogue::new(vec![to.clone()]);
    let fits = |value: &Value| fit(&catalogue, &to.title, value);
    let samples = samples(from);
    let (mut good, mut bad) = (0, Vec::new());
    let mut reason = Reason::IncompatibleType;
    for sample in &samples {
        match fits(sample) {
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
