//! What the desk hears: commands, as CloudEvents.

use serde::Serialize;
use serde_json::{Map, json};

use super::date;
use crate::{
    domain::{
        Attachment, Command, Comment, Counterpart, FieldNotSynced, MessageId, Origin, Person, Property, Role,
        TagSet, TicketCommand, Timestamp, UserId, Uuid, Value,
    },
    engine::Content,
};

#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'static str,
    id: &'a MessageId,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    time: String,
    datacontenttype: &'static str,
    data: Value,
}

#[derive(Serialize)]
struct PersonForm<'a> {
    uuid: &'a Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a UserId>,
    name: &'a str,
    role: Role,
}

#[derive(Serialize)]
struct CommentForm<'a> {
    uuid: &'a Uuid,
    author: PersonForm<'a>,
    body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    html_body: Option<&'a str>,
    public: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    authored_at: Option<String>,
    attachments: &'a [Attachment],
}

#[derive(Serialize)]
struct TicketData<'a> {
    ticket: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    comments: Vec<CommentForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<PersonForm<'a>>,
    agreement: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner: Option<&'a Counterpart>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fields_not_synced: &'a [FieldNotSynced],
}

/// Writes a command.
pub(super) fn encode(id: &MessageId, command: &Command, source: &str, now: Timestamp) -> String {
    let kind = Content::Command(command.clone()).kind().as_str();
    let data = data(command);
    let time = date::to_rfc3339(now);
    let envelope =
        Envelope { specversion: "1.0", id, source, kind, time, datacontenttype: "application/json", data };
    serde_json::to_string(&envelope).unwrap_or_default()
}

fn data(command: &Command) -> Value {
    let agreement_form = |(uuid, name): &(Uuid, String)| json!({"uuid": uuid, "name": name});
    match command {
        Command::CreateUser(user) => {
            json!({
                "user": {"uuid": user.uuid, "name": user.name, "role": "end-user", "dummy": true},
                "agreement": agreement_form(&user.agreement),
            })
        }
        Command::CreateTicket(command) => ticket(command, true),
        Command::UpdateTicket(command) => ticket(command, false),
        Command::UnshareTicket { uuid, id, agreement, reason } => {
            let mut ticket = Map::new();
            ticket.insert("uuid".into(), json!(uuid));
            put(&mut ticket, "id", id.as_ref());
            json!({"ticket": ticket, "agreement": agreement_form(agreement), "reason": reason})
        }
        Command::FetchTicket { uuid, id } => json!({"ticket": {"uuid": uuid, "id": id}}),
        Command::Notice(notice) => {
            let mut data = Map::new();
            data.insert("kind".into(), json!(notice.kind));
            data.insert("text".into(), json!(notice.text));
            put(&mut data, "agreement", notice.agreement.as_ref().map(agreement_form));
            let ticket = notice.ticket.as_ref().map(|(uuid, id)| {
                let mut ticket = Map::new();
                ticket.insert("uuid".into(), json!(uuid));
                put(&mut ticket, "id", id.as_ref());
                ticket
            });
            put(&mut data, "ticket", ticket);
            put(&mut data, "by", notice.by.as_ref());
            Value::Object(data)
        }
    }
}

fn put(map: &mut Map<String, Value>, key: &str, value: Option<impl Serialize>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), json!(value));
    }
}

fn ticket(command: &TicketCommand, creates: bool) -> Value {
    let mut ticket = Map::new();
    ticket.insert("uuid".into(), json!(command.uuid));
    put(&mut ticket, "id", command.id.as_ref());
    let mut fields = Vec::new();
    for (property, value) in &command.properties {
        match property {
            Property::Field(title) => fields.push(json!({"title": title, "value": value})),
            other => {
                ticket.insert(other.to_string(), value.json().into_owned());
            }
        }
    }
    if creates || !fields.is_empty() {
        ticket.insert("custom_fields".into(), Value::Array(fields));
    }
    put(&mut ticket, "tags", command.tags.as_ref());
    let changed = |tags: &TagSet| (!creates && !tags.is_empty()).then(|| tags.clone());
    put(&mut ticket, "tags_added", changed(&command.tags_added));
    put(&mut ticket, "tags_removed", changed(&command.tags_removed));
    put(&mut ticket, "requester", command.requester.as_ref().map(person));
    if creates {
        ticket.insert("via".into(), json!("ticket_sharing"));
    }
    json!(TicketData {
        ticket,
        comments: command.comments.iter().map(comment).collect(),
        actor: command.actor.as_ref().map(person),
        agreement: json!({"uuid": command.agreement.0, "name": command.agreement.1}),
        origin: command.origin.as_ref(),
        partner: command.partner.as_ref().filter(|partner| **partner != Counterpart::default()),
        fields_not_synced: &command.fields_not_synced,
    })
}

