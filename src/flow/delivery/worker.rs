//! The worker of one queue, a partner's or the desk's: takes messages, calls the receiver, and notes what came of it before it
//! acknowledges.
//!
//! What it has in hand and could not deliver is noted in the rows (with the time of the next try) and acknowledged, so
//! nothing stays unacknowledged in the broker while a partner is down, and the rest waits there, in order. Tickets go side
//! by side, the messages of one ticket one after the other; more is taken while calls are being made, so that nobody waits for
//! the slowest ticket, unless [`ROWS`] of its messages wait or the broker hands over no more before those are acknowledged.
//!
//! [`Worker::deliver`] waits for nothing but in its one `select`: a call that nobody polls runs out of time though it was
//! answered, and a reading that nobody polls keeps its way to the store from the writer.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    apart::Apart,
    attempt::{CameOfIt, Noted, Tried},
    failure::Failure,
    hand::Hand,
    pace::Pace,
    reading::{self, Look, MOST, Reading, named},
    receiver::{Health, Present, Receiver},
};
use crate::{
    domain::{Message, Timestamp, Uuid},
    flow::{
        change::{Attempted, Change},
        options::Options,
        pipeline::Pipeline,
    },
    ports::{BrokerError, Deliveries, DeskHook, Incoming, StoreError},
    telemetry::metric,
};

/// So many messages in hand are enough, however few tickets they are of.
const ROWS: usize = 1000;
/// Of how many tickets something may be left for others to be taken beside them, how many that are, and how soon they must be there.
const MANY_LEFT: usize = 64;
const OTHERS: usize = 8;
const AT_HAND: Duration = Duration::from_millis(200);
/// For each call that is made at once, how many answers may wait to be written.
const UNWRITTEN: usize = 4;
/// So many are acknowledged together while more is on its way.
const TOGETHER: usize = 32;

