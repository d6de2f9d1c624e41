//! A message row: outbox, history, dead letter and the source of explanations in one.

use serde::{Deserialize, Serialize};

use super::{Exchange, MessageId, Parts, Property, TagSet, Timestamp, Traceparent, Uuid};

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A partner queue.
    Partner,
    /// The desk.
    Command,
    /// The dead-letter queue: a copy of what could not be processed.
    Dead,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// To a partner: here is an agreement, will you have it?
    AgreementInvite,
    /// To a partner: the agreement changed.
    AgreementUpdate,
    /// To a partner: here is a ticket.
    TicketCreate,
    /// To a partner: the ticket changed.
    TicketUpdate,
    /// To a partner: the share has ended.
    TicketUnshare,
    /// To the desk: make a dummy user.
    CommandUserCreate,
    /// To the desk: make a ticket.
    CommandTicketCreate,
    /// To the desk: change a ticket.
    CommandTicketUpdate,
    /// To the desk: a share has ended.
    CommandTicketUnshare,
    /// To the desk: send the whole ticket.
    CommandTicketFetch,
    /// To the desk: somebody should know.
    CommandNotice,
    /// From the desk: an event that could not be processed.
    DeadEvent,
    /// From a bridge: a message that was refused.
    DeadInbound,
    /// To a partner, and given up: the copy for the dead-letter queue.
    DeadPartner,
}

const TYPES: [(MessageType, &str); 14] = [
    (MessageType::AgreementInvite, "agreement.invite"),
    (MessageType::AgreementUpdate, "agreement.update"),
    (MessageType::TicketCreate, "ticket.create"),
    (MessageType::TicketUpdate, "ticket.update"),
    (MessageType::TicketUnshare, "ticket.unshare"),
    (MessageType::CommandUserCreate, "crossdesk.user.create"),
    (MessageType::CommandTicketCreate, "crossdesk.ticket.create"),
    (MessageType::CommandTicketUpdate, "crossdesk.ticket.update"),
    (MessageType::CommandTicketUnshare, "crossdesk.ticket.unshare"),
    (MessageType::CommandTicketFetch, "crossdesk.ticket.fetch"),
    (MessageType::CommandNotice, "crossdesk.notice"),
    (MessageType::DeadEvent, "dead.event"),
    (MessageType::DeadInbound, "dead.inbound"),
    (MessageType::DeadPartner, "dead.partner"),
];

impl MessageType {
    /// The name on the wire: a partner message's `type`, a command's `type` and routing key.
    pub fn as_str(self) -> &'static str {
        TYPES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        TYPES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// Where messages of this type go.
    pub fn channel(self) -> Channel {
        match self {
            Self::AgreementInvite
            | Self::AgreementUpdate
            | Self::TicketCreate
            | Self::TicketUpdate
            | Self::TicketUnshare => Channel::Partner,
            Self::DeadEvent | Self::DeadInbound | Self::DeadPartner => Channel::Dead,
            _ => Channel::Command,
        }
    }

    /// Whether it is about an agreement rather than a ticket: such messages go out even after the agreement has ended.
    pub fn is_about_agreement(self) -> bool {
        matches!(self, Self::AgreementInvite | Self::AgreementUpdate)
    }
}

/// How far a message has come. It ends as delivered, parked or withdrawn, and never falls out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageState {
    /// Written, not yet with the broker.
    Pending,
    /// With the broker.
    Published,
    /// Taken by its receiver.
    Delivered,
    /// Refused or given up; a person decides.
    Parked,
    /// No longer to be sent.
    Withdrawn,
}

impl MessageState {
    /// The word in the store and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Published => "published",
            Self::Delivered => "delivered",
            Self::Parked => "parked",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Published, Self::Delivered, Self::Parked, Self::Withdrawn]
            .into_iter()
            .find(|state| state.as_str() == word)
    }

    /// Nothing more will happen to it by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Parked | Self::Withdrawn)
    }
}

/// What a ticket message carried, so that it can be un-agreed when it is refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    /// Its number in the share.
    pub seq: i64,
    /// The properties that it told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
    /// What these were before, as far as they had been told: agreed again, should it be refused.
    #[serde(default, skip_serializing_if = "Parts::is_empty")]
    pub was: Parts<Exchange>,
    /// The tags that it told as new.
    #[serde(default, skip_serializing_if = "TagSet::is_empty")]
    pub tags_added: TagSet,
    /// The tags that it told as gone.
    #[serde(default, skip_serializing_if = "TagSet::is_empty")]
    pub tags_removed: TagSet,
    /// The number of the first comment in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_comment: Option<i64>,
    /// It tells the partner the agreement's new key, which is put in at delivery.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rekeys: bool,
    /// The step of a trace that it came of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Traceparent>,
}

impl Contents {
    /// Whether it tells comments, and nothing else.
    pub fn is_comments_alone(&self) -> bool {
        let values = self.properties.is_empty() && self.tags_added.is_empty() && self.tags_removed.is_empty();
        self.first_comment.is_some() && values
    }
}

/// A message, as its row keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its place in the store's order; zero before it has one.
    pub seq: i64,
    /// The place of the one before it that is about the same ticket, so that all of them are found without an index.
    pub before: Option<i64>,
    /// Its id.
    pub id: MessageId,
    /// The agreement under which it goes.
    pub agreement: Option<Uuid>,
    /// What it is.
    pub kind: MessageType,
    /// How far it has come.
    pub state: MessageState,
    /// The JSON that goes out; no access key is ever in it.
    pub body: String,
    /// What it tells, for un-agreeing.
    pub contents: Contents,
    /// How often its receiver was tried.
    pub attempts: u32,
    /// When it may be tried again.
    pub due_at: Option<Timestamp>,
    /// What the receiver last said, or why it is parked.
    pub error: Option<String>,
    /// When the desk's event happened that it comes from.
    pub event_at: Option<Timestamp>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When something last became of it; a parked one is parked since then.
    pub updated_at: Timestamp,
    /// What it came of, for the history of its ticket: a JSON object. The first message of a decision carries it.
    pub cause: Option<String>,
    /// It goes to a bridge, and nobody reports back what becomes of it.
    pub bridged: bool,
}
