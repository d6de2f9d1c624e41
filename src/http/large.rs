//! Room for large bodies: whoever holds back the end of one holds its memory, and one partner is not to hold all of it.

use std::{collections::hash_map::RandomState, hash::BuildHasher, time::Duration};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// How many are read and worked on at once.
const ALL: usize = 32;
/// How many of one partner. (Some partners share this, by chance: there are so many shares of it.)
const EACH: usize = 8;
const SHARES: usize = 64;

/// Room for the large bodies that are being read.
#[derive(Debug)]
pub struct LargeBodies {
    all: Semaphore,
    each: Vec<Semaphore>,
    /// Nobody outside knows with whom he shares.
    hasher: RandomState,
}

/// The place of one body; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Room<'a> {
    _of_all: SemaphorePermit<'a>,
    _of_each: SemaphorePermit<'a>,
}

impl Default for LargeBodies {
    fn default() -> Self {
        let each = (0..SHARES).map(|_| Semaphore::new(EACH)).collect();
        Self { all: Semaphore::new(ALL), each, hasher: RandomState::new() }
    }
}

impl LargeBodies {
    /// Waits for a place for a body of whoever shows this token; `None` where none becomes free in that time.
    pub(super) async fn enter(&self, token: &str, patience: Duration) -> Option<Room<'_>> {
        let agreement = token.trim().split(':').next().unwrap_or_default().to_lowercase();
        let share = self.hasher.hash_one(agreement) % u64::try_from(SHARES).ok()?;
        let each = self.each.get(usize::try_from(share).ok()?)?;
        let both = async {
            Some(Room { _of_each: each.acquire().await.ok()?, _of_all: self.all.acquire().await.ok()? })
        };
        timeout(patience, both).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_partner_holds_no_more_than_its_share_and_all_together_no_more_than_there_is() {
        let bodies = LargeBodies::default();
        let none = Duration::ZERO;
        let mut held = Vec::new();
        for _ in 0..EACH {
            held.push(bodies.enter("one:key", none).await.unwrap());
        }
        assert!(bodies.enter(" ONE:key", none).await.is_none());
        // Some of the others share the place of that one, by chance.
        let others = (0..10_000).map(|n| format!("other {n}:key"));
        for other in others {
            if held.len() == ALL {
                break;
            }
            held.extend(bodies.enter(&other, none).await);
        }
        assert_eq!(held.len(), ALL, "others find room beside it");
        for n in 0..100 {
            assert!(bodies.enter(&format!("another {n}:key"), none).await.is_none());
        }
        held.truncate(EACH - 1);
        assert!(bodies.enter("one:key", none).await.is_some(), "what is let go is free again");
    }
}
