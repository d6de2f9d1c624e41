//! What happened to a ticket, as a line of its history: for people to read, and for nothing else.

use serde::Serialize;

use crate::{
    domain::{Completion, CompletionStatus, DeskEvent, EventBody, MessageId, Person, Uuid, Word, written},
    engine::{ChangedPart, Decision, HeldBack, Refusal},
    flow::change::{Attempted, Change, TicketAction},
};

/// Something that came in, to be told in the history of its ticket together with what came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Cause {
    from: &'static str,
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Word>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement: Option<Uuid>,
    /// The agreement that somebody named, as he named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The rule that shares the ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

/// A line of the history: what came in, and what came of it.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    cause: &'a Cause,
    outcome: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    changed: &'a [ChangedPart],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    held_back: &'a [HeldBack],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<&'a MessageId>,
}

/// A line about something that was refused.
#[derive(Serialize)]
struct Refused<'a> {
    #[serde(flatten)]
    cause: &'a Cause,
    outcome: &'static str,
    answer: u16,
    reason: &'a str,
}

impl Cause {
    /// What a change is, where it is worth a line.
    pub(super) fn of(change: &Change) -> Option<Self> {
        let from = |from, what| Self { from, what, ..Self::default() };
        Some(match change {
            Change::Event { event, .. } => Self::of_event(event),
            Change::Ticket { agreement, action, .. } => {
                let (what, actor) = match action {
                    TicketAction::Create(update) => ("shared", update.actor.as_ref()),
                    TicketAction::Update(update) => ("changed", update.actor.as_ref()),
                    TicketAction::Unshare => ("unshared", None),
                };
                Self { agreement: Some(agreement.clone()), actor: name(actor), ..from("partner", what) }
            }
            Change::Share(_, agreement) => Self { wanted: Some(agreement.clone()), ..from("admin", "share") },
            Change::Unshare(_) => from("admin", "unshare"),
            Change::Compared { agreement, comparison, .. } if comparison.repair => {
                Self { agreement: Some(agreement.clone()), ..from("admin", "repair") }
            }
            Change::Due(_) => from("clock", "the desk has not answered in time"),
            Change::Refit(_) => from("desk", "custom fields changed"),
            Change::Retry(_) => from("admin", "retry"),
            Change::Replay(message) => Self { message: Some(message.id.clone()), ..from("admin", "replay") },
            Change::Retell(message) => Self {
                message: Some(message.id.clone()),
                agreement: message.agreement.clone(),
                ..from("admin", "terms became narrower")
            },
            Change::Attempt(message, Attempted::Parked(reason)) => Self {
                message: Some(message.id.clone()),
                agreement: message.agreement.clone(),
                reason: Some(reason.clone()),
                ..from("delivery", "refused")
            },
            _ => return None,
        })
    }

    fn of_event(event: &DeskEvent) -> Self {
        let (what, actor) = match &event.body {
            EventBody::Changed(ticket) => ("changed", ticket.actor.as_ref()),
            EventBody::Shared(ticket, _) => ("shared", ticket.actor.as_ref()),
            EventBody::Unshared(_) => ("unshared", None),
            EventBody::Deleted(_) => ("deleted", None),
            EventBody::Merged(..) => ("merged", None),
            EventBody::Fields(_) => ("custom fields changed", None),
            EventBody::Completed(_) => ("answered", None),
        };
        let mut cause = Self {
            from: "desk",
            what,
            event: Some(event.key.clone()),
            actor: name(actor),
            ..Self::default()
        };
        if let EventBody::Completed(Completion { command_id, status, error, .. }) = &event.body {
            cause.command = Some(command_id.clone());
            cause.status = Some(if *status == CompletionStatus::Failed { "failed" } else { "done" });
            cause.error.clone_from(error);
        }
        cause
    }

    /// The rule that shares the ticket.
    pub(super) fn by_rule(&mut self, rule: &str) {
        self.rule = Some(rule.to_owned());
    }

    /// The line, with what came of it.
    pub(super) fn with(&self, decision: &Decision) -> String {
        let line = Line {
            cause: self,
            outcome: decision.outcome.as_str(),
            changed: &decision.changed,
            held_back: &decision.held_back,
            messages: decision.messages.iter().map(|draft| &draft.id).collect(),
        };
        written(&line, 768)
    }

    /// The line of something that was refused.
    pub(super) fn refused(&self, refusal: &Refusal) -> String {
        // Why it is refused stands where a delivery's reason would: nothing has both.
        let line = Refused {
            cause: &Self { reason: None, ..self.clone() },
            outcome: "refused",
            answer: refusal.status,
            reason: &refusal.reason,
        };
        serde_json::to_string(&line).unwrap_or_default()
    }
}

fn name(person: Option<&Person>) -> Option<Word> {
    person.map(|person| person.name.clone())
}
