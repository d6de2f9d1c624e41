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
                    self.apart = Apart::default();
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
        self.deliver(&mut hand, stop).await?;
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
        let left: Vec<_> = left.into_iter().filter(|message| !self.apart.has(&message.id.owner)).collect();
        self.leave_alone_until = left.iter().filter_map(|message| message.due_at).max();
        self.left = left.into_iter().map(|message| message.id.owner).collect();
        if self.leave_alone_until.is_some() {
            self.deliveries = None; // Nothing lies unacknowledged while the partner is left alone.
        }
        Ok(())
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
    async fn deliver(&mut self, hand: &mut Hand, stop: &CancellationToken) -> Result<(), Failure> {
        let Self { options, pipeline, receiver, .. } = &*self;
        let (options, pipeline, receiver) = (options.clone(), pipeline.clone(), receiver.clone());
        let (mut calls, mut notes) = (FuturesUnordered::new(), FuturesUnordered::new());
        // One at a time of each.
        let (mut readings, mut healths) = (FuturesUnordered::new(), FuturesUnordered::new());
        if !self.left.is_empty() {
            // The rows may have changed while the partner was left alone: withdrawn, or dropped by a person.
            let left = std::mem::take(&mut self.left);
            readings.push(reading::begin(&options, &pipeline, &receiver, None, (Vec::new(), left)));
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
            let idle = calls.is_empty() && notes.is_empty() && healths.is_empty();
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
            let rest =
                self.apart.next().map(|due| due.since(options.clock.now()).min(options.retry.longest()));
            tokio::select! {
                biased;
                Some(noted) = notes.next() => {
                    if let Err(reason) = self.noted(noted, hand) {
                        // Not acknowledged, so that it is looked at again.
                        failure = Some(Failure::Store(StoreError::Away(reason)));
                    }
                }
                Some(tried) = calls.next() => {
                    let tried: Tried = tried;
                    match tried.came_of_it {
                        CameOfIt::Fails(due) if self.apart.fails(&tried.message.id.owner, due) => {}
                        CameOfIt::Later(due) | CameOfIt::Fails(due) => {
                            self.leave_alone_until = self.leave_alone_until.max(Some(due));
                        }
                        CameOfIt::Done | CameOfIt::Parked if tried.answered => self.apart.takes(),
                        CameOfIt::Done | CameOfIt::Parked => {}
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
                        let apart: Vec<Uuid> = owners.iter().filter(|owner| self.apart.has(owner)).cloned().collect();
                        hand.put(taken, owners, waiting, look);
                        for owner in &apart {
                            hand.leave(owner);
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
                () = tokio::time::sleep(rest.unwrap_or_default()), if going && readings.is_empty() && rest.is_some() => {
                    let due = self.apart.due(options.clock.now());
                    hand.reading();
                    readings.push(reading::begin(&options, &pipeline, &receiver, None, (Vec::new(), due)));
                }
                () = stop.cancelled(), if going => {}
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Takes up what came of an attempt that is written.
    ///
    /// # Errors
    /// Why it is not.
    fn noted(&mut self, noted: Noted, hand: &mut Hand) -> Result<(), String> {
        let Noted { message, came_of_it, answered, written } = noted;
        written.map_err(|refusal| refusal.reason)?;
        match came_of_it {
            // The row says when it is tried again, and what follows it in its rows.
            CameOfIt::Fails(_) if self.apart.has(&message.id.owner) => hand.leave(&message.id.owner),
            CameOfIt::Later(_) | CameOfIt::Fails(_) => {
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
        Ok(())
    }

    /// Notes in the rows what was taken and not tried, so that it can be acknowledged.
    async fn set_aside(&mut self, hand: &Hand) -> Result<(), Failure> {
        let Some(due_at) = self.leave_alone_until else { return Ok(()) };
        let untried = hand.waiting().filter(|message| message.due_at.is_none());
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
