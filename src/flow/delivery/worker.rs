//! The worker of one queue, a partner's or the desk's: takes messages, calls the receiver, and notes what came of it before it
//! acknowledges.
//!
//! What it has in hand and could not deliver is noted in the rows (with the time of the next try) and acknowledged, so
//! nothing stays unacknowledged in the broker while a partner is down, and the rest waits there, in order. Tickets go side
//! by side, the messages of one ticket one after the other; more is taken while calls are being made, so that nobody waits for
//! the slowest ticket, unless very many of its messages wait or the broker hands over no more before those are acknowledged.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    apart::Apart,
    failure::Failure,
    hand::Hand,
    pace::Pace,
    reading::{MOST, named_one},
    receiver::{Health, Receiver},
};
use crate::{
    domain::{Message, Timestamp, Uuid},
    flow::{
        change::{Attempted, Change},
        options::Options,
        pipeline::Pipeline,
    },
    ports::{Deliveries, DeskHook, Incoming, StoreError},
    telemetry::metric,
};

/// Of how many tickets something may be left for others to be taken beside them, how many messages that are at most, how many of them at
/// once, and how soon all of them must be there.
const MANY_LEFT: usize = 64;
const OTHERS: usize = 1000;
const TOGETHER: usize = 32;
const AT_HAND: Duration = Duration::from_millis(200);

/// The worker of one receiver.
#[derive(Debug)]
pub struct Worker {
    pub(super) options: Options,
    pub(super) pipeline: Pipeline,
    pub(super) receiver: Receiver,
    pub(super) deliveries: Option<Box<dyn Deliveries>>,
    /// Tickets of which something was left for later.
    pub(super) left: BTreeSet<Uuid>,
    /// Tickets on which the partner fails, while it takes others'.
    pub(super) apart: Apart,
    /// The partner fails: nothing is tried before this.
    pub(super) leave_alone_until: Option<Timestamp>,
    /// The agreement's row says that the partner fails; not known before the first look.
    pub(super) failing: bool,
    /// To be noted.
    pub(super) health: Option<Health>,
    /// Broker and store have been there since something failed last.
    was_well: bool,
    pub(super) pace: Pace,
}

impl Worker {
    /// The worker of an agreement's partner.
    pub fn new(options: Options, pipeline: Pipeline, agreement: Uuid) -> Self {
        Self::of(options, pipeline, Receiver::Partner(agreement))
    }

    /// The worker of a desk that is brought its commands.
    pub fn of_desk(options: Options, pipeline: Pipeline, hook: Arc<dyn DeskHook>) -> Self {
        Self::of(options, pipeline, Receiver::Desk(hook))
    }

    fn of(options: Options, pipeline: Pipeline, receiver: Receiver) -> Self {
        Self {
            options,
            pipeline,
            receiver,
            deliveries: None,
            left: BTreeSet::new(),
            apart: Apart::default(),
            leave_alone_until: None,
            failing: false,
            health: None,
            was_well: false,
            pace: Pace::new(),
        }
    }

