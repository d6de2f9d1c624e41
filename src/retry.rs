//! How long to wait before the next try: the one file that knows the `backoff` crate, so that it is easy to replace.

use std::time::Duration;

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff};

/// The longest wait that somebody else may ask for.
const ASKED_FOR: Duration = Duration::from_secs(3600);

/// Growing waits with jitter, between an initial and a longest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The first wait.
    pub initial: Duration,
    /// The longest wait.
    pub max: Duration,
    /// By how many hundredths a wait is longer or shorter at random, so that not everybody comes back at once.
    pub jitter: u8,
}

/// The waits of one series of tries.
#[derive(Debug)]
pub struct Waits(ExponentialBackoff);

impl Policy {
    /// The usual jitter.
    pub const JITTER: u8 = 25;

    /// The policy for connections of our own, to the broker and the database: soon again, and never rarer than every ten
    /// seconds.
    pub const RECONNECT: Self =
        Self { initial: Duration::from_millis(200), max: Duration::from_secs(10), jitter: Self::JITTER };

    /// A new series of tries.
    pub fn waits(self) -> Waits {
        Waits(
            ExponentialBackoffBuilder::new()
                .with_initial_interval(self.initial)
                .with_max_interval(self.max)
                .with_multiplier(2.0)
                .with_randomization_factor(f64::from(self.jitter) / 100.0)
                .with_max_elapsed_time(None)
                .build(),
        )
    }

    /// The wait after so many failed tries, from one. What the receiver asked for (`Retry-After`) is kept, up to an hour.
    ///
    /// ```
    /// use std::time::Duration;
    /// use crossdesk::retry::Policy;
    /// let policy = Policy { initial: Duration::from_secs(1), max: Duration::from_secs(300), jitter: 25 };
    /// assert!(policy.wait_after(1, None) < Duration::from_secs(2));
    /// assert!(policy.wait_after(30, None) <= Duration::from_secs(375));
    /// assert_eq!(policy.wait_after(1, Some(Duration::from_secs(60))), Duration::from_secs(60));
    /// ```
    pub fn wait_after(self, tries: u32, asked_for: Option<Duration>) -> Duration {
        let mut waits = self.waits();
        let mut wait = waits.next_wait();
        for _ in 1..tries.min(64) {
            wait = waits.next_wait();
        }
        asked_for.map_or(wait, |asked| wait.max(asked.min(ASKED_FOR)))
    }

    /// No wait is longer.
    pub fn longest(self) -> Duration {
        let jitter = 1.0 + f64::from(self.jitter) / 100.0;
        self.max.mul_f64(jitter).max(ASKED_FOR)
    }
}

impl Waits {
    /// The wait before the next try.
    pub fn next_wait(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(self.0.max_interval)
    }
}
