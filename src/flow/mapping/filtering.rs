//! The desk's filter at work: beside the runtime, and not for ever.
//!
//! A jq program may have no end, and nothing ends one from outside. So each run has a limit of time; what runs over it is left
//! behind on its thread. While all threads that it may have are taken by such, whatever comes waits: no event is lost for it.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use crate::wire::desk_filter::Filter;

/// How long one run may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How many may run at once, those that are left behind too.
const AT_ONCE: usize = 4;

/// The desk's filter. Cheap to clone.
#[derive(Clone)]
pub struct Filtering {
    filter: Arc<Filter>,
    limit: Duration,
    running: Arc<Semaphore>,
}

impl fmt::Debug for Filtering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filtering").field("running", &self.running).finish_non_exhaustive()
    }
}

impl Filtering {
    /// A filter that is ready to run.
    pub fn new(filter: Filter) -> Self {
        Self { filter: Arc::new(filter), limit: LIMIT, running: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Runs it on what came in.
    ///
    /// # Errors
    /// As [`Filter::run`] has them; or it did not end in time.
    pub(in crate::flow) async fn run(&self, bytes: &[u8]) -> Result<Vec<String>, String> {
        let running = self.running.clone().acquire_owned();
        tokio::pin!(running);
        let free = tokio::time::timeout(self.limit, &mut running).await;
        let running = if let Ok(running) = free {
            running
        } else {
            tracing::error!(
                "desk.event_filter does not end, {AT_ONCE} times over, and nothing is taken until it does: mend it and start anew"
            );
            running.await
        };
        let running = running.map_err(|_| "the daemon is stopping".to_owned())?;
        let (filter, input) = (self.filter.clone(), bytes.to_vec());
        let run = tokio::task::spawn_blocking(move || {
            let _until_it_ends = running;
            filter.run(&input)
        });
        match tokio::time::timeout(self.limit, run).await {
            Ok(Ok(made)) => made.map_err(|error| error.reason),
            Ok(Err(_)) => Err("desk.event_filter fails: it cannot be run on this".to_owned()),
            Err(_) => {
                let why = format!("desk.event_filter does not end on this within {} s", self.limit.as_secs());
                tracing::error!(reason = why, "the desk's filter takes too long");
                Err(why)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_that_takes_too_long_is_left_behind_and_counts_until_it_ends() {
        let filter = Filter::new("if .long then last(range(4000000)) else . end");
        let Ok(filter) = filter else { unreachable!("it is a program") };
        let filtering = Filtering { limit: Duration::from_millis(1), ..Filtering::new(filter) };
        let long = filtering.run(b"{\"long\": true}").await;
        assert!(long.is_err_and(|why| why.contains("does not end")));
        assert_eq!(filtering.running.available_permits(), AT_ONCE - 1);
        let all = filtering.running.acquire_many(u32::try_from(AT_ONCE).unwrap_or_default());
        assert!(tokio::time::timeout(Duration::from_secs(60), all).await.is_ok(), "it has ended by then");
        let quick = Filtering { limit: LIMIT, ..filtering };
        assert!(quick.run(b"{\"long\": false}").await.is_ok_and(|made| made.len() == 1));
    }
}
