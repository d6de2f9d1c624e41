//! The only publisher: what is written as pending goes to the broker, in order, and is noted when the broker has it.
//!
//! The writer hands fresh messages over in memory; when the relay falls behind, or after a restart, it reads them from the
//! rows instead.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    pin::Pin,
    sync::Arc,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio_util::sync::CancellationToken;

use super::{
    change::Change,
    options::Options,
    outbox::{BATCH, Outbox},
    pipeline::Pipeline,
};
use crate::{
    domain::{Channel, Message, MessageId, MessageType, Uuid},
    ports::{BrokerError, Destination, MessageFilter, Outgoing, StoreError},
    telemetry::{Span, Step},
};

/// How many messages may be with the broker, or wait for one of theirs that is.
const ALOFT: usize = 2000;
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
}

impl Relay {
    /// A relay for a pipeline.
    pub fn new(options: Options, pipeline: Pipeline) -> Self {
        let outbox = pipeline.outbox.clone();
        let refilled = options.broker.is_durable();
        Self { options, pipeline, outbox, caught_up: HashSet::new(), refilled }
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
            let (ready, behind) = outbox.take(ALOFT.saturating_sub(aloft.count()));
            took_any |= !ready.is_empty();
            aloft.waiting.extend(ready.into_iter().filter(|message| !self.caught_up.remove(&message.seq)));
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
                () = outbox.arrived.notified(), if aloft.count() < ALOFT && aloft.held.error.is_none() => {}
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
        if aloft.held.error.is_none() {
            self.options.outages.broker.works();
        }
    }

