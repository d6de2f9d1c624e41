//! How many invites come in: anybody can send one, so they are limited in rate.

use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::Timestamp;

/// A bucket that fills by the minute; an invite takes one drop. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    per_minute: u32,
    level: Arc<Mutex<(f64, Timestamp)>>,
}

impl Gate {
    pub(super) fn new(per_minute: u32, now: Timestamp) -> Self {
        Self { per_minute, level: Arc::new(Mutex::new((f64::from(per_minute), now))) }
    }

    /// Whether one more may come in now.
    pub(super) fn lets_in(&self, now: Timestamp) -> bool {
        let mut state = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = f64::from(self.per_minute);
        let level = (state.0 + now.since(state.1).as_secs_f64() * rate / 60.0).min(rate);
        let lets = level >= 1.0;
        *state = (if lets { level - 1.0 } else { level }, now);
        lets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_lets_in_so_many_and_the_next_minute_as_many_again() {
        let at = Timestamp::from_millis;
        let gate = Gate::new(3, at(0));
        let passed = |now| (0..10).filter(|_| gate.lets_in(at(now))).count();
        assert_eq!((passed(0), passed(1_000), passed(20_000), passed(600_000)), (3, 0, 1, 3));
    }
}
