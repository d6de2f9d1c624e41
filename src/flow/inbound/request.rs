//! What a partner asks, and what it is answered.

use serde_json::json;

use crate::{
    domain::Traceparent,
    engine::Refusal,
    ports::{Method, StoreError},
};

/// How long a uuid may be: message ids are made of it, and AMQP's short texts end at 255 bytes.
const UUID: usize = 200;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collection {
    /// `/agreements/{uuid}`
    Agreements,
    /// `/tickets/{uuid}`
    Tickets,
}

/// A partner's request, over HTTP or a queue.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// Of what.
    pub collection: Collection,
    /// Which.
    pub uuid: String,
    /// `<agreement uuid>:<access key>`
    pub token: Option<String>,
    /// The JSON.
    pub body: Vec<u8>,
    /// What it is called, where it came over a queue: the same when it comes again.
    pub id: Option<String>,
    /// It came over HTTP, where a partner sets the pace; a queue is emptied at ours.
    pub over_http: bool,
    /// What it is part of.
    pub trace: Option<Traceparent>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// JSON, or nothing.
    pub body: String,
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self { status: refusal.status, body: json!({"error": refusal.reason}).to_string() }
    }
}

pub(in crate::flow) fn away(error: StoreError) -> Refusal {
    if error.is_transient() {
        return Refusal::new(503, "the database is away; try again later");
    }
    tracing::error!(error = %error, "the store failed a partner's request");
    Refusal::new(500, "this desk's store failed")
}

/// Whether a text can be the name of an object: a part of a path, and nothing that leads elsewhere in one.
pub(super) fn is_uuid(text: &str) -> bool {
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !"/\\?#%".contains(c);
    !text.is_empty() && text.len() <= UUID && text != "." && text != ".." && text.chars().all(plain)
}