    /// Delivers until it is stopped; what is being tried then, it finishes.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut waits = self.options.reconnect.waits();
        while !stop.is_cancelled() {
            match self.step(&stop).await {
                Ok(()) => waits = self.options.reconnect.waits(),
                Err(failure) => {
                    if std::mem::take(&mut self.was_well) {
                        waits = self.options.reconnect.waits();
                    }
                    failure.report(&self.options.outages);
                    self.deliveries = None;
                    self.left.clear();
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(waits.next_wait()) => {}
                    }
                }
            }
        }
        if let Receiver::Partner(agreement) = &self.receiver {
            metric::unserved(agreement);
        }
    }

    /// Goes on with what was left for later, if there is any, or takes what is there, until the receiver fails.
    ///
    /// # Errors
    /// The broker or the store is away; what was taken comes again.
    pub async fn step(&mut self, stop: &CancellationToken) -> Result<(), Failure> {
        if self.left.is_empty() && self.deliveries.is_none() {
            // The queue first: whoever has it is the one who goes on with what was left.
            let consume = self.options.broker.consume(self.receiver.source());
            let Some(consumed) = stop.run_until_cancelled(consume).await else { return Ok(()) };
            self.deliveries = Some(consumed.map_err(Failure::Broker)?);
            self.resume().await?;
            self.was_well = true;
        }
        self.wait_until_due(stop).await;
        if stop.is_cancelled() {
            return Ok(());
        }
        let mut hand = Hand::default();
        let others = self.others(stop).await?;
        self.deliver(&mut hand, others, stop).await?;
        self.pace = Pace::new();
        if stop.is_cancelled() && !hand.is_empty() {
            return Ok(()); // What is not acknowledged comes again.
        }
        self.set_aside(&hand).await?;
        let (through, left) = hand.into_rest();
        if let (Some(through), Some(deliveries)) = (through, self.deliveries.as_mut()) {
            deliveries.ack(through).await.map_err(Failure::Broker)?;
        }
        self.left = left;
        if self.leave_alone_until.is_some() {
            self.left.extend(self.apart.all());
        }
        if !self.left.is_empty() || self.leave_alone_until.is_some() {
            // The partner fails: its queue is not consumed until it answers again. What was taken and not read waits there.
            self.deliveries = None;
        }
        Ok(())
    }

    /// Takes up what an earlier process left for later.
    async fn resume(&mut self) -> Result<(), Failure> {
        let left = self.options.store.messages(self.receiver.left(), MOST).await.map_err(Failure::Store)?;
        let more = i64::try_from(left.len()).is_ok_and(|count| count >= MOST);
        let left: Vec<_> =
            left.into_iter().filter(|message| self.apart.until(&message.id.owner).is_none()).collect();
        // A partner that was well failed on these tickets alone.
        let may_go_on = !left.is_empty() && !more && self.leave_alone_until.is_none();
        if may_go_on && self.receiver.is_well(&self.options).await.map_err(Failure::Store)? {
            let failed = |message: &Message| message.attempts > 0 && message.error.is_some();
            // Very many failed because it was away for a while: it may be again.
            let few = left.iter().filter(|message| failed(message)).count() <= MANY_LEFT;
            for message in left {
                let is_its_own = few && failed(&message);
                let due_at = message.due_at.unwrap_or(message.created_at);
                let wait = due_at.since(self.options.clock.now()).min(self.options.retry.longest());
                self.apart.resume(message.id.owner, due_at, wait, is_its_own);
            }
            return Ok(());
        }
        self.leave_alone_until = left.iter().filter_map(|message| message.due_at).max();
        self.left = left.into_iter().map(|message| message.id.owner).collect();
        if self.leave_alone_until.is_some() {
            self.deliveries = None; // Nothing lies unacknowledged while the partner is left alone.
        }
        Ok(())
    }

    /// More messages, up to the first of a ticket that was not tried yet, where the partner has failed on all that it was tried with.
    async fn others(&mut self, stop: &CancellationToken) -> Result<Vec<Incoming>, Failure> {
        if self.left.is_empty() || self.left.len() > MANY_LEFT || !self.apart.are_many() {
            return Ok(Vec::new());
        }
        let consume = self.options.broker.consume(self.receiver.source());
        let Some(consumed) = stop.run_until_cancelled(consume).await else { return Ok(Vec::new()) };
        let deliveries = self.deliveries.insert(consumed.map_err(Failure::Broker)?);
        let (mut others, until) = (Vec::new(), Instant::now() + AT_HAND);
        // What is left may get more all the time, and keeps nobody from being tried.
        while others.len() < OTHERS
            && let Ok(taken) = timeout_at(until, deliveries.next(TOGETHER, Duration::ZERO)).await
        {
            let (taken, owners) = (taken.map_err(Failure::Broker)?, &self.left);
            let is_other =
                |incoming: &Incoming| named_one(incoming).is_some_and(|id| !owners.contains(&id.owner));
            let found = taken.iter().any(is_other);
            others.extend(taken);
            if found {
                break;
            }
        }
        Ok(others)
    }

    async fn wait_until_due(&mut self, stop: &CancellationToken) {
        if let Some(due) = self.leave_alone_until {
            // A clock that was ahead and has been set right is waited for no longer than a receiver is ever left alone.
            let wait = due.since(self.options.clock.now()).min(self.options.retry.longest());
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait) => self.leave_alone_until = None,
            }
        }
    }

    /// Notes in the rows what was taken and not tried, so that it can be acknowledged.
    async fn set_aside(&mut self, hand: &Hand) -> Result<(), Failure> {
        let Some(due_at) = self.leave_alone_until else { return Ok(()) };
        let untried = hand.waiting().filter(|message| message.due_at.is_none());
        note_later(&self.pipeline, untried, due_at).await
    }
}

/// Notes in their rows that messages are to be tried then.
pub(super) async fn note_later<'a>(
    pipeline: &Pipeline,
    messages: impl IntoIterator<Item = &'a Message>,
    due_at: Timestamp,
) -> Result<(), Failure> {
    let later = |message: &Message| {
        Change::Attempt(Arc::new(message.clone()), Attempted::Later { due_at, error: None })
    };
    let changes: Vec<Change> = messages.into_iter().map(later).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let written: Result<Vec<_>, _> = pipeline.submit(changes).await.into_iter().collect();
    written.map(drop).map_err(|refusal| Failure::Store(StoreError::Away(refusal.reason)))
}
