//! The one place where changes are decided and written: a batch is read at once, folded in memory, and written at once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    change::{Answer, Change},
    options::Options,
    relay::Outbox,
    scope,
    writes::{Batch, Finished},
};
use crate::{
    domain::{EventBody, MessageState, TicketId},
    engine::Refusal,
    ports::StoreError,
    retry::Policy,
    telemetry::{Outage, metric},
};

/// How many units may wait before whoever brings more has to.
const WAITING: usize = 1024;
/// How long marks wait for a change to be written with.
const MARKS_WAIT: Duration = Duration::from_millis(20);
/// A batch of this size or more makes the next one wait for company.
const BUSY: usize = 16;

/// Changes that belong together, and who wants to know what came of them.
struct Unit {
    changes: Vec<Change>,
    answer: Option<oneshot::Sender<Vec<Answer>>>,
}

/// Where changes go in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pipeline {
    units: mpsc::Sender<Unit>,
    /// Woken when agreements have changed.
    pub(super) agreements: Arc<Notify>,
    /// What the relay takes.
    pub outbox: Arc<Outbox>,
}

/// The other end: decides and writes until all [`Pipeline`]s are gone.
#[derive(Debug)]
pub struct Writer {
    options: Options,
    units: mpsc::Receiver<Unit>,
    agreements: Arc<Notify>,
    outbox: Arc<Outbox>,
    outage: Outage,
}

impl std::fmt::Debug for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unit").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}

impl Pipeline {
    /// A pipeline, and the writer that has to be run for it.
    pub fn new(options: Options) -> (Self, Writer) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let (agreements, outbox) = (Arc::new(Notify::new()), Arc::new(Outbox::default()));
        let writer = Writer {
            options,
            units: receiver,
            agreements: agreements.clone(),
            outbox: outbox.clone(),
            outage: Outage::of("the database"),
        };
        (Self { units: sender, agreements, outbox }, writer)
    }

    /// Brings changes in, and waits until they are safe; the answers are in the same order.
    pub async fn submit(&self, changes: Vec<Change>) -> Vec<Answer> {
        let count = changes.len();
        let (answer, answered) = oneshot::channel();
        let stopping =
            || (0..count).map(|_| Err(Refusal::new(503, "the daemon is stopping; try again"))).collect();
        if self.units.send(Unit { changes, answer: Some(answer) }).await.is_err() {
            return stopping();
        }
        answered.await.unwrap_or_else(|_| stopping())
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

impl Writer {
    /// Works until every pipeline is gone and everything that they brought is written.
    pub async fn run(mut self) {
        let mut last = 0;
        while let Some(units) = self.collect(last).await {
            last = units.iter().map(|unit| unit.changes.len()).sum();
            self.write(units).await;
        }
    }

    /// Whatever is ready, up to a full batch; waits for more only when there was much the last time.
    async fn collect(&mut self, last: usize) -> Option<Vec<Unit>> {
        let first = self.units.recv().await?;
        let mut count = first.changes.len();
        let mut only_notes = first.answer.is_none();
        let mut units = vec![first];
        let begun = Instant::now();
        while count < self.options.batch {
            let wait = if only_notes {
                MARKS_WAIT
            } else if last >= BUSY {
                self.options.linger
            } else {
                Duration::ZERO
            };
            let next = match self.units.try_recv() {
                Ok(unit) => unit,
                Err(_) if wait.is_zero() => break,
                Err(_) => match timeout_at(begun + wait, self.units.recv()).await {
                    Ok(Some(unit)) => unit,
                    Ok(None) | Err(_) => break,
                },
            };
            count += next.changes.len();
            only_notes &= next.answer.is_none();
            units.push(next);
        }
        Some(units)
    }

    async fn write(&mut self, units: Vec<Unit>) {
        let changes: Vec<&Change> = units.iter().flat_map(|unit| &unit.changes).collect();
        let mut answers = self.decide_and_write(&changes).await.into_iter();
        for unit in units {
            let own: Vec<Answer> = answers.by_ref().take(unit.changes.len()).collect();
            for (change, answer) in unit.changes.iter().zip(&own) {
                if let (Change::Event { .. } | Change::Dead { .. }, Ok(done)) = (change, answer) {
                    metric::event(done.outcome);
                }
            }
            if let Some(asker) = unit.answer {
                // Whoever asked may have gone; what it asked for is written all the same.
                let _gone = asker.send(own);
            }
        }
    }

    /// Decides and writes, anew as often as it takes: a faster writer or a database that is away only delay it.
    async fn decide_and_write(&mut self, changes: &[&Change]) -> Vec<Answer> {
        let mut waits = Policy::RECONNECT.waits();
        loop {
            match self.attempt(changes).await {
                Ok(answers) => {
                    self.outage.works();
                    return answers;
                }
                Err(StoreError::Conflict) => tokio::task::yield_now().await,
                Err(error @ StoreError::Away(_)) => {
                    self.outage.failed(&error);
                    tokio::time::sleep(waits.next_wait()).await;
                }
                Err(error @ StoreError::Broken(_)) if changes.len() == 1 => {
                    tracing::error!(error = %error, change = ?changes.first(), "a change cannot be written; it is refused");
                    return vec![Err(Refusal::new(
                        500,
                        "it could not be written; the daemon's log says why",
                    ))];
                }
                Err(StoreError::Broken(_)) => {
                    // One of them is to blame: each for itself, so that the others get through.
                    let mut answers = Vec::with_capacity(changes.len());
                    for change in changes {
                        answers.extend(Box::pin(self.decide_and_write(&[*change])).await);
                    }
                    return answers;
                }
            }
        }
    }

    async fn attempt(&mut self, changes: &[&Change]) -> Result<Vec<Answer>, StoreError> {
        let options = self.options.clone();
        let snapshot = options.store.snapshot(&scope::of(changes, &options.rules)).await?;
        let waiting = self.waiting(changes).await?;
        let mut batch = Batch::new(&options, snapshot, waiting);
        let answers = changes.iter().map(|change| batch.fold(change)).collect();
        let finished = batch.finish();
        let places = options.store.apply(&finished.writes).await?;
        finished.count();
        let Finished { mut writes, agreements_changed, .. } = finished;
        for (message, seq) in writes.messages.iter_mut().zip(places) {
            message.seq = seq;
        }
        writes.messages.retain(|message| message.state == MessageState::Pending);
        let again = writes.marks.iter().any(|mark| mark.state == MessageState::Pending);
        self.outbox.hand_over(writes.messages, again);
        if agreements_changed {
            self.agreements.notify_one();
        }
        Ok(answers)
    }

    /// Events that wait for the tickets that completions name.
    async fn waiting(&self, changes: &[&Change]) -> Result<HashMap<TicketId, Vec<String>>, StoreError> {
        let mut waiting = HashMap::new();
        for change in changes {
            if let Change::Event { event, .. } = change
                && let EventBody::Completed(completion) = &event.body
                && let Some(id) = &completion.ticket_id
            {
                waiting.insert(id.clone(), self.options.store.waiting(id).await?);
            }
        }
        Ok(waiting)
    }
}
