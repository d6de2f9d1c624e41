//! Decides and writes, batch after batch: while one is on its way into the store, the next is decided on what that one is
//! about to write. Should it not arrive, both are decided anew.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, watch};

use super::{
    cases::Cases,
    finish::Finished,
    flight::{self, Applied, Decided, Flight},
    inlet::{Inlet, Unit},
    references, scope,
    writes::Batch,
};
use crate::{
    domain::{EventBody, MessageState, MessageType, QuickSet, TicketId, Uuid},
    engine::{Outcome, Refusal, Stored},
    flow::{
        change::{Answer, Change},
        options::Options,
        outbox::Outbox,
    },
    ports::{Scope, StoreError, Writes},
    telemetry::{Tally, metric},
    wire,
};

/// How often a batch is decided anew because somebody else was faster.
const CONFLICTS: u32 = 20;
/// After so many changes others have their turn: above all the batch that is on its way.
const TURN: usize = 16;

/// The end of the [`Pipeline`](crate::flow::Pipeline): works until all of them are gone.
#[derive(Debug)]
pub struct Writer {
    pub(in crate::flow) inlet: Inlet,
    pub(in crate::flow) scribe: Scribe,
}

/// What decides and writes.
#[derive(Debug)]
pub(in crate::flow) struct Scribe {
    pub(in crate::flow) options: Options,
    pub(in crate::flow) agreements: Arc<Notify>,
    pub(in crate::flow) outbox: Arc<Outbox>,
    pub(in crate::flow) ended: Arc<RwLock<HashSet<Uuid>>>,
    pub(in crate::flow) withdrawals: Arc<AtomicU64>,
    pub(in crate::flow) edits: Arc<AtomicU64>,
    pub(in crate::flow) writing: watch::Sender<u64>,
    /// A batch was sent to the store and nobody knows whether it was written: its messages may be in their rows alone.
    pub(in crate::flow) in_doubt: bool,
    pub(in crate::flow) cases: Cases,
}

/// The ticket that is named, and the events that waited for it.
type Waiting = (Uuid, Vec<String>);

impl Writer {
    /// Works until every pipeline is gone and everything that they brought is written.
    pub async fn run(self) {
        let Self { mut inlet, mut scribe } = self;
        let mut flying: Option<Flight> = None;
        loop {
            // What cannot be handed to the relay would have to be read again from its rows.
            let outbox = scribe.outbox.clone();
            let collecting = async {
                outbox.room(inlet.batch).await;
                inlet.collect().await
            };
            tokio::pin!(collecting);
            let units = loop {
                let Some(flight) = &mut flying else { break collecting.await };
                tokio::select! {
                    biased;
                    applied = &mut flight.applying => {
                        if let Some(flight) = flying.take() {
                            scribe.land(flight, applied).await;
                        }
                    }
                    units = &mut collecting => break units,
                }
            };
            match (units, flying.take()) {
                (Some(units), before) => flying = scribe.take_off(units, before).await,
                (None, Some(mut flight)) => {
                    let applied = (&mut flight.applying).await;
                    scribe.land(flight, applied).await;
                    return;
                }
                (None, None) => return,
            }
        }
    }
}

impl Scribe {
    /// Decides about a batch and sets it on its way, after the one before has arrived.
    async fn take_off(&mut self, units: Vec<Unit>, before: Option<Flight>) -> Option<Flight> {
        self.options.renew();
        let changes: Vec<&Change> = units.iter().flat_map(|unit| &unit.changes).collect();
        let decided = match before {
            Some(mut before) => {
                let mut scope = scope::of(&changes, &self.options);
                let known = self.cases.take(&mut scope);
                let writes = before.decided.finished.writes.clone();
                if follows(&changes, &scope, &known, &writes) {
                    let deciding = self.decide_on(&changes, scope, known, HashMap::new(), Some(&writes));
                    let (applied, decided) = tokio::join!(&mut before.applying, deciding);
                    drop(writes);
                    // Decided on what was not written, it is as good as not decided.
                    if self.land(before, applied).await { decided } else { self.decide(&changes).await }
                } else {
                    drop(writes);
                    self.cases.keep(known);
                    let applied = (&mut before.applying).await;
                    self.land(before, applied).await;
                    self.decide(&changes).await
                }
            }
            None => self.decide(&changes).await,
        };
        if let Ok(decided) = decided {
            return Some(Flight::begin(units, decided, self.options.store.clone()));
        }
        self.cases.forget();
        let answers = self.decide_and_write(&changes).await;
        answer(&self.options.tally, units, answers);
        None
    }

