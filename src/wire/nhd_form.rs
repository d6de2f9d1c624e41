//! The Networked Help Desk objects as they stand on the wire: null and absent are the same, unknown members are passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::text;
use crate::domain::{TagSet, Uuid, Value, Word};

/// An agreement (protocol: agreement object).
#[derive(Debug, Default, Deserialize, Serialize, schemars::JsonSchema)]
#[schemars(rename = "PartnerAgreement")]
pub(super) struct AgreementForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivated_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allows_public_comments: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_tags: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_custom_fields: Option<bool>,
    #[serde(default, deserialize_with = "text::lenient", skip_serializing_if = "Option::is_none")]
    pub current_actor: Option<ActorForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crossdesk: Option<Value>,
}

/// A ticket (protocol: ticket object).
#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[schemars(rename = "PartnerTicket")]
pub(super) struct TicketForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<ActorForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_actor: Option<ActorForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<Vec<CommentForm>>,
    #[serde(default, deserialize_with = "text::some_of", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<Option<String>>>")]
    pub tags: Option<TagSet>,
    #[serde(default, deserialize_with = "text::optional_id", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<text::AnyId>")]
    pub original_id: Option<Word>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_fields: Option<FieldsForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crossdesk: Option<Value>,
}

/// Custom fields: an object, title to value. Some implementations allow any JSON there; what is no object says nothing.
#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "PartnerFields")]
pub(super) enum FieldsForm {
    ByTitle(BTreeMap<String, Value>),
    Other(Value),
}

/// Somebody (protocol: actor).
#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[schemars(rename = "PartnerActor")]
pub(super) struct ActorForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// A comment (protocol: comment).
#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[schemars(rename = "PartnerComment")]
pub(super) struct CommentForm {
    #[serde(default)]
    pub uuid: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<ActorForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html_body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authored_at: Option<Value>,
    #[serde(default)]
    pub public: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Vec<AttachmentForm>>,
}

/// An attachment (protocol: attachment).
#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[schemars(rename = "PartnerAttachment")]
pub(super) struct AttachmentForm {
    #[serde(deserialize_with = "text::nullable")]
    #[schemars(with = "Option<String>")]
    pub url: String,
    #[serde(default, deserialize_with = "text::nullable")]
    #[schemars(with = "Option<String>")]
    pub filename: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}
