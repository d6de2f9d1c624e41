//! Whatever is called over HTTP: partners ([`Partner`](crate::ports::Partner)) in the two dialects of the Networked Help Desk
//! protocol, Jira ([`Tracker`](crate::ports::Tracker)), and a desk that takes its commands so
//! ([`DeskHook`](crate::ports::DeskHook)); to addresses that may be called.

mod address;
mod client;
mod desk;
mod http;
mod jira;

pub use address::Allowed;
pub use desk::SignedHook;
pub use http::HttpPartner;
pub use jira::JiraTracker;
