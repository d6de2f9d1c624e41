//! RabbitMQ: one connection, one channel to publish on, one a consumer. What breaks is opened anew by whoever needs it next.

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions, QueueDeleteOptions},
    tcp::OwnedTLSConfig,
    types::FieldTable,
    uri::AMQPUri,
};
use tokio::{sync::Mutex, time::timeout};

use super::{away, consumer::AmqpDeliveries, publish, topology::Topology};
use crate::{
    domain::Uuid,
    ports::{Broker, BrokerError, Deliveries, Outgoing, Source},
};

/// How long anything on the broker may take before it counts as away.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest frame, in bytes, where the URL names none: a longer message travels in several. lapin has a buffer of 32 of them for
/// each direction, 8 MiB for both at the broker's own 128 KiB.
const FRAME: u32 = 16 * 1024;
/// Deliveries of the desk's events and of bridges that may be unacknowledged: enough for the batches in flight.
const PREFETCH: u16 = 4000;
/// The least of it for one of several queues of events.
const LEAST: u16 = 200;
/// The same of one partner queue: more than a worker takes at once.
const PARTNER_PREFETCH: u16 = 512;
/// How long the last acknowledgements may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// RabbitMQ.
pub(super) struct Amqp {
    uri: AMQPUri,
    /// Certificates, PEM, beside the system's, that the broker's may be signed by.
    authorities: Option<String>,
    topology: Topology,
    link: Mutex<Option<Link>>,
}

/// An open connection with its publishing channel, and the partner queues that are known to be there.
struct Link {
    connection: Arc<Connection>,
    channel: Channel,
    partners: HashSet<Uuid>,
}

impl std::fmt::Debug for Amqp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Amqp").field("host", &self.uri.authority.host).finish_non_exhaustive()
    }
}

impl Amqp {
    pub(super) fn new(url: &str, authorities: Option<String>, topology: Topology) -> Result<Self, String> {
        let mut uri: AMQPUri = url
            .parse()
            .map_err(|_| "not a URL of the form amqp://USER:PASSWORD@HOST:PORT/VHOST".to_owned())?;
        uri.query.heartbeat.get_or_insert(20);
        uri.query.frame_max.get_or_insert(FRAME);
        Ok(Self { uri, authorities, topology, link: Mutex::new(None) })
    }

    /// Runs something on an open link; a link that failed is not used again.
    async fn open<'a>(&self, link: &'a mut Option<Link>) -> Result<&'a mut Link, BrokerError> {
        if link
            .as_ref()
            .is_some_and(|open| !open.connection.status().connected() || !open.channel.status().connected())
        {
            *link = None;
        }
        if link.is_none() {
            *link = Some(in_time("a connection", self.connect()).await.map_err(with_remedy)?);
        }
        link.as_mut().ok_or_else(|| away("not connected"))
    }

    /// Has the link opened anew by whoever needs it next, unless that has happened: then everything is declared again, for a queue
    /// may have been deleted.
    async fn give_up(&self, connection: &Arc<Connection>) {
        self.link.lock().await.take_if(|link| Arc::ptr_eq(&link.connection, connection));
    }

    async fn connect(&self) -> lapin::Result<Link> {
        let properties = ConnectionProperties::default().with_connection_name("crossdesk".into());
        let tls = OwnedTLSConfig { identity: None, cert_chain: self.authorities.clone() };
        let runtime = lapin::runtime::default_runtime()?;
        let connection =
            Connection::connect_uri_with_config(self.uri.clone(), properties, tls, runtime).await?;
        let channel = connection.create_channel().await?;
        self.topology.declare(&channel).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Link { connection: Arc::new(connection), channel, partners: HashSet::new() })
    }
}

/// What an operator can do about a RabbitMQ that lacks what the configuration wants.
fn with_remedy(error: BrokerError) -> BrokerError {
    match error {
        BrokerError::Away(why) if why.contains("x-consistent-hash") => away(format!(
            "broker.events_shards needs a plugin of RabbitMQ: rabbitmq-plugins enable rabbitmq_consistent_hash_exchange ({why})"
        )),
        other => other,
    }
}

/// A broker that takes a request and does not answer it counts as away: nobody waits for it for ever.
async fn in_time<T>(what: &str, request: impl Future<Output = lapin::Result<T>>) -> Result<T, BrokerError> {
    match timeout(PATIENCE, request).await {
        Ok(answer) => answer.map_err(away),
        Err(_) => Err(unanswered(what)),
    }
}

fn unanswered(what: &str) -> BrokerError {
    away(format!("it was asked for {what} and did not answer in {} s", PATIENCE.as_secs()))
}