    /// Notes what the broker has taken; what it has not, holds what follows it.
    async fn take_in(&mut self, kept: Vec<Kept>, results: Vec<Result<(), BrokerError>>, held: &mut Held) {
        let (mut published, mut buried) = (Vec::new(), Vec::new());
        for (Kept { seq, id, kind, lane, mut span }, result) in kept.into_iter().zip(results) {
            match result {
                Ok(()) => {
                    published.push(seq);
                    if matches!(kind, MessageType::DeadEvent | MessageType::DeadInbound) {
                        buried.push(id);
                    }
                }
                Err(error) => {
                    span.fail(&error);
                    held.behind.insert(lane);
                    held.error = Some(error);
                }
            }
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
            let pending = self.read(MessageFilter::Pending(after), limit).await;
            let pending = pending.inspect_err(|_| self.outbox.forget(true))?;
            let Some(newest) = pending.last().map(|message| message.seq) else { break };
            self.caught_up.extend(pending.iter().map(|message| message.seq));
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
            let open = self.read(MessageFilter::Undelivered(after), 1000).await?;
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

    async fn read(&self, filter: MessageFilter, limit: i64) -> Result<Vec<Message>, String> {
        let read = self.options.store.messages(filter, limit).await;
        read.map_err(|error: StoreError| format!("the outbox cannot be read: {error}"))
    }

    /// Publishes messages. What goes to one place about one ticket goes one after the other: should the broker refuse one,
    /// what follows it waits.
    async fn publish(&mut self, messages: Vec<Message>, held: &mut Held) {
        for (turn, round) in rounds(messages).into_iter().enumerate() {
            if turn >= ROUNDS || matches!(held.error, Some(BrokerError::Away(_))) {
                held.behind.extend(round.iter().map(Lane::of));
                held.left = true;
                continue;
            }
            let round = round.into_iter().filter(|message| !held.behind.contains(&Lane::of(message)));
            let (kept, batch) = packed(round);
            if batch.is_empty() {
                continue;
            }
            let results = self.options.broker.publish(batch).await;
            self.take_in(kept, results, held).await;
        }
        if held.error.is_none() {
            self.options.outages.broker.works();
        }
    }
}

/// A message that is with the broker, who has not confirmed it yet.
struct Kept {
    seq: i64,
    id: MessageId,
    kind: MessageType,
    lane: Lane,
    span: Span,
}

/// Messages as the broker takes them, and what is to be remembered of each.
fn packed(messages: impl Iterator<Item = Message>) -> (Vec<Kept>, Vec<Outgoing>) {
    let (mut kept, mut batch) = (Vec::new(), Vec::new());
    for message in messages {
        let (seq, id, kind, lane) = (message.seq, message.id.clone(), message.kind, Lane::of(&message));
        if let Some(mut outgoing) = outgoing(message) {
            let mut span = Span::follow("publish", Step::Published, outgoing.trace.as_ref());
            span.set("messaging.message.id", &outgoing.id);
            span.set("crossdesk.message.type", outgoing.kind);
            outgoing.trace = span.place();
            kept.push(Kept { seq, id, kind, lane, span });
            batch.push(outgoing);
        }
    }
    (kept, batch)
}

/// What came of a flight: what was in it, and the broker's word on each.
type Landed = (Vec<Kept>, Vec<Result<(), BrokerError>>);

/// What is with the broker, in several flights at once, and what waits until it may follow.
#[derive(Default)]
struct Aloft {
    flights: FuturesUnordered<Pin<Box<dyn Future<Output = Landed> + Send>>>,
    lanes: HashSet<Lane>,
    waiting: VecDeque<Message>,
    held: Held,
}

impl Aloft {
    /// How many messages are with the broker or wait to be.
    fn count(&self) -> usize {
        self.lanes.len() + self.waiting.len()
    }

    /// The next flight: the first of each lane that nothing is aloft of.
    fn next(&mut self, options: &Options) -> Option<Pin<Box<dyn Future<Output = Landed> + Send>>> {
        let (mut ready, mut stays) = (Vec::new(), VecDeque::new());
        let mut behind = HashSet::new();
        for message in self.waiting.drain(..) {
            let lane = Lane::of(&message);
            if behind.contains(&lane) || !self.lanes.insert(lane.clone()) {
                behind.insert(lane);
                stays.push_back(message);
            } else {
                ready.push(message);
            }
        }
        self.waiting = stays;
        let (kept, batch) = packed(ready.into_iter());
        // What goes nowhere is in no flight.
        if batch.len() < self.lanes.len() {
            let aloft: HashSet<&Lane> = kept.iter().map(|kept| &kept.lane).collect();
            let _ = aloft;
        }
        if batch.is_empty() {
            return None;
        }
        let broker = options.broker.clone();
        Some(Box::pin(async move {
            let results = broker.publish(batch).await;
            (kept, results)
        }))
    }
}

/// What keeps its order: messages to one place about one ticket or agreement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Lane(Uuid, Option<Uuid>, Channel);

impl Lane {
    fn of(message: &Message) -> Self {
        let channel = message.kind.channel();
        // The desk has one queue for all its commands, whatever agreement they come from.
        let agreement = message.agreement.clone().filter(|_| channel == Channel::Partner);
        Self(message.id.owner.clone(), agreement, channel)
    }
}

/// What the broker has not taken, and so may not be overtaken.
#[derive(Default)]
struct Held {
    behind: HashSet<Lane>,
    error: Option<BrokerError>,
    /// Some were left for the next time, so that one busy ticket does not keep all others waiting.
    left: bool,
}

/// The first message of each lane, then the second of each, and so on.
fn rounds(messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut rounds: Vec<Vec<Message>> = Vec::new();
    let mut turns: HashMap<Lane, usize> = HashMap::new();
    for message in messages {
        let turn = turns.entry(Lane::of(&message)).or_default();
        match rounds.get_mut(*turn) {
            Some(round) => round.push(message),
            None => rounds.push(vec![message]),
        }
        *turn += 1;
    }
    rounds
}

fn outgoing(message: Message) -> Option<Outgoing> {
    let destination = match (message.kind.channel(), message.agreement) {
        (Channel::Partner, Some(agreement)) => Destination::Partner(agreement),
        (Channel::Partner, None) => return None,
        (Channel::Command, _) => Destination::Commands,
        (Channel::Dead, _) => Destination::Dead(message.error.unwrap_or_default()),
    };
    Some(Outgoing {
        destination,
        id: message.id.to_string(),
        kind: message.kind.as_str(),
        subject: message.id.owner.to_string(),
        body: message.body,
        trace: message.contents.trace,
    })
}
