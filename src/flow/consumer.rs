//! Taking from a queue for as long as the daemon runs, whatever the broker does meanwhile.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::options::Options;
use crate::{
    ports::{BrokerError, Deliveries, Source},
    telemetry::Outages,
};

/// Whoever has taken for so long is asked for again soon. One whose first message ends it leaves the others on its connection alone for
/// longer and longer.
const A_WHILE: Duration = Duration::from_secs(1);

/// What takes from one queue.
#[async_trait]
pub(super) trait Consumer: Sync {
    /// Takes deliveries until it is stopped, or the broker or what becomes of them fails.
    async fn take(
        &self,
        deliveries: &mut dyn Deliveries,
        stop: &CancellationToken,
    ) -> Result<(), BrokerError>;
}

/// Consumes a queue, and again whenever that ends, until it is stopped.
pub(super) async fn run(
    options: &Options,
    source: Source,
    consumer: &dyn Consumer,
    stop: &CancellationToken,
) {
    let mut waits = options.reconnect.waits();
    while !stop.is_cancelled() {
        // A queue that does not answer is not waited for by a daemon that is to end.
        let Some(consumed) = stop.run_until_cancelled(options.broker.consume(source.clone())).await else {
            return;
        };
        let result = match consumed {
            Ok(mut deliveries) => {
                options.outages.broker.works();
                let begun = Instant::now();
                let taken = consumer.take(deliveries.as_mut(), stop).await;
                if begun.elapsed() > A_WHILE {
                    waits = options.reconnect.waits();
                }
                taken
            }
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            failed(&options.outages, &error);
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(waits.next_wait()) => {}
            }
        }
    }
}

/// Says what the broker did not do. That one queue does not answer is no outage of all.
pub(super) fn failed(outages: &Outages, error: &BrokerError) {
    match error {
        BrokerError::Away(_) => outages.broker.failed(error),
        BrokerError::Unreadable(_) => {
            tracing::error!(%error, "the broker hands over what cannot be read");
            outages.cannot_read(error);
        }
        BrokerError::Refused(why) => tracing::warn!(error = why, "a queue is left alone for a while"),
    }
}
