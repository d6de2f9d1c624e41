//! What partners say and hear: the Networked Help Desk protocol 1.0, in all dialects that are known of it.

use std::sync::Arc;

pub use super::nhd_ticket::ticket;
use super::{
    Error, date,
    nhd_form::{ActorForm, AgreementForm, AttachmentForm, CommentForm, FieldsForm, TicketForm},
    text,
};
use crate::{
    domain::{
        AccessKey, Agreement, AgreementChange, AgreementStatus, Attachment, Catalogue, Comment, CommentTerms,
        Direction, Person, Privacy, Profile, Property, Role, Tags, Terms, TicketUpdate, Title, Uuid, Value,
    },
    engine::{Desk, agreement::Told},
};

/// Reads an object; a list is none, though its members could be taken for one's in order.
fn object<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Error> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Error::new(format!("not {what}: a JSON object is wanted")));
    }
    serde_json::from_slice(&text::without_nul(bytes))
        .map_err(|error| Error::new(format!("not {what}: {error}")))
}

/// Adds the partners' objects to shapes that are described together, as `PartnerAgreement` and `PartnerTicket`.
pub fn describe(generator: &mut schemars::SchemaGenerator) {
    generator.subschema_for::<AgreementForm>();
    generator.subschema_for::<TicketForm>();
}

/// Reads an agreement.
///
/// # Errors
/// What is wrong with it.
pub fn read_agreement(bytes: &[u8]) -> Result<Told, Error> {
    let form: AgreementForm = object(bytes, "an agreement")?;
    let status = match form.status.as_deref().filter(|status| !status.is_empty()) {
        None => None,
        Some("pending") => Some(AgreementStatus::Pending),
        Some("accepted") => Some(AgreementStatus::Accepted),
        Some("declined") => Some(AgreementStatus::Declined),
        Some("inactive") => Some(AgreementStatus::Inactive),
        Some(other) => return Err(Error::new(format!("an agreement cannot be \"{other}\""))),
    };
    Ok(Told {
        uuid: form.uuid,
        name: form.name,
        sender_url: form.sender_url,
        receiver_url: form.receiver_url,
        access_key: form.access_key.map(AccessKey::new),
        status,
        allows_public_comments: form.allows_public_comments,
        sync_tags: form.sync_tags,
        sync_custom_fields: form.sync_custom_fields,
        extra: form
            .crossdesk
            .as_ref()
            .and_then(|extra| serde_json::from_value(extra.get("terms")?.clone()).ok())
            .unwrap_or_default(),
        person: form.current_actor.and_then(|actor| actor.name).filter(|name| !name.is_empty()),
        fields: form.crossdesk.as_ref().and_then(|extra| extra.get("fields")).and_then(catalogue),
    })
}

/// A partner's custom fields. Nothing depends on their being there, so what cannot be read is as good as none.
fn catalogue(fields: &Value) -> Option<Catalogue> {
    serde_json::from_value(fields.clone()).ok()
}

/// Reads a ticket or a change of one. `uuid` is the one in the path, which the body may repeat; `unmarked` is how a
/// comment is taken that does not say whether it is public.
///
/// # Errors
/// What is wrong with it.
pub fn read_ticket(bytes: &[u8], uuid: &Uuid, unmarked: Privacy) -> Result<TicketUpdate, Error> {
    let form: TicketForm = object(bytes, "a ticket")?;
    if form.uuid.as_ref().is_some_and(|said| !said.as_str().eq_ignore_ascii_case(uuid.as_str())) {
        let reason = format!("the uuid in the body is not {uuid}, the one in the path");
        return Err(Error { reason, is_of_another: true });
    }
    let mut update = TicketUpdate::new(uuid.clone());
    let mut put = |property, text: Option<String>| {
        text.map(|text| update.properties.insert(property, Value::from(text).into()))
    };
    put(Property::Subject, form.subject);
    put(Property::Status, form.status);
    put(Property::CustomStatus, form.custom_status);
    if let Some(FieldsForm::ByTitle(fields)) = form.custom_fields {
        for (title, value) in fields {
            update.properties.insert(Property::Field(Title::new(&title)), value.into());
        }
    }
    update.original_id = form.original_id.map(String::from);
    update.tags = form.tags.map(Tags::from);
    update.requester = form.requester.and_then(person);
    update.actor = form.current_actor.and_then(person);
    update.requested_at = form.requested_at.as_ref().and_then(Value::as_str).and_then(date::parse);
    update.comments = form
        .comments
        .unwrap_or_default()
        .into_iter()
        .map(|form| comment(form, unmarked).map(Arc::new))
        .collect::<Result<_, _>>()?;
    // Nothing depends on its being there, so one of another shape is as good as none.
    let extra = form.crossdesk.and_then(|extra| Some((serde_json::from_value(extra.clone()).ok()?, extra)));
    if let Some((known, extra)) = extra {
        update.extra = Some(known);
        for property in Property::EXTRA {
            if let Some(value) = extra.get(property.to_string()).filter(|value| is_told(&property, value)) {
                update.properties.insert(property, value.clone().into());
            }
        }
    }
    Ok(update)
}

