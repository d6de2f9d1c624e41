//! Where changes go in: the one way to what is decided and written.

use std::{
    collections::HashSet,
    sync::{Arc, RwLock, atomic::AtomicU64},
};

use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::{
    change::{Answer, Change},
    options::Options,
    outbox::Outbox,
    writing::{Cases, Inlet, Scribe, Unit, Writer},
};
use crate::{domain::Uuid, engine::Refusal};

/// How many units may wait before whoever brings more has to.
const WAITING: usize = 1024;

/// Where changes go in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pipeline {
    units: mpsc::Sender<Unit>,
    /// Woken when agreements have changed.
    pub(super) agreements: Arc<Notify>,
    /// Grows with everything that is written, for whoever shows how things are.
    pub written: watch::Receiver<u64>,
    /// What the relay takes.
    pub outbox: Arc<Outbox>,
    /// Agreements that have ended: nothing of their tickets may go out any more, whoever holds it.
    pub(super) ended: Arc<RwLock<HashSet<Uuid>>>,
    /// Grows whenever messages have been withdrawn: what a row said before that may not be so any more.
    pub(super) withdrawals: Arc<AtomicU64>,
    /// Grows whenever agreements have been written: who a partner is, and what opens its door, may not be so any more.
    pub(super) edits: Arc<AtomicU64>,
}

impl Pipeline {
    /// A pipeline, and the writer that has to be run for it.
    pub fn new(options: Options) -> (Self, Writer) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let (agreements, outbox) = (Arc::new(Notify::new()), Arc::new(Outbox::default()));
        let ended = Arc::new(RwLock::new(HashSet::new()));
        let (withdrawals, edits) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (writing, written) = watch::channel(0);
        let inlet = Inlet { units: receiver, batch: options.batch, linger: options.linger, last: 0 };
        let scribe = Scribe {
            options,
            agreements: agreements.clone(),
            outbox: outbox.clone(),
            ended: ended.clone(),
            withdrawals: withdrawals.clone(),
            edits: edits.clone(),
            writing,
            in_doubt: false,
            cases: Cases::default(),
        };
        let writer = Writer { inlet, scribe };
        (Self { units: sender, agreements, written, outbox, ended, withdrawals, edits }, writer)
    }

    /// Brings changes in, and waits until they are safe; the answers are in the same order.
    pub async fn submit(&self, changes: Vec<Change>) -> Vec<Answer> {
        self.bring(changes).await.answers().await
    }

    /// Brings changes in; what came of them can be waited for.
    pub(super) async fn bring(&self, changes: Vec<Change>) -> Brought {
        let count = changes.len();
        let (answer, answered) = oneshot::channel();
        // When the writer is gone, so is the answer's sender.
        let _gone = self.units.send(Unit { changes, answer: Some(answer) }).await;
        Brought { count, answered }
    }

    /// Brings one change in.
    pub async fn submit_one(&self, change: Change) -> Answer {
        let gone = || Err(Refusal::new(503, "the daemon is stopping; try again"));
        self.submit(vec![change]).await.pop().unwrap_or_else(gone)
    }

    /// Brings notes in that can wait to be written with something else.
    pub(super) async fn note(&self, change: Change) {
        // When the writer is gone, the note is made again after the restart: the rows still say what is to be done.
        let _gone = self.units.send(Unit { changes: vec![change], answer: None }).await;
    }
}

/// Changes that were brought in.
#[derive(Debug)]
pub(super) struct Brought {
    count: usize,
    answered: oneshot::Receiver<Vec<Answer>>,
}

impl Brought {
    /// Waits until they are safe.
    pub(super) async fn answers(self) -> Vec<Answer> {
        let stopping = || Err(Refusal::new(503, "the daemon is stopping; try again"));
        self.answered.await.unwrap_or_else(|_| (0..self.count).map(|_| stopping()).collect())
    }
}
