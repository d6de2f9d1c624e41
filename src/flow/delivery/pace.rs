//! How much a receiver is given at once: as much as it gets through quickly.

use std::{ops::RangeInclusive, time::Duration};

use tokio::time::Instant;

/// How many messages are taken at once, at first and at most: as many as the receiver gets through quickly, since RabbitMQ does
/// not wait for ever for its acknowledgements.
const TAKE: RangeInclusive<usize> = 64..=256;
/// Full takes that follow each other within this make the next one larger.
const QUICKLY: Duration = Duration::from_secs(1);

/// How much is taken from a queue at once.
#[derive(Debug)]
pub(super) struct Pace {
    takes: usize,
    /// When some were taken last.
    took: Instant,
}

impl Pace {
    /// Of a receiver that nothing is known of.
    pub(super) fn new() -> Self {
        Self { takes: *TAKE.start(), took: Instant::now() }
    }

    /// How many messages are taken the next time.
    pub(super) fn takes(&self) -> usize {
        self.takes
    }

    /// So many were taken: a quick receiver is given more at once.
    pub(super) fn took(&mut self, count: usize) {
        let quickly = self.took.elapsed() < QUICKLY;
        self.took = Instant::now();
        if !quickly {
            self.takes = *TAKE.start();
        } else if count >= self.takes {
            self.takes = (self.takes * 2).min(*TAKE.end());
        }
    }
}
