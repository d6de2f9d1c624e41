//! What comes out of the engine: messages to write, people met, issues opened or resolved.

use std::{collections::HashMap, fmt, time::Duration};

use crate::domain::{
    Agreement, AgreementChange, Catalogue, Command, Contents, Issue, MessageId, MessageType, Namespace,
    Notice, Property, Quick, Reason, TicketId, TicketUpdate, Timestamp, User, Uuid,
};

use super::Case;

/// What the engine knows of this desk.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Its name, as partners see it.
    pub name: String,
    /// Its sharing URL.
    pub sharing_url: String,
    /// The namespace of its uuids.
    pub namespace: Namespace,
    /// How a link to one of its tickets is made: `{id}` stands for the number.
    pub ticket_url: Option<String>,
    /// After how long an unanswered command is taken as done.
    pub command_timeout: Duration,
    /// It is brought its commands, and says when it has taken one: the time-out begins then.
    pub takes_commands: bool,
}

/// What a decision may look at besides its case.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The time of the decision.
    pub now: Timestamp,
    /// This desk.
    pub desk: &'a Desk,
    /// Agreements by uuid.
    pub agreements: &'a Quick<Uuid, Agreement>,
    /// People of partners, by agreement and uuid.
    pub users: &'a Quick<(Uuid, Uuid), User>,
    /// Numbers of tickets at partners', by agreement and the desk's number.
    pub references: &'a HashMap<(Uuid, TicketId), String>,
    /// The desk's custom fields.
    pub catalogue: &'a Catalogue,
    /// When the desk's event happened, where there is one.
    pub event_at: Option<Timestamp>,
}

/// A message to a partner, not yet bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum PartnerMessage {
    /// Here is an agreement.
    Invite,
    /// The agreement changed.
    Agreement(AgreementChange),
    /// Here is a ticket.
    Create(Box<TicketUpdate>),
    /// The ticket changed.
    Update(Box<TicketUpdate>),
    /// The share has ended.
    Unshare,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// To a partner.
    Partner(PartnerMessage),
    /// To the desk.
    Command(Command),
}

impl Content {
    /// The type of the message that carries it.
    pub fn kind(&self) -> MessageType {
        match self {
            Self::Partner(PartnerMessage::Invite) => MessageType::AgreementInvite,
            Self::Partner(PartnerMessage::Agreement(_)) => MessageType::AgreementUpdate,
            Self::Partner(PartnerMessage::Create(_)) => MessageType::TicketCreate,
            Self::Partner(PartnerMessage::Update(_)) => MessageType::TicketUpdate,
            Self::Partner(PartnerMessage::Unshare) => MessageType::TicketUnshare,
            Self::Command(Command::CreateUser(_)) => MessageType::CommandUserCreate,
            Self::Command(Command::CreateTicket(_)) => MessageType::CommandTicketCreate,
            Self::Command(Command::UpdateTicket(_)) => MessageType::CommandTicketUpdate,
            Self::Command(Command::UnshareTicket { .. }) => MessageType::CommandTicketUnshare,
            Self::Command(Command::FetchTicket { .. }) => MessageType::CommandTicketFetch,
            Self::Command(Command::Notice(_)) => MessageType::CommandNotice,
        }
    }
}

/// A message to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its id.
    pub id: MessageId,
    /// The agreement under which it goes.
    pub agreement: Option<Uuid>,
    /// What it says.
    pub content: Content,
    /// What of the share it carries.
    pub contents: Contents,
    /// When the desk's event happened that it comes from.
    pub event_at: Option<Timestamp>,
}

/// What became of a desk event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It changed something.
    Applied,
    /// It told nothing new.
    #[default]
    Unchanged,
    /// A newer one had been applied.
    Stale,
    /// Its ticket is not shared.
    Unshared,
    /// It cannot be used.
    Rejected,
}

impl Outcome {
    /// The value of the metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
            Self::Unshared => "unshared",
            Self::Rejected => "rejected",
        }
    }
}

/// A request that is not done, with the code and the words of the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// The HTTP status that says so.
    pub status: u16,
    /// What is wrong, and with what.
    pub reason: String,
}

