//! What the flow needs of a store: read what a batch speaks of, write it in one transaction, find again what is on its way.

use std::{collections::HashMap, fmt, sync::Arc};

use async_trait::async_trait;

use super::recorded::{Recorded, Tables};
use super::view::{Counts, Happened, Minute, TicketView, Trouble, TroubleKey};
use super::writes::Writes;
use crate::{
    domain::{
        Agreement, Catalogue, Keys, Message, MessageId, StoredComment, TicketId, Timestamp, UserId, Uuid,
        Word,
    },
    engine::{Snapshot, Stored},
};

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote first; decide anew.
    #[error("another writer was faster")]
    Conflict,
    /// The database cannot be reached or is busy; try later.
    #[error("the database is away: {0}")]
    Away(String),
    /// The database refuses, or holds what cannot be read: a bug, or a database of another version.
    #[error("the database refused: {0}")]
    Broken(String),
}

impl StoreError {
    /// Whether trying again can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Conflict | Self::Away(_))
    }
}

/// A daemon among those that share a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// What it is called.
    pub name: String,
    /// How often it has said that it is alive.
    pub count: i64,
    /// What it still serves although it is another's by now: that one waits.
    pub holding: Vec<String>,
}

/// What a batch of changes speaks of.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Tickets by the desk's id.
    pub desk_ids: Vec<TicketId>,
    /// Tickets by uuid.
    pub tickets: Vec<Uuid>,
    /// Agreements by uuid or name; those of every share come by themselves.
    pub agreements: Vec<String>,
    /// Comments that may be known: of which ticket, uuid, and the desk's id where it has one.
    pub comments: Vec<(TicketRef, Uuid, Option<Word>)>,
    /// Tickets whose comments a share may have to be told, all of them.
    pub all_comments: Vec<TicketRef>,
    /// People by uuid.
    pub users: Vec<Uuid>,
    /// People by the id that the desk gave to their dummies.
    pub user_ids: Vec<UserId>,
    /// Events that may have been applied.
    pub events: Vec<String>,
    /// Whether unanswered messages matter (partners' changes).
    pub unanswered: bool,
}

/// A ticket as a change names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketRef {
    /// By the desk's id.
    Desk(TicketId),
    /// By uuid.
    Network(Uuid),
}

/// Which messages are wanted.
#[derive(Clone, Debug)]
pub enum MessageFilter {
    /// Not yet with the broker, after this order, but for what goes to these partners.
    Pending(i64, Vec<Uuid>),
    /// Not yet with the broker, and for one partner.
    PendingTo(Uuid),
    /// On their way to partners, by the broker's account or not, after this order: what an embedded broker must hand over again.
    Undelivered(i64),
    /// On their way to one partner, taken from its queue before, and to be tried again.
    Retrying(Uuid),
    /// On their way to one partner.
    Open(Uuid),
    /// Those of an agreement that tell its partner of a ticket, and are not delivered; oldest first.
    Creates(Uuid),
    /// For the desk, not answered, after this order.
    Commands(i64),
    /// Parked, after this order; those under one agreement, where it is named.
    Parked(i64, Option<Uuid>),
    /// For the desk, and not taken by it, where it is brought its commands.
    Untaken,
    /// The same about these tickets or agreements: all of each, oldest first.
    UntakenOf(Vec<Uuid>),
    /// Of one ticket or agreement.
    Of(Uuid),
    /// On their way to one partner about these tickets or agreements: all of each, oldest first.
    Waiting(Uuid, Vec<Uuid>),
    /// These.
    Ids(Vec<MessageId>),
}

