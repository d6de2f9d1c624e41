//! Queues that do not answer, although the broker does: one of RabbitMQ's quorum queues may be without a leader, or without the
//! majority of its nodes. What goes elsewhere need not wait for them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::time::{Duration, Instant};

use crate::domain::Uuid;

/// How long nothing is asked of one.
const REST: Duration = Duration::from_secs(10);

/// The partner queues that did not answer.
#[derive(Debug, Default)]
pub(super) struct SilentQueues(Mutex<HashMap<Uuid, Silent>>);

#[derive(Debug)]
struct Silent {
    why: String,
    /// When it was asked last.
    asked: Instant,
}

/// Whether something may be asked of a queue.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// It answers, as far as is known.
    Freely,
    /// It did not, but that is a while ago: one thing, and nobody waits for long.
    Once,
    /// Not now, and why.
    Not(String),
}

impl SilentQueues {
    /// Notes that one does not answer, and what to say of it.
    pub(super) fn note(&self, partner: &Uuid, why: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(partner.clone(), Silent { why, asked: Instant::now() });
    }

    /// One answers, or is gone.
    pub(super) fn forget(&self, partner: &Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(partner);
    }

    /// Whether something may be asked of one now; `Once` is said to one who asks.
    pub(super) fn ask(&self, partner: &Uuid) -> Ask {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(partner) {
            None => Ask::Freely,
            Some(silent) if silent.asked.elapsed() >= REST => {
                silent.asked = Instant::now();
                Ask::Once
            }
            Some(silent) => Ask::Not(silent.why.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_queue_is_asked_by_one_at_a_time_until_it_answers() {
        let (queues, partner) = (SilentQueues::default(), Uuid::new("a"));
        assert_eq!(queues.ask(&partner), Ask::Freely);
        queues.note(&partner, "it did not answer".to_owned());
        let not = Ask::Not("it did not answer".to_owned());
        assert_eq!(queues.ask(&partner), not);
        tokio::time::advance(REST).await;
        assert_eq!((queues.ask(&partner), queues.ask(&partner)), (Ask::Once, not));
        queues.forget(&partner);
        assert_eq!(queues.ask(&partner), Ask::Freely);
    }
}
