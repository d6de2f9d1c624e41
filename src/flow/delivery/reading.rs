//! What a worker reads of the messages that it has taken: all that their rows say waits, and how the receiver is now.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::receiver::{Present, Receiver};
use crate::{
    domain::{Message, MessageId, Uuid},
    flow::{options::Options, pipeline::Pipeline},
    ports::{Incoming, StoreError},
};

/// How many rows of what was left are read at once.
pub(super) const MOST: i64 = 10_000;
/// For how long what a row said holds, as far as other daemons are concerned: after that it is looked at again before its message
/// is sent.
const HOLDS: Duration = Duration::from_secs(1);

/// When rows were read, and how many times messages had been withdrawn and agreements edited by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    at: Instant,
    withdrawals: u64,
    edits: u64,
}

impl Look {
    /// Now, before they are read.
    fn now(pipeline: &Pipeline) -> Self {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self::new(count(&pipeline.withdrawals), count(&pipeline.edits))
    }

    /// Now, after so many withdrawals and edits.
    pub(super) fn new(withdrawals: u64, edits: u64) -> Self {
        Self { at: Instant::now(), withdrawals, edits }
    }

    /// Whether what they said of messages still holds.
    pub(super) fn holds(self, pipeline: &Pipeline) -> bool {
        self.at.elapsed() < HOLDS && pipeline.withdrawals.load(Ordering::Relaxed) == self.withdrawals
    }

    /// Whether what they said of the receiver still holds.
    pub(super) fn knows_receiver(self, pipeline: &Pipeline) -> bool {
        self.at.elapsed() < HOLDS && pipeline.edits.load(Ordering::Relaxed) == self.edits
    }
}

/// What was taken from the queue, what waits of it, and how the receiver is.
pub(super) struct Reading {
    pub(super) taken: Vec<(u64, Option<MessageId>)>,
    pub(super) owners: BTreeSet<Uuid>,
    pub(super) waiting: Vec<Message>,
    pub(super) look: Look,
    pub(super) present: Option<Present>,
    /// The receiver was looked at too.
    pub(super) renewed: bool,
}

/// What was taken from the queue, each with its place there, and the tickets or agreements that it is about.
pub(super) type Taken = (Vec<(u64, Option<MessageId>)>, BTreeSet<Uuid>);

/// Which message it is.
pub(super) fn named_one(incoming: &Incoming) -> Option<MessageId> {
    MessageId::parse(incoming.id.as_deref()?)
}

/// Which messages they are. One that has no id that can be read stands for nothing.
pub(super) fn named(taken: Vec<Incoming>) -> Taken {
    let taken: Vec<_> = taken.iter().map(|incoming| (incoming.tag, named_one(incoming))).collect();
    let owners = taken.iter().filter_map(|(_, id)| id.as_ref()).map(|id| id.owner.clone()).collect();
    (taken, owners)
}

/// Reads all that waits of what was taken, and how the receiver is now where that is not known. It goes on by itself, whoever
/// waits for it, until nobody does.
pub(super) fn begin(
    options: &Options,
    pipeline: &Pipeline,
    receiver: &Receiver,
    known: Option<Present>,
    taken: Taken,
) -> impl Future<Output = Result<Reading, StoreError>> + use<> {
    let (options, receiver, look) = (options.clone(), receiver.clone(), Look::now(pipeline));
    let reading = tokio::spawn(async move { read(&options, &receiver, known, taken, look).await });
    let reading = AbortOnDropHandle::new(reading);
    async move { reading.await.unwrap_or_else(|died| Err(StoreError::Away(died.to_string()))) }
}

async fn read(
    options: &Options,
    receiver: &Receiver,
    known: Option<Present>,
    (taken, owners): Taken,
    look: Look,
) -> Result<Reading, StoreError> {
    let waiting = options.store.messages(receiver.waiting(owners.clone()), MOST).await?;
    // A message about the agreement says how it is since that was written, which is later than what is known.
    let known = known.filter(|_| !waiting.iter().any(|message| message.kind.is_about_agreement()));
    let renewed = known.is_none();
    let present = match known {
        None => receiver.present(options).await?,
        known => known,
    };
    Ok(Reading { taken, owners, waiting, look, present, renewed })
}
