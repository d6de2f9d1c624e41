//! The broker's side of the benchmarks: queues filled, emptied and counted.

use std::time::{Duration, Instant};

use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::*,
    types::{AMQPValue, FieldTable},
};

use crate::{
    events::{PARTNERS, agreement},
    measured::Usage,
};

/// The queue of the bare loops.
pub(crate) const BARE: &str = "bench.events";
/// Their exchange.
pub(crate) const BARE_EXCHANGE: &str = "bench.partners";

/// A broker, and the queues of all contenders.
pub(crate) struct Rig {
    pub(crate) url: String,
    pid: u32,
    channel: Channel,
    connection: Connection,
}

impl Rig {
    pub(crate) async fn new(url: &str, pid: u32, queue_type: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(queue_type.into()));
        channel.queue_declare(BARE.into(), QueueDeclareOptions::durable(), arguments).await.unwrap();
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let kind = lapin::ExchangeKind::Direct;
        channel.exchange_declare(BARE_EXCHANGE.into(), kind, durable, FieldTable::default()).await.unwrap();
        for partner in 0..PARTNERS {
            let queue = format!("bench.partner.{partner}");
            let mut arguments = FieldTable::default();
            arguments.insert("x-queue-type".into(), AMQPValue::LongString(queue_type.into()));
            channel
                .queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), arguments)
                .await
                .unwrap();
            let key = agreement(partner);
            let bind = QueueBindOptions::default();
            channel
                .queue_bind(
                    queue.as_str().into(),
                    BARE_EXCHANGE.into(),
                    key.as_str().into(),
                    bind,
                    FieldTable::default(),
                )
                .await
                .unwrap();
        }
        Self { url: url.to_owned(), pid, channel, connection }
    }

    /// What the broker has used so far.
    pub(crate) fn usage(&self) -> Usage {
        Usage::of(self.pid)
    }

    /// Fills a queue.
    pub(crate) async fn preload(&self, queue: &str, bodies: impl Iterator<Item = String>) {
        let mut waiting = Vec::new();
        for body in bodies {
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_content_type("application/cloudevents+json".into());
            let options = BasicPublishOptions::default();
            waiting.push(
                self.channel
                    .basic_publish("".into(), queue.into(), options, body.as_bytes(), properties)
                    .await
                    .unwrap(),
            );
            if waiting.len() >= 2000 {
                for confirm in waiting.drain(..) {
                    assert!(confirm.await.unwrap().is_ack());
                }
            }
        }
        for confirm in waiting {
            assert!(confirm.await.unwrap().is_ack());
        }
    }

    /// How many messages wait in queues, together.
    pub(crate) async fn count(&self, queues: &[String]) -> usize {
        let mut total = 0;
        for queue in queues {
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
            let queue = self
                .channel
                .queue_declare(queue.as_str().into(), options, FieldTable::default())
                .await
                .unwrap();
            total += queue.message_count() as usize;
        }
        total
    }

    /// Waits until queues are there: a daemon makes those of its partners soon after it is ready.
    pub(crate) async fn until_there(&self, queues: &[String]) {
        for queue in queues {
            let limit = Instant::now() + Duration::from_secs(60);
            loop {
                // A queue that is not there closes the channel.
                let channel = self.connection.create_channel().await.unwrap();
                let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
                let asked =
                    channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await;
                if asked.is_ok() {
                    break;
                }
                assert!(Instant::now() < limit, "no queue {queue} after a minute");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    pub(crate) async fn purge(&self, queues: &[String]) {
        for queue in queues {
            self.channel.queue_purge(queue.as_str().into(), QueuePurgeOptions::default()).await.unwrap();
        }
    }

    /// Waits until queues hold so many; returns the rate from the first that was seen on.
    pub(crate) async fn rate_until(&self, queues: &[String], count: usize) -> f64 {
        let mut begun: Option<(Instant, usize)> = None;
        let limit = Instant::now() + Duration::from_secs(600);
        loop {
            let now = self.count(queues).await;
            match begun {
                None if now > 0 => begun = Some((Instant::now(), now)),
                Some((at, had)) if now >= count => return (now - had) as f64 / at.elapsed().as_secs_f64(),
                _ => {}
            }
            assert!(Instant::now() < limit, "{now} of {count} after ten minutes");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a queue is empty; returns the rate from when it was first seen shrinking.
    pub(crate) async fn rate_until_empty(&self, queue: &str, count: usize) -> f64 {
        let queues = [queue.to_owned()];
        let mut begun: Option<(Instant, usize)> = None;
        let limit = Instant::now() + Duration::from_secs(600);
        loop {
            let now = self.count(&queues).await;
            match begun {
                None if now < count => begun = Some((Instant::now(), now)),
                Some((at, had)) if now == 0 => return had as f64 / at.elapsed().as_secs_f64(),
                _ => {}
            }
            assert!(Instant::now() < limit, "{now} of {count} after ten minutes");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The partner queues whose names begin so.
pub(crate) fn partner_queues(prefix: &str) -> Vec<String> {
    (0..PARTNERS).map(|partner| format!("{prefix}{}", agreement(partner))).collect()
}

/// The partner queues of the bare loops.
pub(crate) fn bare_queues() -> Vec<String> {
    (0..PARTNERS).map(|partner| format!("bench.partner.{partner}")).collect()
}
