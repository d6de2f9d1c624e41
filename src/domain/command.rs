//! What the desk is asked to do.

use serde::{Deserialize, Serialize};

use super::{
    Comment, Counterpart, Doer, Origin, Parts, Person, Reason, Role, Shared, TagSet, Tags, TicketId, Title,
    Uuid, Word,
};

/// A command for the desk.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Make a dummy user for somebody of the partner's.
    CreateUser(NewUser),
    /// Make a ticket for one that a partner shares.
    CreateTicket(Box<TicketCommand>),
    /// Change a ticket as the partner changed its own.
    UpdateTicket(Box<TicketCommand>),
    /// The share has ended; the ticket stays.
    UnshareTicket {
        /// The ticket.
        uuid: Uuid,
        /// Its id on the desk, where known.
        id: Option<TicketId>,
        /// The agreement.
        agreement: (Uuid, String),
        /// Who ended it, and why.
        reason: String,
    },
    /// Send the ticket with all its comments.
    FetchTicket {
        /// The ticket.
        uuid: Uuid,
        /// Its id on the desk.
        id: TicketId,
    },
    /// Something that a person should know.
    Notice(Notice),
}

/// A dummy user to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// The partner's name for them.
    pub uuid: Uuid,
    /// What to call them.
    pub name: Word,
    /// What the partner shows; on this desk they are an end user.
    pub role: Role,
    /// Under which agreement: its uuid and name. Under another one the same uuid is somebody else.
    pub agreement: (Uuid, String),
}

/// What a ticket command carries: on creation everything, on a change only what changed.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketCommand {
    /// The ticket.
    pub uuid: Uuid,
    /// Its id on the desk, where known.
    pub id: Option<TicketId>,
    /// The values to set.
    pub properties: Parts<Shared>,
    /// The whole set of tags as it should be, where it changes.
    pub tags: Option<Tags>,
    /// What is new in it.
    pub tags_added: TagSet,
    /// What is gone from it.
    pub tags_removed: TagSet,
    /// Who asked (creation).
    pub requester: Option<Person>,
    /// Comments to add, in order.
    pub comments: Vec<Comment>,
    /// Who did it on the partner's side.
    pub actor: Option<Person>,
    /// Under which agreement: its uuid and name.
    pub agreement: (Uuid, String),
    /// Where the ticket first came from.
    pub origin: Option<Origin>,
    /// The partner's own ticket, where something new of it is known.
    pub partner: Option<Counterpart>,
    /// Custom fields that are left out, and why.
    pub fields_not_synced: Vec<FieldNotSynced>,
}

/// A custom field that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldNotSynced {
    /// Its title, as the partner writes it.
    pub title: Title,
    /// Why, as a code.
    pub reason: Reason,
    /// Why, in words.
    pub detail: String,
}

/// Something that a person at the desk should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What kind of thing: `agreement_invited`, `share_refused`, …
    pub kind: &'static str,
    /// What happened and what can be done, in a sentence.
    pub text: String,
    /// The agreement that it is about.
    pub agreement: Option<(Uuid, String)>,
    /// The ticket that it is about.
    pub ticket: Option<(Uuid, Option<TicketId>)>,
    /// Who did it.
    pub by: Option<Doer>,
}
