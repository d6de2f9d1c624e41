//! What the desk says: CloudEvents 1.0 in structured mode.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Error, date,
    desk_form::{CatalogueForm, CommentForm, CompletionForm, Data, Envelope, FieldsForm, PersonForm},
    text,
};
use crate::{
    domain::{
        Attachment, Comment, Completion, CompletionStatus, CustomField, DeskEvent, EventBody, MessageId,
        Namespace, Parts, Person, Privacy, Property, Revision, Role, Shared, Tags, TicketEvent, TicketId,
        Timestamp, Traceparent, UserId, Value, Word,
    },
    engine::status::STATUSES,
};

/// How deep the value of a custom field may be nested: deeper ones would be unreadable where they stand in something else.
const DEPTH: usize = 64;
/// What the types of events about a ticket begin with.
const TICKET: &str = "helpdesk.ticket.";

/// The JSON Schema of what the desk says.
pub fn schema() -> Value {
    schemars::schema_for!(Envelope<'_>).to_value()
}

/// Adds it to shapes that are described together, as `Event`.
pub fn describe(generator: &mut schemars::SchemaGenerator) {
    generator.subschema_for::<Envelope<'_>>();
}

/// Reads an event.
///
/// # Errors
/// What is wrong with it: not JSON, not a CloudEvent 1.0, of an unknown type, or without what its type needs.
pub fn decode(bytes: &[u8], ours: &Namespace) -> Result<DeskEvent, Error> {
    let clean = text::without_nul(bytes);
    // Nearly all that a desk says is about tickets, which is read in one go. What is left out of it must be text too.
    if let Ok(text) = std::str::from_utf8(&clean)
        && let Ok(mut event) = serde_json::from_str::<Envelope<'_, Data>>(text)
        && let Some(data) = event.data.take()
        && is_about_ticket(&event.kind)
    {
        return said(&event, |kind, time| about_ticket(kind, data, time, ours));
    }
    let mut event: Envelope<'_> =
        serde_json::from_slice(&clean).map_err(|error| {
            match serde_json::from_slice::<serde::de::IgnoredAny>(&clean) {
                Ok(_) => Error::new(format!("not a CloudEvent: {error}")),
                Err(error) => Error::new(format!("not JSON: {error}")),
            }
        })?;
    let raw = event.data.take();
    said(&event, |kind, time| {
        let raw = raw.ok_or_else(|| Error::new("data is missing"))?;
        match kind {
            "helpdesk.command.completed" => Ok(EventBody::Completed(completion(data(raw)?, time)?)),
            "helpdesk.fields.changed" => {
                let field = |form: CatalogueForm| CustomField {
                    title: form.title,
                    kind: form.kind,
                    options: form.options,
                };
                Ok(EventBody::Fields(data::<FieldsForm>(raw)?.fields.into_iter().map(field).collect()))
            }
            _ if is_about_ticket(kind) => about_ticket(kind, data(raw)?, time, ours),
            _ => Err(unknown(kind)),
        }
    })
}

/// What an event says, once all around it is right.
fn said<D>(
    event: &Envelope<'_, D>,
    body: impl FnOnce(&str, Option<Timestamp>) -> Result<EventBody, Error>,
) -> Result<DeskEvent, Error> {
    if event.specversion != "1.0" {
        let version = &event.specversion;
        return Err(Error::new(format!("not a CloudEvent 1.0: specversion is \"{version}\"")));
    }
    if event.id.is_empty() || event.source.is_empty() {
        return Err(Error::new("not a CloudEvent: id and source must not be empty"));
    }
    let time = match &event.time {
        Some(text) => Some(
            date::parse(text).ok_or_else(|| Error::new(format!("time \"{text}\" is no RFC 3339 instant")))?,
        ),
        None => None,
    };
    let body = body(&event.kind, time)?;
    let trace = event.traceparent.as_deref().and_then(Traceparent::parse);
    Ok(DeskEvent { key: format!("{} {}", event.source, event.id), time, body, trace })
}

fn about_ticket(
    kind: &str,
    data: Data,
    time: Option<Timestamp>,
    ours: &Namespace,
) -> Result<EventBody, Error> {
    Ok(match kind.strip_prefix(TICKET).unwrap_or_default() {
        "changed" => EventBody::Changed(ticket(data, time, ours)?.0),
        "shared" => {
            let (event, data) = ticket(data, time, ours)?;
            let agreement = data.agreement.filter(|agreement| !agreement.is_empty());
            EventBody::Shared(event, agreement.ok_or_else(|| Error::new("data.agreement is missing"))?)
        }
        "unshared" => EventBody::Unshared(ticket_id(&data)?),
        "deleted" => EventBody::Deleted(ticket_id(&data)?),
        "merged" => {
            let into = data.into.as_ref().map(|into| TicketId::new(into.id.clone()));
            let (ticket, into) =
                (ticket_id(&data)?, into.ok_or_else(|| Error::new("data.into.id is missing"))?);
            if ticket == into {
                return Err(Error::new("data.into.id is the ticket itself: it cannot be merged into itself"));
            }
            EventBody::Merged(ticket, into)
        }
        _ => return Err(unknown(kind)),
    })
}

fn unknown(kind: &str) -> Error {
    Error::new(format!("events of type \"{kind}\" are unknown here"))
}

fn is_about_ticket(kind: &str) -> bool {
    let what = kind.strip_prefix(TICKET);
    what.is_some_and(|what| ["changed", "shared", "unshared", "deleted", "merged"].contains(&what))
}

fn data<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Error> {
    if let Ok(data) = serde_json::from_str(raw.get()) {
        return Ok(data);
    }
    // Once more, slower, to say where it stumbles.
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (path, inner) = (error.path().to_string(), error.into_inner());
        let path = if path == "." { String::new() } else { format!(".{path}") };
        Error::new(format!("data{path}: {inner}"))
    })
}

