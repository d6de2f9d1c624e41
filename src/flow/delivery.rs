//! The worker of one queue, a partner's or the desk's: takes messages, calls the receiver, and notes what came of it before it
//! acknowledges.
//!
//! What it has in hand and could not deliver is noted in the rows (with the time of the next try) and acknowledged, so
//! nothing stays unacknowledged in the broker while a partner is down, and the rest waits there, in order. Tickets go side
//! by side, the messages of one ticket one after the other.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    ops::RangeInclusive,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    attempt::{CameOfIt, Noted},
    change::{Attempted, Change},
    options::Options,
    pipeline::Pipeline,
    receiver::Receiver,
};
use crate::{
    domain::{Message, MessageId, MessageType, Timestamp, Uuid},
    ports::{BrokerError, Deliveries, DeskHook, MessageFilter, StoreError},
    telemetry::Outages,
};

/// How many messages are taken at once, at first and at most. A round lasts as long as the ticket with the most of them needs, one
/// after the other: the more tickets are in it, the less the others wait for that one. It is acknowledged as a whole, so with a
/// partner who fails or takes his time, or with many rows, it is a small one.
const TAKE: RangeInclusive<usize> = 64..=512;
/// What makes a round small again: so many rows in hand.
const ROWS: usize = 1000;
/// For how long what a row said holds, as far as other daemons are concerned: after that it is looked at again before its message
/// is sent. A round that takes longer is a long one.
const HOLDS: Duration = Duration::from_secs(1);
/// For each call that is made at once, how many answers may wait to be written.
const UNWRITTEN: usize = 4;

/// The worker of one receiver.
#[derive(Debug)]
pub struct Worker {
    options: Options,
    pipeline: Pipeline,
    receiver: Receiver,
    /// What was taken and is not done, by ticket, in order.
    hand: BTreeMap<Uuid, VecDeque<Message>>,
    deliveries: Option<Box<dyn Deliveries>>,
    /// The partner fails: nothing is tried before this.
    leave_alone_until: Option<Timestamp>,
    /// The agreement's row says that the partner fails; not known before the first look.
    failing: bool,
    /// How many messages are taken the next time.
    takes: usize,
    /// When the rows in hand were read, and how many times messages had been withdrawn by then.
    read: (Instant, u64),
}

impl Worker {
    /// The worker of an agreement's partner.
    pub fn new(options: Options, pipeline: Pipeline, agreement: Uuid) -> Self {
        Self::of(options, pipeline, Receiver::Partner(agreement))
    }

    /// The worker of a desk that is brought its commands.
    pub fn of_desk(options: Options, pipeline: Pipeline, hook: Arc<dyn DeskHook>) -> Self {
        Self::of(options, pipeline, Receiver::Desk(hook))
    }

    fn of(options: Options, pipeline: Pipeline, receiver: Receiver) -> Self {
        Self {
            options,
            pipeline,
            receiver,
            hand: BTreeMap::new(),
            deliveries: None,
            leave_alone_until: None,
            failing: false,
            takes: *TAKE.start(),
            read: (Instant::now(), 0),
        }
    }

