//! What has to happen because time passes: commands that nobody answered, rows that nobody needs any more, gauges.

use std::{collections::HashSet, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    change::{AgreementAction, Answer, Change},
    inbound::Hooks,
    options::Options,
    pipeline::Pipeline,
};
use crate::{
    domain::{Timestamp, Uuid},
    ports::{Minute, StoreError},
    telemetry::{Counted, metric},
    wire,
};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// Every how many looks it counts and prunes.
const SELDOM: u32 = 5;
/// Every how many looks it tries again what could not be settled.
const AGAIN: u32 = 600;
/// How long a webhook waits for its issue, and an event for its ticket, before somebody looks whether that is known by now.
const HELD: Duration = Duration::from_secs(30);
/// How long minutes are remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
/// How many rows go at once, so that nobody waits for it.
const ROWS: i64 = 500;
/// How often in one look, while there are more: faster than a busy daemon makes them.
const STEPS: usize = 20;

/// The sweep.
#[derive(Debug)]
pub struct Sweep {
    options: Options,
    pipeline: Pipeline,
    /// The minute that is being counted.
    minute: Option<Timestamp>,
    /// Up to which name webhooks that wait have been looked at.
    caught_up: String,
    /// What the store has refused, said once each.
    refused: HashSet<&'static str>,
    /// Tickets that were due and could not be settled.
    stuck: HashSet<Uuid>,
}

impl Sweep {
    /// A sweep for a pipeline.
    pub fn new(options: Options, pipeline: Pipeline) -> Self {
        Self {
            options,
            pipeline,
            minute: None,
            caught_up: String::new(),
            refused: HashSet::new(),
            stuck: HashSet::new(),
        }
    }

