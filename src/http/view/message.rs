//! Messages as the API shows them, and what came of asking.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::At;
use crate::domain::{Message, MessageState, Uuid};

/// A message to a partner or the desk, or a dead letter.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Message")]
pub(in crate::http) struct MessageView<'a> {
    /// Its owner's uuid and its number among that one's messages.
    id: String,
    /// `ticket.create`, `crossdesk.ticket.update`, …
    #[serde(rename = "type")]
    kind: &'static str,
    /// `pending`, `published`, `delivered`, `parked` or `withdrawn`.
    state: &'static str,
    /// Its place in the order of all messages.
    place: i64,
    agreement: Option<&'a Uuid>,
    /// The ticket or agreement that it is about.
    about: &'a Uuid,
    attempts: u32,
    /// When it is tried again.
    due_at: Option<At>,
    /// What its receiver said, or why it could not be processed.
    reason: Option<&'a str>,
    created_at: At,
    /// What it says; of a dead letter that is no JSON, its text.
    body: Value,
    parked_at: Option<At>,
}

impl<'a> MessageView<'a> {
    pub(in crate::http) fn of(message: &'a Message) -> Self {
        Self {
            id: message.id.to_string(),
            kind: message.kind.as_str(),
            state: message.state.as_str(),
            place: message.seq,
            agreement: message.agreement.as_ref(),
            about: &message.id.owner,
            attempts: message.attempts,
            due_at: message.due_at.map(At::from),
            reason: message.error.as_deref(),
            created_at: message.created_at.into(),
            body: serde_json::from_str(&message.body).unwrap_or_else(|_| Value::from(message.body.as_str())),
            parked_at: (message.state == MessageState::Parked).then(|| message.updated_at.into()),
        }
    }
}

/// What became of many dead letters.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Done")]
pub(in crate::http) struct ManyDone {
    /// How many it was done to.
    pub(in crate::http) done: usize,
    pub(in crate::http) refused: Vec<Refused>,
    /// Where to go on (`after`), should there be more.
    pub(in crate::http) next: Option<i64>,
}

/// A dead letter that could not be replayed.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct Refused {
    pub(in crate::http) id: String,
    pub(in crate::http) reason: String,
}

/// What became of an event: `applied`, `unchanged`, `stale` or `unshared`.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct Outcome {
    pub(in crate::http) outcome: &'static str,
}

/// What an event would do.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Preview")]
pub(in crate::http) struct Previewed<'a> {
    /// `applied`, `unchanged`, `stale`, `unshared` or `rejected`.
    pub(in crate::http) outcome: &'static str,
    /// Why it would be refused.
    pub(in crate::http) reason: Option<String>,
    /// What would be noted in the ticket's history: the rule that shares it, what is held back and why.
    #[schemars(with = "Vec<std::collections::BTreeMap<String, Value>>")]
    pub(in crate::http) decided: Vec<Value>,
    pub(in crate::http) would_send: Vec<MessageView<'a>>,
}
