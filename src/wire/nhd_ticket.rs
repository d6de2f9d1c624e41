//! What partners hear of a ticket (protocol: ticket object): only what is set, written straight from what was decided.

use serde::{Serialize, Serializer};

use super::date;
use crate::domain::{
    Attachment, Comment, Extra, Person, Property, Role, Shared, TagSet, TicketUpdate, Uuid, Value, written,
};

#[derive(Serialize)]
struct TicketForm<'a> {
    uuid: &'a Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requester: Option<ActorForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_actor: Option<ActorForm<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    comments: Vec<CommentForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a TagSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_id: Option<&'a str>,
    #[serde(skip_serializing_if = "FieldsForm::is_empty")]
    custom_fields: FieldsForm<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crossdesk: Option<ExtraForm<'a>>,
}

#[derive(Serialize)]
struct ActorForm<'a> {
    uuid: &'a Uuid,
    name: &'a str,
    role: &'static str,
}

#[derive(Serialize)]
struct CommentForm<'a> {
    uuid: &'a Uuid,
    author: ActorForm<'a>,
    body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    html_body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authored_at: Option<String>,
    public: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    attachments: &'a [Attachment],
}

/// The custom fields of an update, title to value.
struct FieldsForm<'a>(&'a TicketUpdate);

impl FieldsForm<'_> {
    fn all(&self) -> impl Iterator<Item = (&str, &Shared)> {
        self.0.properties.iter().filter_map(|(property, value)| match property {
            Property::Field(title) => Some((title.as_str(), value)),
            _ => None,
        })
    }

    fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }
}

impl Serialize for FieldsForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.all())
    }
}

/// What only a crossdesk understands.
#[derive(Serialize)]
#[serde(untagged)]
enum ExtraForm<'a> {
    Alone(&'a Extra),
    With(Value),
}

fn extra(update: &TicketUpdate) -> Option<ExtraForm<'_>> {
    let extra = update.extra.as_ref()?;
    let told =
        Property::EXTRA.iter().filter_map(|property| Some((property, update.properties.get(property)?)));
    let mut told = told.peekable();
    if told.peek().is_none() {
        return Some(ExtraForm::Alone(extra));
    }
    let mut value = serde_json::to_value(extra).ok()?;
    if let Value::Object(object) = &mut value {
        object.extend(told.map(|(property, value)| (property.to_string(), value.json().into_owned())));
    }
    Some(ExtraForm::With(value))
}

/// Writes a ticket or a change of one: only what is set.
pub fn ticket(update: &TicketUpdate) -> String {
    let word = |property| update.properties.get(&property).and_then(|value| value.as_str());
    let form = TicketForm {
        uuid: &update.uuid,
        subject: word(Property::Subject),
        requested_at: update.requested_at.map(date::to_wire),
        status: word(Property::Status),
        custom_status: word(Property::CustomStatus),
        requester: update.requester.as_ref().map(actor),
        current_actor: update.actor.as_ref().map(actor),
        comments: update.comments.iter().map(|said| comment(said)).collect(),
        tags: update.tags.as_deref(),
        original_id: update.original_id.as_deref(),
        custom_fields: FieldsForm(update),
        crossdesk: extra(update),
    };
    let comments: usize = update.comments.iter().map(|comment| 300 + comment.body.len()).sum();
    written(&form, 512 + comments)
}

fn actor(person: &Person) -> ActorForm<'_> {
    let role = match person.role {
        Role::Agent => "agent",
        Role::EndUser => "end-user",
    };
    ActorForm { uuid: &person.uuid, name: &person.name, role }
}

fn comment(comment: &Comment) -> CommentForm<'_> {
    CommentForm {
        uuid: &comment.uuid,
        author: actor(&comment.author),
        body: &comment.body,
        html_body: comment.html_body.as_deref(),
        authored_at: comment.authored_at.map(date::to_wire),
        public: comment.privacy().is_public(),
        attachments: &comment.attachments,
    }
}
