//! The desk's events, from its queue: acknowledged when the pipeline has written what they changed.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::{
    change::Change,
    consumer::{self, Consumer},
    options::Options,
    pipeline::{Brought, Pipeline},
};
use crate::{
    domain::MessageType,
    ports::{BrokerError, Deliveries, Incoming, Source},
    wire,
};

/// How many batches are on their way at once: one is written while the next is decided and a third is read.
const AHEAD: usize = 3;

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

    /// Takes events from the queues that are its own at any time, until it is stopped; what it has taken by then, it finishes.
    pub async fn run(self, mut sources: watch::Receiver<Vec<Source>>, stop: CancellationToken) {
        let intake = Arc::new(self);
        let mut tasks = JoinSet::new();
        let mut running: HashMap<Source, CancellationToken> = HashMap::new();
        while !stop.is_cancelled() {
            let ours = sources.borrow_and_update().clone();
            running.retain(|source, token| {
                let stays = ours.contains(source);
                if !stays {
                    token.cancel();
                }
                stays
            });
            for source in ours {
                running.entry(source.clone()).or_insert_with(|| {
                    let (intake, token) = (intake.clone(), stop.child_token());
                    let until = token.clone();
                    tasks
                        .spawn(async move { consumer::run(&intake.options, source, &*intake, &until).await });
                    token
                });
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Ok(()) = sources.changed() => {}
                Some(ended) = tasks.join_next() => fails_with(ended),
            }
        }
        while let Some(ended) = tasks.join_next().await {
            fails_with(ended);
        }
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

/// One that fails brings all down: half an intake would look alive.
fn fails_with(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
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
        let mut ahead: VecDeque<(Vec<Incoming>, Brought)> = VecDeque::with_capacity(AHEAD);
        loop {
            let linger = if last >= 16 { self.options.linger } else { Duration::ZERO };
            let batch = if ahead.is_empty() {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return Ok(()),
                    batch = deliveries.next(self.options.batch, linger) => batch?,
                }
            } else if stop.is_cancelled() {
                Vec::new()
            } else {
                deliveries.ready(self.options.batch)?
            };
            if !batch.is_empty() {
                last = batch.len();
                let changes = batch.iter().map(|incoming| self.read(&incoming.body)).collect();
                ahead.push_back((batch, self.pipeline.bring(changes).await));
                // While one is being written, the next is read.
                if ahead.len() < AHEAD && !stop.is_cancelled() {
                    continue;
                }
            }
            let Some((batch, brought)) = ahead.pop_front() else { continue };
            let through = batch.last().map_or(0, |incoming| incoming.tag);
            for (incoming, answer) in batch.iter().zip(brought.answers().await) {
                match answer {
                    Ok(_) => {}
                    Err(refusal) if refusal.status == 503 => return Ok(()), // Stopping: it comes again.
                    Err(refusal) => self.keep(&incoming.body, refusal.reason).await?,
                }
            }
            deliveries.ack(through).await?;
            if stop.is_cancelled() && ahead.is_empty() {
                return Ok(());
            }
        }
    }
}
