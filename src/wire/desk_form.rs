//! The desk's CloudEvents as they stand on the wire.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::text::{self, AnyId};
use crate::domain::{FieldType, Shared, TagSet, Title, Uuid, Value, Word};

// Its `data` is read by type, or as it stands.
/// An event of the desk.
#[derive(Deserialize, JsonSchema)]
#[serde(bound(deserialize = "D: Deserialize<'de>"))]
#[schemars(rename = "Event", bound = "")]
pub(super) struct Envelope<'a, D = &'a RawValue> {
    /// Always `1.0`.
    #[schemars(extend("const" = "1.0"))]
    #[serde(borrow)]
    pub specversion: Cow<'a, str>,
    /// With `source`, names the event.
    #[serde(deserialize_with = "text::id")]
    #[schemars(with = "AnyId")]
    pub id: Word,
    /// Who says it.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    /// What it tells, `helpdesk.…`.
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    /// When it happened, RFC 3339.
    #[serde(default)]
    pub time: Option<Word>,
    /// The trace that it is part of, as CloudEvents' extension for distributed tracing has it.
    #[serde(default)]
    pub traceparent: Option<String>,
    /// The rest, by type.
    #[serde(default)]
    #[schemars(with = "AnyData")]
    pub data: Option<D>,
}

/// What `data` is, by type of event: `helpdesk.ticket.…`, `helpdesk.command.completed`, `helpdesk.fields.changed`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, clippy::large_enum_variant, reason = "it is there for its schema")]
pub(super) enum AnyData {
    Ticket(Data),
    Completion(CompletionForm),
    Fields(FieldsForm),
}

/// What the types of events carry; each type has some of these.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Data {
    #[serde(default)]
    pub ticket: Option<TicketForm>,
    #[serde(default, deserialize_with = "text::nullable")]
    #[schemars(with = "Option<Vec<CommentForm>>")]
    pub comments: Vec<CommentForm>,
    /// `comments` are all that the ticket has.
    #[serde(default, deserialize_with = "text::nullable")]
    #[schemars(with = "Option<bool>")]
    pub comments_complete: bool,
    #[serde(default)]
    pub actor: Option<PersonForm>,
    /// The command that caused the event.
    #[serde(default)]
    pub command_id: Option<Word>,
    /// Uuid or name of the agreement to share under.
    #[serde(default)]
    pub agreement: Option<String>,
    #[serde(default)]
    pub into: Option<IdForm>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct IdForm {
    #[serde(deserialize_with = "text::id")]
    #[schemars(with = "AnyId")]
    pub id: Word,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct TicketForm {
    #[serde(deserialize_with = "text::id")]
    #[schemars(with = "AnyId")]
    pub id: Word,
    #[serde(default)]
    pub uuid: Option<Uuid>,
    #[serde(default)]
    pub revision: Option<i64>,
    #[serde(default)]
    pub subject: Option<Word>,
    #[serde(default)]
    pub status: Option<Word>,
    #[serde(default)]
    pub custom_status: Option<Word>,
    #[serde(default)]
    pub priority: Option<Word>,
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub tags: Option<TagSet>,
    #[serde(default)]
    pub requester: Option<PersonForm>,
    /// Who works on it; partners are told the name where the terms say so.
    #[serde(default)]
    pub assignee: Option<PersonForm>,
    /// Who is in copy; partners are told where the terms say so.
    #[serde(default)]
    pub ccs: Option<Vec<PersonForm>>,
    #[serde(default, deserialize_with = "text::nullable")]
    #[schemars(with = "Option<Vec<FieldForm>>")]
    pub custom_fields: Vec<FieldForm>,
    #[serde(default)]
    pub via: Option<Word>,
    #[serde(default)]
    pub created_at: Option<Word>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct FieldForm {
    pub title: Title,
    #[serde(default)]
    pub value: Shared,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct PersonForm {
    #[serde(default, deserialize_with = "text::optional_id")]
    #[schemars(with = "Option<AnyId>")]
    pub id: Option<Word>,
    #[serde(default)]
    pub uuid: Option<Uuid>,
    #[serde(default)]
    pub name: Option<Word>,
    #[serde(default)]
    pub role: Option<Word>,
    #[serde(default)]
    pub email: Option<Word>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct CommentForm {
    #[serde(deserialize_with = "text::id")]
    #[schemars(with = "AnyId")]
    pub id: Word,
    #[serde(default)]
    pub uuid: Option<Uuid>,
    #[serde(default)]
    pub author: Option<PersonForm>,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub html_body: Option<String>,
    /// Absent is private.
    #[serde(default)]
    pub public: Option<bool>,
    #[serde(default)]
    pub created_at: Option<Word>,
    #[serde(default, deserialize_with = "text::nullable")]
    #[schemars(with = "Option<Vec<AttachmentForm>>")]
    pub attachments: Vec<AttachmentForm>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct AttachmentForm {
    pub url: String,
    pub filename: String,
    #[serde(default)]
    pub content_type: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct CompletionForm {
    pub command_id: String,
    /// `done` or `failed`.
    #[schemars(extend("enum" = ["done", "failed"]))]
    pub status: String,
    #[serde(default)]
    pub error: Option<String>,
    #[serde(default)]
    pub revision: Option<i64>,
    #[serde(default, deserialize_with = "text::optional_id")]
    #[schemars(with = "Option<AnyId>")]
    pub ticket_id: Option<Word>,
    #[serde(default, deserialize_with = "text::nullable")]
    #[schemars(with = "Option<BTreeMap<Uuid, Value>>")]
    pub users: BTreeMap<Uuid, Value>,
    #[serde(default, deserialize_with = "text::nullable")]
    #[schemars(with = "Option<BTreeMap<Uuid, Value>>")]
    pub comments: BTreeMap<Uuid, Value>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct FieldsForm {
    pub fields: Vec<CatalogueForm>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct CatalogueForm {
    pub title: Title,
    #[serde(rename = "type")]
    pub kind: FieldType,
    #[serde(default, deserialize_with = "text::nullable")]
    #[schemars(with = "Option<Vec<String>>")]
    pub options: Vec<String>,
}
