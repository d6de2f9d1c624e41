//! What a Jira is told of a ticket: the bodies of REST requests, version 3 on Cloud and version 2 on Data Center.
//!
//! The two differ in rich text alone: Cloud takes documents ([`super::adf`]), Data Center takes text in wiki notation.

use serde_json::{Map, Value, json};

use super::adf;
use crate::domain::{Comment, JiraIssue, Property, TicketUpdate, Uuid, Visibility};

/// The key of the properties that say which ticket an issue stands for, and which comment a comment.
pub const PROPERTY: &str = "crossdesk";

/// How long a text may be: Jira takes 32,767, counted as Java does (UTF-16), with what notation adds. The rest is for what the
/// head of a description says.
const LONGEST: usize = 30_000;

/// How many characters a summary holds.
const SUMMARY: usize = 255;

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

/// Rich text: a document for Cloud, wiki text for Data Center, in which nothing of the text is taken for notation.
pub fn rich(text: &str, cloud: bool) -> Value {
    if cloud {
        return adf::from_text(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // Two are a line break, and one takes its meaning from what follows.
            '\\' if rest.peek().is_some_and(|next| "\\{}[]!|".contains(*next)) => plain.push_str("&#92;"),
            '{' | '}' | '[' | ']' | '!' | '|' => plain.extend(['\\', c]),
            _ => plain.push(c),
        }
    }
    Value::from(plain)
}

/// How long a text is for a Jira: with what [`rich`] makes of it.
fn length(text: &str, cloud: bool) -> usize {
    let one = |c: char| match c {
        '\\' if !cloud => 5,
        '{' | '}' | '[' | ']' | '!' | '|' if !cloud => 2,
        _ => c.len_utf16(),
    };
    text.chars().map(one).sum()
}

/// As much of a long text as fits into what is left, with a word about the rest.
fn fitting(text: String, left: usize, cloud: bool) -> String {
    if length(&text, cloud) <= left {
        return text;
    }
    let mut used = 0;
    let fits = |c: &char| {
        used += length(c.encode_utf8(&mut [0; 4]), cloud);
        used <= left
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{kept}\n\n(The rest is on the help desk: Jira takes no longer texts.)")
}

/// A comment's words, with whoever wrote it and what hangs on it: all of ours stand under one account there.
fn words(comment: &Comment, cloud: bool) -> String {
    let said = format!("{} wrote:\n\n{}", comment.author.name, comment.body);
    let files = comment.attachments.iter().map(|file| format!("\n\n{}: {}", file.filename, file.url));
    // Addresses of files take at most half.
    let files = fitting(files.collect(), LONGEST / 2, cloud);
    let left = LONGEST - length(&files, cloud).min(LONGEST / 2);
    fitting(said, left, cloud) + &files
}

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

/// A subject as a summary: one line, no longer than Jira takes, and never empty.
pub fn summary(subject: &str) -> String {
    let line = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    // Jira counts as Java does.
    let mut units = 0;
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= SUMMARY
    };
    let line: String = line.chars().take_while(fits).collect();
    if line.is_empty() { "(no subject)".to_owned() } else { line }
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
pub(super) fn id(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| Some(value.as_i64()?.to_string()))
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

    #[test]
    fn text_for_data_center_holds_no_notation() {
        for (said, told) in [
            ("{panel} [~joe]", "\\{panel\\} \\[~joe\\]"),
            ("!http://x/y.png!", "\\!http://x/y.png\\!"),
            ("\\[x", "&#92;\\[x"),
            ("C:\\lens", "C:\\lens"),
            ("\\\\server", "&#92;\\server"),
        ] {
            assert_eq!(rich(said, false), json!(told));
        }
    }

    #[test]
    fn no_text_is_longer_than_jira_takes_with_all_that_notation_adds() {
        let fits = |text: &str, cloud| fitting(text.to_owned(), LONGEST, cloud);
        assert_eq!(fits("short", true), "short");
        for one in ["ü", "{", "😀", "\\{", "|", "a"] {
            for cloud in [true, false] {
                let cut = fits(&one.repeat(40_000), cloud);
                assert!(cut.ends_with("no longer texts.)"), "{one}");
                let told = if cloud {
                    cut.clone()
                } else {
                    rich(&cut, false).as_str().unwrap_or_default().to_owned()
                };
                let units = told.encode_utf16().count();
                assert!((10_000..32_767).contains(&units), "{one}: {units}");
            }
        }
    }
}
