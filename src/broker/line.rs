//! A connection to RabbitMQ with a channel on which confirms are on, and the partner queues that were made sure of over it.

use std::{
    collections::{HashMap, HashSet},
    ops::Deref,
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use lapin::{
    Channel, Connection, ConnectionProperties, options::ConfirmSelectOptions, tcp::OwnedTLSConfig,
    uri::AMQPUri,
};
use tokio::{sync::Mutex, time::timeout};

use super::{
    PATIENCE,
    apart::{Apart, Asking},
    away,
    topology::{Taker, Topology},
};
use crate::{domain::Uuid, ports::BrokerError};

/// How long it may take to say that it is there.
const BRIEFLY: Duration = Duration::from_secs(3);
/// The largest frame, in bytes, where messages of others come in and the URL names none. The headers of a message travel in one, however long
/// they are, and what is longer than was agreed costs the connection; RabbitMQ itself allows 128 KiB.
pub(super) const WIDE: u32 = 64 * 1024;
/// The same where messages of ours go out, whose headers are short. lapin has a buffer of 32 frames for each direction, and goes round in all of
/// it.
pub(super) const NARROW: u32 = 16 * 1024;
/// How many queues are made sure of at once: each takes a channel.
const AT_ONCE: usize = 128;

/// Where RabbitMQ is, and what is to be there.
pub(super) struct Site {
    uri: AMQPUri,
    /// Certificates, PEM, beside the system's, that the broker's may be signed by.
    authorities: Option<String>,
    pub(super) topology: Topology,
}

/// A line to RabbitMQ, opened by whoever needs it first, and anew after it has failed.
pub(super) struct Line {
    site: Arc<Site>,
    /// The largest frame, in bytes, where the URL names none.
    frame: u32,
    open: Mutex<Option<Open>>,
}

/// A connection, and what queues are asked for over it.
pub(super) struct Connected {
    connection: Connection,
    pub(super) asking: Asking,
}

/// An open line.
pub(super) struct Open {
    pub(super) connection: Arc<Connected>,
    pub(super) channel: Channel,
    /// Partner queues that are known to be there.
    pub(super) partners: HashSet<Uuid>,
}

impl Site {
    pub(super) fn new(url: &str, authorities: Option<String>, topology: Topology) -> Result<Self, String> {
        let mut uri: AMQPUri = url
            .parse()
            .map_err(|_| "not a URL of the form amqp://USER:PASSWORD@HOST:PORT/VHOST".to_owned())?;
        uri.query.heartbeat.get_or_insert(20);
        Ok(Self { uri, authorities, topology })
    }

    pub(super) fn host(&self) -> &str {
        &self.uri.authority.host
    }

    async fn connect(&self, frame: u32) -> lapin::Result<Open> {
        let mut uri = self.uri.clone();
        uri.query.frame_max.get_or_insert(frame);
        let properties = ConnectionProperties::default().with_connection_name("crossdesk".into());
        let tls = OwnedTLSConfig { identity: None, cert_chain: self.authorities.clone() };
        let runtime = lapin::runtime::default_runtime()?;
        let connection = Connection::connect_uri_with_config(uri, properties, tls, runtime).await?;
        let channel = connection.create_channel().await?;
        self.topology.declare(&connection, &channel).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let connection = Arc::new(Connected { connection, asking: Asking::default() });
        Ok(Open { connection, channel, partners: HashSet::new() })
    }
}

impl Deref for Connected {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Open {
    fn works(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }
}

impl Line {
    pub(super) fn new(site: Arc<Site>, frame: u32) -> Self {
        Self { site, frame, open: Mutex::new(None) }
    }

    /// Does something with the open line, which nobody else has meanwhile; one that failed is not used again.
    pub(super) async fn with<T>(&self, act: impl FnOnce(&mut Open) -> T) -> Result<T, BrokerError> {
        let mut open = self.open.lock().await;
        open.take_if(|open| !open.works());
        if open.is_none() {
            *open = Some(in_time("a connection", self.site.connect(self.frame)).await.map_err(with_remedy)?);
        }
        open.as_mut().map(act).ok_or_else(|| away("not connected"))
    }

    /// Has the line opened anew by whoever needs it next, unless that has happened: then everything is declared again, for a queue
    /// may have been deleted.
    pub(super) async fn give_up(&self, connection: &Arc<Connected>) {
        self.open.lock().await.take_if(|open| Arc::ptr_eq(&open.connection, connection));
    }

    /// Whether RabbitMQ is known to read nothing more of it, as it does when it is short of memory or room.
    pub(super) fn is_blocked(&self) -> bool {
        let open = self.open.try_lock();
        open.is_ok_and(|open| open.as_ref().is_some_and(|open| open.connection.status().blocked()))
    }

    /// Whether RabbitMQ answers on it: it has read then whatever was written before.
    pub(super) async fn answers(&self) -> Result<(), BrokerError> {
        let channel = self.with(|open| open.channel.clone()).await?;
        match timeout(BRIEFLY, channel.confirm_select(ConfirmSelectOptions::default())).await {
            Ok(answer) => answer.map_err(away),
            Err(_) => Err(away(format!("it has said nothing for {} s", BRIEFLY.as_secs()))),
        }
    }

    /// Waits until RabbitMQ has read whatever was written on it, if it is open.
    pub(super) async fn heard(&self) {
        let channel = self.open.lock().await.as_ref().map(|open| open.channel.clone());
        if let Some(channel) = channel {
            // Frames go in order: whoever answers has read all before it.
            let _answer = channel.confirm_select(ConfirmSelectOptions::default()).await;
        }
    }

    /// A channel of its own, for what may not be answered: it would hold up whatever else is asked for on it.
    pub(super) async fn apart(&self, connection: &Arc<Connected>) -> Result<Apart, BrokerError> {
        let channel = in_time("a channel", connection.create_channel()).await;
        if channel.is_err() && !connection.status().blocked() {
            self.give_up(connection).await;
        }
        channel.map(Apart::new)
    }

    /// Makes sure of a partner's queue, unless it is known to be there.
    pub(super) async fn ensure(&self, partner: &Uuid, taker: Taker) -> Result<(), BrokerError> {
        let (connection, known) =
            self.with(|open| (open.connection.clone(), open.partners.contains(partner))).await?;
        if known { Ok(()) } else { self.ensure_on(&connection, partner, taker).await }
    }

    /// Makes sure of the queues of partners, some at once; returns why one is not to be had.
    pub(super) async fn ensure_all(
        &self,
        connection: &Arc<Connected>,
        partners: HashMap<Uuid, Taker>,
    ) -> HashMap<Uuid, BrokerError> {
        let (mut late, mut failed) = (partners.keys().cloned().collect::<HashSet<_>>(), HashMap::new());
        let ensuring = partners.into_iter().map(|(partner, taker)| async move {
            let ensured = self.ensure_on(connection, &partner, taker).await;
            (partner, ensured)
        });
        let mut ensuring = stream::iter(ensuring).buffer_unordered(AT_ONCE);
        let all = async {
            while let Some((partner, ensured)) = ensuring.next().await {
                late.remove(&partner);
                if let Err(error) = ensured {
                    failed.insert(partner, error);
                }
            }
        };
        // Others wait for these: of very many that do not answer, the last are left for another time.
        let _some_are_late = timeout(2 * PATIENCE, all).await;
        let away = failed.values().find(|error| matches!(error, BrokerError::Away(_))).cloned();
        let why = |partner: &Uuid| match &away {
            Some(away) => away.clone(),
            None if connection.status().blocked() => blocked(),
            None => self.silent(partner),
        };
        failed.extend(late.into_iter().map(|partner| (partner.clone(), why(&partner))));
        failed
    }

    async fn ensure_on(
        &self,
        connection: &Arc<Connected>,
        partner: &Uuid,
        taker: Taker,
    ) -> Result<(), BrokerError> {
        let none = || if connection.status().blocked() { blocked() } else { self.silent(partner) };
        let queue = self.site.topology.partner_queue(partner);
        let turn = connection.asking.turn(&queue).await.ok_or_else(none)?;
        // Somebody else may have made sure of it meanwhile.
        if self.on(connection, |open| open.partners.contains(partner)).await == Some(true) {
            return Ok(());
        }
        let channel = self.apart(connection).await?;
        let (site, of, over) = (self.site.clone(), partner.clone(), connection.clone());
        let request = async move {
            match taker {
                Taker::Daemon => site.topology.declare_partner(&channel, &of).await,
                Taker::Bridge => site.topology.declare_bridge(&over, &channel, &of).await,
            }
        };
        match turn.ask(request).await {
            Some(Ok(())) => {}
            Some(Err(error)) if connection.status().connected() => {
                return Err(BrokerError::Refused(error.to_string()));
            }
            Some(Err(error)) => return Err(away(error)),
            None => return Err(none()),
        }
        self.on(connection, |open| open.partners.insert(partner.clone())).await;
        Ok(())
    }

    /// Does something with the open line, if it is still this connection's.
    async fn on<T>(&self, connection: &Arc<Connected>, act: impl FnOnce(&mut Open) -> T) -> Option<T> {
        let mut open = self.open.lock().await;
        open.as_mut().filter(|open| Arc::ptr_eq(&open.connection, connection)).map(act)
    }

    /// Forgets a partner's queue.
    pub(super) async fn forget(&self, partner: &Uuid) {
        if let Some(open) = self.open.lock().await.as_mut() {
            open.partners.remove(partner);
        }
    }

    /// A partner's queue does not answer: one of RabbitMQ's quorum queues may be without a leader, or without the majority of its
    /// nodes.
    pub(super) fn silent(&self, partner: &Uuid) -> BrokerError {
        BrokerError::Refused(format!(
            "the queue {} does not answer",
            self.site.topology.partner_queue(partner)
        ))
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
pub(super) async fn in_time<T>(
    what: &str,
    request: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match timeout(PATIENCE, request).await {
        Ok(answer) => answer.map_err(away),
        Err(_) => Err(unanswered(what)),
    }
}

/// It reads nothing from those who publish.
pub(super) fn blocked() -> BrokerError {
    away("it lets nobody publish: it is short of memory or of room on its disk")
}

/// It did not answer.
pub(super) fn unanswered(what: &str) -> BrokerError {
    away(format!("it was asked for {what} and did not answer in {} s", PATIENCE.as_secs()))
}
