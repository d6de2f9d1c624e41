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
    domain::{MessageType, Traceparent},
    ports::{BrokerError, Deliveries, Incoming, Source},
    telemetry::{Span, Step},
    wire,
};

/// How many batches are on their way at once: one is written while the next is read and decided. With a third it is no
/// faster, and larger.
const AHEAD: usize = 2;

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
        let dead = Change::Dead { agreement: None, kind: MessageType::DeadEvent, body, reason };
        let kept = self.pipeline.submit_one(dead).await;
        kept.map(drop).map_err(|refusal| BrokerError::Away(refusal.reason))
    }

    /// What came as changes: one event, or as many as the desk's filter makes of it. What cannot be read is a dead letter.
    pub async fn read(&self, body: &[u8]) -> Vec<Change> {
        read(&self.options, body).await
    }

    /// What a dead letter says once more: as it came, or as the filter had made it.
    pub async fn read_again(&self, body: &[u8]) -> Vec<Change> {
        match wire::desk::decode(body, &self.options.desk.namespace) {
            Ok(_) => vec![read_event(&self.options, body, body, 0)],
            Err(_) => self.read(body).await,
        }
    }
}

/// What came as changes.
pub(super) async fn read(options: &Options, body: &[u8]) -> Vec<Change> {
    let Some(filter) = &options.event_filter else { return vec![read_event(options, body, body, 0)] };
    match filter.run(body).await {
        Ok(events) => {
            let event = |(part, event): (usize, &String)| read_event(options, event.as_bytes(), body, part);
            events.iter().enumerate().map(event).collect()
        }
        Err(reason) => vec![dead(body, reason)],
    }
}

/// An event as a change; `came` is what it was before the desk's filter, and it is this part of what that made.
fn read_event(options: &Options, event: &[u8], came: &[u8], part: usize) -> Change {
    match wire::desk::decode(event, &options.desk.namespace) {
        Ok(read) => {
            let raw =
                if read.may_wait() { String::from_utf8_lossy(event).into_owned() } else { String::new() };
            let came = options.record.map(|_| Box::new((String::from_utf8_lossy(came).into_owned(), part)));
            Change::Event { event: Box::new(read), raw, came }
        }
        Err(error) => dead(came, error.to_string()),
    }
}

/// The step that an event, or all that the desk's filter made of one, is in a trace: part of the one that it came with.
pub fn traced(changes: &mut [Change], step: Step, came_with: Option<&Traceparent>) -> Span {
    let own = changes.iter().find_map(Change::trace);
    let mut span = Span::begin("desk event", step, came_with.or(own));
    let place = span.place();
    for change in changes {
        if let Change::Event { event, .. } = change {
            span.set("cloudevents.event_id", &event.key);
            event.trace.clone_from(&place);
        }
    }
    span
}

fn dead(came: &[u8], reason: String) -> Change {
    tracing::warn!(reason, "an event cannot be read; it is a dead letter");
    let body = String::from_utf8_lossy(came).into_owned();
    Change::Dead { agreement: None, kind: MessageType::DeadEvent, body, reason }
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
        let mut ahead: VecDeque<(Vec<Incoming>, Vec<(usize, Span)>, Brought)> =
            VecDeque::with_capacity(AHEAD);
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
                let (mut changes, mut counts) =
                    (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
                for incoming in &batch {
                    let mut read = self.read(&incoming.body).await;
                    counts.push((read.len(), traced(&mut read, Step::Taken, incoming.trace.as_ref())));
                    changes.append(&mut read);
                }
                ahead.push_back((batch, counts, self.pipeline.bring(changes).await));
                // While one is being written, the next is read.
                if ahead.len() < AHEAD && !stop.is_cancelled() {
                    continue;
                }
            }
            let Some((batch, counts, brought)) = ahead.pop_front() else { continue };
            let through = batch.last().map_or(0, |incoming| incoming.tag);
            let mut answers = brought.answers().await.into_iter();
            for (incoming, (count, mut span)) in batch.iter().zip(counts) {
                // All of its own, before any is judged: the next input's are behind them.
                let mut refused = None;
                for answer in answers.by_ref().take(count) {
                    match answer {
                        Ok(done) => span.set("crossdesk.outcome", done.outcome.as_str()),
                        Err(refusal) => refused = refused.or(Some(refusal)),
                    }
                }
                match refused {
                    None => {}
                    // Nobody takes anything in any more: it comes again.
                    Some(refusal) if refusal.status == 503 => {
                        return Err(BrokerError::Refused(refusal.reason));
                    }
                    Some(refusal) => {
                        span.fail(&refusal.reason);
                        self.keep(&incoming.body, refusal.reason).await?;
                    }
                }
            }
            deliveries.ack(through).await?;
            if stop.is_cancelled() && ahead.is_empty() {
                return Ok(());
            }
        }
    }
}