fn person(form: ActorForm) -> Option<Person> {
    let uuid =
        form.uuid.filter(|uuid| !uuid.as_str().is_empty()).or_else(|| form.name.clone().map(Uuid::new))?;
    let name = form.name.filter(|name| !name.is_empty()).unwrap_or_else(|| uuid.to_string());
    let role = if form.role.as_deref() == Some("agent") { Role::Agent } else { Role::EndUser };
    Some(Person { uuid, id: None, name: name.into(), role })
}

fn comment(form: CommentForm, unmarked: Privacy) -> Result<Comment, Error> {
    let uuid = form.uuid.filter(|uuid| !uuid.as_str().is_empty());
    let uuid = uuid
        .ok_or_else(|| Error::new("a comment has no uuid, so it could not be told from its repetitions"))?;
    let nobody =
        || Person { uuid: Uuid::new("unknown"), id: None, name: "Unknown".into(), role: Role::EndUser };
    let author = form.author.and_then(person).unwrap_or_else(nobody);
    let privacy = form.public.map_or(unmarked, |public| Privacy::from_flag(Some(public)));
    let mut comment = Comment::new(uuid, author, form.body.unwrap_or_default(), privacy);
    comment.html_body = form.html_body;
    comment.authored_at = form.authored_at.as_ref().and_then(Value::as_str).and_then(date::parse);
    // A link that is none could run something, and a path in a file's name lead somewhere.
    let attachment = |form: AttachmentForm| Attachment {
        url: form.url,
        filename: form.filename.rsplit(['/', '\\']).next().unwrap_or_default().replace(char::is_control, ""),
        content_type: form.content_type,
    };
    let link = |form: &AttachmentForm| {
        let url = form.url.to_ascii_lowercase();
        url.starts_with("https://") || url.starts_with("http://")
    };
    let attachments = form.attachments.unwrap_or_default().into_iter().filter(link);
    comment.attachments = attachments.map(attachment).collect();
    Ok(comment)
}

/// A ticket as partners sent it, with their HTML made harmless. That takes time, so what is too much is refused before.
pub fn cleaned(mut update: TicketUpdate) -> TicketUpdate {
    for comment in update.comments.iter_mut().filter(|comment| comment.html_body.is_some()) {
        let comment = Arc::make_mut(comment);
        let Some(html) = comment.html_body.take() else { continue };
        let html = text::safe_html(&html);
        if comment.body.is_empty() {
            comment.body = text::plain(&html);
        }
        comment.html_body = Some(html);
    }
    update
}

/// Whether an extra member has the form that it should have.
fn is_told(property: &Property, value: &Value) -> bool {
    match property {
        Property::Ccs => value.as_array().is_some_and(|people| people.iter().all(Value::is_object)),
        _ => value.is_string() || value.is_null(),
    }
}

/// Writes an invite, without its access key: that is put in when it is delivered ([`with_access_key`]).
pub fn invite(agreement: &Agreement, desk: &Desk, fields: &Catalogue) -> String {
    let form = AgreementForm {
        name: Some(desk.name.clone()),
        sender_url: Some(desk.sharing_url.clone()),
        receiver_url: agreement.url.clone(),
        current_actor: agreement
            .changed_by
            .as_ref()
            .and_then(|by| by.person.as_deref())
            .map(|name| administrator(name, desk)),
        crossdesk: crossdesk(agreement, Some(fields)),
        ..agreement_form(agreement)
    };
    serde_json::to_string(&form).unwrap_or_default()
}

