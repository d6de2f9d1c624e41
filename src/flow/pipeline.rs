//! The one place where changes are decided and written: a batch is read at once, folded in memory, and written at once.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    cases::Cases,
    change::{Answer, Change},
    options::Options,
    outbox::Outbox,
    references, scope,
    writes::{Batch, Finished},
};
use crate::{
    domain::{DeskEvent, EventBody, MessageState, MessageType, TicketId, Uuid},
    engine::Refusal,
    ports::StoreError,
    telemetry::metric,
    wire,
};

/// How many units may wait before whoever brings more has to.
const WAITING: usize = 1024;
/// How long marks wait for a change to be written with.
const MARKS_WAIT: Duration = Duration::from_millis(20);
/// How often a batch is decided anew because somebody else was faster.
const CONFLICTS: u32 = 20;
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
    /// Agreements that have ended: nothing of their tickets may go out any more, whoever holds it.
    pub(super) ended: Arc<RwLock<HashSet<Uuid>>>,
}

/// The other end: decides and writes until all [`Pipeline`]s are gone.
#[derive(Debug)]
pub struct Writer {
    options: Options,
    units: mpsc::Receiver<Unit>,
    agreements: Arc<Notify>,
    outbox: Arc<Outbox>,
    ended: Arc<RwLock<HashSet<Uuid>>>,
    /// A batch was sent to the store and nobody knows whether it was written: its messages may be in their rows alone.
    in_doubt: bool,
    cases: Cases,
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
        let ended = Arc::new(RwLock::new(HashSet::new()));
        let writer = Writer {
            options,
            units: receiver,
            agreements: agreements.clone(),
            outbox: outbox.clone(),
            ended: ended.clone(),
            in_doubt: false,
            cases: Cases::default(),
        };
        (Self { units: sender, agreements, outbox, ended }, writer)
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
                if let (Change::Event { .. } | Change::Dead { kind: MessageType::DeadEvent, .. }, Ok(done)) =
                    (change, answer)
                {
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
        let mut waits = self.options.reconnect.waits();
        let mut conflicts = 0;
        loop {
            let attempted = self.attempt(changes).await;
            if attempted.is_err() {
                self.cases.forget();
            }
            let broken = match attempted {
                Ok(answers) => {
                    self.options.outages.store.works();
                    return answers;
                }
                Err(error @ StoreError::Away(_)) => {
                    self.options.outages.store.failed(&error);
                    tokio::time::sleep(waits.next_wait()).await;
                    continue;
                }
                // Nobody is faster so often: what is to be written contradicts what is there.
                Err(error @ StoreError::Conflict) if conflicts >= CONFLICTS => error,
                Err(StoreError::Conflict) => {
                    conflicts += 1;
                    tokio::task::yield_now().await;
                    continue;
                }
                Err(error @ StoreError::Broken(_)) => error,
            };
            if let [change] = changes {
                tracing::error!(error = %broken, change = change.name(), "a change cannot be written; it is refused");
                return vec![Err(Refusal::new(500, "it could not be written; the daemon's log says why"))];
            }
            // One of them is to blame: each for itself, so that the others get through.
            let mut answers = Vec::with_capacity(changes.len());
            for change in changes {
                answers.extend(Box::pin(self.decide_and_write(&[*change])).await);
            }
            return answers;
        }
    }

    async fn attempt(&mut self, changes: &[&Change]) -> Result<Vec<Answer>, StoreError> {
        let options = self.options.clone();
        let waiting = self.waiting(changes).await?;
        let mut scope = scope::of(changes, &options);
        for (owner, events) in waiting.values() {
            scope::add_waiting(&mut scope, owner, events);
        }
        self.cases.know(&mut scope);
        let snapshot = options.store.snapshot(&scope).await?;
        let waiting = waiting.into_iter().map(|(id, (_, events))| (id, events)).collect();
        let mut batch = Batch::new(&options, snapshot, waiting);
        batch.references = references::known(&options, &batch.snapshot, changes).await?;
        let gone = batch.snapshot.agreements.values().filter(|agreement| agreement.status.is_final());
        let gone: Vec<Uuid> = gone.map(|agreement| agreement.uuid.clone()).collect();
        let answers = changes.iter().map(|change| batch.fold(change)).collect();
        let finished = batch.finish();
        let applied = options.store.apply(&finished.writes).await;
        self.in_doubt |= matches!(&applied, Err(error) if !matches!(error, StoreError::Conflict));
        let places = applied?;
        finished.count();
        let in_doubt = std::mem::take(&mut self.in_doubt);
        if !finished.writes.agreements.is_empty() || in_doubt {
            let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
            // An agreement whose end was written without anybody knowing is found ended now.
            ended.extend(gone);
            for agreement in &finished.writes.agreements {
                if agreement.status.is_final() {
                    ended.insert(agreement.uuid.clone());
                } else {
                    ended.remove(&agreement.uuid);
                }
            }
        }
        let Finished { mut writes, agreements_changed, mails, .. } = finished;
        self.cases.keep(std::mem::take(&mut writes.tickets));
        for notice in mails {
            options.post.take(notice);
        }
        for (message, seq) in writes.messages.iter_mut().zip(places) {
            message.seq = seq;
        }
        writes.messages.retain(|message| message.state == MessageState::Pending);
        let again = writes.marks.iter().any(|mark| mark.state == MessageState::Pending) || in_doubt;
        self.outbox.hand_over(writes.messages, again);
        if agreements_changed || in_doubt {
            self.agreements.notify_one();
        }
        Ok(answers)
    }

    /// Events that wait for the tickets that completions name, each with the uuid of its ticket.
    async fn waiting(&self, changes: &[&Change]) -> Result<HashMap<TicketId, Waiting>, StoreError> {
        let mut waiting = HashMap::new();
        for change in changes {
            if let Change::Event { event, .. } = change
                && let EventBody::Completed(completion) = &event.body
                && let Some(id) = &completion.ticket_id
            {
                let events = self.options.store.waiting(id).await?.into_iter();
                let ours = &self.options.desk.namespace;
                let events = events.filter_map(|raw| wire::desk::decode(raw.as_bytes(), ours).ok()).collect();
                waiting.insert(id.clone(), (completion.command_id.owner.clone(), events));
            }
        }
        Ok(waiting)
    }
}

/// The ticket that is named, and the events that waited for it.
type Waiting = (Uuid, Vec<DeskEvent>);
