//! The desk's filter at work: beside the runtime, and not for ever.
//!
//! A jq program may have no end, and nothing ends one from outside. So each run has a limit of time; what runs over it is left
//! behind on its thread, and after a few of those the program is not run any more.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::wire::desk_filter::Filter;

/// How long one run may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How many may be left behind.
const LEFT: usize = 4;

/// The desk's filter. Cheap to clone.
#[derive(Clone)]
pub struct Filtering {
    filter: Arc<Filter>,
    limit: Duration,
    left: Arc<AtomicUsize>,
}

impl fmt::Debug for Filtering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filtering").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Filtering {
    /// A filter that is ready to run.
    pub fn new(filter: Filter) -> Self {
        Self { filter: Arc::new(filter), limit: LIMIT, left: Arc::default() }
    }

    /// Runs it on what came in.
    ///
    /// # Errors
    /// As [`Filter::run`] has them; or it did not end in time.
    pub(super) async fn run(&self, bytes: &[u8]) -> Result<Vec<String>, String> {
        if self.left.load(Ordering::Relaxed) >= LEFT {
            let why = format!(
                "desk.event_filter did not end {LEFT} times and is not run any more: mend it and start anew"
            );
            return Err(why);
        }
        let (filter, input) = (self.filter.clone(), bytes.to_vec());
        let run = tokio::task::spawn_blocking(move || filter.run(&input));
        match tokio::time::timeout(self.limit, run).await {
            Ok(Ok(made)) => made.map_err(|error| error.reason),
            Ok(Err(_)) => Err("desk.event_filter fails: it cannot be run on this".to_owned()),
            Err(_) => {
                self.left.fetch_add(1, Ordering::Relaxed);
                let why = format!("desk.event_filter does not end on this within {} s", self.limit.as_secs());
                tracing::error!(reason = why, "the desk's filter goes on for ever");
                Err(why)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_without_an_end_is_left_behind_and_at_last_not_run() {
        let Ok(filter) = Filter::new("def wait: if .stop then . else wait end; wait") else {
            unreachable!("it is a program")
        };
        let filtering = Filtering { limit: Duration::from_millis(1), ..Filtering::new(filter) };
        assert!(filtering.run(b"{\"stop\": true}").await.is_ok_and(|made| made.len() == 1));
        filtering.left.store(LEFT, Ordering::Relaxed);
        assert!(filtering.run(b"{\"stop\": true}").await.is_err_and(|why| why.contains("not run any more")));
    }
}
