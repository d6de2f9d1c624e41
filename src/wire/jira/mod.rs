//! What a Jira is told of a ticket: the bodies of REST requests, version 3 on Cloud and version 2 on Data Center.
//!
//! The two differ in rich text alone: Cloud takes documents ([`super::adf`], [`rich`]), Data Center takes text in wiki notation.

mod field;
mod text;

use serde_json::{Map, Value, json};

use crate::domain::{Comment, JiraIssue, Property, TicketUpdate, Uuid, Visibility};
pub use field::{Field, is_as_told, priority, priority_here, value, value_here};
use text::words;
pub use text::{rich, summary};

/// The key of the properties that say which ticket an issue stands for, and which comment a comment.
pub const PROPERTY: &str = "crossdesk";

/// What a new issue says beside its fields: where it comes from, and the first public comment.
pub fn description(update: &TicketUpdate, first: Option<&Comment>, cloud: bool) -> Value {
    let extra = update.extra.as_ref();
    let origin = extra.and_then(|extra| extra.origin.as_ref());
    let desk = origin.map_or("a help desk", |origin| origin.desk.as_str());
    let number = update.original_id.as_deref().or_else(|| origin?.ticket_id.as_deref());
    let ticket = number.map(|number| format!(", ticket {number}")).unwrap_or_default();
    let link = link(update).map(|url| format!(": {url}")).unwrap_or_default();
    let asked = update.requester.as_ref().map(|requester| format!("\nRequester: {}", requester.name));
    let head = format!("Shared from {desk}{ticket}{link}{}", asked.unwrap_or_default());
    let text =
        [head].into_iter().chain(first.map(|first| words(first, cloud))).collect::<Vec<_>>().join("\n\n");
    rich(&text, cloud)
}

/// The link to the ticket on this desk, where it has one.
pub fn link(update: &TicketUpdate) -> Option<&str> {
    let extra = update.extra.as_ref()?;
    extra.url.as_deref().or_else(|| extra.origin.as_ref()?.url.as_deref())
}

/// The comment that a new issue's description carries: the first that everybody may read.
pub fn first_public(update: &TicketUpdate) -> Option<&Comment> {
    update.comments.iter().map(AsRef::as_ref).find(|comment| comment.privacy().is_public())
}

/// How a comment that not everybody may read is kept from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restriction<'a> {
    /// To a role or group.
    pub to: Option<&'a Visibility>,
    /// As an internal comment of a service project.
    pub internal: bool,
}

/// A comment, with the property by which it is known again.
pub fn comment(comment: &Comment, restriction: Option<Restriction<'_>>, cloud: bool) -> Value {
    let mut properties = vec![json!({"key": PROPERTY, "value": {"uuid": comment.uuid}})];
    let mut body = Map::from_iter([("body".to_owned(), rich(&words(comment, cloud), cloud))]);
    if let Some(visibility) = restriction.and_then(|restriction| restriction.to) {
        let (kind, value) = match visibility {
            Visibility::Role(role) => ("role", role),
            Visibility::Group(group) => ("group", group),
        };
        body.insert("visibility".to_owned(), json!({"type": kind, "value": value}));
    }
    if restriction.is_some_and(|restriction| restriction.internal) {
        properties.push(json!({"key": "sd.public.comment", "value": {"internal": true}}));
    }
    body.insert("properties".to_owned(), Value::Array(properties));
    Value::Object(body)
}

/// The link of an issue back to its ticket; its global id is the ticket's uuid, so that saying it twice makes one.
pub fn remote_link(ticket: &Uuid, update: &TicketUpdate, desk: &str, relationship: &str) -> Value {
    let number = update.original_id.as_deref().unwrap_or(ticket.as_str());
    let subject = update.properties.get(&Property::Subject).and_then(|subject| subject.as_str());
    let url = link(update).map_or_else(|| format!("urn:sha1:{ticket}"), str::to_owned);
    let mut object = json!({"url": url, "title": format!("{desk} {number}")});
    if let (Some(subject), Value::Object(object)) = (subject, &mut object) {
        object.insert("summary".to_owned(), Value::from(subject));
    }
    json!({"globalId": ticket, "relationship": relationship,
        "application": {"type": "crossdesk", "name": "crossdesk"}, "object": object})
}

/// The words of a refusal (`errorMessages` and `errors`), and which fields it is about.
pub fn refusal(body: &Value) -> (String, Vec<String>) {
    let mut words: Vec<String> = body["errorMessages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let mut fields = Vec::new();
    for (field, why) in body["errors"].as_object().into_iter().flatten() {
        words.push(format!("{field}: {}", why.as_str().unwrap_or_default()));
        fields.push(field.clone());
    }
    (words.join("; "), fields)
}

/// The issue of an answer that names one, with the link that people follow.
pub fn issue(body: &Value, base: &str) -> Option<JiraIssue> {
    let key = body["key"].as_str()?.to_owned();
    let url = format!("{}/browse/{key}", base.trim_end_matches('/'));
    Some(JiraIssue { id: id(&body["id"])?, key, url })
}

/// An id, which some write as a number.
pub(in crate::wire) fn id(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| Some(value.as_i64()?.to_string()))
}
