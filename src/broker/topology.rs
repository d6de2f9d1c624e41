//! The exchanges and queues: their names, and how they are declared.

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::domain::Uuid;

/// How RabbitMQ keeps a queue.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum QueueType {
    /// Replicated; the safe choice on a cluster.
    #[default]
    Quorum,
    /// On one node.
    Classic,
}

impl QueueType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Classic => "classic",
        }
    }
}

/// The names of everything on the broker.
#[derive(Clone, Debug)]
pub struct Topology {
    /// How queues are kept.
    pub queue_type: QueueType,
    /// Topic exchange that the desk publishes its events to.
    pub events_exchange: String,
    /// The queue that they are taken from.
    pub events_queue: String,
    /// Topic exchange that commands for the desk are published to.
    pub commands_exchange: String,
    /// The queue that the desk takes them from.
    pub commands_queue: String,
    /// Direct exchange of the partner queues.
    pub partners_exchange: String,
    /// What the names of the partner queues begin with; the agreement's uuid follows.
    pub partner_queue_prefix: String,
    /// The queue of what bridges send.
    pub inbound_queue: String,
    /// The queue of copies of what could not be processed.
    pub dead_letter_queue: String,
}

/// How many dead letters the queue keeps: the newest.
const DEAD_LETTERS: i32 = 100_000;

impl Topology {
    /// The partner queue of an agreement.
    pub fn partner_queue(&self, agreement: &Uuid) -> String {
        format!("{}{agreement}", self.partner_queue_prefix)
    }

    /// Whether a queue is one that this daemon reads or fills.
    pub(super) fn is_ours(&self, queue: &str) -> bool {
        let own = [&self.events_queue, &self.commands_queue, &self.inbound_queue, &self.dead_letter_queue];
        own.into_iter().any(|own| own == queue) || queue.starts_with(&self.partner_queue_prefix)
    }

    /// Declares all that does not belong to one agreement.
    pub(super) async fn declare(&self, channel: &Channel) -> lapin::Result<()> {
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        for (name, kind) in [
            (&self.events_exchange, ExchangeKind::Topic),
            (&self.commands_exchange, ExchangeKind::Topic),
            (&self.partners_exchange, ExchangeKind::Direct),
        ] {
            channel.exchange_declare(name.as_str().into(), kind, durable, FieldTable::default()).await?;
        }
        self.queue(channel, &self.events_queue, true).await?;
        bind(channel, &self.events_queue, &self.events_exchange, "#").await?;
        self.queue(channel, &self.commands_queue, false).await?;
        bind(channel, &self.commands_queue, &self.commands_exchange, "#").await?;
        self.queue(channel, &self.inbound_queue, true).await?;
        let mut keeps_newest = self.arguments(false);
        keeps_newest.insert("x-max-length".into(), AMQPValue::LongInt(DEAD_LETTERS));
        declare(channel, &self.dead_letter_queue, keeps_newest).await
    }

    /// Declares the queue of one agreement.
    pub(super) async fn declare_partner(&self, channel: &Channel, agreement: &Uuid) -> lapin::Result<()> {
        let queue = self.partner_queue(agreement);
        self.queue(channel, &queue, true).await?;
        bind(channel, &queue, &self.partners_exchange, agreement.as_str()).await
    }

    async fn queue(&self, channel: &Channel, name: &str, single_active_consumer: bool) -> lapin::Result<()> {
        declare(channel, name, self.arguments(single_active_consumer)).await
    }

    fn arguments(&self, single_active_consumer: bool) -> FieldTable {
        let mut arguments = FieldTable::default();
        let queue_type = self.queue_type.as_str();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(queue_type.into()));
        if single_active_consumer {
            // A second daemon is a standby, and order holds: never two consumers at once.
            arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
            if self.queue_type == QueueType::Quorum {
                // RabbitMQ 4 drops a message after 20 returns; a restart returns all that is not acknowledged.
                arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(1_000_000));
            }
        }
        arguments
    }
}

async fn declare(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments).await.map(drop)
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
    let (queue, exchange, key): (ShortString, ShortString, ShortString) =
        (queue.into(), exchange.into(), key.into());
    channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), FieldTable::default()).await
}
