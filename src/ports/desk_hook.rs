//! What the flow needs of a desk that takes its commands over HTTP.

use std::fmt;

use async_trait::async_trait;

use super::{Answer, CallError};
use crate::domain::{Timestamp, Traceparent};

/// Brings a command to the desk.
#[async_trait]
pub trait DeskHook: fmt::Debug + Send + Sync {
    /// Sends a command's bytes now, under its id, which is the same on every retry, as part of a trace.
    async fn send(
        &self,
        id: &str,
        now: Timestamp,
        body: &str,
        trace: Option<&Traceparent>,
    ) -> Result<Answer, CallError>;
}
