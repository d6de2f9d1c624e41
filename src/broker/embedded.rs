//! The broker inside this process: it hands over, and keeps nothing. The message rows are the truth, so a restart fills it
//! again from them. The desk's events come over HTTP then, and its commands wait to be asked for.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::{
    domain::Uuid,
    ports::{Broker, BrokerError, Deliveries, Destination, Incoming, Outgoing, Source},
};

/// What is in one queue: ids alone, since whoever takes one looks at its row.
#[derive(Debug, Default)]
struct Queue {
    ids: Mutex<VecDeque<String>>,
    arrived: Notify,
}

/// The broker inside this process.
#[derive(Debug, Default)]
pub(super) struct Embedded {
    partners: Mutex<HashMap<Uuid, Arc<Queue>>>,
    /// What is for the desk, once somebody brings it.
    commands: Mutex<Option<Arc<Queue>>>,
}

impl Embedded {
    fn partner(&self, agreement: &Uuid) -> Arc<Queue> {
        let mut partners = self.partners.lock().unwrap_or_else(PoisonError::into_inner);
        partners.entry(agreement.clone()).or_default().clone()
    }
}

#[async_trait]
impl Broker for Embedded {
    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<(), BrokerError>> {
        let take = |outgoing: Outgoing| {
            let queue = match &outgoing.destination {
                Destination::Partner(agreement) | Destination::Bridge(agreement) => {
                    Some(self.partner(agreement))
                }
                Destination::Commands => self.commands.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                _ => None,
            };
            if let Some(queue) = queue {
                queue.ids.lock().unwrap_or_else(PoisonError::into_inner).push_back(outgoing.id);
                queue.arrived.notify_one();
            }
            Ok(())
        };
        batch.into_iter().map(take).collect()
    }

    async fn consume(&self, source: Source) -> Result<Box<dyn Deliveries>, BrokerError> {
        let queue = match source {
            Source::Partner(agreement) => self.partner(&agreement),
            Source::Commands => {
                let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
                commands.get_or_insert_default().clone()
            }
            Source::Events | Source::Shard(_) | Source::Inbound => Arc::default(),
        };
        Ok(Box::new(Hand { queue, tag: 0, unacknowledged: VecDeque::new() }))
    }

    async fn open_bridge(&self, agreement: &Uuid) -> Result<(), BrokerError> {
        self.partner(agreement);
        Ok(())
    }

    async fn close_partner(&self, agreement: &Uuid) -> Result<(), BrokerError> {
        self.partners.lock().unwrap_or_else(PoisonError::into_inner).remove(agreement);
        Ok(())
    }

    async fn flush(&self) {}

    async fn ping(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    fn is_durable(&self) -> bool {
        false
    }
}

/// What one consumer has taken; what it has not acknowledged goes back to the front when it lets go.
#[derive(Debug)]
struct Hand {
    queue: Arc<Queue>,
    tag: u64,
    unacknowledged: VecDeque<(u64, String)>,
}

impl Drop for Hand {
    fn drop(&mut self) {
        let mut ids = self.queue.ids.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, id) in self.unacknowledged.drain(..).rev() {
            ids.push_front(id);
        }
        drop(ids);
        self.queue.arrived.notify_one();
    }
}

#[async_trait]
impl Deliveries for Hand {
    async fn next(&mut self, max: usize, _linger: Duration) -> Result<Vec<Incoming>, BrokerError> {
        loop {
            let queue = self.queue.clone();
            let arrived = queue.arrived.notified();
            let ready = self.ready(max)?;
            if !ready.is_empty() {
                return Ok(ready);
            }
            arrived.await;
        }
    }

    fn ready(&mut self, max: usize) -> Result<Vec<Incoming>, BrokerError> {
        let mut waiting = self.queue.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(max);
        let number = |id: String| {
            self.tag += 1;
            self.unacknowledged.push_back((self.tag, id.clone()));
            Incoming { tag: self.tag, id: Some(id), ..Incoming::default() }
        };
        Ok(waiting.drain(..count).map(number).collect())
    }

    async fn ack(&mut self, through: u64) -> Result<(), BrokerError> {
        while self.unacknowledged.front().is_some_and(|(tag, _)| *tag <= through) {
            self.unacknowledged.pop_front();
        }
        Ok(())
    }
}
