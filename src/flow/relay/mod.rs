//! The only publisher: what is written as pending goes to the broker, in order, and is noted when the broker has it.
//!
//! The writer hands fresh messages over in memory; when the relay falls behind, or after a restart, it reads them from the
//! rows instead.

mod aloft;
mod resting;
mod trial;

use std::{collections::HashSet, sync::Arc};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    change::Change,
    options::Options,
    outbox::{BATCH, Outbox},
    pipeline::Pipeline,
};
use crate::{
    domain::{Message, MessageType},
    ports::{BrokerError, MessageFilter, Outgoing, StoreError},
};
use aloft::{Aloft, Held, Kept, Landed, Lane, outgoing, packed, rounds};
use resting::Resting;
use trial::{Outcome, Trial, Tried};

/// How many messages may be with the broker, or wait for one of theirs that is.
const ALOFT: usize = 2000;
/// How many partners whose queue takes nothing are tried at once.
const TRIALS: usize = 16;
/// How many messages of one ticket are published before the others of the next batch have their turn.
const ROUNDS: usize = 16;

/// The relay.
#[derive(Debug)]
pub struct Relay {
    options: Options,
    pipeline: Pipeline,
    outbox: Arc<Outbox>,
    /// Messages that were published from the rows last: what the writer hands over again of them is passed over.
    caught_up: HashSet<i64>,
    /// What an embedded broker must be given again has been.
    refilled: bool,
    /// Partners whose queue takes nothing.
    resting: Resting,
    /// Those of them that are being tried.
    trials: FuturesUnordered<Trial>,
}

impl Relay {
    /// A relay for a pipeline.
    pub fn new(options: Options, pipeline: Pipeline) -> Self {
        let outbox = pipeline.outbox.clone();
        let refilled = options.broker.is_durable();
        let resting = Resting::new(options.reconnect);
        let (caught_up, trials) = (HashSet::new(), FuturesUnordered::new());
        Self { options, pipeline, outbox, caught_up, refilled, resting, trials }
    }

