//! Trying a partner whose queue has taken nothing, beside all else: with the first of the messages that wait for it, and while that
//! goes well with more, until none waits.

use std::{collections::HashSet, pin::Pin};

use tokio_util::task::AbortOnDropHandle;

use super::{
    aloft::{Kept, Lane, packed},
    resting::MOST,
};
use crate::{
    domain::Uuid,
    flow::{options::Options, pipeline::Pipeline},
    ports::{BrokerError, MessageFilter},
};

/// What came of it.
pub(super) struct Tried {
    pub(super) partner: Uuid,
    pub(super) outcome: Outcome,
}

/// Whether the queue takes messages.
pub(super) enum Outcome {
    /// What the broker says of each, and whether the rest is little enough, or the queue quick enough, to go as usual.
    Answered { kept: Vec<Kept>, results: Vec<Result<(), BrokerError>>, all: bool },
    /// It could not be tried: why.
    Untried(String),
}

/// A partner being tried.
pub(super) type Trial = Pin<Box<dyn Future<Output = Tried> + Send>>;

/// Tries a partner with so many messages. It goes on by itself: it may hold what the relay waits for.
pub(super) fn begin(partner: Uuid, size: usize, options: &Options, pipeline: &Pipeline) -> Trial {
    let attempt = attempt(partner.clone(), size, options.clone(), pipeline.clone());
    let attempt = AbortOnDropHandle::new(tokio::spawn(attempt));
    Box::pin(async move {
        let outcome = attempt.await.unwrap_or_else(|error| Outcome::Untried(error.to_string()));
        Tried { partner, outcome }
    })
}

async fn attempt(partner: Uuid, size: usize, options: Options, pipeline: Pipeline) -> Outcome {
    // What has been published and not noted yet would be published again.
    pipeline.submit(Vec::new()).await;
    let limit = i64::try_from(size).unwrap_or(i64::MAX);
    let mut pending = match options.store.messages(MessageFilter::PendingTo(partner), limit).await {
        Ok(pending) => pending,
        Err(error) => return Outcome::Untried(format!("the outbox cannot be read: {error}")),
    };
    let read = pending.len();
    // What keeps its order goes one by one: should the broker refuse one, what follows it waits.
    let mut lanes = HashSet::new();
    pending.retain(|message| lanes.insert(Lane::of(message)));
    let all = read < size || size == MOST;
    let (kept, batch) = packed(pending.into_iter());
    let results = if batch.is_empty() { Vec::new() } else { options.broker.publish_apart(batch).await };
    Outcome::Answered { kept, results, all }
}
