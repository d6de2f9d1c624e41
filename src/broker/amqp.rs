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
    options::{ConfirmSelectOptions, QueueDeleteOptions},
    tcp::OwnedTLSConfig,
    uri::AMQPUri,
};
use tokio::{sync::Mutex, time::timeout};

use super::{
    away,
    consumer::AmqpDeliveries,
    flight::{Flight, Said, partner_of},
    publish,
    silent::{Ask, SilentQueues},
    topology::Topology,
};
use crate::{
    domain::Uuid,
    ports::{Broker, BrokerError, Deliveries, Outgoing, Source},
};

/// How long anything on the broker may take before it counts as away.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest frame, in bytes, where the URL names none: a longer message travels in several. lapin has a buffer of 32 of them for
/// each direction, 8 MiB for both at the broker's own 128 KiB.
const FRAME: u32 = 16 * 1024;
/// How long one may take that a queue is asked which did not answer before.
const BRIEFLY: Duration = Duration::from_secs(1);
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
    /// Partner queues that did not answer.
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

    /// Makes sure of the queues of partners on a connection, some at once. Returns why one is not to be had.
    async fn ensure_partners(
        &self,
        connection: &Arc<Connection>,
        partners: HashMap<Uuid, Duration>,
    ) -> HashMap<Uuid, BrokerError> {
        let ensuring = partners.into_iter().map(|(partner, patience)| async move {
            let failed = self.ensure_partner(connection, &partner, patience).await.err();
            failed.map(|error| (partner, error))
        });
        stream::iter(ensuring).buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await
    }

    async fn ensure_partner(
        &self,
        connection: &Arc<Connection>,
        partner: &Uuid,
        patience: Duration,
    ) -> Result<(), BrokerError> {
        // A channel of its own: what a queue does not answer would hold up whatever else is asked for on it.
        let channel = match in_time("a channel", connection.create_channel()).await {
            Ok(channel) => channel,
            Err(error) => {
                self.give_up(connection).await;
                return Err(error);
            }
        };
        match timeout(patience, self.topology.declare_partner(&channel, partner)).await {
            Ok(declared) => declared.map_err(|error| BrokerError::Refused(error.to_string()))?,
            Err(_) => return Err(BrokerError::Refused(self.is_silent(partner))),
        }
        let mut link = self.link.lock().await;
        if let Some(link) = link.as_mut().filter(|link| Arc::ptr_eq(&link.connection, connection)) {
            link.partners.insert(partner.clone());
        }
        Ok(())
    }

    /// Notes that a partner queue does not answer, and says so.
    fn is_silent(&self, partner: &Uuid) -> String {
        let why = format!("the queue {} does not answer", self.topology.partner_queue(partner));
        self.silent.note(partner, why.clone());
        why
    }

    /// What came of a batch. A message that the broker says nothing of, though it answers otherwise, is refused by its queue.
    async fn judge(
        &self,
        connection: &Arc<Connection>,
        channel: &Channel,
        said: Vec<Said>,
    ) -> Vec<Result<(), BrokerError>> {
        let any = |is: fn(&Said) -> bool| said.iter().any(is);
        let is_taken = any(|said| matches!(said, Said::Taken));
        let answers =
            is_taken || (any(|said| matches!(said, Said::Nothing(_, false))) && answers(channel).await);
        if any(|said| matches!(said, Said::Failed(_) | Said::Nothing(..))) {
            // RabbitMQ holds up all of a connection once it has much for a queue that does not answer.
            self.give_up(connection).await;
        }
        let judged = |said| match said {
            Said::Taken => Ok(()),
            Said::TakenAgain(partner) => {
                self.silent.forget(&partner);
                Ok(())
            }
            Said::Failed(error) | Said::Left(error) => Err(error),
            Said::Nothing(Some(partner), briefly) if briefly || answers => {
                Err(BrokerError::Refused(self.is_silent(&partner)))
            }
            Said::Nothing(..) => Err(unanswered("its word on a message")),
        };
        said.into_iter().map(judged).collect()
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

/// Whether a channel on which confirms are on answers at all.
async fn answers(channel: &Channel) -> bool {
    let asked = channel.confirm_select(ConfirmSelectOptions::default());
    timeout(BRIEFLY, asked).await.is_ok_and(|answer| answer.is_ok())
}

fn unanswered(what: &str) -> BrokerError {
    away(format!("it was asked for {what} and did not answer in {} s", PATIENCE.as_secs()))
}

#[async_trait]
impl Broker for Amqp {
    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<(), BrokerError>> {
        let count = batch.len();
        let mut guard = self.link.lock().await;
        let link = match self.open(&mut guard).await {
            Ok(link) => link,
            Err(error) => return publish::all_failed(count, &error),
        };
        let (connection, channel) = (link.connection.clone(), link.channel.clone());
        let mut flight = Flight::of(count);
        let (mut unknown, mut later) = (HashMap::new(), Vec::new());
        for (place, outgoing) in batch.into_iter().enumerate() {
            let partner = partner_of(&outgoing);
            let briefly = match partner.map_or(Ask::Freely, |partner| self.silent.ask(partner)) {
                Ask::Freely => false,
                Ask::Once => true,
                Ask::Not(why) => {
                    flight.leave(place, BrokerError::Refused(why));
                    continue;
                }
            };
            match partner.filter(|partner| !link.partners.contains(*partner)).cloned() {
                // Nothing else waits until its queue is there.
                Some(partner) => {
                    unknown.insert(partner, if briefly { BRIEFLY } else { PATIENCE });
                    later.push((place, outgoing, briefly));
                }
                None => flight.board(place, outgoing, briefly),
            }
        }
        // The lock is held until the frames are on their way, so that batches keep their order; confirms come after.
        flight.start(&channel, &self.topology);
        drop(guard);
        if !later.is_empty() {
            let closed = self.ensure_partners(&connection, unknown).await;
            for (place, outgoing, briefly) in later {
                match partner_of(&outgoing).and_then(|partner| closed.get(partner)) {
                    Some(error) => flight.leave(place, error.clone()),
                    None => flight.board(place, outgoing, briefly),
                }
            }
            flight.start(&channel, &self.topology);
        }
        self.judge(&connection, &channel, flight.land(PATIENCE, BRIEFLY).await).await
    }

    async fn consume(&self, source: Source) -> Result<Box<dyn Deliveries>, BrokerError> {
        if let Source::Partner(agreement) = &source {
            self.open_partner(agreement).await?;
        }
        let connection = self.open(&mut *self.link.lock().await).await?.connection.clone();
        // Nobody else waits meanwhile: RabbitMQ may have lost the majority, or the leader, of this one queue.
        match timeout(PATIENCE, AmqpDeliveries::of(&connection, &self.topology, &source)).await {
            Ok(Ok(deliveries)) => {
                if let Source::Partner(agreement) = &source {
                    self.silent.forget(agreement);
                }
                Ok(Box::new(deliveries))
            }
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
        let (connection, is_known) = (link.connection.clone(), link.partners.contains(agreement));
        drop(guard);
        match self.silent.ask(agreement) {
            Ask::Not(why) => return Err(away(why)),
            Ask::Freely if is_known => return Ok(()),
            Ask::Freely | Ask::Once => {}
        }
        self.ensure_partner(&connection, agreement, PATIENCE).await.map_err(|error| match error {
            BrokerError::Refused(why) => away(why),
            error @ BrokerError::Away(_) => error,
        })
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
        in_time("the end of a queue", delete).await?;
        self.silent.forget(agreement);
        Ok(())
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        let mut guard = self.link.lock().await;
        self.open(&mut guard).await.map(drop)
    }

    fn is_durable(&self) -> bool {
        true
    }
}
