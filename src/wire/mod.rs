//! Bytes and domain, one file a party: what the desk says and hears, what partners say and hear.
//!
//! Reading is tolerant where implementations in the world differ, and strict where a guess could lose or leak something;
//! writing says only what is set.

pub mod adf;
pub mod date;
pub mod desk;
pub mod desk_command;
pub mod desk_filter;
mod desk_form;
pub mod jira;
pub mod jira_hook;
mod narrowed;
pub mod nhd;
mod nhd_form;
mod nhd_ticket;
mod text;

pub use narrowed::says_too_much;

use crate::{
    domain::{Agreement, Catalogue},
    engine::{Content, Desk, Draft, PartnerMessage},
};

/// Bytes that cannot be read, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Error {
    /// What is wrong, and where.
    pub reason: String,
    /// The body is about another object than the path.
    pub is_of_another: bool,
}

impl Error {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_of_another: false }
    }
}

/// The body of a message, as it goes out. No access key is in it: an invite gets its key when it is delivered.
///
/// `fields` is the desk's catalogue, which a partner is told with an agreement. `agreement` is the one under which the draft goes; a command about no agreement has none.
pub fn encode(
    draft: &Draft,
    agreement: Option<&Agreement>,
    desk: &Desk,
    fields: &Catalogue,
    now: crate::domain::Timestamp,
) -> String {
    match (&draft.content, agreement) {
        (Content::Command(command), _) => desk_command::encode(&draft.id, command, &desk.sharing_url, now),
        (Content::Partner(PartnerMessage::Invite), Some(agreement)) => nhd::invite(agreement, desk, fields),
        (Content::Partner(PartnerMessage::Agreement(change)), Some(agreement)) => {
            nhd::agreement_change(agreement, change, desk, fields)
        }
        (Content::Partner(PartnerMessage::Create(update) | PartnerMessage::Update(update)), _) => {
            nhd_ticket::ticket(update)
        }
        (Content::Partner(_), _) => {
            format!("{{\"uuid\":{}}}", serde_json::Value::from(draft.id.owner.as_str()))
        }
    }
}
