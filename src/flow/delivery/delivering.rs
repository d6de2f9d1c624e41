//! A worker at its work: calls, answers, notes and more messages, all at once, until the receiver fails.
//!
//! [`Worker::deliver`] waits for nothing but in its one `select`: a call that nobody polls runs out of time though it was
//! answered, and a reading that nobody polls keeps its way to the store from the writer.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    attempt::{CameOfIt, Noted, Tried},
    failure::Failure,
    hand::Hand,
    reading::{self, Look, Reading, named},
    receiver::{Health, Present},
    worker::{Worker, note_later},
};
use crate::{
    domain::Uuid,
    ports::{BrokerError, Deliveries, Incoming, StoreError},
};

/// So many messages in hand are enough, however few tickets they are of.
const ROWS: usize = 1000;
/// For each call that is made at once, how many answers may wait to be written.
const UNWRITTEN: usize = 4;
/// So many are acknowledged together while more is on its way.
const TOGETHER: usize = 32;

impl Worker {
    /// Tries what was left, and all that comes, a few tickets at a time, until the receiver fails. What is on its way then is
    /// waited for.
    pub(super) async fn deliver(
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
                    let ticket = tried.message.id.owner.clone();
                    if let CameOfIt::Fails(due) = tried.came_of_it {
                        let wait = due.since(options.clock.now()).min(options.retry.longest());
                        if !self.apart.fails(&ticket, due, wait) {
                            tried.came_of_it = CameOfIt::Later(due);
                        } else if self.apart.fails_on_it_alone(&ticket) {
                            tried.is_its_tickets_matter();
                        }
                    }
                    match tried.came_of_it {
                        CameOfIt::Later(due) => self.leave_alone_until = self.leave_alone_until.max(Some(due)),
                        CameOfIt::Done | CameOfIt::Parked if tried.answered => self.apart.takes(&ticket),
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
                            let fails = present.as_ref().is_some_and(Present::is_failing);
                            // That it fails may be on its way to the row still.
                            if fails || (healths.is_empty() && self.health.is_none() && look.knows_receiver(&pipeline)) {
                                self.failing = fails;
                            }
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
                if self.apart.until(&ticket).is_none() {
                    // Its time came before this was written.
                    hand.back(Arc::unwrap_or_clone(message));
                    return Ok(None);
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
