//! The settings: one file in TOML, any key overridden by the environment, every key with a default.
//!
//! Loading takes the text and the variables as arguments, so tests never touch the process' environment. Every error names
//! the file or the variable, the key, and the mend.

mod asyncapi;
mod declared;
mod durations;
mod environment;
mod fault;
mod guard;
mod jira;
mod load;
mod names;
mod schema;
mod sections;
mod telemetry;
mod validate;

pub use durations::read_duration;
pub use environment::environment;
pub use guard::{Invites, Limits, Mail};
pub use jira::DeclaredJira;
pub use load::{Error, from_file, load};
pub use schema::schema;
pub use sections::{Admin, Broker, Config, DeclaredAgreement, Delivery, Desk, Http, Retry, Rule, Store};
pub use telemetry::{Log, Trace};