fn person(person: &Person) -> PersonForm<'_> {
    PersonForm { uuid: &person.uuid, id: person.id.as_ref(), name: &person.name, role: person.role }
}

fn comment(comment: &Comment) -> CommentForm<'_> {
    CommentForm {
        uuid: &comment.uuid,
        author: person(&comment.author),
        body: &comment.body,
        html_body: comment.html_body.as_deref(),
        public: comment.privacy().is_public(),
        authored_at: comment.authored_at.map(date::to_rfc3339),
        attachments: &comment.attachments,
    }
}

/// The JSON Schema of what the desk hears.
pub fn schema() -> Value {
    let person = json!({"type": "object", "required": ["uuid"], "properties": {
        "uuid": {"type": "string"}, "id": {"type": "string"}, "name": {"type": "string"},
        "role": {"enum": ["agent", "end-user"]}, "dummy": {"type": "boolean"}}});
    let strings = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Command",
        "description": "A command of crossdesk for the desk: a CloudEvent 1.0.",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"}, "id": {"type": "string"}, "source": {"type": "string"},
            "type": {"enum": ["crossdesk.user.create", "crossdesk.ticket.create", "crossdesk.ticket.update",
                "crossdesk.ticket.unshare", "crossdesk.ticket.fetch", "crossdesk.notice"]},
            "time": {"type": "string", "format": "date-time"},
            "data": {"type": "object", "properties": {
                "user": person,
                "ticket": {"type": "object", "required": ["uuid"], "properties": {
                    "uuid": {"type": "string"}, "id": {"type": "string"}, "subject": {"type": "string"},
                    "status": {"enum": ["new", "open", "pending", "hold", "solved", "closed"]},
                    "custom_status": {"type": "string"}, "priority": {"type": "string"},
                    "requester": person, "tags": strings, "tags_added": strings, "tags_removed": strings,
                    "custom_fields": {"type": "array", "items": {"type": "object", "required": ["title", "value"]}},
                    "via": {"const": "ticket_sharing"}}},
                "comments": {"type": "array", "items": {"type": "object", "required": ["uuid", "author", "body", "public"],
                    "properties": {"uuid": {"type": "string"}, "author": person, "body": {"type": "string"},
                        "html_body": {"type": "string"}, "public": {"type": "boolean"},
                        "authored_at": {"type": "string", "format": "date-time"}, "attachments": {"type": "array"}}}},
                "actor": person,
                "agreement": {"type": "object", "properties": {"uuid": {"type": "string"}, "name": {"type": "string"}}},
                "origin": {"type": "object"},
                "partner": {"type": "object", "properties": {"ticket_id": {"type": "string"}, "url": {"type": "string"},
                    "told": {"type": "object"}}},
                "fields_not_synced": {"type": "array", "items": {"type": "object", "required": ["title", "reason", "detail"]}},
                "kind": {"type": "string"}, "text": {"type": "string"},
                "by": {"type": "object", "required": ["party", "desk"], "properties": {"party": {"enum": ["sender", "receiver"]},
                    "desk": {"type": "string"}, "person": {"type": "string"}}}, "reason": {"type": "string"}}}}
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Notice;

    #[test]
    fn a_notice_of_a_ticket_that_has_no_number_yet_is_as_the_schema_says() {
        let uuid = Uuid::new("t");
        let id = MessageId { owner: uuid.clone(), n: 1 };
        let notice = Notice {
            kind: "field_failed",
            text: "…".to_owned(),
            agreement: None,
            ticket: Some((uuid, None)),
            by: None,
        };
        let said =
            encode(&id, &Command::Notice(notice), "https://desk.example/sharing", Timestamp::default());
        let said = serde_json::from_str(&said).unwrap();
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let faults: Vec<String> = validator.iter_errors(&said).map(|fault| fault.to_string()).collect();
        assert_eq!(faults, Vec::<String>::new(), "{said}");
    }
}
