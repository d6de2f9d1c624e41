//! How agreements, tickets and messages look in the API: their shapes are what `/openapi.json` describes.

mod agreement;
mod message;
mod reconciled;
mod ticket;

use axum::Json;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{domain::Timestamp, wire::date::to_rfc3339};

pub(super) use agreement::{AgreementView, Checked};
pub(super) use message::{ManyDone, MessageView, Outcome, Previewed, Refused};
pub(super) use reconciled::ReconciledView;
pub(super) use ticket::{Explained, Replayed, TicketShape};

/// An instant, RFC 3339.
#[derive(Serialize, JsonSchema)]
#[schemars(extend("format" = "date-time"))]
pub(super) struct At(String);

impl From<Timestamp> for At {
    fn from(at: Timestamp) -> Self {
        Self(to_rfc3339(at))
    }
}

/// What is shown, as the body of an answer.
pub(super) fn json(shown: impl Serialize) -> Json<Value> {
    // It consists of texts and numbers: nothing of it can fail.
    Json(serde_json::to_value(shown).unwrap_or_default())
}
