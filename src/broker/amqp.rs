//! RabbitMQ. What breaks is opened anew by whoever needs it next.
//!
//! What is published goes over one connection, what is taken comes over others: RabbitMQ reads nothing more from a connection over
//! which much has come for a queue that does not answer, and acknowledgements are not to wait for that.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use lapin::{Connection, options::ConfirmSelectOptions};
use tokio::time::timeout;

use super::{
    PATIENCE,
    apart::Apart,
    away,
    flight::{Flight, Said, partner_of, taker_of},
    line::{Connected, Line, NARROW, Site, blocked, in_time, unanswered},
    listening::Listening,
    topology::{Taker, Topology},
};
use crate::{
    domain::Uuid,
    ports::{Broker, BrokerError, Deliveries, Outgoing, Source},
};

/// RabbitMQ.
pub(super) struct Amqp {
    site: Arc<Site>,
    /// Messages are published over it.
    speaking: Line,
    /// Consumers take over it, and whatever else there is to ask is asked over it.
    listening: Listening,
}

impl std::fmt::Debug for Amqp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Amqp").field("host", &self.site.host()).finish_non_exhaustive()
    }
}

impl Amqp {
    pub(super) fn new(url: &str, authorities: Option<String>, topology: Topology) -> Result<Self, String> {
        let site = Arc::new(Site::new(url, authorities, topology)?);
        Ok(Self { speaking: Line::new(site.clone(), NARROW), listening: Listening::new(site.clone()), site })
    }

    /// What came of messages. Those that the broker says nothing of, though it answers otherwise, are refused by their queues.
    async fn judge(&self, connection: &Connection, said: Vec<Said>) -> Vec<Result<(), BrokerError>> {
        let any = |is: fn(&Said) -> bool| said.iter().any(is);
        let answers = any(|said| matches!(said, Said::Nothing(_)))
            && !connection.status().blocked()
            && (any(|said| matches!(said, Said::Taken)) || self.listening.line.answers().await.is_ok());
        for said in &said {
            // It may have lost its queue, which is then declared again.
            if let Said::Lost(Some(partner), _) | Said::Nothing(Some(partner)) = said {
                self.speaking.forget(partner).await;
            }
        }
        let judged = |said| match said {
            Said::Taken => Ok(()),
            Said::Lost(_, error) | Said::Refused(error) => Err(error),
            Said::Nothing(Some(partner)) if answers => Err(self.speaking.silent(&partner)),
            Said::Nothing(_) => Err(unanswered("its word on a message")),
        };
        said.into_iter().map(judged).collect()
    }

    /// Has messages published over a new connection. RabbitMQ reads no more of one with much for a queue that does not answer; and
    /// where a queue of the daemon's own is gone, all are declared again.
    async fn speak_anew(&self, connection: Arc<Connected>) {
        // That RabbitMQ hears nobody who publishes, for want of memory or room, a new connection would not change.
        if connection.status().blocked() {
            return;
        }
        self.speaking.give_up(&connection).await;
        tokio::spawn(async move {
            // What else is on its way over it may still arrive.
            tokio::time::sleep(4 * PATIENCE).await;
            timeout(PATIENCE, connection.close(200, "given up".into())).await.is_ok()
        });
    }

    /// Sends messages for one partner over a channel of their own.
    async fn start_apart(
        &self,
        batch: Vec<Outgoing>,
    ) -> Result<(Arc<Connected>, Apart, Flight), BrokerError> {
        if let Some((first, partner)) = batch.first().and_then(|first| Some((first, partner_of(first)?))) {
            self.speaking.ensure(partner, taker_of(first)).await?;
        }
        let connection = self.speaking.with(|open| open.connection.clone()).await?;
        if connection.status().blocked() {
            return Err(blocked());
        }
        let channel = self.speaking.apart(&connection).await?;
        in_time("confirms", channel.confirm_select(ConfirmSelectOptions::default())).await?;
        let mut flight = Flight::of(batch.len());
        for (place, outgoing) in batch.into_iter().enumerate() {
            flight.board(place, outgoing);
        }
        flight.start(&channel, &self.site.topology);
        Ok((connection, channel, flight))
    }
}

