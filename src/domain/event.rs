//! What the desk tells: its CloudEvents, read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Comment, CustomField, MessageId, Parts, Person, Shared, Tags, TicketId, Timestamp, Traceparent, UserId,
    Uuid, Word,
};

/// Where an event stands among the events of its ticket: by the desk's revision, or by time where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Revision {
    /// `data.ticket.revision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// The event's `time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
}

impl Revision {
    /// Whether this one is certainly older: an equal one counts, and so does one that cannot be compared.
    pub fn is_older_than(&self, other: &Self) -> bool {
        match (self.number, other.number) {
            (Some(mine), Some(theirs)) => mine < theirs,
            _ => matches!((self.time, other.time), (Some(mine), Some(theirs)) if mine < theirs),
        }
    }

    /// The newer of the two.
    #[must_use]
    pub fn or_newer(self, other: Self) -> Self {
        if other.is_older_than(&self) {
            return self;
        }
        Self { number: other.number.or(self.number), time: other.time.or(self.time) }
    }
}

/// An event of the desk.
#[derive(Clone, Debug)]
pub struct DeskEvent {
    /// `source` and `id`: an event with the same two is the same event.
    pub key: String,
    /// When it happened, by the desk's clock.
    pub time: Option<Timestamp>,
    /// What happened.
    pub body: EventBody,
    /// What it is part of.
    pub trace: Option<Traceparent>,
}

impl DeskEvent {
    /// Whether it may have to wait until an answer of the desk names its ticket.
    pub fn may_wait(&self) -> bool {
        match &self.body {
            EventBody::Changed(ticket) | EventBody::Shared(ticket, _) => ticket.came_by_command(),
            _ => false,
        }
    }

    /// The name by which a ticket remembers the event. `None`: it has no number among the events of its ticket, so that only the
    /// store can tell whether it came before.
    pub fn mark(&self) -> Option<Uuid> {
        match &self.body {
            EventBody::Changed(ticket) if ticket.revision.number.is_some() => Some(Uuid::hash(&[&self.key])),
            _ => None,
        }
    }
}

/// What an event tells.
#[derive(Clone, Debug)]
pub enum EventBody {
    /// The ticket as it now stands.
    Changed(TicketEvent),
    /// An agent shares the ticket under the agreement of this uuid or name.
    Shared(TicketEvent, String),
    /// An agent ended the ticket's outgoing share.
    Unshared(TicketId),
    /// The ticket is gone.
    Deleted(TicketId),
    /// The ticket went into another.
    Merged(TicketId, TicketId),
    /// The desk's whole catalogue of custom fields.
    Fields(Vec<CustomField>),
    /// A command was done, or failed.
    Completed(Completion),
}

/// A ticket as an event tells it; what is absent is unchanged.
#[derive(Clone, Debug)]
pub struct TicketEvent {
    /// The desk's id.
    pub id: TicketId,
    /// The network's name, where the desk keeps it.
    pub uuid: Option<Uuid>,
    /// Where the event stands among the ticket's events.
    pub revision: Revision,
    /// The parts that the event speaks of.
    pub properties: Parts<Shared>,
    /// The whole set of tags, where the event speaks of them.
    pub tags: Option<Tags>,
    /// Who asked.
    pub requester: Option<Person>,
    /// How the ticket came to be; `ticket_sharing` on those that a command created.
    pub via: Option<Word>,
    /// When the ticket came to be.
    pub created_at: Option<Timestamp>,
    /// Comments with the desk's id each; the flag tells whether the desk named the network's uuid too.
    pub comments: Vec<(Comment, bool)>,
    /// These are all comments of the ticket.
    pub comments_complete: bool,
    /// Who did it.
    pub actor: Option<Person>,
    /// The command that caused it, where the desk says so.
    pub command_id: Option<MessageId>,
}

impl TicketEvent {
    /// An event that says nothing of a ticket but its id.
    pub fn about(id: TicketId) -> Self {
        Self {
            id,
            uuid: None,
            revision: Revision::default(),
            properties: Parts::new(),
            tags: None,
            requester: None,
            via: None,
            created_at: None,
            comments: Vec::new(),
            comments_complete: false,
            actor: None,
            command_id: None,
        }
    }

    /// Whether the desk says that a command of this daemon's made the ticket.
    pub fn came_by_command(&self) -> bool {
        self.via.as_deref() == Some("ticket_sharing")
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletionStatus {
    /// The desk did it.
    Done,
    /// The desk could not.
    Failed,
}

/// The desk's answer to a command.
#[derive(Clone, Debug)]
pub struct Completion {
    /// Which command.
    pub command_id: MessageId,
    /// How it ended.
    pub status: CompletionStatus,
    /// Why it failed, in the desk's words.
    pub error: Option<String>,
    /// The ticket's revision after it.
    pub revision: Revision,
    /// The id that the desk gave to the ticket.
    pub ticket_id: Option<TicketId>,
    /// The ids that it gave to people.
    pub users: BTreeMap<Uuid, UserId>,
    /// The ids that it gave to comments.
    pub comments: BTreeMap<Uuid, String>,
}
