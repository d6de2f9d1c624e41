//! The sections that say what is let in, and who is told by mail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[invites]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Invites {
    /// How many may wait for this desk's answer; further ones are told to come back.
    pub max_waiting: i64,
    /// How many new ones are taken in a minute.
    pub per_minute: u32,
    /// After how long one that nobody answers is declined.
    pub expire_after: String,
}

impl Default for Invites {
    fn default() -> Self {
        Self { max_waiting: 100, per_minute: 30, expire_after: "30days".to_owned() }
    }
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a body.
    pub body: usize,
    /// Bytes of a request's headers.
    pub headers: usize,
    /// Comments in one request of a partner.
    pub comments: usize,
    /// Characters of one comment.
    pub comment_length: usize,
    /// Tags of a ticket.
    pub tags: usize,
    /// Custom fields in one request.
    pub fields: usize,
    /// Requests under one agreement in a minute, over HTTP.
    pub requests_per_minute: u32,
    /// Connections to each listener at once; more wait to be accepted.
    pub connections: usize,
    /// How long a client may take to send its headers, and to sit idle.
    pub header_timeout: String,
    /// How long a client may take to send a body.
    pub body_timeout: String,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 5 * 1024 * 1024,
            headers: 32 * 1024,
            comments: 1000,
            comment_length: 262_144,
            tags: 500,
            fields: 500,
            requests_per_minute: 600_000,
            connections: 1024,
            header_timeout: "15s".to_owned(),
            body_timeout: "15s".to_owned(),
        }
    }
}

/// `[reconcile]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reconcile {
    /// How often shared tickets are compared with what the partners have; `0s`: only when somebody asks.
    pub every: String,
    /// Put right what differs, instead of only saying so.
    pub repair: bool,
}

impl Default for Reconcile {
    fn default() -> Self {
        Self { every: "0s".to_owned(), repair: false }
    }
}

/// `[mail]`
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// The mail server: `smtps://USER:PASSWORD@HOST`, `smtp://HOST:587?tls=required`. Empty: no mail.
    pub url: String,
    /// Whom the mails are from.
    pub from: String,
}

impl Default for Mail {
    fn default() -> Self {
        Self { url: String::new(), from: "crossdesk@localhost".to_owned() }
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mail(…)")
    }
}
