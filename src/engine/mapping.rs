//! Under which name and in which words a part of a ticket stands on a partner's wire, and which part a partner's word is here.

use serde_json::Value;

use super::{field::text, status};
use crate::domain::{Agreement, CommentTerms, FieldRule, Property, Shared, Ticket, Title};

/// Where something that a partner tells belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A part of the ticket.
    Part(Property),
    /// The partner's own number of the ticket.
    Number,
    /// Nowhere: this side has settled that it is not taken.
    NotTaken(Title),
}

/// Why a part stays here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// The terms do not let it cross.
    ByTerms,
    /// This side has settled so.
    BySettings,
}

/// Whether the terms let a part cross under an agreement.
pub fn crosses(property: &Property, agreement: &Agreement, begun: bool) -> bool {
    let terms = &agreement.terms;
    match property {
        Property::Subject => true,
        Property::Status | Property::CustomStatus => {
            !begun || terms.comments == CommentTerms::PublicAndPrivate
        }
        Property::Priority => {
            terms.priority || (terms.sync_custom_fields && agreement.local.priority_field.is_some())
        }
        Property::Assignee => terms.assignee,
        Property::RequesterEmail => terms.requester_email,
        Property::Ccs => terms.ccs,
        Property::Field(_) => terms.sync_custom_fields,
    }
}

/// The name of a part of ours on the partner's wire.
pub(super) fn outgoing(property: &Property, agreement: &Agreement, begun: bool) -> Result<Property, Kept> {
    if !crosses(property, agreement, begun) {
        return Err(Kept::ByTerms);
    }
    let local = &agreement.local;
    match property {
        Property::Priority => Ok(local.priority_field.clone().map_or(Property::Priority, Property::Field)),
        Property::Field(title) => match local.field(title) {
            Some(rule) if !rule.direction.leaves() => Err(Kept::BySettings),
            Some(rule) => Ok(Property::Field(rule.partner_title.clone().unwrap_or_else(|| title.clone()))),
            // What has a name of ours there, but is another field: two values under one name would undo each other.
            None if named(agreement, title).is_some() => Err(Kept::BySettings),
            None => Ok(property.clone()),
        },
        other => Ok(other.clone()),
    }
}

/// Whether a partner may be told what stands under a title, ours or its own: the message may be older than the rule.
pub fn may_be_told(title: &Title, agreement: &Agreement) -> bool {
    if agreement.local.priority_field.as_ref() == Some(title) {
        return crosses(&Property::Priority, agreement, true);
    }
    let rule = named(agreement, title).or_else(|| agreement.local.field(title));
    agreement.terms.sync_custom_fields && rule.is_none_or(|rule| rule.direction.leaves())
}

/// What a partner's word names here.
pub(super) fn incoming(wire: &Property, agreement: &Agreement) -> Place {
    let Property::Field(title) = wire else { return Place::Part(wire.clone()) };
    let local = &agreement.local;
    if local.reference_field.as_ref() == Some(title) {
        return Place::Number;
    }
    if local.priority_field.as_ref() == Some(title) {
        return Place::Part(Property::Priority);
    }
    match named(agreement, title) {
        Some(rule) if !rule.direction.arrives() || rule.fixed.is_some() => Place::NotTaken(title.clone()),
        Some(rule) => Place::Part(Property::Field(rule.title.clone())),
        // A field of ours that goes by another name there: what the partner calls so is something else.
        None if local.field(title).is_some() => Place::NotTaken(title.clone()),
        None => Place::Part(wire.clone()),
    }
}

/// The rule whose field has this title at the partner's.
fn named<'a>(agreement: &'a Agreement, title: &Title) -> Option<&'a FieldRule> {
    let theirs = |rule: &&FieldRule| rule.partner_title.as_ref().unwrap_or(&rule.title) == title;
    agreement.local.fields.iter().find(theirs)
}

/// A value of ours in the partner's words.
pub(super) fn value_out(property: &Property, here: &Value, agreement: &Agreement) -> Value {
    match (property, here) {
        (Property::Status, Value::String(word)) => Value::from(status::to_wire(word, agreement)),
        (Property::Field(title), _) => {
            match agreement.local.field(title).filter(|rule| !rule.values.is_empty()) {
                Some(rule) => mapped(here, &|ours| rule.values.get(ours).cloned()),
                None => here.clone(),
            }
        }
        _ => here.clone(),
    }
}

/// The same of a value that stands in many places: where the words are the same, so is the value.
pub(super) fn shared_out(property: &Property, here: &Shared, agreement: &Agreement) -> Shared {
    let translates = match property {
        Property::Status => here.as_str().is_some_and(|word| status::to_wire(word, agreement) != word),
        Property::Field(title) => agreement.local.field(title).is_some_and(|rule| !rule.values.is_empty()),
        _ => false,
    };
    if translates { value_out(property, &here.json(), agreement).into() } else { here.clone() }
}

/// A partner's value of a custom field in this desk's words.
pub(super) fn value_in(title: &Title, wire: &Value, agreement: &Agreement) -> Value {
    let Some(rule) = agreement.local.field(title).filter(|rule| !rule.values.is_empty()) else {
        return wire.clone();
    };
    mapped(wire, &|theirs| {
        let theirs = theirs.to_lowercase();
        rule.values.iter().find(|(_, partner)| partner.to_lowercase() == theirs).map(|(ours, _)| ours.clone())
    })
}

/// A value with its words replaced; of a list each one.
fn mapped(value: &Value, word: &dyn Fn(&str) -> Option<String>) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| mapped(item, word)).collect(),
        one => text(one).and_then(|text| word(&text)).map_or_else(|| one.clone(), Value::from),
    }
}

/// What this side tells a partner whatever its desk has: fixed values, and its own number of the ticket.
pub(super) fn always_told(ticket: &Ticket, agreement: &Agreement) -> Vec<(Property, Shared)> {
    let local = &agreement.local;
    let fixed = local.fields.iter().filter_map(|rule| Some((rule.title.clone(), rule.fixed.clone()?)));
    let number = ticket.id.as_ref().zip(local.reference_field.clone());
    let number = number.map(|(id, title)| (title, Value::from(id.as_str())));
    fixed.chain(number).map(|(title, value)| (Property::Field(title), value.into())).collect()
}
