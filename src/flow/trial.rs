//! Trying a partner whose queue has taken nothing: with the first of the messages that wait for it, and with no other.

use std::pin::Pin;

use super::{
    aloft::{Kept, packed},
    options::Options,
    pipeline::Pipeline,
};
use crate::{
    domain::Uuid,
    ports::{BrokerError, MessageFilter},
};

/// What came of it.
pub(super) struct Tried {
    pub(super) partner: Uuid,
    pub(super) outcome: Outcome,
}

/// Whether the queue takes messages.
pub(super) enum Outcome {
    /// Nothing waits for it any more.
    Nothing,
    /// What the broker says of the message.
    Answered(Kept, Result<(), BrokerError>),
    /// The rows cannot be read.
    Unread(String),
}

/// A partner being tried.
pub(super) type Trial = Pin<Box<dyn Future<Output = Tried> + Send>>;

/// Tries a partner. However long the broker takes to answer, nothing else waits for it.
pub(super) fn begin(partner: Uuid, options: &Options, pipeline: &Pipeline) -> Trial {
    let (broker, store, pipeline) = (options.broker.clone(), options.store.clone(), pipeline.clone());
    Box::pin(async move {
        // What has been published and not noted yet would be published again.
        pipeline.submit(Vec::new()).await;
        let outcome = match store.messages(MessageFilter::PendingTo(partner.clone()), 1).await {
            Ok(first) => {
                let (kept, batch) = packed(first.into_iter());
                match kept.into_iter().zip(batch).next() {
                    Some((kept, outgoing)) => Outcome::Answered(kept, broker.publish_apart(outgoing).await),
                    None => Outcome::Nothing,
                }
            }
            Err(error) => Outcome::Unread(format!("the outbox cannot be read: {error}")),
        };
        Tried { partner, outcome }
    })
}