impl Refusal {
    /// A refusal with this code.
    pub fn new(status: u16, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
}

/// What is to be written because of a change, beside the case itself.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Messages, in order.
    pub messages: Vec<Draft>,
    /// People met for the first time.
    pub users: Vec<User>,
    /// Issues opened or resolved.
    pub issues: Vec<Issue>,
    /// Messages of this case under these agreements that need no longer be sent.
    pub withdraw: Vec<Uuid>,
    /// Agreements under which the ticket is shared no more: what did not sync under them is nobody's trouble any more.
    pub ended: Vec<Uuid>,
    /// What became of the event.
    pub outcome: Outcome,
    /// The parts that the change changed, by name.
    pub changed: Vec<ChangedPart>,
    /// What of it did not go on, under which agreement, and why.
    pub held_back: Vec<HeldBack>,
}

/// A part of a ticket, that a change changed or that was held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedPart {
    /// One that holds a value.
    Property(Property),
    /// The tags.
    Tags,
    /// The comments; so many are new, where that is said.
    Comments(Option<usize>),
    /// One comment.
    Comment(Uuid),
}

impl From<&Property> for ChangedPart {
    fn from(property: &Property) -> Self {
        Self::Property(property.clone())
    }
}

impl fmt::Display for ChangedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Property(property) => property.fmt(f),
            Self::Tags => f.write_str("tags"),
            Self::Comments(None) => f.write_str("comments"),
            Self::Comments(Some(count)) => write!(f, "{count} comments"),
            Self::Comment(uuid) => write!(f, "comment:{uuid}"),
        }
    }
}

impl serde::Serialize for ChangedPart {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Property(property) => property.serialize(serializer),
            other => serializer.collect_str(other),
        }
    }
}

/// A part of a change that does not cross.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HeldBack {
    /// The agreement under which it does not.
    pub agreement: Uuid,
    /// The part.
    pub subject: ChangedPart,
    /// Why, as a code.
    pub reason: Reason,
}

impl Decision {
    /// Adds a command for the desk about a case.
    pub(super) fn command(
        &mut self,
        case: &mut Case,
        agreement: &Uuid,
        command: Command,
        ctx: &Context<'_>,
    ) -> i64 {
        let id = case.next_message();
        let n = id.n;
        self.messages.push(Draft {
            id,
            agreement: Some(agreement.clone()),
            content: Content::Command(command),
            contents: Contents::default(),
            event_at: ctx.event_at,
        });
        n
    }

    /// Tells the desk's people something about a case.
    pub(super) fn notice(
        &mut self,
        case: &mut Case,
        agreement: &Uuid,
        kind: &'static str,
        text: String,
        ctx: &Context<'_>,
    ) {
        let name = ctx.agreements.get(agreement).map(|a| a.name.clone()).unwrap_or_default();
        let notice = Notice {
            kind,
            text,
            agreement: Some((agreement.clone(), name)),
            ticket: Some((case.ticket.uuid.clone(), case.ticket.id.clone())),
            by: None,
        };
        self.command(case, agreement, Command::Notice(notice), ctx);
    }

    /// Notes that a part of the change does not cross.
    pub(super) fn hold_back(&mut self, agreement: &Uuid, subject: impl Into<ChangedPart>, reason: Reason) {
        self.held_back.push(HeldBack { agreement: agreement.clone(), subject: subject.into(), reason });
    }

    /// Resolves an issue, if there is one: the store keeps what it was about.
    pub(super) fn resolved(
        &mut self,
        case: &Case,
        agreement: &Uuid,
        subject: impl ToString,
        reason: Reason,
        ctx: &Context<'_>,
    ) {
        self.issue(case, agreement, subject, reason, "it is settled", ctx);
        if let Some(issue) = self.issues.last_mut() {
            issue.resolved_at = Some(ctx.now);
        }
    }

    /// Opens an issue.
    pub(super) fn issue(
        &mut self,
        case: &Case,
        agreement: &Uuid,
        subject: impl ToString,
        reason: Reason,
        detail: impl Into<String>,
        ctx: &Context<'_>,
    ) {
        self.issues.push(Issue {
            ticket: case.ticket.uuid.clone(),
            agreement: agreement.clone(),
            subject: subject.to_string(),
            reason,
            detail: detail.into(),
            opened_at: ctx.now,
            resolved_at: None,
        });
    }
}