    /// Works until it is stopped; what it has taken by then, it finishes.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut waits = self.options.reconnect.waits();
        loop {
            let arrived = self.outbox.clone();
            match self.step().await {
                Ok(true) => waits = self.options.reconnect.waits(),
                Ok(false) => tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = arrived.arrived.notified() => {}
                    () = rested(self.resting.ends()), if self.trials.len() < TRIALS => {}
                    Some(tried) = self.trials.next() => self.tried(tried).await,
                },
                Err(error) => {
                    self.options.outages.broker.failed(&error);
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(waits.next_wait()) => {}
                    }
                }
            }
        }
    }

    /// Publishes what is ready, and what becomes ready meanwhile; returns whether there was anything to do.
    ///
    /// # Errors
    /// The broker or the store is away; what was not taken stays pending.
    pub async fn step(&mut self) -> Result<bool, String> {
        if !self.refilled {
            self.refill().await?;
        }
        let outbox = self.outbox.clone();
        let (mut aloft, mut took_any) = (Aloft::default(), false);
        let behind = loop {
            let over = self.resting.rested(TRIALS.saturating_sub(self.trials.len()));
            let trial = |(partner, size)| trial::begin(partner, size, &self.options, &self.pipeline);
            self.trials.extend(over.into_iter().map(trial));
            let (ready, behind) = outbox.take(ALOFT.saturating_sub(aloft.count()));
            took_any |= !ready.is_empty();
            let ready = ready.into_iter().filter(|message| !self.caught_up.remove(&message.seq));
            aloft.waiting.extend(ready.filter(|message| !self.resting.keeps(message)));
            // What follows something that the broker has not taken stays where it is.
            while aloft.held.error.is_none()
                && let Some(flight) = aloft.next(&self.options)
            {
                aloft.flights.push(flight);
            }
            if aloft.flights.is_empty() {
                break behind;
            }
            tokio::select! {
                biased;
                Some(landed) = aloft.flights.next() => self.land(landed, &mut aloft).await,
                Some(tried) = self.trials.next() => self.tried(tried).await,
                () = outbox.arrived.notified(), if aloft.count() < ALOFT && aloft.held.error.is_none() => {}
                () = rested(self.resting.ends()), if self.trials.len() < TRIALS => {}
            }
        };
        if behind && aloft.held.error.is_none() {
            // From now on the writer hands over again; what it has committed before is in the rows. Notes that are still
            // on their way are written first, so that nothing is published for want of one.
            self.outbox.forget(false);
            self.pipeline.submit(Vec::new()).await;
            return self.catch_up().await;
        }
        if !took_any {
            return Ok(false);
        }
        self.settle(aloft.held)
    }

    /// Takes in what the broker says of a flight.
    async fn land(&mut self, (kept, results): Landed, aloft: &mut Aloft) {
        for kept in &kept {
            aloft.lanes.remove(&kept.lane);
        }
        self.take_in(kept, results, &mut aloft.held).await;
        aloft.waiting.retain(|message| !self.resting.keeps(message));
    }

    /// Takes in what came of trying a partner.
    async fn tried(&mut self, Tried { partner, outcome }: Tried) {
        let (kept, results, all) = match outcome {
            Outcome::Answered { kept, results, all } => (kept, results, all),
            Outcome::Untried(error) => {
                tracing::warn!(agreement.uuid = %partner, error, "this partner's queue could not be tried");
                return self.resting.rests_on(&partner, false);
            }
        };
        let refused = results.iter().find_map(|result| result.as_ref().err()).cloned();
        let took_any = results.iter().any(Result::is_ok);
        self.take_in(kept, results, &mut Held::default()).await;
        match refused {
            Some(error) => {
                self.resting.rests_on(&partner, took_any);
                if let BrokerError::Away(_) = error {
                    self.options.outages.broker.failed(&error);
                }
            }
            None if all => {
                self.resting.takes(&partner);
                // What has come meanwhile is in its row alone.
                self.outbox.forget(true);
            }
            None => self.resting.goes_on(&partner),
        }
    }

    /// Notes what the broker has taken; what it has not, holds what follows it. A partner whose queue takes nothing holds nobody
    /// else's.
    async fn take_in(&mut self, kept: Vec<Kept>, results: Vec<Result<(), BrokerError>>, held: &mut Held) {
        let (mut published, mut buried) = (Vec::new(), Vec::new());
        for (Kept { seq, id, kind, lane, mut span }, result) in kept.into_iter().zip(results) {
            match (result, lane.partner()) {
                (Ok(()), _) => {
                    published.push(seq);
                    if matches!(kind, MessageType::DeadEvent | MessageType::DeadInbound) {
                        buried.push(id);
                    }
                }
                (Err(error @ BrokerError::Refused(_)), Some(partner)) => {
                    span.fail(&error);
                    self.resting.refused(partner, &error);
                }
                (Err(error), _) => {
                    span.fail(&error);
                    held.hold(lane, error);
                }
            }
        }
        if !published.is_empty() {
            self.options.outages.broker.works();
        }
        // First, since what is published and not yet buried would be as good as gone.
        if !buried.is_empty() {
            self.pipeline.note(Change::Buried(buried)).await;
        }
        if !published.is_empty() {
            self.pipeline.note(Change::Published(published)).await;
        }
    }

    /// What was not published is read from its rows the next time.
    fn settle(&self, held: Held) -> Result<bool, String> {
        if held.left || held.error.is_some() {
            self.outbox.forget(true);
        }
        held.error.map_or(Ok(true), |error| Err(error.to_string()))
    }

    /// Publishes everything that the rows say is pending.
    async fn catch_up(&mut self) -> Result<bool, String> {
        self.caught_up.clear();
        let (mut after, mut held) = (0, Held::default());
        loop {
            let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
            let pending = read(&self.options, MessageFilter::Pending(after, self.resting.all()), limit).await;
            let pending = pending.inspect_err(|_| self.outbox.forget(true))?;
            let Some(newest) = pending.last().map(|message| message.seq) else { break };
            let goes = pending.iter().filter(|message| !self.resting.keeps(message));
            self.caught_up.extend(goes.map(|message| message.seq));
            // One that the broker refuses holds up nobody else's.
            self.publish(pending, &mut held).await;
            after = newest;
        }
        self.settle(held)
    }

    /// Gives an embedded broker, which keeps nothing over a restart, what it had.
    async fn refill(&mut self) -> Result<(), String> {
        let mut after = 0;
        loop {
            let open = read(&self.options, MessageFilter::Undelivered(after), 1000).await?;
            let Some(newest) = open.last().map(|message| message.seq) else { break };
            let published: Vec<Outgoing> = open
                .into_iter()
                .filter(|message| message.state == crate::domain::MessageState::Published)
                .filter_map(outgoing)
                .collect();
            let results = self.options.broker.publish(published).await;
            // Twice is as good as once: should one not be taken, all are handed over again.
            results.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
            after = newest;
        }
        self.refilled = true;
        Ok(())
    }

    /// Publishes messages. What goes to one place about one ticket goes one after the other: should the broker refuse one,
    /// what follows it waits.
    async fn publish(&mut self, messages: Vec<Message>, held: &mut Held) {
        for (turn, round) in rounds(messages).into_iter().enumerate() {
            let goes =
                |message: &Message| !held.behind.contains(&Lane::of(message)) && !self.resting.keeps(message);
            let round: Vec<Message> = round.into_iter().filter(goes).collect();
            if round.is_empty() {
                continue;
            }
            if turn >= ROUNDS || matches!(held.error, Some(BrokerError::Away(_))) {
                held.behind.extend(round.iter().map(Lane::of));
                held.left = true;
                continue;
            }
            let (kept, batch) = packed(round.into_iter());
            if batch.is_empty() {
                continue;
            }
            let results = self.options.broker.publish(batch).await;
            self.take_in(kept, results, held).await;
        }
    }
}

async fn read(options: &Options, filter: MessageFilter, limit: i64) -> Result<Vec<Message>, String> {
    let read = options.store.messages(filter, limit).await;
    read.map_err(|error: StoreError| format!("the outbox cannot be read: {error}"))
}

/// Waits until then; for ever where there is nothing to wait for.
async fn rested(ends: Option<Instant>) {
    match ends {
        Some(ends) => tokio::time::sleep_until(ends).await,
        None => std::future::pending().await,
    }
}