#[async_trait]
impl Broker for Amqp {
    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<(), BrokerError>> {
        let count = batch.len();
        let topology = &self.site.topology;
        // Nobody else has the line until the frames are on their way, so that batches keep their order; confirms come after.
        let started = self.speaking.with(|open| {
            if open.connection.status().blocked() {
                // Whatever is sent all the same would pile up here.
                return Err(blocked());
            }
            let mut flight = Flight::of(count);
            let (mut unknown, mut later) = (HashMap::new(), Vec::new());
            for (place, outgoing) in batch.into_iter().enumerate() {
                match partner_of(&outgoing).filter(|partner| !open.partners.contains(*partner)).cloned() {
                    Some(partner) => {
                        unknown.insert(partner, taker_of(&outgoing));
                        later.push((place, outgoing));
                    }
                    None => flight.board(place, outgoing),
                }
            }
            flight.start(&open.channel, topology);
            Ok((flight, unknown, later, open.connection.clone(), open.channel.clone()))
        });
        let (mut flight, unknown, later, connection, channel) = match started.await.flatten() {
            Ok(started) => started,
            Err(error) => return vec![Err(error); count],
        };
        if !later.is_empty() {
            // What goes to queues that are known to be there is on its way.
            let failed = self.speaking.ensure_all(&connection, unknown).await;
            for (place, outgoing) in later {
                match partner_of(&outgoing).and_then(|partner| failed.get(partner)) {
                    Some(error) => flight.leave(place, error.clone()),
                    None => flight.board(place, outgoing),
                }
            }
            flight.start(&channel, topology);
        }
        let said = flight.land(PATIENCE).await;
        if said.iter().any(Said::is_lost) {
            self.speak_anew(connection.clone()).await;
        }
        self.judge(&connection, said).await
    }

    async fn publish_apart(&self, batch: Vec<Outgoing>) -> Vec<Result<(), BrokerError>> {
        let count = batch.len();
        match self.start_apart(batch).await {
            Ok((connection, _open, flight)) => {
                let said = flight.land(PATIENCE).await;
                self.judge(&connection, said).await
            }
            Err(error) => vec![Err(error); count],
        }
    }

    async fn consume(&self, source: Source) -> Result<Box<dyn Deliveries>, BrokerError> {
        self.listening.consume(source).await
    }

    async fn open_bridge(&self, agreement: &Uuid) -> Result<(), BrokerError> {
        self.listening.line.ensure(agreement, Taker::Bridge).await
    }

    async fn close_partner(&self, agreement: &Uuid) -> Result<(), BrokerError> {
        self.speaking.forget(agreement).await;
        self.listening.forget(agreement).await;
        let connection = self.listening.line.with(|open| open.connection.clone()).await?;
        let queue = self.site.topology.partner_queue(agreement);
        let none = || unanswered("the end of a queue");
        let turn = connection.asking.turn(&queue).await.ok_or_else(none)?;
        // A channel of its own: a queue that is not there is refused, and that closes the channel.
        let channel = self.listening.line.apart(&connection).await?;
        let name = queue.clone();
        let request = async move { Topology::remove(&channel, &name).await };
        match turn.ask(request).await.ok_or_else(none)?.map_err(away)? {
            0 => Ok(()),
            left => Err(BrokerError::Refused(format!("the queue {queue} is not empty: {left} are in it"))),
        }
    }

    async fn flush(&self) {
        self.listening.flush().await;
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        self.listening.line.answers().await?;
        if self.speaking.is_blocked() {
            return Err(blocked());
        }
        Ok(())
    }

    fn is_durable(&self) -> bool {
        true
    }
}
