//! What happened to a ticket, as a line of its history: for people to read, and for nothing else.

use serde_json::{Map, Value, json};

use super::change::{Attempted, Change, TicketAction};
use crate::{
    domain::{DeskEvent, EventBody, Person},
    engine::{Decision, Refusal},
};

/// Something that came in, to be told in the history of its ticket together with what came of it.
#[derive(Clone, Debug)]
pub(super) struct Cause(Map<String, Value>);

impl Cause {
    /// What a change is, where it is worth a line.
    pub(super) fn of(change: &Change) -> Option<Self> {
        let line = match change {
            Change::Event { event, .. } => return Some(Self::of_event(event)),
            Change::Ticket { agreement, action, .. } => {
                let (what, actor) = match action {
                    TicketAction::Create(update) => ("shared", update.actor.as_ref()),
                    TicketAction::Update(update) => ("changed", update.actor.as_ref()),
                    TicketAction::Unshare => ("unshared", None),
                };
                json!({"from": "partner", "what": what, "agreement": agreement, "actor": name(actor)})
            }
            Change::Share(_, agreement) => json!({"from": "admin", "what": "share", "wanted": agreement}),
            Change::Unshare(_) => json!({"from": "admin", "what": "unshare"}),
            Change::Due(_) => json!({"from": "clock", "what": "the desk has not answered in time"}),
            Change::Refit(_) => json!({"from": "desk", "what": "custom fields changed"}),
            Change::Replay(message) => json!({"from": "admin", "what": "replay", "message": message.id}),
            Change::Attempt(message, Attempted::Parked(reason)) => {
                json!({"from": "delivery", "what": "refused", "message": message.id, "agreement": message.agreement, "reason": reason})
            }
            _ => return None,
        };
        match line {
            Value::Object(line) => Some(Self(line)),
            _ => None,
        }
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
        let mut line = Map::new();
        line.insert("from".to_owned(), "desk".into());
        line.insert("what".to_owned(), what.into());
        line.insert("event".to_owned(), event.key.as_str().into());
        if let Some(actor) = actor {
            line.insert("actor".to_owned(), actor.name.as_str().into());
        }
        if let EventBody::Completed(completion) = &event.body {
            line.insert("command".to_owned(), completion.command_id.to_string().into());
            let failed = completion.status == crate::domain::CompletionStatus::Failed;
            line.insert("status".to_owned(), if failed { "failed" } else { "done" }.into());
            line.insert("error".to_owned(), completion.error.clone().into());
        }
        Self(line)
    }

    /// The rule that shares the ticket.
    pub(super) fn by_rule(&mut self, rule: &str) {
        self.0.insert("rule".to_owned(), rule.into());
    }

    /// The line, with what came of it.
    pub(super) fn with(&self, decision: &Decision) -> String {
        let mut line = self.0.clone();
        line.insert("outcome".to_owned(), decision.outcome.as_str().into());
        if !decision.changed.is_empty() {
            line.insert("changed".to_owned(), json!(decision.changed));
        }
        if !decision.held_back.is_empty() {
            let held = decision.held_back.iter();
            let held = held.map(
                |held| json!({"agreement": held.agreement, "subject": held.subject, "reason": held.reason}),
            );
            line.insert("held_back".to_owned(), held.collect());
        }
        if !decision.messages.is_empty() {
            line.insert(
                "messages".to_owned(),
                decision.messages.iter().map(|draft| json!(draft.id)).collect(),
            );
        }
        line.retain(|_, value| !value.is_null());
        Value::Object(line).to_string()
    }

    /// The line of something that was refused.
    pub(super) fn refused(&self, refusal: &Refusal) -> String {
        let mut line = self.0.clone();
        line.insert("outcome".to_owned(), "refused".into());
        line.insert("answer".to_owned(), refusal.status.into());
        line.insert("reason".to_owned(), refusal.reason.as_str().into());
        line.retain(|_, value| !value.is_null());
        Value::Object(line).to_string()
    }
}

fn name(person: Option<&Person>) -> Option<&str> {
    person.map(|person| person.name.as_str())
}
