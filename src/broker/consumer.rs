//! Deliveries of one RabbitMQ queue, in batches.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt};
use lapin::{
    Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable},
};

use super::{apart::Apart, away, topology::Topology};
use crate::{
    domain::Traceparent,
    ports::{BrokerError, Deliveries, Incoming, Source},
};

/// Deliveries of the desk's events and of bridges that may be unacknowledged: enough for the batches in flight.
const PREFETCH: u16 = 2000;
/// The least of it for one of several queues of events.
const LEAST: u16 = 200;
/// The same of one partner queue: more than a worker takes at once.
const PARTNER_PREFETCH: u16 = 512;

/// Deliveries of one queue.
pub(super) struct AmqpDeliveries {
    channel: Apart,
    consumer: Consumer,
}

impl std::fmt::Debug for AmqpDeliveries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AmqpDeliveries").field("queue", &self.consumer.queue()).finish_non_exhaustive()
    }
}

impl AmqpDeliveries {
    /// Those of a source, on a channel of their own.
    pub(super) async fn on(channel: Apart, topology: &Topology, source: &Source) -> lapin::Result<Self> {
        let prefetch = match source {
            Source::Events | Source::Inbound => PREFETCH,
            // Together they hold no more than the one.
            Source::Shard(_) => (PREFETCH / topology.events_shards.max(1)).max(LEAST),
            Source::Commands | Source::Partner(_) => PARTNER_PREFETCH,
        };
        channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        // Commands have an order, and their queue, made for desks, no single active consumer: a second daemon is refused, and
        // asks again.
        let exclusive = *source == Source::Commands;
        let options = BasicConsumeOptions { exclusive, ..BasicConsumeOptions::default() };
        let (queue, arguments) = (topology.queue_of(source), FieldTable::default());
        let consumer = channel.basic_consume(queue.into(), "".into(), options, arguments).await?;
        Ok(Self { channel, consumer })
    }
}

#[async_trait]
impl Deliveries for AmqpDeliveries {
    async fn next(&mut self, max: usize, linger: Duration) -> Result<Vec<Incoming>, BrokerError> {
        // A stream that always has something ready never lets anybody else run by itself.
        tokio::task::yield_now().await;
        let mut batch = vec![taken(self.consumer.next().await)?];
        let begun = Instant::now();
        loop {
            batch.extend(self.ready(max - batch.len())?);
            let left = linger.checked_sub(begun.elapsed()).filter(|left| !left.is_zero());
            let Some(left) = left.filter(|_| batch.len() < max) else { break };
            match tokio::time::timeout(left, self.consumer.next()).await {
                Ok(next) => batch.push(taken(next)?),
                Err(_elapsed) => break,
            }
        }
        Ok(batch)
    }

    fn ready(&mut self, max: usize) -> Result<Vec<Incoming>, BrokerError> {
        let mut batch = Vec::new();
        while batch.len() < max
            && let Some(next) = self.consumer.next().now_or_never()
        {
            batch.push(taken(next)?);
        }
        Ok(batch)
    }

    async fn ack(&mut self, through: u64) -> Result<(), BrokerError> {
        // The first poll queues the frame. Whoever waited for it to be written would wait as long as RabbitMQ blocks the
        // connection.
        let queued = self.channel.basic_ack(through, BasicAckOptions { multiple: true }).now_or_never();
        queued.unwrap_or(Ok(())).map_err(away)
    }
}

fn taken(next: Option<lapin::Result<Delivery>>) -> Result<Incoming, BrokerError> {
    let delivery = next.ok_or_else(|| away("the broker ended the consumer"))?;
    delivery.map(incoming).map_err(away)
}

fn incoming(delivery: Delivery) -> Incoming {
    let properties = delivery.properties;
    let header = |name: &str| properties.headers().as_ref().and_then(|headers| header(headers, name));
    let correlation = properties.correlation_id().as_ref().map(ToString::to_string);
    Incoming {
        tag: delivery.delivery_tag,
        id: properties.message_id().as_ref().map(ToString::to_string),
        kind: properties.kind().as_ref().map(ToString::to_string),
        subject: header("x-ticket-sharing-uuid"),
        token: header("x-ticket-sharing-token"),
        trace: header("traceparent").and_then(|text| Traceparent::parse(&text)),
        reply_to: properties.reply_to().as_ref().map(|queue| (queue.to_string(), correlation)),
        body: delivery.data,
    }
}

fn header(headers: &FieldTable, name: &str) -> Option<String> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}