    /// Takes in what the store says of a batch, and tells whoever asked; what was not written is decided anew. Returns
    /// whether it was written as it was decided.
    async fn land(&mut self, flight: Flight, applied: Applied) -> bool {
        let Flight { units, decided, applying } = flight;
        drop(applying);
        if let Ok(answers) = self.settle(decided, applied) {
            self.options.outages.store.works();
            answer(&self.options.tally, units, answers);
            return true;
        }
        self.cases.forget();
        let changes: Vec<&Change> = units.iter().flat_map(|unit| &unit.changes).collect();
        let answers = self.decide_and_write(&changes).await;
        answer(&self.options.tally, units, answers);
        false
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
            if !matches!(attempted, Err(StoreError::Away(_))) {
                self.options.outages.has_written();
            }
            let broken = match attempted {
                Ok(answers) => {
                    self.options.outages.store.works();
                    return answers;
                }
                Err(error @ StoreError::Away(_)) => {
                    self.options.outages.cannot_write(&error);
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
        let decided = self.decide(changes).await?;
        let applied = self.options.store.apply(decided.finished.writes.clone()).await;
        self.settle(decided, applied)
    }

    /// Decides about a batch while nothing is on its way.
    async fn decide(&mut self, changes: &[&Change]) -> Result<Decided, StoreError> {
        let waiting = self.waiting(changes).await?;
        let mut scope = scope::of(changes, &self.options);
        for (owner, events) in waiting.values() {
            let ours = &self.options.desk.namespace;
            let events = events.iter().filter_map(|raw| wire::desk::decode(raw.as_bytes(), ours).ok());
            events.for_each(|event| scope::add_waiting(&mut scope, owner, &event));
        }
        let known = self.cases.take(&mut scope);
        let waiting = waiting.into_iter().map(|(id, (_, events))| (id, events)).collect();
        self.decide_on(changes, scope, known, waiting, None).await
    }

    /// Decides about a batch, on what is known and read, and on what is about to be written.
    async fn decide_on(
        &mut self,
        changes: &[&Change],
        scope: Scope,
        known: Vec<Arc<Stored>>,
        waiting: HashMap<TicketId, Vec<String>>,
        before: Option<&Writes>,
    ) -> Result<Decided, StoreError> {
        let options = self.options.clone();
        let taken: QuickSet<Uuid> = known.iter().map(|stored| stored.ticket.uuid.clone()).collect();
        let mut snapshot = options.store.snapshot_knowing(&scope, known).await?;
        if let Some(before) = before {
            flight::overlay(&mut snapshot, &scope, before);
        }
        let mut batch = Batch::new(&options, snapshot, waiting);
        batch.references = references::known(&options, &batch.snapshot, changes).await?;
        let gone = batch.snapshot.agreements.values().filter(|agreement| agreement.status.is_final());
        let gone: Vec<Uuid> = gone.map(|agreement| agreement.uuid.clone()).collect();
        let mut answers = Vec::with_capacity(changes.len());
        for turn in changes.chunks(TURN) {
            answers.extend(turn.iter().map(|change| batch.fold(change)));
            if changes.len() > TURN {
                tokio::task::yield_now().await;
            }
        }
        let places = options.store.places(batch.new_rows()).await?;
        let mut finished = batch.finish(places);
        // What was only read is not kept: going through all tickets would drive the busy ones out.
        let unchanged = std::mem::take(&mut finished.unchanged).into_iter();
        self.cases.keep(unchanged.filter(|stored| taken.contains(&stored.ticket.uuid)));
        self.cases.keep(finished.writes.tickets.iter().map(|changed| changed.stored.clone()));
        Ok(Decided { answers, finished, gone })
    }

    /// Takes in what the store says of a batch: what it wrote goes on to the relay and to whoever waits for it.
    fn settle(&mut self, decided: Decided, applied: Applied) -> Result<Vec<Answer>, StoreError> {
        self.in_doubt |= matches!(&applied, Err(error) if !matches!(error, StoreError::Conflict));
        applied?;
        let Decided { answers, finished, gone } = decided;
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
            self.edits.fetch_add(1, Ordering::Relaxed);
        }
        let Finished { writes, agreements_changed, mails, .. } = finished;
        if !writes.withdraw.is_empty() || in_doubt {
            self.withdrawals.fetch_add(1, Ordering::Relaxed);
        }
        for notice in mails {
            self.options.post.take(notice);
        }
        let again = writes.marks.iter().any(|mark| mark.state == MessageState::Pending) || in_doubt;
        let mut messages = match Arc::try_unwrap(writes) {
            Ok(writes) => writes.messages,
            Err(shared) => shared.messages.clone(),
        };
        messages.retain(|message| message.state == MessageState::Pending);
        self.outbox.hand_over(messages, again);
        self.writing.send_modify(|written| *written += 1);
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
                let events = self.options.store.waiting(id).await?;
                waiting.insert(id.clone(), (completion.command_id.owner.clone(), events));
            }
        }
        Ok(waiting)
    }
}

/// Whether a batch can be decided while another is on its way.
fn follows(changes: &[&Change], scope: &Scope, known: &[Arc<Stored>], before: &Writes) -> bool {
    let names_ticket = |change: &&Change| matches!(change, Change::Event { event, .. } if matches!(event.body, EventBody::Completed(_)));
    flight::is_plain(before) && flight::can_follow(scope, known) && !changes.iter().any(names_ticket)
}

/// Tells whoever brought changes what came of them.
fn answer(tally: &Tally, units: Vec<Unit>, answers: Vec<Answer>) {
    let mut answers = answers.into_iter();
    let mut outcomes: HashMap<Outcome, u64> = HashMap::new();
    for unit in units {
        let own: Vec<Answer> = answers.by_ref().take(unit.changes.len()).collect();
        for (change, answer) in unit.changes.iter().zip(&own) {
            if let (Change::Event { .. } | Change::Dead { kind: MessageType::DeadEvent, .. }, Ok(done)) =
                (change, answer)
            {
                *outcomes.entry(done.outcome).or_default() += 1;
            }
        }
        if let Some(asker) = unit.answer {
            // Whoever asked may have gone; what it asked for is written all the same.
            let _gone = asker.send(own);
        }
    }
    for (outcome, count) in outcomes {
        metric::events(outcome, count);
        if outcome == Outcome::Applied {
            tally.events(count);
        }
    }
}
