//! The desk's events, from its queue: acknowledged when the pipeline has written what they changed.

use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{
    change::Change,
    consumer::{self, Consumer},
    options::Options,
    pipeline::Pipeline,
};
use crate::{
    domain::MessageType,
    ports::{BrokerError, Deliveries, Source},
    wire,
};

/// The desk's events.
#[derive(Debug)]
pub struct Intake {
    options: Options,
    pipeline: Pipeline,
}

impl Intake {
    /// An intake for a pipeline.
    pub fn new(options: Options, pipeline: Pipeline) -> Self {
        Self { options, pipeline }
    }

    /// Takes events until it is stopped; what it has taken by then, it finishes.
    pub async fn run(self, stop: CancellationToken) {
        consumer::run(&self.options, Source::Events, &self, &stop).await;
    }

    /// Keeps an event that could not be applied as a dead letter: it is not acknowledged before it is safe.
    async fn keep(&self, body: &[u8], reason: String) -> Result<(), BrokerError> {
        let body = String::from_utf8_lossy(body).into_owned();
        let dead = Change::Dead { kind: MessageType::DeadEvent, body, reason };
        let kept = self.pipeline.submit_one(dead).await;
        kept.map(drop).map_err(|refusal| BrokerError::Away(refusal.reason))
    }

    /// An event as a change; one that cannot be read is a dead letter.
    pub fn read(&self, body: &[u8]) -> Change {
        let raw = String::from_utf8_lossy(body).into_owned();
        match wire::desk::decode(body, &self.options.desk.namespace) {
            Ok(event) => Change::Event { event: Box::new(event), raw },
            Err(error) => {
                tracing::warn!(reason = %error, "an event cannot be read; it is a dead letter");
                Change::Dead { kind: MessageType::DeadEvent, body: raw, reason: error.to_string() }
            }
        }
    }
}

#[async_trait]
impl Consumer for Intake {
    async fn take(
        &self,
        deliveries: &mut dyn Deliveries,
        stop: &CancellationToken,
    ) -> Result<(), BrokerError> {
        let mut last = 0;
        loop {
            let linger = if last >= 16 { self.options.linger } else { Duration::ZERO };
            let batch = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                batch = deliveries.next(self.options.batch, linger) => batch?,
            };
            last = batch.len();
            let through = batch.last().map_or(0, |incoming| incoming.tag);
            let changes: Vec<Change> = batch.iter().map(|incoming| self.read(&incoming.body)).collect();
            let answers = self.pipeline.submit(changes).await;
            for (incoming, answer) in batch.iter().zip(answers) {
                match answer {
                    Ok(_) => {}
                    Err(refusal) if refusal.status == 503 => return Ok(()), // Stopping: it comes again.
                    Err(refusal) => self.keep(&incoming.body, refusal.reason).await?,
                }
            }
            deliveries.ack(through).await?;
        }
    }
}
