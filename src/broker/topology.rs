//! The exchanges and queues: their names, and how they are declared.

use lapin::{
    Channel, Connection, ExchangeKind,
    options::{
        ExchangeBindOptions, ExchangeDeclareOptions, ExchangeUnbindOptions, QueueBindOptions,
        QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::{domain::Uuid, ports::Source};

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
    /// Over how many queues they are spread; one: over none but that.
    pub events_shards: u16,
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

/// Over how many queues the events can be spread: each is a consumer.
pub const MOST_SHARDS: u16 = 64;

/// How often a message may be returned to its queue.
const RETURNS: i32 = 1_000_000;

/// What AMQP calls a thing that is not there.
const NOT_FOUND: u16 = 404;

/// How many dead letters the queue keeps: the newest.
const DEAD_LETTERS: i32 = 100_000;

/// Who takes from a partner queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taker {
    /// This daemon, which calls the partner.
    Daemon,
    /// The partner's own bridge.
    Bridge,
}

impl Topology {
    /// The partner queue of an agreement.
    pub fn partner_queue(&self, agreement: &Uuid) -> String {
        format!("{}{agreement}", self.partner_queue_prefix)
    }

    /// The queue of a source.
    pub(super) fn queue_of(&self, source: &Source) -> String {
        match source {
            Source::Events => self.events_queue.clone(),
            Source::Shard(shard) => self.shard(*shard),
            Source::Inbound => self.inbound_queue.clone(),
            Source::Commands => self.commands_queue.clone(),
            Source::Partner(agreement) => self.partner_queue(agreement),
        }
    }

    /// Whether a queue is one that this daemon reads or fills.
    pub(super) fn is_ours(&self, queue: &str) -> bool {
        let own = [&self.events_queue, &self.commands_queue, &self.inbound_queue, &self.dead_letter_queue];
        let shard = |shard| self.shard(shard) == queue;
        own.into_iter().any(|own| own == queue)
            || queue.starts_with(&self.partner_queue_prefix)
            || (0..MOST_SHARDS).any(shard)
    }

    /// Declares all that does not belong to one agreement.
    pub(super) async fn declare(&self, connection: &Connection, channel: &Channel) -> lapin::Result<()> {
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        for (name, kind) in [
            (&self.events_exchange, ExchangeKind::Topic),
            (&self.commands_exchange, ExchangeKind::Topic),
            (&self.partners_exchange, ExchangeKind::Direct),
        ] {
            channel.exchange_declare(name.as_str().into(), kind, durable, FieldTable::default()).await?;
        }
        self.events(channel).await?;
        self.commands(connection, channel).await?;
        self.queue(channel, &self.inbound_queue).await?;
        let mut keeps_newest = self.arguments();
        keeps_newest.insert("x-max-length".into(), AMQPValue::LongInt(DEAD_LETTERS));
        declare(channel, &self.dead_letter_queue, keeps_newest).await
    }

    /// Declares where events wait: in one queue, or spread over several by the ticket that they are about.
    async fn events(&self, channel: &Channel) -> lapin::Result<()> {
        self.queue(channel, &self.events_queue).await?;
        let (queue, exchange) = (self.events_queue.as_str(), self.events_exchange.as_str());
        let spread = self.spread();
        if self.events_shards <= 1 {
            bind(channel, queue, exchange, "#").await?;
            let (unbinds, none) = (ExchangeUnbindOptions::default(), FieldTable::default());
            return channel
                .exchange_unbind(spread.as_str().into(), exchange.into(), "#".into(), unbinds, none)
                .await;
        }
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let mut by_ticket = FieldTable::default();
        by_ticket.insert("hash-header".into(), AMQPValue::LongString("ticket".into()));
        let kind = ExchangeKind::Custom("x-consistent-hash".to_owned());
        channel.exchange_declare(spread.as_str().into(), kind, durable, by_ticket).await?;
        for shard in 0..self.events_shards {
            let queue = self.shard(shard);
            self.queue(channel, &queue).await?;
            bind(channel, &queue, &spread, "1").await?;
        }
        // Queues of an earlier, larger number get nothing new: nobody takes from them.
        for shard in self.events_shards..MOST_SHARDS {
            let beyond = self.shard(shard);
            channel
                .queue_unbind(
                    beyond.as_str().into(),
                    spread.as_str().into(),
                    "1".into(),
                    FieldTable::default(),
                )
                .await?;
        }
        let (binds, none) = (ExchangeBindOptions::default(), FieldTable::default());
        channel.exchange_bind(spread.as_str().into(), exchange.into(), "#".into(), binds, none).await?;
        // Only now, so that no event falls between: one that is in both is known by its id.
        channel.queue_unbind(queue.into(), exchange.into(), "#".into(), FieldTable::default()).await
    }

    /// The exchange that spreads the events.
    fn spread(&self) -> String {
        format!("{}.shards", self.events_queue)
    }

    /// One of the queues that they are spread over.
    fn shard(&self, shard: u16) -> String {
        format!("{}.{shard}", self.events_queue)
    }

    /// Declares the queue of an agreement that a bridge takes from: as it likes, one message by itself too, which RabbitMQ does not
    /// give where it has a single active consumer. One that is there stays as it is.
    pub(super) async fn declare_bridge(
        &self,
        connection: &Connection,
        looking: &Channel,
        agreement: &Uuid,
    ) -> lapin::Result<()> {
        let queue = self.partner_queue(agreement);
        let bound = async |channel: &Channel| {
            bind(channel, &queue, &self.partners_exchange, agreement.as_str()).await
        };
        if look(looking, &queue).await?.is_some() {
            return bound(looking).await;
        }
        // That it is not there has closed the channel.
        let channel = connection.create_channel().await?;
        let mut arguments = self.arguments();
        self.keep_what_is_returned(&mut arguments);
        declare(&channel, &queue, arguments).await?;
        bound(&channel).await?;
        channel.close(200, "declared".into()).await
    }

    /// Declares the queue of one agreement that this daemon drains.
    pub(super) async fn declare_partner(&self, channel: &Channel, agreement: &Uuid) -> lapin::Result<()> {
        let queue = self.partner_queue(agreement);
        self.queue(channel, &queue).await?;
        bind(channel, &queue, &self.partners_exchange, agreement.as_str()).await
    }

    /// Removes a queue that nothing waits in any more; returns how much does. One that is not there counts as removed.
    ///
    /// It is looked at first: RabbitMQ ends the whole connection that asks it to delete a quorum queue only if that is empty.
    pub(super) async fn remove(channel: &Channel, name: &str) -> lapin::Result<u32> {
        let Some(waiting) = look(channel, name).await? else { return Ok(0) };
        if waiting == 0 {
            channel.queue_delete(name.into(), QueueDeleteOptions::default()).await?;
        }
        Ok(waiting)
    }

    /// Declares the queue of commands. One that is there stays as it is: older versions made it without a limit of its own, and
    /// RabbitMQ lets nobody change that.
    async fn commands(&self, connection: &Connection, channel: &Channel) -> lapin::Result<()> {
        // A channel of its own: a queue that is not there closes it.
        let looking = connection.create_channel().await?;
        if look(&looking, &self.commands_queue).await?.is_none() {
            let mut arguments = self.arguments();
            self.keep_what_is_returned(&mut arguments);
            declare(channel, &self.commands_queue, arguments).await?;
        } else {
            looking.close(200, "looked".into()).await?;
        }
        bind(channel, &self.commands_queue, &self.commands_exchange, "#").await
    }

    /// Declares a queue that one consumer takes from at a time: a second daemon is a standby, and order holds.
    async fn queue(&self, channel: &Channel, name: &str) -> lapin::Result<()> {
        let mut arguments = self.arguments();
        arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        self.keep_what_is_returned(&mut arguments);
        declare(channel, name, arguments).await
    }

    fn arguments(&self) -> FieldTable {
        let mut arguments = FieldTable::default();
        let queue_type = self.queue_type.as_str();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(queue_type.into()));
        arguments
    }

    /// RabbitMQ 4 drops a message after 20 returns; a restart returns all that is not acknowledged, and a desk that cannot do a
    /// command now may return it as often as it likes.
    fn keep_what_is_returned(&self, arguments: &mut FieldTable) {
        if self.queue_type == QueueType::Quorum {
            arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(RETURNS));
        }
    }
}

/// How much waits in a queue; `None` where it is not there, and then the channel is closed.
async fn look(channel: &Channel, name: &str) -> lapin::Result<Option<u32>> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(name.into(), passive, FieldTable::default()).await {
        Ok(queue) => Ok(Some(queue.message_count())),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// RabbitMQ knows no such queue.
fn is_missing(error: &lapin::Error) -> bool {
    matches!(error.kind(), lapin::ErrorKind::ProtocolError(error) if error.get_id() == NOT_FOUND)
}

async fn declare(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments).await.map(drop)
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
    let (queue, exchange, key): (ShortString, ShortString, ShortString) =
        (queue.into(), exchange.into(), key.into());
    channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), FieldTable::default()).await
}
