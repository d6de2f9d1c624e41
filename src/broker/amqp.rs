//! RabbitMQ: one connection, one channel to publish on, one a consumer. What breaks is opened anew by whoever needs it next.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions, QueueDeleteOptions},
    tcp::OwnedTLSConfig,
    types::FieldTable,
    uri::AMQPUri,
};
use tokio::{sync::Mutex, time::timeout};

use super::{away, consumer::AmqpDeliveries, publish, silent::SilentQueues, topology::Topology};
use crate::{
    domain::Uuid,
    ports::{Broker, BrokerError, Deliveries, Destination, Outgoing, Source},
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
/// How many queues are made sure of at once: each takes a channel.
const AT_ONCE: usize = 16;
/// How long the last acknowledgements may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// RabbitMQ.
pub(super) struct Amqp {
    uri: AMQPUri,
    /// Certificates, PEM, beside the system's, that the broker's may be signed by.
    authorities: Option<String>,
    topology: Topology,
    link: Mutex<Option<Link>>,
    /// Partner queues that did not answer, and until when nothing is asked of them.
    silent: SilentQueues,
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
        Ok(Self { uri, authorities, topology, link: Mutex::new(None), silent: SilentQueues::default() })
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

    /// Makes sure of the queues that messages go to. Returns those to which none can go now, each with the reason: others need not
    /// wait.
    async fn ensure_partners<'a>(&self, partners: impl Iterator<Item = &'a Uuid>) -> HashMap<Uuid, String> {
        let mut closed = HashMap::new();
        let mut unknown = Vec::new();
        {
            let link = self.link.lock().await;
            for partner in partners.collect::<HashSet<_>>() {
                if let Some(why) = self.silent.why(partner) {
                    closed.insert(partner.clone(), why);
                } else if !link.as_ref().is_some_and(|link| link.partners.contains(partner)) {
                    unknown.push(partner.clone());
                }
            }
        }
        let opening = unknown.into_iter().map(|partner| async move {
            let opened = self.open_partner(&partner).await;
            (partner, opened)
        });
        let mut opening = stream::iter(opening).buffer_unordered(AT_ONCE);
        while let Some((partner, opened)) = opening.next().await {
            if let Err(error) = opened {
                closed.insert(partner, error.to_string());
            }
        }
        closed
    }

    /// Notes that a partner queue does not answer, and says so.
    fn is_silent(&self, partner: &Uuid) -> String {
        let queue = self.topology.partner_queue(partner);
        let why = format!("the queue {queue} did not answer in {} s", PATIENCE.as_secs());
        self.silent.note(partner, why.clone());
        why
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
        let count = batch.len();
        let partner_of = |outgoing: &Outgoing| match &outgoing.destination {
            Destination::Partner(agreement) => Some(agreement.clone()),
            _ => None,
        };
        let partners: Vec<Option<Uuid>> = batch.iter().map(partner_of).collect();
        let closed = self.ensure_partners(partners.iter().flatten()).await;
        let mut guard = self.link.lock().await;
        let (connection, channel) = match self.open(&mut guard).await {
            Ok(link) => (link.connection.clone(), link.channel.clone()),
            Err(error) => return publish::all_failed(count, &error),
        };
        let is_closed = |partner: &Option<Uuid>| partner.as_ref().and_then(|partner| closed.get(partner));
        let open = batch.into_iter().zip(&partners).filter(|(_, partner)| is_closed(partner).is_none());
        // The lock is held until the frames are on their way, so that batches keep their order; confirms come after.
        let confirms = publish::start(&channel, &self.topology, open.map(|(outgoing, _)| outgoing).collect());
        drop(guard);
        let mut answers = publish::settle(confirms, PATIENCE).await.into_iter();
        let mut results = Vec::with_capacity(count);
        let mut failed = false;
        for partner in &partners {
            if let Some(why) = is_closed(partner) {
                results.push(Err(BrokerError::Refused(why.clone())));
                continue;
            }
            let silence = || match partner {
                Some(partner) => Err(BrokerError::Refused(self.is_silent(partner))),
                None => Err(unanswered("its word on a message")),
            };
            let result = answers.next().flatten().unwrap_or_else(silence);
            failed |= result.is_err();
            results.push(result);
        }
        if failed {
            // RabbitMQ may hold up all of a connection for one queue that does not answer.
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
            Err(_) => Err(match &source {
                Source::Partner(agreement) => away(self.is_silent(agreement)),
                _ => unanswered(&format!("a consumer of the queue {}", self.topology.queue_of(&source))),
            }),
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
        if link.partners.contains(agreement) {
            return Ok(());
        }
        let connection = link.connection.clone();
        drop(guard);
        let declare = async {
            // A channel of its own: what a queue does not answer would hold up whatever else is asked for on it.
            let channel = connection.create_channel().await?;
            self.topology.declare_partner(&channel, agreement).await
        };
        match timeout(PATIENCE, declare).await {
            Ok(declared) => declared.map_err(away)?,
            Err(_) => return Err(away(self.is_silent(agreement))),
        }
        let mut guard = self.link.lock().await;
        if let Some(link) = guard.as_mut().filter(|link| Arc::ptr_eq(&link.connection, &connection)) {
            link.partners.insert(agreement.clone());
        }
        Ok(())
    }

    async fn close_partner(&self, agreement: &Uuid) -> Result<(), BrokerError> {
        let mut guard = self.link.lock().await;
        let link = self.open(&mut guard).await?;
        link.partners.remove(agreement);
        let connection = link.connection.clone();
        drop(guard);
        let queue = self.topology.partner_queue(agreement);
        let delete = async {
            // A channel of its own: a queue that is not empty is refused, and that closes the channel.
            let channel = connection.create_channel().await?;
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