/// Writes an agreement as it stands, for whoever asks: without its access key.
pub fn agreement(agreement: &Agreement, desk: &Desk, fields: &Catalogue) -> String {
    let (sender_url, receiver_url, name) = match agreement.direction {
        Direction::Outbound => (Some(desk.sharing_url.clone()), agreement.url.clone(), desk.name.clone()),
        Direction::Inbound => (agreement.url.clone(), Some(desk.sharing_url.clone()), agreement.name.clone()),
    };
    // A stranger who invites this desk learns nothing of it before the invite is accepted.
    let known = agreement.direction == Direction::Outbound || agreement.is_accepted();
    let crossdesk = crossdesk(agreement, Some(fields).filter(|_| known));
    let form =
        AgreementForm { name: Some(name), sender_url, receiver_url, crossdesk, ..agreement_form(agreement) };
    serde_json::to_string(&form).unwrap_or_default()
}

/// What one crossdesk tells another with an agreement: the terms that others do not know, and, where custom fields cross,
/// its own, so that either side can see beforehand which will.
fn crossdesk(agreement: &Agreement, fields: Option<&Catalogue>) -> Option<Value> {
    let mut object = serde_json::Map::new();
    let terms = &agreement.terms;
    let extra = [
        ("priority", terms.priority),
        ("assignee", terms.assignee),
        ("requester_email", terms.requester_email),
        ("ccs", terms.ccs),
    ];
    if extra.iter().any(|(_, crosses)| *crosses) || fields.is_none() {
        let extra = extra.into_iter().map(|(name, crosses)| (name.to_owned(), Value::from(crosses)));
        object.insert("terms".to_owned(), Value::Object(extra.collect()));
    }
    if let (true, Some(fields)) = (terms.sync_custom_fields, fields) {
        object.insert("fields".to_owned(), serde_json::json!(fields));
    }
    (agreement.profile == Profile::Standard && !object.is_empty()).then_some(Value::Object(object))
}

fn administrator(name: &str, desk: &Desk) -> ActorForm {
    let uuid = desk.namespace.user(&format!("administrator/{name}"));
    ActorForm { uuid: Some(uuid), name: Some(name.to_owned()), role: Some("agent".to_owned()) }
}

fn agreement_form(agreement: &Agreement) -> AgreementForm {
    AgreementForm {
        uuid: Some(agreement.uuid.clone()),
        status: Some(agreement.status.as_str().to_owned()),
        deactivated_by: agreement.deactivated_by.map(|party| party.as_str().to_owned()),
        ..terms_form(agreement.terms)
    }
}

fn terms_form(terms: Terms) -> AgreementForm {
    AgreementForm {
        allows_public_comments: Some(terms.comments == CommentTerms::PublicAndPrivate),
        sync_tags: Some(terms.sync_tags),
        sync_custom_fields: Some(terms.sync_custom_fields),
        ..AgreementForm::default()
    }
}

/// Writes what changed of an agreement, and nothing else: Request Tracker takes every other member for a change.
pub fn agreement_change(
    agreement: &Agreement,
    change: &AgreementChange,
    desk: &Desk,
    fields: &Catalogue,
) -> String {
    let standard = agreement.profile == Profile::Standard;
    let answers = change.status == Some(AgreementStatus::Accepted);
    let form = AgreementForm {
        uuid: Some(agreement.uuid.clone()),
        status: change.status.map(|status| status.as_str().to_owned()),
        deactivated_by: change.deactivated_by.map(|party| party.as_str().to_owned()),
        current_actor: change.person.as_deref().filter(|_| standard).map(|name| administrator(name, desk)),
        crossdesk: crossdesk(agreement, Some(fields).filter(|_| answers))
            .filter(|_| answers || change.terms.is_some()),
        ..change.terms.map(terms_form).unwrap_or_default()
    };
    serde_json::to_string(&form).unwrap_or_default()
}

/// The body of an invite, or of an announcement of a new key, with the access key, for the one request that carries it.
pub fn with_access_key(body: &str, access_key: &str) -> String {
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Object(mut object)) => {
            object.insert("access_key".to_owned(), Value::from(access_key));
            Value::Object(object).to_string()
        }
        _ => body.to_owned(),
    }
}