    /// Sweeps until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let (mut round, mut more): (u32, bool) = (0, false);
        loop {
            // One that fails keeps none of the others from being done.
            let settled = self.settle().await;
            self.heard("what is due", settled);
            if round.is_multiple_of(AGAIN) {
                self.stuck.clear();
            }
            if round.is_multiple_of(SELDOM) {
                self.tidy().await;
                more = true;
            }
            if more {
                let pruned = self.prune(&stop).await;
                more = self.heard("what ended long ago", pruned).unwrap_or_default();
            }
            let refitted = self.refit().await;
            self.heard("tickets whose values fit by now", refitted);
            self.note_minute().await;
            round = round.wrapping_add(1);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Settles what has waited long enough; returns how much.
    ///
    /// # Errors
    /// The store is away.
    pub async fn settle(&mut self) -> Result<usize, StoreError> {
        // Those that cannot be settled are passed over for a while: they would keep the others out for ever.
        let most = ROWS + i64::try_from(self.stuck.len()).unwrap_or_default();
        let mut due = self.options.store.due(self.options.clock.now(), most).await?;
        due.retain(|ticket| !self.stuck.contains(ticket));
        let count = due.len();
        if count > 0 {
            let answers = self.pipeline.submit(due.iter().cloned().map(Change::Due).collect()).await;
            let refused = |(ticket, answer): (Uuid, Answer)| {
                answer.is_err_and(|refusal| refusal.status == 500).then_some(ticket)
            };
            self.stuck.extend(due.into_iter().zip(answers).filter_map(refused));
        }
        Ok(count)
    }

    /// Goes on, some at a time, through the tickets whose values fitted no field, after the desk's fields have changed.
    async fn refit(&self) -> Result<(), StoreError> {
        if let Some(after) = self.options.store.refitting().await? {
            let tickets = self.options.store.unfit(&after, ROWS).await?;
            let last = tickets.last().cloned();
            let mut changes: Vec<Change> = tickets.into_iter().map(Change::Refit).collect();
            changes.push(Change::Refitted(after, last));
            self.pipeline.submit(changes).await;
        }
        Ok(())
    }

    /// Keeps what the last minute brought, once it is over.
    async fn note_minute(&mut self) {
        let now = self.options.clock.now();
        let minute = Timestamp::from_millis(now.millis() - now.millis().rem_euclid(60_000));
        let before = self.minute.replace(minute);
        let Some(before) = before.filter(|before| *before != minute) else { return };
        let Counted { events, delivered, failed, lag, lagged } = self.options.tally.take();
        // A store that is away is the writer's to report; what happened in that minute is then not in the charts.
        let Ok(backlog) = self.options.store.backlog().await else { return };
        let waiting = backlog.values().sum();
        let done = Minute { at: before, events, delivered, failed, lag, lagged, waiting };
        let _not_in_the_charts = self.options.store.keep_minute(&done, now.minus(REMEMBERED)).await;
    }

    async fn tidy(&mut self) {
        let counts = self.options.store.counts().await;
        if let Some(counts) = self.heard("what waits", counts) {
            metric::waiting(counts.pending, counts.parked);
        }
        let hooks = Hooks::new(self.options.clone(), self.pipeline.clone());
        let before = self.options.clock.now().minus(HELD);
        let caught_up = hooks.catch_up(before, &self.caught_up, ROWS).await;
        self.caught_up =
            self.heard("webhooks that wait for their issue", caught_up).flatten().unwrap_or_default();
        let taken_up = self.take_up().await;
        self.heard("events whose ticket has been named", taken_up);
        let given_up = self.give_up(&hooks).await;
        self.heard("events that wait for their ticket", given_up);
        let expired = self.expire().await;
        self.heard("invites that nobody answered", expired);
    }

    /// Takes in events whose ticket is known by now: one daemon may have put them aside while another learnt its name.
    async fn take_up(&self) -> Result<(), StoreError> {
        let Options { store, desk, clock, .. } = &self.options;
        if !store.is_shared() {
            return Ok(());
        }
        for (ticket, raw) in store.waiting_named(clock.now().minus(HELD), ROWS).await? {
            let Ok(event) = wire::desk::decode(raw.as_bytes(), &desk.namespace) else { continue };
            let event = Change::Event { event: Box::new(event), raw: raw.clone(), came: None };
            // What is refused goes on waiting, until it is given up with the reason.
            if self.pipeline.submit_one(event).await.is_ok() {
                let _again_otherwise = self.pipeline.submit_one(Change::Release(ticket, raw)).await;
            }
        }
        Ok(())
    }

    /// Parks what has waited for its ticket in vain.
    async fn give_up(&self, hooks: &Hooks) -> Result<(), StoreError> {
        let vain = self.options.clock.now().minus(self.options.give_up_after);
        let mut changes = Vec::new();
        for (ticket, raw) in self.options.store.waiting_since(vain, ROWS).await? {
            if !hooks.give_up(&ticket, &raw).await? {
                changes.push(Change::Unnamed(ticket, raw));
            }
        }
        if !changes.is_empty() {
            self.pipeline.submit(changes).await;
        }
        Ok(())
    }

    /// Ends invites that were left unanswered.
    async fn expire(&self) -> Result<(), StoreError> {
        let before = self.options.clock.now().minus(self.options.invites.expire_after);
        let expired = self.options.store.invites(before, ROWS).await?;
        if !expired.is_empty() {
            let changes = expired.into_iter().map(|uuid| Change::Agreement(uuid, AgreementAction::Expire));
            self.pipeline.submit(changes.collect()).await;
        }
        Ok(())
    }

    /// What the store said, if it said anything. That it is away is the writer's to report; a refusal is a fault of ours, or a
    /// database of another version.
    fn heard<T>(&mut self, what: &'static str, said: Result<T, StoreError>) -> Option<T> {
        if let Err(error @ StoreError::Broken(_)) = &said
            && self.refused.insert(what)
        {
            tracing::error!(
                error = %error,
                "{what}: the database cannot be asked; this is not done until it can (is it of this version? see crossdesk check)"
            );
        }
        said.ok()
    }

    /// Deletes, some at a time, what ended long enough ago; returns whether there is more. Whatever the pipeline has to write
    /// comes in between.
    async fn prune(&self, stop: &CancellationToken) -> Result<bool, StoreError> {
        for _ in 0..STEPS {
            let now = self.options.clock.now();
            let gone = self.options.store.prune(now, now.minus(self.options.keep), ROWS).await?;
            let recorded = now.minus(self.options.record.unwrap_or_default());
            let gone = gone.max(self.options.store.forget_recorded(recorded, ROWS).await?);
            if gone < ROWS.unsigned_abs() || stop.is_cancelled() {
                return Ok(false);
            }
            tokio::task::yield_now().await;
        }
        Ok(true)
    }
}
