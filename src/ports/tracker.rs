//! What the flow needs of a Jira: a ticket brought over, whatever requests that takes.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use serde::Serialize;

use crate::domain::{AccessKey, Carried, Catalogue, Jira, TicketUpdate, Timestamp, Uuid};

/// What is to be done over there.
#[derive(Clone, Debug)]
pub enum Task {
    /// See whether tickets can be brought over at all.
    Check,
    /// Make an issue for a ticket.
    Create(Box<TicketUpdate>),
    /// Change the issue of a ticket.
    Update(Box<TicketUpdate>),
    /// Part the issue from its ticket; it stays.
    Unshare,
}

/// A task, and everything that it takes.
#[derive(Clone, Debug)]
pub struct Errand {
    /// The agreement.
    pub agreement: Uuid,
    /// What this desk is called.
    pub desk: String,
    /// The server.
    pub base: String,
    /// What is settled about it.
    pub jira: Jira,
    /// What the agreement's own map calls statuses there: none of these is any status of its kind.
    pub words: Vec<String>,
    /// What lets us in.
    pub token: AccessKey,
    /// The ticket; of a check, nobody's.
    pub ticket: Uuid,
    /// The issue that stands for it, where it is known.
    pub issue: Option<String>,
    /// Nothing of it can have been done before.
    pub since: Timestamp,
    /// The present time.
    pub now: Timestamp,
    /// What is to be done.
    pub task: Task,
}

/// Why a task was not done, or not wholly: what was done is found again when it is tried anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Setback {
    /// It may work later.
    #[error("{why}")]
    Later {
        /// What happened.
        why: String,
        /// Not before this long.
        after: Option<Duration>,
    },
    /// The credentials are not accepted: nothing works until somebody gives others.
    #[error("{0}")]
    Credentials(String),
    /// It is refused, in the partner's words.
    #[error("{0}")]
    Refused(String),
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Point {
    /// What.
    pub what: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

/// What a look at a Jira found.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// Point by point.
    pub points: Vec<Point>,
    /// Its custom fields.
    pub fields: Catalogue,
}

/// Brings tickets to Jira.
#[async_trait]
pub trait Tracker: fmt::Debug + Send + Sync {
    /// Does a task; what is known of it by then is told also where it is not done.
    async fn carry(&self, errand: &Errand) -> (Carried, Result<(), Setback>);
    /// Looks at everything that tickets will need.
    async fn look(&self, errand: &Errand) -> Result<Looked, Setback>;
}
