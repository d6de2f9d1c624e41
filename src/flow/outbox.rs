//! Messages on their way from the writer to the relay, in memory as far as they fit.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::domain::Message;

/// How many messages may wait in memory; more stay in their rows.
const CAPACITY: usize = 2_000;
/// How many are published at once.
pub(super) const BATCH: usize = 1000;

/// Messages on their way from the writer to the relay.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    pub(super) arrived: Notify,
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
    pub(super) fn hand_over(&self, messages: Vec<Message>, again: bool) {
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

    pub(super) fn take(&self) -> (Vec<Message>, bool) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.ready.len().min(BATCH);
        (waiting.ready.drain(..count).collect(), waiting.behind)
    }

    /// What is in memory is forgotten, since the rows have it: all of it is read from there (`behind`), or is about to be.
    pub(super) fn forget(&self, behind: bool) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = Waiting { ready: VecDeque::new(), behind };
    }
}
