//! What the flow needs of partners: one request, one answer.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use crate::domain::{AccessKey, Profile, Traceparent, Uuid};

/// What is asked of a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Make it.
    Post,
    /// Change it.
    Put,
    /// End it.
    Delete,
    /// Tell it.
    Get,
}

/// A request to a partner.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is asked.
    pub method: Method,
    /// The partner's sharing URL.
    pub base: String,
    /// `agreements` or `tickets`.
    pub collection: &'static str,
    /// The object.
    pub uuid: Uuid,
    /// The JSON, where there is one.
    pub body: Option<String>,
    /// Agreement and key, for the token; an invite carries none in the standard dialect.
    pub token: Option<(Uuid, AccessKey)>,
    /// The dialect.
    pub profile: Profile,
    /// `traceparent`: what it is part of.
    pub trace: Option<Traceparent>,
}

/// A partner's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, as far as anybody needs it: all of what was asked for, the first words of anything else.
    pub text: String,
    /// Whether the body is a page rather than data: Request Tracker says so of its internal failures, with a 200.
    pub is_page: bool,
    /// How long the partner wants to be left alone.
    pub retry_after: Option<Duration>,
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It could not be reached, or did not answer in time.
    #[error("{0}")]
    Unreachable(String),
    /// The address is not allowed, or is none.
    #[error("{0}")]
    Forbidden(String),
}

/// Calls partners.
#[async_trait]
pub trait Partner: fmt::Debug + Send + Sync {
    /// Makes one request. Redirects are followed, twice at most.
    async fn call(&self, call: &Call) -> Result<Answer, CallError>;
    /// Whether a URL may be called at all, judged by its text.
    fn permits(&self, url: &str) -> Result<(), String>;
}