fn ticket_id(data: &Data) -> Result<TicketId, Error> {
    let id = data.ticket.as_ref().map(|ticket| ticket.id.trim()).filter(|id| !id.is_empty());
    id.map(TicketId::new).ok_or_else(|| Error::new("data.ticket.id is missing"))
}

fn ticket(mut data: Data, time: Option<Timestamp>, ours: &Namespace) -> Result<(TicketEvent, Data), Error> {
    let id = ticket_id(&data)?;
    let Some(form) = data.ticket.take() else { return Err(Error::new("data.ticket is missing")) };
    let mut properties = Parts::with_capacity(8 + form.custom_fields.len());
    let mut put =
        |property, text: Option<Word>| text.map(|text| properties.insert(property, Shared::from(text)));
    if let Some(status) = &form.status
        && !STATUSES.contains(&status.as_str())
    {
        let known = STATUSES.join(" ");
        return Err(Error::new(format!("data.ticket.status \"{status}\" is none of: {known}")));
    }
    put(Property::Subject, form.subject);
    put(Property::Status, form.status);
    put(Property::CustomStatus, form.custom_status);
    put(Property::Priority, form.priority);
    put(Property::RequesterEmail, form.requester.as_ref().and_then(|requester| requester.email.clone()));
    put(Property::Assignee, form.assignee.and_then(|assignee| assignee.name.or(assignee.id)));
    if let Some(ccs) = form.ccs {
        let person = |person: PersonForm| serde_json::json!({"name": person.name, "email": person.email});
        properties.insert(Property::Ccs, ccs.into_iter().map(person).collect::<Value>().into());
    }
    for field in form.custom_fields {
        if field.value.extent().0 > DEPTH {
            let title = field.title;
            return Err(Error::new(format!(
                "the value of custom field \"{title}\" is nested more than {DEPTH} deep"
            )));
        }
        properties.insert(Property::Field(field.title), field.value);
    }
    let named = data.actor.as_ref().is_some_and(|form| form.uuid.is_some());
    let actor = data.actor.take().map(|form| person(form, ours, None));
    let known = actor.as_ref().filter(|_| !named);
    let event = TicketEvent {
        id,
        uuid: form.uuid,
        revision: Revision { number: form.revision, time },
        properties,
        tags: form.tags.map(Tags::from),
        requester: form.requester.map(|form| person(form, ours, known)),
        via: form.via,
        created_at: form.created_at.as_deref().and_then(date::parse),
        comments: std::mem::take(&mut data.comments)
            .into_iter()
            .map(|form| comment(form, ours, known))
            .collect(),
        comments_complete: data.comments_complete,
        actor,
        command_id: data.command_id.as_deref().and_then(MessageId::parse),
    };
    Ok((event, data))
}

/// Somebody whom the desk gives no id is named by what he is called. Who made the change has mostly written its comments too: his
/// uuid is known.
fn person(form: PersonForm, ours: &Namespace, actor: Option<&Person>) -> Person {
    let role = if form.role.as_deref() == Some("agent") { Role::Agent } else { Role::EndUser };
    let called = form.name.or_else(|| form.id.clone()).unwrap_or_else(|| "Unknown".into());
    let id = form.id.map(UserId::new);
    let is_actor = |actor: &&Person| id.is_some() && actor.id == id;
    let uuid = form.uuid.unwrap_or_else(|| match actor.filter(is_actor) {
        Some(actor) => actor.uuid.clone(),
        None => ours.user(id.as_ref().map_or(&called, UserId::as_str)),
    });
    Person { uuid, name: called, id, role }
}

fn comment(form: CommentForm, ours: &Namespace, actor: Option<&Person>) -> (Comment, bool) {
    let named = form.uuid.is_some();
    let uuid = form.uuid.unwrap_or_else(|| ours.comment(&form.id));
    let author = form.author.map_or_else(
        || Person { uuid: ours.user(""), id: None, name: "Unknown".into(), role: Role::EndUser },
        |form| person(form, ours, actor),
    );
    let mut comment =
        Comment::new(uuid, author, form.body.unwrap_or_default(), Privacy::from_flag(form.public));
    comment.id = Some(form.id);
    comment.html_body = form.html_body;
    comment.authored_at = form.created_at.as_deref().and_then(date::parse);
    comment.attachments = form
        .attachments
        .into_iter()
        .map(|form| Attachment { url: form.url, filename: form.filename, content_type: form.content_type })
        .collect();
    (comment, named)
}

fn completion(form: CompletionForm, time: Option<Timestamp>) -> Result<Completion, Error> {
    let command_id = MessageId::parse(&form.command_id).ok_or_else(|| {
        Error::new(format!("data.command_id \"{}\" is none of this daemon's", form.command_id))
    })?;
    let status = match form.status.as_str() {
        "done" => CompletionStatus::Done,
        "failed" => CompletionStatus::Failed,
        other => return Err(Error::new(format!("data.status \"{other}\" is neither done nor failed"))),
    };
    let id = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Ok(Completion {
        command_id,
        status,
        error: form.error,
        revision: Revision { number: form.revision, time: time.filter(|_| form.revision.is_some()) },
        ticket_id: form.ticket_id.map(TicketId::new),
        users: form.users.iter().filter_map(|(uuid, v)| Some((uuid.clone(), UserId::new(id(v)?)))).collect(),
        comments: form.comments.iter().filter_map(|(uuid, v)| Some((uuid.clone(), id(v)?))).collect(),
    })
}
