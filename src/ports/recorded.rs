//! What the store keeps of the desk's events so that they can be gone through again, and how its tables stand.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    domain::{Share, Ticket, TicketId, Timestamp, Uuid},
    engine::{Case, Comments, Stored},
};

/// How the tables of a database stand to this version of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// There are none yet.
    pub empty: bool,
    /// Steps that the next start of the daemon takes.
    pub missing: Vec<&'static str>,
    /// How many steps a newer version has taken.
    pub unknown: usize,
}

/// An event of the desk, as it was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// When it was taken in.
    pub at: Timestamp,
    /// The ticket that it is about.
    pub ticket: TicketId,
    /// What came, before the desk's filter.
    pub came: String,
    /// Which of the events that the filter made of it.
    pub part: usize,
    /// What was known of the ticket before it; nothing, where it was not shared.
    pub before: Option<Before>,
    /// The mapping that was in force.
    pub mapping: Arc<Mapped>,
}

/// The mapping that was in force when something was recorded: a text, and the digest by which it is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    /// SHA-256 of the text, in hex.
    pub digest: String,
    /// JSON.
    pub doc: String,
}

/// What was known of a ticket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Before {
    uuid: Uuid,
    id: Option<TicketId>,
    ticket: Ticket,
    shares: BTreeMap<Uuid, Share>,
    comments: Comments,
}

impl Before {
    /// What is known of it now.
    pub fn of(case: &Case) -> Self {
        let (ticket, comments) = (case.ticket.clone(), case.comments.clone());
        let shares = case.shares.iter().map(|share| (share.agreement.clone(), share.clone())).collect();
        Self { uuid: ticket.uuid.clone(), id: ticket.id.clone(), ticket, shares, comments }
    }

    /// The case as it was.
    pub fn case(self) -> Case {
        let Self { uuid, id, ticket, shares, comments } = self;
        let ticket = Ticket { uuid: uuid.clone(), id, version: 1, ..ticket };
        let share = |(agreement, share)| Share { ticket: uuid.clone(), agreement, ..share };
        let shares = shares.into_iter().map(share).collect();
        let mut case = Case::loaded(Arc::new(Stored::new(ticket, shares)));
        case.comments = comments;
        case
    }
}
