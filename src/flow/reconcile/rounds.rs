//! Shared tickets compared by the clock: each agreement once in every period.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::comparing::{Reconcile, askable};
use crate::{
    domain::Agreement,
    engine::Refusal,
    flow::{change::Change, inbound::away, options::Reconciling},
    telemetry::metric,
};

/// How often it is looked whether it is time.
const EVERY: Duration = Duration::from_secs(5);

impl Reconcile {
    /// Compares by the clock, where that is wanted: each agreement once in every period, whichever daemon comes first.
    pub async fn run(self, stop: CancellationToken) {
        let Reconciling { every: Some(every), repair } = self.options.reconciling else { return };
        loop {
            if let Err(refusal) = self.round(every, repair, &stop).await {
                tracing::warn!(
                    error = refusal.reason,
                    "tickets could not be compared; the next period tries again"
                );
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY.min(every)) => {}
            }
        }
    }

    async fn round(&self, every: Duration, repair: bool, stop: &CancellationToken) -> Result<(), Refusal> {
        let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
        let period = self.options.clock.now().millis().div_euclid(every);
        for agreement in self.options.store.agreements().await.map_err(away)? {
            if askable(&agreement).is_err() || stop.is_cancelled() {
                continue;
            }
            let claim = Change::Claim(format!("reconcile {} {every} {period}", agreement.uuid));
            if !self.pipeline.submit_one(claim).await?.created {
                continue;
            }
            if let Err(refusal) = self.whole(&agreement, repair, stop).await {
                tracing::warn!(
                    agreement.uuid = %agreement.uuid, error = refusal.reason,
                    "tickets could not be compared with the partner's; the next period tries again"
                );
            }
        }
        Ok(())
    }

    /// All tickets of an agreement.
    async fn whole(
        &self,
        agreement: &Agreement,
        repair: bool,
        stop: &CancellationToken,
    ) -> Result<(), Refusal> {
        let (mut looked, mut differing, mut after) = (0, 0, None);
        loop {
            let step = self.step(agreement, after.as_ref(), repair).await?;
            for (ticket, why) in &step.unclear {
                tracing::warn!(
                    agreement.uuid = %agreement.uuid, ticket.uuid = %ticket, error = why,
                    "a ticket could not be compared with the partner's"
                );
            }
            looked += step.looked;
            differing += step.differing.len();
            after = step.next;
            if stop.is_cancelled() {
                return Ok(());
            }
            if after.is_none() {
                break;
            }
        }
        metric::drift(&agreement.uuid, differing);
        if differing > 0 {
            tracing::warn!(
                agreement.uuid = %agreement.uuid, looked, differing, repaired = repair,
                "tickets differ from the partner's; crossdesk reconcile lists them"
            );
        } else {
            tracing::info!(agreement.uuid = %agreement.uuid, looked, "tickets are as the partner has them");
        }
        Ok(())
    }
}
