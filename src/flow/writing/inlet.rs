//! Where changes wait to be decided: a batch is whatever is ready.

use std::time::Duration;

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use crate::flow::change::{Answer, Change};

/// How long marks wait for a change to be written with.
const MARKS_WAIT: Duration = Duration::from_millis(20);
/// A batch of this size or more makes the next one wait for company.
const BUSY: usize = 16;

/// Changes that belong together, and who wants to know what came of them.
pub(in crate::flow) struct Unit {
    pub(in crate::flow) changes: Vec<Change>,
    pub(in crate::flow) answer: Option<oneshot::Sender<Vec<Answer>>>,
}

impl std::fmt::Debug for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unit").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}

/// The waiting changes, taken in batches.
#[derive(Debug)]
pub(in crate::flow) struct Inlet {
    pub(in crate::flow) units: mpsc::Receiver<Unit>,
    /// How many changes make a full batch.
    pub(in crate::flow) batch: usize,
    /// How long a busy pipeline waits for a batch to fill.
    pub(in crate::flow) linger: Duration,
    /// How many the last batch had.
    pub(in crate::flow) last: usize,
}

impl Inlet {
    /// Whatever is ready, up to a full batch; waits for more only when there was much the last time. `None` when nothing will
    /// come any more.
    pub(super) async fn collect(&mut self) -> Option<Vec<Unit>> {
        let first = self.units.recv().await?;
        let mut count = first.changes.len();
        let mut only_notes = first.answer.is_none();
        let mut units = vec![first];
        let begun = Instant::now();
        while count < self.batch {
            let wait = if only_notes {
                MARKS_WAIT
            } else if self.last >= BUSY {
                self.linger
            } else {
                Duration::ZERO
            };
            let next = match self.units.try_recv() {
                Ok(unit) => unit,
                Err(_) if wait.is_zero() => break,
                Err(_) => match timeout_at(begun + wait, self.units.recv()).await {
                    Ok(Some(unit)) => unit,
                    Ok(None) | Err(_) => break,
                },
            };
            count += next.changes.len();
            only_notes &= next.answer.is_none();
            units.push(next);
        }
        self.last = count;
        Some(units)
    }
}
