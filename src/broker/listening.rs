//! Where consumers take: over a connection that they share, but for those of queues that have not answered.
//!
//! A consumer that is asked for of a quorum queue without a leader is not answered, and after a minute RabbitMQ (3.10) ends the whole
//! connection over which it was asked for, with every other consumer on it. So it is asked for again over another.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::timeout;

use super::{
    away,
    consumer::AmqpDeliveries,
    line::{Line, Site, WIDE, unanswered},
    topology::Taker,
};
use crate::{
    domain::Uuid,
    ports::{BrokerError, Deliveries, Source},
};

/// How long the last acknowledgements may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The consumers' connections.
pub(super) struct Listening {
    site: Arc<Site>,
    /// The consumers'; whatever else there is to ask is asked over it.
    pub(super) line: Line,
    /// Over which queues are asked that did not answer; who answers there stays there.
    trying: Line,
    /// What did not answer when it was last asked.
    silent: Mutex<HashSet<Source>>,
}

impl Listening {
    pub(super) fn new(site: Arc<Site>) -> Self {
        let (line, trying) = (Line::new(site.clone(), WIDE), Line::new(site.clone(), WIDE));
        Self { site, line, trying, silent: Mutex::default() }
    }

    /// Starts to take from a queue.
    pub(super) async fn consume(&self, source: Source) -> Result<Box<dyn Deliveries>, BrokerError> {
        let was_silent = self.silent().contains(&source);
        let line = if was_silent { &self.trying } else { &self.line };
        match self.consumer(line, &source).await {
            Ok(Some(deliveries)) => {
                self.silent().remove(&source);
                return Ok(Box::new(deliveries));
            }
            Ok(None) => {
                // It may be RabbitMQ that says nothing.
                self.line.answers().await?;
                self.silent().insert(source.clone());
            }
            // What is tried there costs that line its connection.
            Err(BrokerError::Away(_)) if was_silent => self.line.answers().await?,
            Err(error) => return Err(error),
        }
        Err(match &source {
            Source::Partner(partner) => self.line.silent(partner),
            _ => unanswered(&format!("a consumer of the queue {}", self.site.topology.queue_of(&source))),
        })
    }

    /// A consumer, if the queue answers.
    async fn consumer(&self, line: &Line, source: &Source) -> Result<Option<AmqpDeliveries>, BrokerError> {
        if let Source::Partner(partner) = source {
            line.ensure(partner, Taker::Daemon).await?;
        }
        let connection = line.with(|open| open.connection.clone()).await?;
        let Some(turn) = connection.asking.turn(&self.site.topology.queue_of(source)).await else {
            return Ok(None);
        };
        // Nobody else waits meanwhile: RabbitMQ may have lost the majority, or the leader, of this one queue.
        let channel = line.apart(&connection).await?;
        let (site, wanted) = (self.site.clone(), source.clone());
        match turn.ask(async move { AmqpDeliveries::on(channel, &site.topology, &wanted).await }).await {
            Some(Ok(deliveries)) => Ok(Some(deliveries)),
            Some(Err(error)) => {
                match source {
                    // Its queue may be gone: it is made anew.
                    Source::Partner(partner) if connection.status().connected() => line.forget(partner).await,
                    // That another daemon has the commands says nothing of the line.
                    Source::Commands => {}
                    _ => line.give_up(&connection).await,
                }
                Err(away(error))
            }
            None => Ok(None),
        }
    }

    /// Knows nothing more of a partner's queue.
    pub(super) async fn forget(&self, partner: &Uuid) {
        self.line.forget(partner).await;
        self.trying.forget(partner).await;
        self.silent().remove(&Source::Partner(partner.clone()));
    }

    /// Waits until RabbitMQ has heard what was acknowledged, for no more than a moment.
    pub(super) async fn flush(&self) {
        // A connection some of whose channels are just being closed cannot be closed itself.
        let heard = async { tokio::join!(self.line.heard(), self.trying.heard()) };
        let _away = timeout(LAST_WORDS, heard).await;
    }

    fn silent(&self) -> MutexGuard<'_, HashSet<Source>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
