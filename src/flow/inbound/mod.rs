//! What comes from partners.
//!
//! [`sharing`] answers requests of the protocol, which come over HTTP or, by [`queue`], from bridges; [`hooks`] takes a Jira's
//! webhooks. A request is let in by [`token`] and [`gate`].

mod gate;
mod hooks;
mod queue;
mod request;
mod sharing;
mod token;

pub use hooks::{Hooks, Webhook};
pub use queue::InboundQueue;
pub(super) use request::away;
pub use request::{Collection, Reply, Request};
pub use sharing::Inbound;
