//! A broker whose connections break: before a publish, in the middle of it, after it and before the confirm; while somebody
//! consumes, and before an acknowledgement is there or after.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use crossdesk::{
    domain::Uuid,
    ports::{Broker, BrokerError, Deliveries, Destination, Incoming, Outgoing, Source},
};
use tokio::sync::Notify;

use super::faults::{Fault, Life};

/// One call in so many fails.
const CALLS: usize = 25;
const MILLIS: usize = 3;

#[derive(Debug, Default)]
struct Consumer {
    queue: String,
    unacknowledged: VecDeque<(u64, Incoming)>,
}

#[derive(Debug, Default)]
struct State {
    queues: BTreeMap<String, VecDeque<Incoming>>,
    consumers: BTreeMap<u64, Consumer>,
    next: u64,
}

/// The queues, which outlive the daemon if they are durable.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queues {
    state: Arc<Mutex<State>>,
    arrived: Arc<Notify>,
}

impl Queues {
    pub(crate) fn push(&self, queue: &str, message: Incoming) {
        self.state.lock().unwrap().queues.entry(queue.to_owned()).or_default().push_back(message);
        self.arrived.notify_waiters();
    }

    /// Somebody else takes one for good.
    pub(crate) fn pop(&self, queue: &str) -> Option<Incoming> {
        self.state.lock().unwrap().queues.get_mut(queue)?.pop_front()
    }

    pub(crate) fn waiting(&self) -> usize {
        let state = self.state.lock().unwrap();
        let held: usize = state.consumers.values().map(|consumer| consumer.unacknowledged.len()).sum();
        state.queues.values().map(VecDeque::len).sum::<usize>() + held
    }

    /// All connections break: what was taken and not acknowledged goes back, in order.
    pub(crate) fn disconnect_all(&self) {
        let consumers: Vec<u64> = self.state.lock().unwrap().consumers.keys().copied().collect();
        for consumer in consumers {
            self.disconnect(consumer);
        }
    }

    /// A broker inside the daemon: it forgets everything with it.
    pub(crate) fn forget(&self) {
        self.state.lock().unwrap().queues.clear();
    }

    fn disconnect(&self, consumer: u64) {
        let mut state = self.state.lock().unwrap();
        let Some(gone) = state.consumers.remove(&consumer) else { return };
        let queue = state.queues.entry(gone.queue).or_default();
        for (_, message) in gone.unacknowledged.into_iter().rev() {
            queue.push_front(message);
        }
        drop(state);
        self.arrived.notify_waiters();
    }
}

/// The broker as one life of the daemon sees it.
#[derive(Debug)]
pub(crate) struct Shaky {
    pub(crate) queues: Queues,
    pub(crate) life: Life,
    pub(crate) durable: bool,
}

/// The name of what a message goes to.
fn queue_of(destination: &Destination) -> String {
    match destination {
        Destination::Partner(agreement) | Destination::Bridge(agreement) => format!("partner {agreement}"),
        Destination::Commands => "commands".to_owned(),
        Destination::Dead(_) => "dead".to_owned(),
        Destination::Reply(queue, ..) => format!("reply {queue}"),
    }
}

fn away() -> BrokerError {
    BrokerError::Away("the connection broke".to_owned())
}

#[async_trait]
impl Broker for Shaky {
    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<(), BrokerError>> {
        self.life.passes(MILLIS).await;
        let fault = self.life.faults.fault(CALLS);
        // The connection breaks after so many; whether those were taken is told or not.
        let through = match fault {
            Fault::None => batch.len(),
            Fault::Before | Fault::After => self.life.faults.roll(batch.len() + 1),
        };
        let mut results = Vec::with_capacity(batch.len());
        for (at, message) in batch.into_iter().enumerate() {
            if at >= through {
                results.push(Err(away()));
                continue;
            }
            if self.life.faults.fault(200) == Fault::Before {
                results.push(Err(BrokerError::Refused("it said no".to_owned())));
                continue;
            }
            let queue = queue_of(&message.destination);
            if self.durable || matches!(message.destination, Destination::Partner(_) | Destination::Bridge(_))
            {
                let (id, kind) = (Some(message.id), Some(message.kind.to_owned()));
                let incoming = Incoming { id, kind, body: message.body.into_bytes(), ..Incoming::default() };
                self.queues.push(&queue, incoming);
            }
            results.push(if fault == Fault::After { Err(away()) } else { Ok(()) });
        }
        self.life.passes(MILLIS).await;
        results
    }