impl Link {
    async fn ensure_partner(&mut self, topology: &Topology, agreement: &Uuid) -> lapin::Result<()> {
        if !self.partners.contains(agreement) {
            topology.declare_partner(&self.channel, agreement).await?;
            self.partners.insert(agreement.clone());
        }
        Ok(())
    }
}

/// A consumer on a channel of its own.
async fn consumer(
    connection: &Connection,
    topology: &Topology,
    source: &Source,
) -> lapin::Result<AmqpDeliveries> {
    let prefetch = match source {
        Source::Events | Source::Inbound => PREFETCH,
        // Together they hold no more than the one.
        Source::Shard(_) => (PREFETCH / topology.events_shards.max(1)).max(LEAST),
        Source::Commands | Source::Partner(_) => PARTNER_PREFETCH,
    };
    let channel = connection.create_channel().await?;
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    // Commands have an order, and their queue, made for desks, no single active consumer: a second daemon is refused, and
    // asks again.
    let exclusive = *source == Source::Commands;
    let options = BasicConsumeOptions { exclusive, ..BasicConsumeOptions::default() };
    let (queue, arguments) = (topology.queue_of(source), FieldTable::default());
    let consumer = channel.basic_consume(queue.into(), "".into(), options, arguments).await?;
    Ok(AmqpDeliveries::new(channel, consumer))
}

#[async_trait]
impl Broker for Amqp {
    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<(), BrokerError>> {
        let mut guard = self.link.lock().await;
        let count = batch.len();
        let (connection, channel) = match self.open(&mut guard).await {
            Ok(link) => (link.connection.clone(), link.channel.clone()),
            Err(error) => return publish::all_failed(count, &error),
        };
        let mut partners = Vec::new();
        for outgoing in &batch {
            if let crate::ports::Destination::Partner(agreement) = &outgoing.destination {
                partners.push(agreement.clone());
            }
        }
        if let Some(link) = guard.as_mut() {
            for agreement in partners {
                let declared = in_time("a queue", link.ensure_partner(&self.topology, &agreement));
                if let Err(error) = declared.await {
                    *guard = None;
                    return publish::all_failed(count, &error);
                }
            }
        }
        // The lock is held until the frames are on their way, so that batches keep their order; confirms come after.
        let confirms = publish::start(&channel, &self.topology, batch);
        drop(guard);
        let results = publish::settle(confirms, PATIENCE).await;
        if results.iter().any(Result::is_err) {
            self.give_up(&connection).await;
        }
        results
    }

    async fn consume(&self, source: Source) -> Result<Box<dyn Deliveries>, BrokerError> {
        if let Source::Partner(agreement) = &source {
            self.open_partner(agreement).await?;
        }
        let connection = self.open(&mut *self.link.lock().await).await?.connection.clone();
        // Nobody else waits meanwhile: RabbitMQ may have lost the majority, or the leader, of this one queue.
        match timeout(PATIENCE, consumer(&connection, &self.topology, &source)).await {
            Ok(Ok(deliveries)) => Ok(Box::new(deliveries)),
            Ok(Err(error)) => {
                // That another daemon has the commands says nothing of the link.
                if source != Source::Commands {
                    self.give_up(&connection).await;
                }
                Err(away(error))
            }
            Err(_) => {
                Err(unanswered(&format!("a consumer of the queue {}", self.topology.queue_of(&source))))
            }
        }
    }

    async fn flush(&self) {
        let answer = async {
            if let Some(link) = self.link.lock().await.as_ref() {
                // Frames go in order: whoever answers this has read every acknowledgement before it. A connection some of whose
                // channels are just being closed cannot be closed itself.
                let _heard = link.channel.confirm_select(ConfirmSelectOptions::default()).await;
            }
        };
        let _away = timeout(LAST_WORDS, answer).await;
    }

    async fn open_partner(&self, agreement: &Uuid) -> Result<(), BrokerError> {
        let mut guard = self.link.lock().await;
        let link = self.open(&mut guard).await?;
        let opened = in_time("a queue", link.ensure_partner(&self.topology, agreement)).await;
        if opened.is_err() {
            *guard = None;
        }
        opened
    }

    async fn close_partner(&self, agreement: &Uuid) -> Result<(), BrokerError> {
        let mut guard = self.link.lock().await;
        let link = self.open(&mut guard).await?;
        link.partners.remove(agreement);
        let queue = self.topology.partner_queue(agreement);
        let delete = async {
            // A channel of its own: a queue that is not empty is refused, and that closes the channel.
            let channel = link.connection.create_channel().await?;
            let options = QueueDeleteOptions { if_empty: true, ..QueueDeleteOptions::default() };
            channel.queue_delete(queue.into(), options).await.map(drop)
        };
        in_time("the end of a queue", delete).await
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        let mut guard = self.link.lock().await;
        self.open(&mut guard).await.map(drop)
    }

    fn is_durable(&self) -> bool {
        true
    }
}
