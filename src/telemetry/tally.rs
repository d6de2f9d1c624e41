//! What one daemon does, counted for its own pages, so that they need no other program to show it.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

/// Counts since they were last taken.
#[derive(Debug, Default)]
pub struct Tally {
    events: AtomicI64,
    delivered: AtomicI64,
    failed: AtomicI64,
    lag: AtomicI64,
    lagged: AtomicI64,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Events that were applied.
    pub events: i64,
    /// Messages that partners took.
    pub delivered: i64,
    /// Attempts that failed.
    pub failed: i64,
    /// From event to answer, all together, in milliseconds.
    pub lag: i64,
    /// How many deliveries that is of.
    pub lagged: i64,
}

impl Tally {
    /// Events were applied.
    pub fn events(&self, count: u64) {
        self.events.fetch_add(i64::try_from(count).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// A partner was tried: it took the message or not; how long after the desk's event, where there was one.
    pub fn delivery(&self, taken: bool, lag: Option<Duration>) {
        let counter = if taken { &self.delivered } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Some(lag) = lag.filter(|_| taken) {
            self.lag.fetch_add(i64::try_from(lag.as_millis()).unwrap_or(0), Ordering::Relaxed);
            self.lagged.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes what was counted, and begins anew.
    pub fn take(&self) -> Counted {
        let take = |counter: &AtomicI64| counter.swap(0, Ordering::Relaxed);
        Counted {
            events: take(&self.events),
            delivered: take(&self.delivered),
            failed: take(&self.failed),
            lag: take(&self.lag),
            lagged: take(&self.lagged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_taken_once() {
        let tally = Tally::default();
        tally.events(1);
        tally.delivery(true, Some(Duration::from_millis(250)));
        tally.delivery(false, Some(Duration::from_secs(9)));
        let counted = Counted { events: 1, delivered: 1, failed: 1, lag: 250, lagged: 1 };
        assert_eq!((tally.take(), tally.take()), (counted, Counted::default()));
    }
}
