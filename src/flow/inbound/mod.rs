//! What partners ask of us: who may, what it means, and the code that answers it (protocol: what a tolerant server must take).
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