    /// Delivers until it is stopped; what is being tried then, it finishes.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut waits = self.options.reconnect.waits();
        while !stop.is_cancelled() {
            match self.step(&stop).await {
                Ok(()) => waits = self.options.reconnect.waits(),
                Err(failure) => {
                    failure.report(&self.options.outages);
                    self.deliveries = None;
                    self.hand.clear();
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(waits.next_wait()) => {}
                    }
                }
            }
        }
    }

    /// One round: take what is there, or what was left for later; try it; note what came of it.
    ///
    /// # Errors
    /// The broker or the store is away; what was taken comes again.
    pub async fn step(&mut self, stop: &CancellationToken) -> Result<(), Failure> {
        let mut through = None;
        if self.hand.is_empty() && self.deliveries.is_none() {
            // The queue first: whoever has it is the one who goes on with what was left.
            self.consume().await?;
            self.resume().await?;
            if self.leave_alone_until.is_some() {
                self.deliveries = None; // Nothing lies unacknowledged while the partner is left alone.
            }
        }
        self.wait_until_due(stop).await;
        if stop.is_cancelled() {
            return Ok(());
        }
        if self.hand.is_empty() {
            through = self.take(stop).await?;
        } else {
            self.look_again().await?;
        }
        let (begun, rows) = (Instant::now(), self.hand.values().map(VecDeque::len).sum::<usize>());
        self.deliver(stop).await?;
        if rows > ROWS || begun.elapsed() > HOLDS || !self.hand.is_empty() {
            self.takes = *TAKE.start();
        } else if rows >= self.takes {
            self.takes = (self.takes * 2).min(*TAKE.end());
        }
        if stop.is_cancelled() && !self.hand.is_empty() {
            return Ok(()); // What is not acknowledged comes again.
        }
        self.set_aside().await?;
        if let (Some(through), Some(deliveries)) = (through, self.deliveries.as_mut()) {
            deliveries.ack(through).await.map_err(Failure::Broker)?;
        }
        if !self.hand.is_empty() {
            // The partner fails: its queue is not consumed until it answers again.
            self.deliveries = None;
        }
        Ok(())
    }

    /// Takes up what an earlier round, or an earlier process, left for later.
    async fn resume(&mut self) -> Result<(), Failure> {
        let left = self.messages(self.receiver.left()).await?;
        self.leave_alone_until = left.iter().filter_map(|message| message.due_at).max();
        self.put(left);
        Ok(())
    }

    async fn wait_until_due(&mut self, stop: &CancellationToken) {
        if let Some(due) = self.leave_alone_until {
            let wait = due.since(self.options.clock.now());
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait) => self.leave_alone_until = None,
            }
        }
    }

    async fn consume(&mut self) -> Result<(), Failure> {
        if self.deliveries.is_none() {
            let consume = self.options.broker.consume(self.receiver.source()).await;
            self.deliveries = Some(consume.map_err(Failure::Broker)?);
        }
        Ok(())
    }

    async fn take(&mut self, stop: &CancellationToken) -> Result<Option<u64>, Failure> {
        self.consume().await?;
        let Some(deliveries) = self.deliveries.as_mut() else { return Ok(None) };
        let taken = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(None),
            taken = deliveries.next(self.takes, Duration::ZERO) => taken.map_err(Failure::Broker)?,
        };
        let through = taken.last().map(|incoming| incoming.tag);
        let ids = taken.iter().filter_map(|incoming| MessageId::parse(incoming.id.as_deref()?));
        let owners: BTreeSet<Uuid> = ids.map(|id| id.owner).collect();
        self.put_waiting(owners).await?;
        Ok(through)
    }

    /// The rows may have changed while the partner was left alone: withdrawn, or dropped by a person.
    async fn look_again(&mut self) -> Result<(), Failure> {
        let owners = std::mem::take(&mut self.hand).into_keys().collect();
        self.put_waiting(owners).await
    }

    /// Takes in hand all that waits for these tickets: the rows say what comes first, whatever order the queue gives, be it
    /// that it hands messages over again or that one was refused and published later.
    async fn put_waiting(&mut self, owners: BTreeSet<Uuid>) -> Result<(), Failure> {
        let messages = self.messages(self.receiver.waiting(owners)).await?;
        self.put(messages);
        Ok(())
    }

    async fn messages(&mut self, filter: MessageFilter) -> Result<Vec<Message>, Failure> {
        self.read = (Instant::now(), self.pipeline.withdrawals.load(Ordering::Relaxed));
        self.options.store.messages(filter, 10_000).await.map_err(Failure::Store)
    }

    fn put(&mut self, messages: Vec<Message>) {
        for message in messages.into_iter().filter(|message| !message.state.is_final()) {
            let queue = self.hand.entry(message.id.owner.clone()).or_default();
            if queue.iter().all(|known| known.id != message.id) {
                queue.push_back(message);
            }
        }
    }

    /// Tries everything in hand, a few tickets at a time, until all is done or the partner fails.
    async fn deliver(&mut self, stop: &CancellationToken) -> Result<(), Failure> {
        let Some(present) = self.receiver.present(&self.options).await.map_err(Failure::Store)? else {
            self.hand.clear();
            return Ok(());
        };
        self.failing = present.is_failing();
        let (mut calls, mut notes) = (FuturesUnordered::new(), FuturesUnordered::new());
        let mut busy: HashSet<Uuid> = HashSet::new();
        let mut unwritten = None;
        loop {
            let healthy = self.leave_alone_until.is_none() && unwritten.is_none() && !stop.is_cancelled();
            let at_once = self.options.side_by_side;
            while healthy && calls.len() < at_once && notes.len() < at_once * UNWRITTEN {
                let mut free = self.hand.iter_mut().filter(|(owner, _)| !busy.contains(*owner));
                let Some((owner, queue)) = free.next() else { break };
                let (owner, next) = (owner.clone(), queue.pop_front());
                if queue.is_empty() {
                    self.hand.remove(&owner);
                }
                let Some(message) = next else { continue };
                busy.insert(owner);
                let (at, withdrawals) = self.read;
                let fresh =
                    at.elapsed() < HOLDS && self.pipeline.withdrawals.load(Ordering::Relaxed) == withdrawals;
                calls.push(present.clone().attempt(&self.options, &self.pipeline, message, fresh));
            }
            // Whoever is called meanwhile need not wait for the note of another.
            let Noted { message, came_of_it, answered, written } = tokio::select! {
                biased;
                Some(noted) = notes.next() => noted,
                Some(tried) = calls.next() => {
                    if let CameOfIt::Later(due) = tried.came_of_it {
                        self.leave_alone_until = self.leave_alone_until.max(Some(due));
                    }
                    notes.push(tried.note(&self.options, &self.pipeline));
                    continue;
                }
                else => break,
            };
            busy.remove(&message.id.owner);
            if let Err(refusal) = written {
                unwritten = Some(refusal.reason);
            }
            match came_of_it {
                CameOfIt::Later(_) => {
                    let why = message.error.clone().unwrap_or_default();
                    self.receiver.note_health(&self.pipeline, Some(why)).await;
                    self.failing = true;
                    let queue = self.hand.entry(message.id.owner.clone()).or_default();
                    queue.push_front(Arc::unwrap_or_clone(message));
                }
                CameOfIt::Parked if message.kind == MessageType::TicketCreate => {
                    // What was to follow it has been withdrawn with it.
                    self.hand.remove(&message.id.owner);
                }
                CameOfIt::Done | CameOfIt::Parked => {}
            }
            if answered && self.failing && self.leave_alone_until.is_none() {
                self.receiver.note_health(&self.pipeline, None).await;
                self.failing = false;
            }
        }
        drop((calls, notes));
        self.hand.retain(|_, queue| !queue.is_empty());
        match unwritten {
            // Not acknowledged, so that it is looked at again.
            Some(reason) => Err(Failure::Store(StoreError::Away(reason))),
            None => Ok(()),
        }
    }

    /// Notes in the rows what was taken and not tried, so that it can be acknowledged.
    async fn set_aside(&mut self) -> Result<(), Failure> {
        let Some(due_at) = self.leave_alone_until else { return Ok(()) };
        let untried = self.hand.values().flatten().filter(|message| message.due_at.is_none());
        let later = |message: &Message| {
            Change::Attempt(Arc::new(message.clone()), Attempted::Later { due_at, error: None })
        };
        let changes: Vec<Change> = untried.map(later).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let written: Result<Vec<_>, _> = self.pipeline.submit(changes).await.into_iter().collect();
        written.map(drop).map_err(|refusal| Failure::Store(StoreError::Away(refusal.reason)))
    }
}

/// Why a round could not be finished.
#[derive(Debug)]
pub enum Failure {
    /// The broker.
    Broker(BrokerError),
    /// The store.
    Store(StoreError),
}

impl Failure {
    fn report(&self, outages: &Outages) {
        match self {
            Self::Broker(error) => outages.broker.failed(error),
            Self::Store(error) => outages.store.failed(error),
        }
    }
}