/// The worker of one receiver.
#[derive(Debug)]
pub struct Worker {
    options: Options,
    pipeline: Pipeline,
    receiver: Receiver,
    deliveries: Option<Box<dyn Deliveries>>,
    /// Tickets of which something was left for later.
    left: BTreeSet<Uuid>,
    /// Tickets on which the partner fails, while it takes others'.
    apart: Apart,
    /// The partner fails: nothing is tried before this.
    leave_alone_until: Option<Timestamp>,
    /// The agreement's row says that the partner fails; not known before the first look.
    failing: bool,
    /// To be noted.
    health: Option<Health>,
    /// Broker and store have been there since something failed last.
    was_well: bool,
    pace: Pace,
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
            deliveries: None,
            left: BTreeSet::new(),
            apart: Apart::default(),
            leave_alone_until: None,
            failing: false,
            health: None,
            was_well: false,
            pace: Pace::new(),
        }
    }

    /// Delivers until it is stopped; what is being tried then, it finishes.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut waits = self.options.reconnect.waits();
        while !stop.is_cancelled() {
            match self.step(&stop).await {
                Ok(()) => waits = self.options.reconnect.waits(),
                Err(failure) => {
                    if std::mem::take(&mut self.was_well) {
                        waits = self.options.reconnect.waits();
                    }
                    failure.report(&self.options.outages);
                    self.deliveries = None;
                    self.left.clear();
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(waits.next_wait()) => {}
                    }
                }
            }
        }
        if let Receiver::Partner(agreement) = &self.receiver {
            metric::unserved(agreement);
        }
    }

    /// Goes on with what was left for later, if there is any, or takes what is there, until the receiver fails.
    ///
    /// # Errors
    /// The broker or the store is away; what was taken comes again.
    pub async fn step(&mut self, stop: &CancellationToken) -> Result<(), Failure> {
        if self.left.is_empty() && self.deliveries.is_none() {
            // The queue first: whoever has it is the one who goes on with what was left.
            let consume = self.options.broker.consume(self.receiver.source());
            let Some(consumed) = stop.run_until_cancelled(consume).await else { return Ok(()) };
            self.deliveries = Some(consumed.map_err(Failure::Broker)?);
            self.resume().await?;
            self.was_well = true;
        }
        self.wait_until_due(stop).await;
        if stop.is_cancelled() {
            return Ok(());
        }
        let mut hand = Hand::default();
        let others = self.others(stop).await?;
        self.deliver(&mut hand, others, stop).await?;
        self.pace = Pace::new();
        if stop.is_cancelled() && !hand.is_empty() {
            return Ok(()); // What is not acknowledged comes again.
        }
        self.set_aside(&hand).await?;
        let (through, left) = hand.into_rest();
        if let (Some(through), Some(deliveries)) = (through, self.deliveries.as_mut()) {
            deliveries.ack(through).await.map_err(Failure::Broker)?;
        }
        self.left = left;
        if self.leave_alone_until.is_some() {
            self.left.extend(self.apart.all());
        }
        if !self.left.is_empty() || self.leave_alone_until.is_some() {
            // The partner fails: its queue is not consumed until it answers again. What was taken and not read waits there.
            self.deliveries = None;
        }
        Ok(())
    }

    /// Takes up what an earlier process left for later.
    async fn resume(&mut self) -> Result<(), Failure> {
        let left = self.options.store.messages(self.receiver.left(), MOST).await.map_err(Failure::Store)?;
        let left: Vec<_> =
            left.into_iter().filter(|message| self.apart.until(&message.id.owner).is_none()).collect();
        self.leave_alone_until = left.iter().filter_map(|message| message.due_at).max();
        self.left = left.into_iter().map(|message| message.id.owner).collect();
        if self.leave_alone_until.is_some() {
            self.deliveries = None; // Nothing lies unacknowledged while the partner is left alone.
        }
        Ok(())
    }

    /// A few more messages, where the partner has failed on all that it was tried with: they may be of tickets that it takes.
    async fn others(&mut self, stop: &CancellationToken) -> Result<Vec<Incoming>, Failure> {
        if self.left.is_empty() || self.left.len() > MANY_LEFT || !self.apart.are_many() {
            return Ok(Vec::new());
        }
        let consume = self.options.broker.consume(self.receiver.source());
        let Some(consumed) = stop.run_until_cancelled(consume).await else { return Ok(Vec::new()) };
        let deliveries = self.deliveries.insert(consumed.map_err(Failure::Broker)?);
        match timeout(AT_HAND, deliveries.next(OTHERS, Duration::ZERO)).await {
            Ok(taken) => taken.map_err(Failure::Broker),
            Err(_) => Ok(Vec::new()),
        }
    }

    async fn wait_until_due(&mut self, stop: &CancellationToken) {
        if let Some(due) = self.leave_alone_until {
            // A clock that was ahead and has been set right is waited for no longer than a receiver is ever left alone.
            let wait = due.since(self.options.clock.now()).min(self.options.retry.longest());
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait) => self.leave_alone_until = None,
            }
        }
    }

    /// Tries what was left, and all that comes, a few tickets at a time, until the receiver fails. What is on its way then is
    /// waited for.
    async fn deliver(
        &mut self,
        hand: &mut Hand,
        others: Vec<Incoming>,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let Self { options, pipeline, receiver, .. } = &*self;
        let (options, pipeline, receiver) = (options.clone(), pipeline.clone(), receiver.clone());
        let (mut calls, mut notes) = (FuturesUnordered::new(), FuturesUnordered::new());
        // One at a time of each.
        let (mut readings, mut healths) = (FuturesUnordered::new(), FuturesUnordered::new());
        let mut asides = FuturesUnordered::new();
        if !self.left.is_empty() {
            // The rows may have changed while the partner was left alone: withdrawn, or dropped by a person.
            let (taken, mut owners) = named(others);
            owners.append(&mut self.left);
            readings.push(reading::begin(&options, &pipeline, &receiver, None, (taken, owners)));
        }
        let (mut present, mut looked, mut failure) = (None, None, None);
        loop {
            let going = self.leave_alone_until.is_none() && failure.is_none() && !stop.is_cancelled();
            let at_once = options.side_by_side;
            let is_known = looked.is_some_and(|look: Look| look.knows_receiver(&pipeline));
            if going && readings.is_empty() && present.is_some() && !is_known && hand.rows() > 0 {
                // Much is in hand: how the receiver is now is not found out by taking more.
                hand.reading();
                readings.push(reading::begin(&options, &pipeline, &receiver, None, <_>::default()));
            }
            while going
                && calls.len() < at_once
                && notes.len() < at_once * UNWRITTEN
                && let Some(present) = &present
                && let Some((message, look)) = hand.next()
            {
                calls.push(Present::clone(present).attempt(
                    &options,
                    &pipeline,
                    message,
                    look.holds(&pipeline),
                ));
            }
            if healths.is_empty()
                && let Some(health) = self.health.take()
            {
                healths.push(receiver.note_health(&pipeline, health));
            }
            let idle = calls.is_empty() && notes.is_empty() && healths.is_empty() && asides.is_empty();
            if let Some(deliveries) = self.deliveries.as_mut()
                && let Some(through) = hand.acknowledged(if idle { 1 } else { TOGETHER })
                && let Err(error) = deliveries.ack(through).await
            {
                failure.get_or_insert(Failure::Broker(error));
                continue;
            }
            if idle && (!going || (self.deliveries.is_none() && readings.is_empty())) {
                break;
            }
            let hungry = going && readings.is_empty() && hand.ready() == 0 && hand.rows() < ROWS;
            let rest = self.apart.next();
            tokio::select! {
                biased;
                Some(noted) = notes.next() => {
                    match self.noted(noted, hand) {
                        Ok(Some(apart)) => asides.extend(self.set_apart(hand, apart)),
                        Ok(None) => {}
                        // Not acknowledged, so that it is looked at again.
                        Err(reason) => failure = Some(Failure::Store(StoreError::Away(reason))),
                    }
                }
                Some((ticket, numbers, written)) = asides.next() => {
                    let (ticket, numbers, written): (Uuid, Vec<i64>, Result<(), Failure>) = (ticket, numbers, written);
                    match written {
                        Ok(()) => {
                            hand.aside(&ticket, &numbers);
                            // More may have come meanwhile.
                            asides.extend(self.set_apart(hand, ticket));
                        }
                        Err(error) => failure = Some(error),
                    }
                }
                Some(tried) = calls.next() => {
                    let mut tried: Tried = tried;
                    let ticket = &tried.message.id.owner;
                    if let CameOfIt::Fails(due) = tried.came_of_it {
                        let wait = due.since(options.clock.now()).min(options.retry.longest());
                        if !self.apart.fails(ticket, due, wait) {
                            tried.came_of_it = CameOfIt::Later(due);
                        }
                    }
                    match tried.came_of_it {
                        CameOfIt::Later(due) => self.leave_alone_until = self.leave_alone_until.max(Some(due)),
                        CameOfIt::Done | CameOfIt::Parked if tried.answered => self.apart.takes(ticket),
                        CameOfIt::Fails(_) | CameOfIt::Done | CameOfIt::Parked => {}
                    }
                    notes.push(tried.note(&options, &pipeline));
                }
                Some(()) = healths.next() => {}
                Some(reading) = readings.next(), if going => match reading {
                    Ok(reading) => {
                        let Reading { taken, owners, waiting, look, .. } = reading;
                        present = reading.present;
                        if reading.renewed {
                            self.failing = present.as_ref().is_some_and(Present::is_failing);
                            looked = Some(look);
                        }
                        let apart: Vec<Uuid> = owners.iter().filter(|owner| self.apart.keeps(owner)).cloned().collect();
                        hand.put(taken, owners, waiting, look);
                        for ticket in apart {
                            asides.extend(self.set_apart(hand, ticket));
                        }
                        if present.is_none() {
                            hand.withdraw_all();
                        }
                    }
                    Err(error) => failure = Some(Failure::Store(error)),
                },
                taken = take(&mut self.deliveries, self.pace.takes()), if hungry => match taken {
                    Ok(taken) => {
                        hand.reading();
                        self.pace.took(taken.len());
                        // It may have taken long until something came.
                        let known = present.clone().filter(|_| looked.is_some_and(|look: Look| look.knows_receiver(&pipeline)));
                        readings.push(reading::begin(&options, &pipeline, &receiver, known, named(taken)));
                    }
                    Err(error) => failure = Some(Failure::Broker(error)),
                },
                () = tokio::time::sleep_until(rest.unwrap_or_else(Instant::now)), if going && readings.is_empty() && asides.is_empty() && rest.is_some() => {
                    hand.reading();
                    let due = (Vec::new(), self.apart.due());
                    readings.push(reading::begin(&options, &pipeline, &receiver, None, due));
                }
                () = stop.cancelled(), if going => {}
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Takes up what came of an attempt that is written; returns its ticket, where that is left alone from now on.
    ///
    /// # Errors
    /// Why it is not.
    fn noted(&mut self, noted: Noted, hand: &mut Hand) -> Result<Option<Uuid>, String> {
        let Noted { message, came_of_it, answered, written } = noted;
        written.map_err(|refusal| refusal.reason)?;
        match came_of_it {
            CameOfIt::Fails(_) => {
                let ticket = message.id.owner.clone();
                if !self.apart.is_known(&ticket) {
                    // It may be the partner after all.
                    self.health = Some(Health::Fails(message.error.clone().unwrap_or_default()));
                    self.failing = true;
                }
                hand.failed(&message.id);
                return Ok(Some(ticket));
            }
            CameOfIt::Later(_) => {
                self.health = Some(Health::Fails(message.error.clone().unwrap_or_default()));
                self.failing = true;
                hand.back(Arc::unwrap_or_clone(message));
            }
            CameOfIt::Done | CameOfIt::Parked => hand.done(&message.id),
        }
        if answered && self.failing && self.leave_alone_until.is_none() {
            self.health = Some(Health::Answers);
            self.failing = false;
        }
        Ok(None)
    }

    /// Sends nothing of a ticket that is left alone: what is in hand of it is noted in its rows, and can be acknowledged then. Gives the
    /// numbers of those messages, and whether they are noted.
    fn set_apart(
        &self,
        hand: &mut Hand,
        ticket: Uuid,
    ) -> Option<impl Future<Output = (Uuid, Vec<i64>, Result<(), Failure>)> + use<>> {
        let rest = hand.hold(&ticket);
        let due_at = self.apart.until(&ticket).or(self.leave_alone_until).unwrap_or(self.options.clock.now());
        let pipeline = self.pipeline.clone();
        (!rest.is_empty()).then_some(async move {
            let numbers = rest.iter().map(|message| message.id.n).collect();
            (ticket, numbers, note_later(&pipeline, &rest, due_at).await)
        })
    }

    /// Notes in the rows what was taken and not tried, so that it can be acknowledged.
    async fn set_aside(&mut self, hand: &Hand) -> Result<(), Failure> {
        let Some(due_at) = self.leave_alone_until else { return Ok(()) };
        let untried = hand.waiting().filter(|message| message.due_at.is_none());
        note_later(&self.pipeline, untried, due_at).await
    }
}

/// Notes in their rows that messages are to be tried then.
async fn note_later<'a>(
    pipeline: &Pipeline,
    messages: impl IntoIterator<Item = &'a Message>,
    due_at: Timestamp,
) -> Result<(), Failure> {
    let later = |message: &Message| {
        Change::Attempt(Arc::new(message.clone()), Attempted::Later { due_at, error: None })
    };
    let changes: Vec<Change> = messages.into_iter().map(later).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let written: Result<Vec<_>, _> = pipeline.submit(changes).await.into_iter().collect();
    written.map(drop).map_err(|refusal| Failure::Store(StoreError::Away(refusal.reason)))
}

/// Waits for messages of a queue, for ever where it is not consumed. Given up, it has taken nothing.
async fn take(
    deliveries: &mut Option<Box<dyn Deliveries>>,
    most: usize,
) -> Result<Vec<Incoming>, BrokerError> {
    match deliveries {
        Some(deliveries) => deliveries.next(most, Duration::ZERO).await,
        None => std::future::pending().await,
    }
}
