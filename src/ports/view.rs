//! What lists and pages read of a store.

use crate::domain::{Issue, Reason, Share, Ticket, Timestamp, Uuid};

/// Something that happened to a ticket.
#[derive(Clone, Debug)]
pub struct Happened {
    /// When.
    pub at: Timestamp,
    /// What: a JSON object.
    pub what: String,
}

/// A ticket with its shares, for lists and pages.
#[derive(Clone, Debug)]
pub struct TicketView {
    /// The ticket.
    pub ticket: Ticket,
    /// Its shares.
    pub shares: Vec<Share>,
    /// Its issues, resolved ones too.
    pub issues: Vec<Issue>,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages not yet with the broker.
    pub pending: i64,
    /// Messages parked.
    pub parked: i64,
}

/// What kind of trouble: one part of tickets that does not sync under one agreement, for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TroubleKey {
    /// The agreement.
    pub agreement: Uuid,
    /// The part, as issues name it; comments together, and messages.
    pub subject: String,
    /// Why.
    pub reason: Reason,
}

/// Open issues of one kind, counted.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// Which kind.
    pub key: TroubleKey,
    /// How many there are, as far as they were counted.
    pub count: i64,
    /// One of them in words.
    pub detail: String,
    /// Since when the oldest is open.
    pub since: Timestamp,
}

/// What was done in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// When it began.
    pub at: Timestamp,
    /// The desk's events that were applied.
    pub events: i64,
    /// Messages that partners took.
    pub delivered: i64,
    /// Attempts that failed.
    pub failed: i64,
    /// From the desk's event to the partner's answer, all together, in milliseconds.
    pub lag: i64,
    /// How many deliveries that is of.
    pub lagged: i64,
    /// Messages on their way when it ended.
    pub waiting: i64,
}
