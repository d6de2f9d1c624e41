//! Everything that can happen, as data: what the pipeline takes.

use std::sync::Arc;

use crate::{
    domain::{
        AccessKey, Agreement, AgreementStatus, Carried, CommentTerms, DeskEvent, Jira, Message, MessageId,
        MessageType, Profile, Terms, TicketId, TicketUpdate, Timestamp, Traceparent, Uuid,
    },
    engine::{
        Outcome, Refusal,
        agreement::{Invite, Told},
        drift::{Comparison, Difference},
    },
};

/// What a partner does to a ticket.
#[derive(Clone, Debug)]
pub enum TicketAction {
    /// Shares it.
    Create(Box<TicketUpdate>),
    /// Changes it.
    Update(Box<TicketUpdate>),
    /// Ends the share.
    Unshare,
}

/// What somebody here does to an agreement.
#[derive(Clone, Debug)]
pub enum AgreementAction {
    /// Says yes to an invite. The person, where known.
    Accept(Option<String>),
    /// Says no to it, or ends it. The person, where known.
    End(AgreementStatus, Option<String>),
    /// Gives it a new key.
    Rotate {
        /// The key.
        key: AccessKey,
        /// One is on its way already.
        on_its_way: bool,
    },
    /// Nobody answered the invite for too long.
    Expire,
    /// Its partner fails, for this reason; or answers again.
    Health(Option<String>),
    /// Changes its terms, what it is called here, or where its partner is.
    Edit {
        /// The new terms.
        terms: Option<TermsEdit>,
        /// The new name.
        name: Option<String>,
        /// Where its partner is now.
        url: Option<String>,
        /// The partner's dialect.
        profile: Option<Profile>,
        /// What this side alone settles.
        local: Option<serde_json::Map<String, serde_json::Value>>,
    },
    /// Its partner turned out to speak this dialect.
    Speak(Profile),
    /// Its credentials are not accepted, for this reason; or are again.
    Trouble(Option<String>),
    /// What is settled about a Jira, its secrets where they are new, and where it is now, where it has moved.
    Jira(Box<Jira>, Option<AccessKey>, Option<String>),
}

/// What changes of an agreement's terms; the rest stays.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TermsEdit {
    /// Comments, and with them the status.
    pub comments: Option<CommentTerms>,
    /// Whether tags cross.
    pub sync_tags: Option<bool>,
    /// Whether custom fields cross.
    pub sync_custom_fields: Option<bool>,
    /// Whether the priority crosses.
    pub priority: Option<bool>,
    /// Whether the assignee's name is told.
    pub assignee: Option<bool>,
    /// Whether the requester's mail address is told.
    pub requester_email: Option<bool>,
    /// Whether those in copy are told.
    pub ccs: Option<bool>,
}

impl TermsEdit {
    /// The terms with what changes.
    pub fn over(&self, terms: Terms) -> Terms {
        Terms {
            comments: self.comments.unwrap_or(terms.comments),
            sync_tags: self.sync_tags.unwrap_or(terms.sync_tags),
            sync_custom_fields: self.sync_custom_fields.unwrap_or(terms.sync_custom_fields),
            priority: self.priority.unwrap_or(terms.priority),
            assignee: self.assignee.unwrap_or(terms.assignee),
            requester_email: self.requester_email.unwrap_or(terms.requester_email),
            ccs: self.ccs.unwrap_or(terms.ccs),
        }
    }
}