/// Where everything is kept.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Connects, and brings the tables up to date.
    async fn prepare(&self) -> Result<(), StoreError>;
    /// Whether it answers.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Reads everything that a batch speaks of.
    async fn snapshot(&self, scope: &Scope) -> Result<Snapshot, StoreError> {
        self.snapshot_knowing(scope, Vec::new()).await
    }
    /// The same where some tickets are known: they are not read again, and everything about them is.
    async fn snapshot_knowing(&self, scope: &Scope, known: Vec<Arc<Stored>>) -> Result<Snapshot, StoreError>;
    /// So many places in the store's order that nothing else gets, each after all that were given before. Gaps do no harm.
    async fn places(&self, count: usize) -> Result<Vec<i64>, StoreError>;
    /// Writes a batch, in one transaction.
    async fn apply(&self, writes: Arc<Writes>) -> Result<(), StoreError>;
    /// Messages, oldest first.
    async fn messages(&self, filter: MessageFilter, limit: i64) -> Result<Vec<Message>, StoreError>;
    /// Tickets that something has waited for long enough.
    async fn due(&self, now: Timestamp, limit: i64) -> Result<Vec<Uuid>, StoreError>;
    /// Events that wait until their ticket is known.
    async fn waiting(&self, ticket: &TicketId) -> Result<Vec<String>, StoreError>;
    /// Events that have waited since before this time: ticket and bytes.
    async fn waiting_since(
        &self,
        before: Timestamp,
        limit: i64,
    ) -> Result<Vec<(TicketId, String)>, StoreError>;
    /// Of those the ones whose ticket is known: only where several daemons share the store is there one.
    async fn waiting_named(
        &self,
        _before: Timestamp,
        _limit: i64,
    ) -> Result<Vec<(TicketId, String)>, StoreError> {
        Ok(Vec::new())
    }
    /// The names that begin so of what has waited since before this time, in their order, after one.
    async fn held(
        &self,
        _prefix: &str,
        _before: Timestamp,
        _after: &str,
        _limit: i64,
    ) -> Result<Vec<TicketId>, StoreError> {
        Ok(Vec::new())
    }
    /// The keys of an agreement.
    async fn access_keys(&self, agreement: &Uuid) -> Result<Option<Keys>, StoreError>;
    /// The partner's custom fields, as it last told them.
    async fn partner_fields(&self, agreement: &Uuid) -> Result<Option<Catalogue>, StoreError>;
    /// Invites that wait here for an answer since before this time, oldest first.
    async fn invites(&self, before: Timestamp, limit: i64) -> Result<Vec<Uuid>, StoreError>;
    /// All agreements, newest first.
    async fn agreements(&self) -> Result<Vec<Agreement>, StoreError>;
    /// Tickets in the order of their uuids, after this one; those of one agreement, where it is named.
    async fn tickets(
        &self,
        after: Option<&Uuid>,
        agreement: Option<&Uuid>,
        limit: i64,
    ) -> Result<Vec<TicketView>, StoreError>;
    /// One ticket, by uuid or by the desk's id.
    async fn ticket(&self, id: &str) -> Result<Option<TicketView>, StoreError>;
    /// The ticket that something of a partner's stands for, by the partner's id.
    async fn counterpart(&self, _agreement: &Uuid, _id: &str) -> Result<Option<Uuid>, StoreError> {
        Ok(None)
    }
    /// All comments of a ticket, in order.
    async fn comments(&self, ticket: &Uuid) -> Result<Vec<StoredComment>, StoreError>;
    /// Invites that wait for an answer of this desk, or whose answer is still on its way; no more than this many.
    async fn unanswered_invites(&self, limit: i64) -> Result<i64, StoreError>;
    /// What happened to a ticket, oldest first.
    async fn history(&self, ticket: &Uuid, limit: i64) -> Result<Vec<Happened>, StoreError>;
    /// How far the tickets have been gone through since the desk's fields changed; `None`: all of them.
    async fn refitting(&self) -> Result<Option<Uuid>, StoreError>;
    /// Tickets with values that fit no field of the desk, after this one.
    async fn unfit(&self, after: &Uuid, limit: i64) -> Result<Vec<Uuid>, StoreError>;
    /// How much waits.
    async fn counts(&self) -> Result<Counts, StoreError>;
    /// What time it is there, where it has a clock of its own.
    async fn clock(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
    /// Says that this daemon is alive, and what it still serves that is another's; returns all that share the database, by name.
    async fn beat(&self, _holding: &[String]) -> Result<Vec<Beat>, StoreError> {
        Ok(Vec::new())
    }
    /// Forgets daemons that are gone, and takes over what they, and any that left, had still to publish; returns how much.
    async fn inherit(&self, _gone: &[String]) -> Result<u64, StoreError> {
        Ok(0)
    }
    /// This daemon leaves: what it has still to publish is for the others.
    async fn leave(&self) -> Result<(), StoreError> {
        Ok(())
    }
    /// What this daemon is called.
    fn daemon(&self) -> &str {
        Default::default()
    }
    /// Whether other daemons may work on the same database; where none may, nobody need beat.
    fn is_shared(&self) -> bool {
        false
    }
    /// Tickets that something was last written about before this place in the order of messages, the latest first, and the place
    /// where the next ones begin, if there are any. Those of long ago have no messages any more.
    async fn recent(&self, _before: i64, _limit: i64) -> Result<(Vec<TicketView>, Option<i64>), StoreError> {
        Ok((Vec::new(), None))
    }
    /// Tickets of this number, on either side, or of this uuid.
    async fn numbered(&self, _number: &str, _limit: i64) -> Result<Vec<TicketView>, StoreError> {
        Ok(Vec::new())
    }
    /// What does not sync, the most frequent first.
    async fn troubles(&self, _limit: i64) -> Result<Vec<Trouble>, StoreError> {
        Ok(Vec::new())
    }
    /// Tickets with such a trouble, after this one, in the order of their uuids.
    async fn troubled(
        &self,
        _trouble: &TroubleKey,
        _after: Option<&Uuid>,
        _limit: i64,
    ) -> Result<Vec<TicketView>, StoreError> {
        Ok(Vec::new())
    }
    /// How many messages wait for each partner.
    async fn backlog(&self) -> Result<HashMap<Uuid, i64>, StoreError> {
        Ok(HashMap::new())
    }
    /// Keeps what this daemon did in a minute, and forgets minutes from before a time.
    async fn keep_minute(&self, _minute: &Minute, _forget: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
    /// What all daemons did, minute by minute, since a time, oldest first; minutes in which nothing happened may be missing.
    async fn minutes(&self, _since: Timestamp) -> Result<Vec<Minute>, StoreError> {
        Ok(Vec::new())
    }
    /// How its tables stand to this version of the program; changes nothing.
    async fn tables(&self) -> Result<Tables, StoreError> {
        Ok(Tables::default())
    }
    /// Makes it readable as it is, and changes nothing, for whoever looks at the store of a daemon that runs.
    async fn attach(&self) -> Result<(), StoreError> {
        Ok(())
    }
    /// Recorded events after this place in their order and since this time, oldest first, each with its place.
    async fn recorded(
        &self,
        _after: i64,
        _since: Timestamp,
        _limit: i64,
    ) -> Result<Vec<(i64, Recorded)>, StoreError> {
        Ok(Vec::new())
    }
    /// Forgets events that were recorded before this time, no more than so many; returns how many.
    async fn forget_recorded(&self, _before: Timestamp, _limit: i64) -> Result<u64, StoreError> {
        Ok(0)
    }
    /// Forgets what ended before this time, a limited number of each kind at once; returns how many of the most.
    async fn prune(&self, now: Timestamp, before: Timestamp, limit: i64) -> Result<u64, StoreError>;
}
