//! What things are: tickets, comments, agreements, shares, messages. No I/O, no clock, no policy.
//!
//! Everything here is plain data that the engine reasons about, the wire writes and reads, and the store keeps. What may
//! never go wrong is a type: a [`Comment`] cannot become public once it is private, an [`Agreement`] moves only along
//! its life, an [`Uuid`] is opaque.

mod access_key;
mod agreement;
mod asked;
mod command;
mod comment;
mod doer;
mod event;
mod field;
mod heard;
mod id;
mod issue;
mod jira;
mod json;
mod local;
mod message;
mod name;
mod person;
mod property;
mod share;
mod tags;
mod ticket;
mod time;
mod trace;
mod update;
mod value;

pub use access_key::{AccessKey, Keys};
pub use agreement::{
    Agreement, AgreementChange, AgreementStatus, CommentTerms, DeclaredAs, Direction, Failing,
    IllegalTransition, Kind, Party, Profile, Terms,
};
pub use asked::{Held, OpenCommand, Undone};
pub use command::{Command, FieldNotSynced, NewUser, Notice, TicketCommand};
pub use comment::{Attachment, Comment, Privacy};
pub use doer::Doer;
pub use event::{Completion, CompletionStatus, DeskEvent, EventBody, Revision, TicketEvent};
pub use field::{Catalogue, CustomField, FieldType};
pub use heard::Heard;
pub use id::{MessageId, Namespace, Quick, QuickSet, TicketId, UserId, Uuid};
pub use issue::{Issue, Reason};
pub use jira::{Carried, Jira, JiraIssue, JiraSecrets, Obstacle, Visibility};
pub use json::written;
pub use local::{FieldDirection, FieldRule, Local, StatusMap};
pub use message::{Channel, Contents, Message, MessageState, MessageType};
pub use name::named;
pub use person::{Person, Role, User};
pub use property::{Parts, Property, Title, part_at};
pub use share::{Agreed, Counterpart, Exchange, Insisted, Insistence, Share, ShareRole, ShareState};
pub use tags::{TagSet, Tags, TagsExchange};
pub use ticket::{Origin, StoredComment, Ticket};
pub use time::{Timestamp, lasting};
pub use trace::Traceparent;
pub use update::{Extra, TicketUpdate};
pub use value::{Shared, Value, Word};