    async fn consume(&self, source: Source) -> Result<Box<dyn Deliveries>, BrokerError> {
        self.life.passes(MILLIS).await;
        if self.life.faults.fault(CALLS) != Fault::None {
            return Err(away());
        }
        let queue = match source {
            Source::Events | Source::Shard(_) => "events".to_owned(),
            Source::Inbound => "inbound".to_owned(),
            Source::Commands => "commands".to_owned(),
            Source::Partner(agreement) => format!("partner {agreement}"),
        };
        let mut state = self.queues.state.lock().unwrap();
        state.next += 1;
        let consumer = state.next;
        state.consumers.insert(consumer, Consumer { queue, unacknowledged: VecDeque::new() });
        drop(state);
        Ok(Box::new(Hand { queues: self.queues.clone(), life: self.life.clone(), consumer, tag: 0 }))
    }

    async fn open_bridge(&self, _agreement: &Uuid) -> Result<(), BrokerError> {
        self.life.passes(MILLIS).await;
        Ok(())
    }

    async fn close_partner(&self, _agreement: &Uuid) -> Result<(), BrokerError> {
        self.life.passes(MILLIS).await;
        Ok(())
    }

    async fn flush(&self) {}

    async fn ping(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    fn is_durable(&self) -> bool {
        self.durable
    }
}

#[derive(Debug)]
struct Hand {
    queues: Queues,
    life: Life,
    consumer: u64,
    tag: u64,
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.queues.disconnect(self.consumer);
    }
}

impl Hand {
    fn has_some(&self) -> Result<bool, BrokerError> {
        let state = self.queues.state.lock().unwrap();
        // Without one, its connection was broken by somebody else.
        let consumer = state.consumers.get(&self.consumer).ok_or_else(away)?;
        Ok(state.queues.get(&consumer.queue).is_some_and(|queue| !queue.is_empty()))
    }

    fn take(&mut self, max: usize) -> Result<Vec<Incoming>, BrokerError> {
        let mut state = self.queues.state.lock().unwrap();
        let Some(queue) = state.consumers.get(&self.consumer).map(|consumer| consumer.queue.clone()) else {
            return Err(away()); // its connection was broken by somebody else
        };
        let queue = state.queues.entry(queue).or_default();
        let count = queue.len().min(max).min(1 + self.life.faults.roll(8));
        let mut taken: Vec<Incoming> = queue.drain(..count).collect();
        for message in &mut taken {
            self.tag += 1;
            message.tag = self.tag;
        }
        let held = taken.iter().map(|message| (message.tag, message.clone()));
        if let Some(consumer) = state.consumers.get_mut(&self.consumer) {
            consumer.unacknowledged.extend(held);
        }
        Ok(taken)
    }
}

#[async_trait]
impl Deliveries for Hand {
    async fn next(&mut self, max: usize, _linger: Duration) -> Result<Vec<Incoming>, BrokerError> {
        loop {
            let arrived = self.queues.arrived.clone();
            let arrived = arrived.notified();
            if !self.has_some()? {
                arrived.await;
                continue;
            }
            // Given up here, it has taken nothing.
            self.life.passes(MILLIS).await;
            if self.life.faults.fault(CALLS) != Fault::None {
                self.queues.disconnect(self.consumer);
                return Err(away());
            }
            let taken = self.take(max)?;
            if !taken.is_empty() {
                return Ok(taken);
            }
        }
    }

    fn ready(&mut self, max: usize) -> Result<Vec<Incoming>, BrokerError> {
        self.take(max)
    }

    async fn ack(&mut self, through: u64) -> Result<(), BrokerError> {
        self.life.passes(MILLIS).await;
        let fault = self.life.faults.fault(CALLS);
        if fault != Fault::Before
            && let Some(consumer) = self.queues.state.lock().unwrap().consumers.get_mut(&self.consumer)
        {
            while consumer.unacknowledged.front().is_some_and(|(tag, _)| *tag <= through) {
                consumer.unacknowledged.pop_front();
            }
        }
        if fault != Fault::None {
            self.queues.disconnect(self.consumer);
            return Err(away());
        }
        Ok(())
    }
}
