//! What the flow needs of the world: a [`Store`], a [`Broker`] and [`Partner`]s. Adapters implement these; none knows another.
//!
//! The rules that every adapter keeps:
//! - [`Store::apply`] is one transaction: all of it is safe afterwards, or none of it happened.
//! - [`Broker::publish`] says `Ok` only when the broker has taken the message for good.
//! - Errors say whether trying again can help, and never carry a secret.

mod broker;
mod desk_hook;
mod mailer;
mod partner;
mod recorded;
mod store;
mod tracker;
mod view;
mod writes;

pub use broker::{Broker, BrokerError, Deliveries, Destination, Incoming, Outgoing, Source};
pub use desk_hook::DeskHook;
pub use mailer::Mailer;
pub use partner::{Answer, Call, CallError, Method, Partner};
pub use recorded::{Before, Mapped, Recorded, Tables};
pub use store::{Beat, MessageFilter, Scope, Store, StoreError, TicketRef};
pub use tracker::{Errand, Looked, Point, Setback, Task, Tracker};
pub use view::{Counts, Happened, Minute, TicketView, Trouble, TroubleKey};
pub use writes::{Changed, Ended, Mark, NewComment, Withdraw, Writes};
