//! What has to happen because time passes: commands that nobody answered, rows that nobody needs any more, gauges.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{
    change::{AgreementAction, Change},
    hooks::Hooks,
    options::Options,
    pipeline::Pipeline,
};
use crate::{
    domain::Timestamp,
    ports::{Minute, StoreError},
    telemetry::{Counted, metric},
};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// Every how many looks it counts and prunes.
const SELDOM: u32 = 5;
/// How long a webhook waits for its issue before somebody looks whether that is known by now.
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
}

impl Sweep {
    /// A sweep for a pipeline.
    pub fn new(options: Options, pipeline: Pipeline) -> Self {
        Self { options, pipeline, minute: None }
    }

    /// Sweeps until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let (mut round, mut more): (u32, bool) = (0, false);
        loop {
            // A store that is away is the writer's to report.
            if self.settle().await.is_ok() {
                if round.is_multiple_of(SELDOM) {
                    more |= self.tidy().await.is_ok();
                }
                more = more && self.prune(&stop).await.unwrap_or_default();
            }
            let _away = self.refit().await;
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
    pub async fn settle(&self) -> Result<usize, StoreError> {
        let due = self.options.store.due(self.options.clock.now(), ROWS).await?;
        let count = due.len();
        if count > 0 {
            self.pipeline.submit(due.into_iter().map(Change::Due).collect()).await;
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

    async fn tidy(&self) -> Result<(), StoreError> {
        let counts = self.options.store.counts().await?;
        metric::waiting(counts.pending, counts.parked);
        let hooks = Hooks::new(self.options.clone(), self.pipeline.clone());
        hooks.catch_up(self.options.clock.now().minus(HELD), ROWS).await?;
        let vain = self.options.clock.now().minus(self.options.give_up_after);
        let unnamed = self.options.store.waiting_since(vain, ROWS).await?;
        if !unnamed.is_empty() {
            let mut changes = Vec::new();
            for (ticket, raw) in unnamed {
                if !hooks.give_up(&ticket, &raw).await {
                    changes.push(Change::Unnamed(ticket, raw));
                }
            }
            self.pipeline.submit(changes).await;
        }
        let now = self.options.clock.now();
        let expired = self.options.store.invites(now.minus(self.options.invites.expire_after), ROWS).await?;
        if !expired.is_empty() {
            let changes = expired.into_iter().map(|uuid| Change::Agreement(uuid, AgreementAction::Expire));
            self.pipeline.submit(changes.collect()).await;
        }
        Ok(())
    }

    /// Deletes, some at a time, what ended long enough ago; returns whether there is more. Whatever the pipeline has to write
    /// comes in between.
    async fn prune(&self, stop: &CancellationToken) -> Result<bool, StoreError> {
        for _ in 0..STEPS {
            let now = self.options.clock.now();
            let gone = self.options.store.prune(now, now.minus(self.options.keep), ROWS).await?;
            if gone < ROWS.unsigned_abs() || stop.is_cancelled() {
                return Ok(false);
            }
            tokio::task::yield_now().await;
        }
        Ok(true)
    }
}
