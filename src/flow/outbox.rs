//! Messages on their way from the writer to the relay, in memory as far as they fit.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use crate::domain::Message;

/// How many messages may wait in memory; more stay in their rows.
const CAPACITY: usize = 2_000;
/// How long the writer waits for the relay before messages stay in their rows alone: those cost being read again.
const PATIENCE: Duration = Duration::from_millis(500);
/// How many are read from the rows at once.
pub(super) const BATCH: usize = 1000;

/// Messages on their way from the writer to the relay.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    pub(super) arrived: Notify,
    /// The relay has taken some.
    taken: Notify,
}

#[derive(Debug)]
struct Waiting {
    ready: VecDeque<Message>,
    /// There is more in the rows than in memory.
    behind: bool,
}

impl Default for Waiting {
    fn default() -> Self {
        // After a start, the rows may hold what an earlier process left.
        Self { ready: VecDeque::new(), behind: true }
    }
}

impl Outbox {
    /// Hands freshly written messages over. `again` tells that older ones are pending anew.
    pub(in crate::flow) fn hand_over(&self, messages: Vec<Message>, again: bool) {
        if messages.is_empty() && !again {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if again || waiting.behind || waiting.ready.len() + messages.len() > CAPACITY {
            waiting.behind = true;
        } else {
            waiting.ready.extend(messages);
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    pub(super) fn take(&self, limit: usize) -> (Vec<Message>, bool) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.behind {
            // The rows have all of it.
            return (Vec::new(), true);
        }
        let count = waiting.ready.len().min(limit);
        let taken = (waiting.ready.drain(..count).collect(), false);
        drop(waiting);
        self.taken.notify_one();
        taken
    }

    /// Waits until there is room for so many, or until it is better to go on: what does not fit is in its row.
    pub(in crate::flow) async fn room(&self, count: usize) {
        let has_room = || {
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.behind || waiting.ready.is_empty() || waiting.ready.len() + count <= CAPACITY
        };
        let wait = async {
            while !has_room() {
                self.taken.notified().await;
            }
        };
        let _went_on = tokio::time::timeout(PATIENCE, wait).await;
    }

    /// What is in memory is forgotten, since the rows have it: all of it is read from there (`behind`), or is about to be.
    pub(super) fn forget(&self, behind: bool) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = Waiting { ready: VecDeque::new(), behind };
        drop(waiting);
        self.taken.notify_one();
    }
}
