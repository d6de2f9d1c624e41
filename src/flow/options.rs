//! What the flow needs to know of the configuration, and the ports it works with.

use std::{
    sync::{Arc, PoisonError, RwLock, atomic::AtomicBool},
    time::Duration,
};

use super::{
    mapping::{Changeable, Filtering, Mapping},
    post::Postbox,
};
use crate::{
    clock::Clock,
    domain::Catalogue,
    engine::{Desk, rules::Rule},
    ports::{Broker, DeskHook, Mapped, Partner, Store, Tracker},
    retry::Policy,
    telemetry::{Outages, Tally},
};

/// How many invites are let in: anybody can send one.
#[derive(Clone, Copy, Debug)]
pub struct Invites {
    /// How many may wait for an answer.
    pub waiting: i64,
    /// How many new ones are taken in a minute.
    pub per_minute: u32,
    /// After how long one that nobody answers is declined.
    pub expire_after: Duration,
}

/// How much a partner may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a body, over HTTP or from a queue.
    pub body: usize,
    /// Comments in one request.
    pub comments: usize,
    /// Characters of one comment.
    pub comment_length: usize,
    /// Tags of a ticket.
    pub tags: usize,
    /// Custom fields in one request.
    pub fields: usize,
    /// Requests under one agreement in a minute.
    pub requests_per_minute: u32,
}

/// When shared tickets are compared with the partners' by the clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reconciling {
    /// How often; `None`: never.
    pub every: Option<Duration>,
    /// Whether what differs is put right.
    pub repair: bool,
}

/// What of the configuration may change while the daemon runs. Cheap to clone: every clone sees the change.
#[derive(Clone, Debug, Default)]
pub struct Live(Arc<RwLock<Changeable>>);

impl Live {
    /// Begins with this.
    pub fn new(changeable: Changeable) -> Self {
        Self(Arc::new(RwLock::new(changeable)))
    }

    /// From now on it is this.
    pub fn set(&self, changeable: Changeable) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = changeable;
    }

    /// The desk's custom fields, where it has not sent its own.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).catalogue.clone()
    }
}

/// How the flow behaves, and what it works with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Who hands messages over.
    pub broker: Arc<dyn Broker>,
    /// Who calls partners.
    pub partner: Arc<dyn Partner>,
    /// Who brings tickets to Jira.
    pub tracker: Arc<dyn Tracker>,
    /// Who brings the desk its commands, where it takes them over HTTP.
    pub desk_hook: Option<Arc<dyn DeskHook>>,
    /// What makes our events of what the desk emits, where it speaks in its own way.
    pub event_filter: Option<Filtering>,
    /// What is counted for the pages.
    pub tally: Arc<Tally>,
    /// The agreements of the configuration have been applied: until then partners are told to come back.
    pub started: Arc<AtomicBool>,
    /// Who tells the time.
    pub clock: Arc<dyn Clock>,
    /// Who has noticed that the broker or the store is away.
    pub outages: Arc<Outages>,
    /// This desk.
    pub desk: Arc<Desk>,
    /// The custom fields of the configuration: they hold until the desk sends its own.
    pub catalogue: Arc<Catalogue>,
    /// The same as they are now: a batch keeps those that it began with.
    pub live: Live,
    /// Sharing rules, in order.
    pub rules: Arc<Vec<Rule>>,
    /// The whole mapping, for what is recorded under it.
    pub mapped: Arc<Mapped>,
    /// How long events are kept as they came; `None`: they are not.
    pub record: Option<Duration>,
    /// Whether invites are declined, until somebody says otherwise.
    pub decline_all_invites: bool,
    /// How deliveries are retried.
    pub retry: Policy,
    /// How the broker and the store are asked again while they are away.
    pub reconnect: Policy,
    /// After how long a delivery is given up and parked.
    pub give_up_after: Duration,
    /// After how long of failing the desk is told of a partner.
    pub notify_after: Duration,
    /// How many tickets of one partner are delivered side by side.
    pub side_by_side: usize,
    /// Over how many queues the desk's events are spread.
    pub shards: u16,
    /// How many changes make a full batch.
    pub batch: usize,
    /// How long a busy pipeline waits for a batch to fill.
    pub linger: Duration,
    /// How long ended messages are kept.
    pub keep: Duration,
    /// When tickets are compared with the partners'.
    pub reconciling: Reconciling,
    /// Who brings notices to the mail server.
    pub post: Postbox,
    /// What is let in of invites.
    pub invites: Invites,
    /// What is let in of everything else.
    pub limits: Limits,
}

impl Options {
    /// The same under the mapping that this text is.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn under(&self, mapping: &str) -> Result<Self, String> {
        let mapping: Mapping = serde_json::from_str(mapping).map_err(|error| error.to_string())?;
        let Changeable { catalogue, rules, mapped } = mapping.changeable()?;
        Ok(Self { catalogue, rules, mapped, event_filter: mapping.filter()?, ..self.clone() })
    }

    /// Takes up what has changed in the configuration.
    pub(super) fn renew(&mut self) {
        let now = self.live.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        (self.catalogue, self.rules, self.mapped) = (now.catalogue, now.rules, now.mapped);
    }
}
