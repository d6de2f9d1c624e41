//! What to do about a change. Pure: a case (one ticket with all that is known of it) and a change make a [`Decision`].
//!
//! The engine reads no clock, no database and no network; the time, the agreements and the people it needs are in the
//! [`Context`]. The same case and the same change always make the same decision, so the flow may decide anew whenever
//! somebody else was faster.
//!
//! | change | where |
//! |---|---|
//! | the desk says how a ticket stands | [`outgoing`] |
//! | a partner shares, changes or unshares a ticket | [`incoming`] |
//! | the desk answers a command, or never does | [`completion`] |
//! | somebody starts or ends a share | [`sharing`] |
//! | a partner refuses a message | [`refusal`] |
//! | a partner fails on a ticket, and on no other | [`failing`] |
//! | a partner that is no desk has taken one | [`carried()`] |
//! | a partner shows what it has of a ticket | [`drift`] |
//! | the desk could not do something, or could not then | [`undone`] |
//! | an agreement is made, answered or ended | [`agreement`] |

pub mod agreement;
mod asking;
mod carried;
mod case;
pub mod completion;
mod decision;
mod diff;
pub mod drift;
mod echo;
pub mod failing;
pub mod field;
pub mod field_check;
pub mod incoming;
mod mapping;
pub mod outgoing;
mod people;
mod reading;
pub mod references;
pub mod refusal;
pub mod rules;
pub mod sharing;
mod snapshot;
pub mod status;
mod stored;
mod tags;
pub mod undone;
mod wanted;

pub use carried::carried;
pub use case::{Case, Comments};
pub use decision::{
    ChangedPart, Content, Context, Decision, Desk, Draft, HeldBack, Outcome, PartnerMessage, Refusal,
};
pub use mapping::{crosses, may_be_told};
pub use snapshot::Snapshot;
pub use stored::{Imprint, Stored};
