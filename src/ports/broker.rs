//! What the flow needs of a broker: publish with its word for it, take in batches, make and remove partner queues.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use crate::domain::{Traceparent, Uuid};

/// Why the broker did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BrokerError {
    /// It cannot be reached; try later.
    #[error("the broker is away: {0}")]
    Away(String),
    /// A message that it hands over cannot be read, and costs the connection each time: somebody has to take it out of its queue.
    #[error("a message in a queue cannot be read: {0}")]
    Unreadable(String),
    /// It did not take the message: no queue for it, or it said no.
    #[error("the broker did not take the message: {0}")]
    Refused(String),
}

/// Where a published message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The queue of an agreement, which this daemon drains.
    Partner(Uuid),
    /// The queue of an agreement, which its bridge takes from.
    Bridge(Uuid),
    /// The desk's commands.
    Commands,
    /// The dead-letter queue, with the reason.
    Dead(String),
    /// The queue that an inbound message asked the answer on: its name, the correlation id, the status.
    Reply(String, Option<String>, u16),
}

/// A message as the broker carries it.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Where to.
    pub destination: Destination,
    /// Unique, and the same on every retry.
    pub id: String,
    /// Its type.
    pub kind: &'static str,
    /// The object it is about.
    pub subject: String,
    /// The JSON.
    pub body: String,
    /// `traceparent`: what it is part of.
    pub trace: Option<Traceparent>,
}

/// A queue that this daemon drains.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The desk's events.
    Events,
    /// Those of them that one of several queues is given.
    Shard(u16),
    /// Bridges' messages.
    Inbound,
    /// The desk's commands, where this daemon brings them to it.
    Commands,
    /// What goes to one partner.
    Partner(Uuid),
}

/// A message taken from a queue and not yet acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    /// Its place in this consumer's deliveries.
    pub tag: u64,
    /// Its id, where it has one.
    pub id: Option<String>,
    /// Its type, where it has one.
    pub kind: Option<String>,
    /// The bytes.
    pub body: Vec<u8>,
    /// `x-ticket-sharing-uuid`.
    pub subject: Option<String>,
    /// `x-ticket-sharing-token`.
    pub token: Option<String>,
    /// `traceparent`: what it is part of.
    pub trace: Option<Traceparent>,
    /// Where an answer is wanted: queue and correlation id.
    pub reply_to: Option<(String, Option<String>)>,
}

/// Deliveries of one queue.
#[async_trait]
pub trait Deliveries: fmt::Debug + Send + Sync {
    /// Waits for at least one, then takes what is there, up to `max`; waits up to `linger` for more. Who does not let it linger
    /// may give it up at any time, and nothing is lost.
    async fn next(&mut self, max: usize, linger: Duration) -> Result<Vec<Incoming>, BrokerError>;
    /// Takes what is there, up to `max`, without waiting.
    fn ready(&mut self, max: usize) -> Result<Vec<Incoming>, BrokerError>;
    /// Acknowledges everything up to this tag, without waiting until the broker hears of it.
    async fn ack(&mut self, through: u64) -> Result<(), BrokerError>;
}

/// Hands messages over.
#[async_trait]
pub trait Broker: fmt::Debug + Send + Sync {
    /// Publishes in order; the answer to each says whether it is taken for good.
    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<(), BrokerError>>;
    /// Publishes messages for one partner apart from all others, which wait for nothing that these wait for.
    async fn publish_apart(&self, batch: Vec<Outgoing>) -> Vec<Result<(), BrokerError>> {
        self.publish(batch).await
    }
    /// Starts to take from a queue. [`BrokerError::Refused`]: this queue does not answer, though the broker does.
    async fn consume(&self, source: Source) -> Result<Box<dyn Deliveries>, BrokerError>;
    /// Makes the queue of an agreement that its bridge takes from; refused as by [`Broker::consume`].
    async fn open_bridge(&self, agreement: &Uuid) -> Result<(), BrokerError>;
    /// Removes the queue of an agreement, if nothing is in it.
    async fn close_partner(&self, agreement: &Uuid) -> Result<(), BrokerError>;
    /// Waits until the broker has heard of what was acknowledged, for no more than some seconds.
    async fn flush(&self);
    /// Whether it answers.
    async fn ping(&self) -> Result<(), BrokerError>;
    /// Whether its queues outlive this process; otherwise the rows are handed over again at start.
    fn is_durable(&self) -> bool;
}
