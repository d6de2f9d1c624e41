//! Where consumers take: over a connection that they share, but for those of queues that have not answered.
//!
//! A consumer that is asked for of a quorum queue without a leader is not answered, and after a minute RabbitMQ (3.10) ends the whole
//! connection over which it was asked for, with every other consumer on it. So it is asked for again over another connection.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::timeout;

use super::{
    away,
    consumer::AmqpDeliveries,
    line::{Line, Site, unanswered},
};
use crate::ports::{BrokerError, Deliveries, Source};

/// How long the last acknowledgements may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The consumers' connections.
pub(super) struct Listening {
    site: Arc<Site>,
    /// Theirs; whatever else there is to ask is asked over it.
    pub(super) line: Line,
    /// That of queues which did not answer when they were last asked.
    trying: Line,
    silent: Mutex<HashSet<Source>>,
}

impl Listening {
    pub(super) fn new(site: Arc<Site>) -> Self {
        let (line, trying) = (Line::new(site.clone()), Line::new(site.clone()));
        Self { site, line, trying, silent: Mutex::default() }
    }

    /// Starts to take from a queue.
    pub(super) async fn consume(&self, source: Source) -> Result<Box<dyn Deliveries>, BrokerError> {
        let line = if self.silent().contains(&source) { &self.trying } else { &self.line };
        if let Source::Partner(partner) = &source {
            line.ensure(partner).await?;
        }
        if let Some(answer) = self.consumer(line, &source).await? {
            self.silent().remove(&source);
            return Ok(Box::new(answer));
        }
        let error = match &source {
            Source::Partner(partner) => self.line.silent(partner),
            _ => unanswered(&format!("a consumer of the queue {}", self.site.topology.queue_of(&source))),
        };
        self.silent().insert(source);
        Err(error)
    }

    /// A consumer, if the queue answers.
    async fn consumer(&self, line: &Line, source: &Source) -> Result<Option<AmqpDeliveries>, BrokerError> {
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
                // That another daemon has the commands says nothing of the line.
                if *source != Source::Commands {
                    line.give_up(&connection).await;
                }
                Err(away(error))
            }
            None => Ok(None),
        }
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