/// How an attempt to deliver ended.
#[derive(Clone, Debug)]
pub enum Attempted {
    /// The partner has it.
    Delivered,
    /// A partner that is no desk has it, and tells what came of it there.
    Carried(Box<Carried>),
    /// The desk has it, and will say when it is done.
    Taken,
    /// The partner has it, and with it the agreement's new key.
    Rekeyed,
    /// To be tried again then.
    Later {
        /// When.
        due_at: Timestamp,
        /// What came of it.
        error: Option<String>,
    },
    /// To be tried again then: the partner fails on this ticket, while it takes others'.
    Fails {
        /// When.
        due_at: Timestamp,
        /// What it said.
        why: String,
    },
    /// Refused for good, or given up.
    Parked(String),
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Change {
    /// The desk says something.
    Event {
        /// What it says.
        event: Box<DeskEvent>,
        /// The bytes, of events that may have to wait.
        raw: String,
        /// Where events are recorded: what came before the desk's filter, and which of the events it made this one is.
        came: Option<Box<(String, usize)>>,
    },
    /// Something came in that cannot be processed.
    Dead {
        /// The agreement under which it came, where it is known.
        agreement: Option<Uuid>,
        /// What it was meant to be.
        kind: MessageType,
        /// What came.
        body: String,
        /// Why it cannot be processed.
        reason: String,
    },
    /// A partner does something to a ticket.
    Ticket {
        /// Under which agreement.
        agreement: Uuid,
        /// Which ticket.
        ticket: Uuid,
        /// What.
        action: TicketAction,
        /// What it is part of.
        trace: Option<Traceparent>,
    },
    /// A partner invites this desk.
    Invited {
        /// The agreement.
        uuid: Uuid,
        /// What it says.
        told: Box<Told>,
    },
    /// A partner changes an agreement.
    Told {
        /// The agreement.
        uuid: Uuid,
        /// What it says.
        told: Box<Told>,
        /// The key that let the partner in.
        known_key: AccessKey,
    },
    /// Somebody here invites a partner.
    Invite(Box<Invite>),
    /// The configuration declares an agreement.
    Declare(Box<(Agreement, AccessKey)>),
    /// Somebody here does something to an agreement.
    Agreement(Uuid, AgreementAction),
    /// Somebody here shares a ticket.
    Share(TicketId, String),
    /// Somebody here ends a share.
    Unshare(TicketId),
    /// A partner was asked what it has of a ticket.
    Compared {
        /// Under which agreement.
        agreement: Uuid,
        /// Which ticket.
        ticket: Uuid,
        /// What it has.
        comparison: Box<Comparison>,
    },
    /// Something is done once, by whoever comes first: who asks under this key is told whether he is.
    Claim(String),
    /// A message was tried.
    Attempt(Arc<Message>, Attempted),
    /// The issue that stands for a ticket is known, though not all is done there.
    Found {
        /// The agreement.
        agreement: Uuid,
        /// The ticket.
        ticket: Uuid,
        /// The issue, and whose account made it.
        carried: Box<Carried>,
    },
    /// A change that may come twice: it is applied once under this key.
    Once(String, Box<Change>),
    /// Something that came waits in a row of this name.
    Hold(TicketId, String),
    /// The row of this name that holds this has been looked at.
    Release(TicketId, String),
    /// The broker has taken messages: by their place in the store's order.
    Published(Vec<i64>),
    /// Dead letters are in their queue, and wait for a person.
    Buried(Vec<MessageId>),
    /// A ticket has waited long enough.
    Due(Uuid),
    /// The desk's fields have changed: values of this ticket that fitted none may fit now.
    Refit(Uuid),
    /// Tickets have been gone through from this one to that since the desk's fields changed; `None`: to the last.
    Refitted(Uuid, Option<Uuid>),
    /// The desk's fields may have changed while nobody looked.
    RefitAll,
    /// An event has waited in vain for its ticket to be named.
    Unnamed(TicketId, String),
    /// A person wants everything of this ticket tried again that the desk could not do.
    Retry(Uuid),
    /// A person wants a parked message tried again.
    Replay(Box<Message>),
    /// What a waiting message tells is worked out anew: the terms have become narrower.
    Retell(Box<Message>),
    /// A person wants a parked message forgotten.
    Drop(Box<Message>),
    /// Whether invites are declined from now on.
    DeclineAll(bool),
}

impl Change {
    /// The trace that it is part of, and whatever comes of it.
    pub(super) fn trace(&self) -> Option<&Traceparent> {
        match self {
            Self::Event { event, .. } => event.trace.as_ref(),
            Self::Ticket { trace, .. } => trace.as_ref(),
            Self::Once(_, change) => change.trace(),
            Self::Attempt(message, _) => message.contents.trace.as_ref(),
            Self::Replay(message) | Self::Retell(message) => message.contents.trace.as_ref(),
            _ => None,
        }
    }

    /// What it is, for a log: nothing of its contents.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Event { .. } => "event",
            Self::Dead { .. } => "dead letter",
            Self::Ticket { .. } => "partner's ticket",
            Self::Invited { .. } => "partner's invite",
            Self::Told { .. } => "partner's agreement",
            Self::Invite(_) => "invite",
            Self::Declare(_) => "declared agreement",
            Self::Agreement(..) => "agreement",
            Self::Share(..) => "share",
            Self::Unshare(_) => "unshare",
            Self::Attempt(..) => "attempt",
            Self::Compared { .. } => "comparison",
            Self::Once(_, change) => change.name(),
            Self::Found { .. } => "issue",
            Self::Published(_) | Self::Buried(_) | Self::Hold(..) | Self::Release(..) | Self::Claim(_) => {
                "note"
            }
            Self::Due(_) | Self::Unnamed(..) => "time-out",
            Self::Refit(_) | Self::Refitted(..) | Self::RefitAll => "fields",
            Self::Retry(_) => "retry",
            Self::Replay(_) => "replay",
            Self::Drop(_) => "drop",
            Self::Retell(_) => "message that is told anew",
            Self::DeclineAll(_) => "setting",
        }
    }
}

/// What came of a change.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// What became of an event.
    pub outcome: Outcome,
    /// Something is new.
    pub created: bool,
    /// The agreement as it now is, apart: most changes are about none.
    pub agreement: Option<Box<Agreement>>,
    /// Where a ticket and its counterpart differ; none where that cannot be told now.
    pub differs: Option<Vec<Difference>>,
}

impl Done {
    /// How an agreement now is.
    pub(super) fn about(agreement: Agreement) -> Self {
        Self { agreement: Some(Box::new(agreement)), ..Self::default() }
    }
}

/// What came of a change, or why nothing did.
pub type Answer = Result<Done, Refusal>;
