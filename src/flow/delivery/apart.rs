//! Tickets on which a partner fails while it takes others': each is left alone by itself, so that one that it cannot digest does not
//! keep it from all.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Timestamp, Uuid};

/// On so many tickets one after the other a partner may fail before it is left alone altogether.
const FEW: usize = 8;

/// The tickets that are left alone.
#[derive(Debug, Default)]
pub(super) struct Apart {
    until: BTreeMap<Uuid, Timestamp>,
    /// Those on which the partner has failed since it took something last.
    in_a_row: BTreeSet<Uuid>,
}

impl Apart {
    /// The partner fails on a ticket, which is to be tried again then. Returns whether that may be the ticket's own matter.
    pub(super) fn fails(&mut self, ticket: &Uuid, until: Timestamp) -> bool {
        self.in_a_row.insert(ticket.clone());
        let is_its_own = self.in_a_row.len() <= FEW;
        if is_its_own {
            self.until.insert(ticket.clone(), until);
        }
        is_its_own
    }

    /// The partner takes something.
    pub(super) fn takes(&mut self) {
        self.in_a_row.clear();
    }

    /// Whether a ticket is left alone.
    pub(super) fn has(&self, ticket: &Uuid) -> bool {
        self.until.contains_key(ticket)
    }

    /// When the next of them is to be tried again.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.until.values().min().copied()
    }

    /// Lets go those that are to be tried again by now.
    pub(super) fn due(&mut self, now: Timestamp) -> BTreeSet<Uuid> {
        self.until.extract_if(.., |_, until| *until <= now).map(|(ticket, _)| ticket).collect()
    }

    /// Lets all go.
    pub(super) fn all(&mut self) -> BTreeSet<Uuid> {
        std::mem::take(&mut self.until).into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partner_that_fails_on_many_tickets_in_a_row_is_to_blame_itself() {
        let (mut apart, at) = (Apart::default(), Timestamp::from_millis);
        let ticket = |n: usize| Uuid::new(format!("t{n}"));
        for n in 0..FEW {
            assert!(apart.fails(&ticket(n), at(10)) && apart.fails(&ticket(n), at(20)));
        }
        assert!(!apart.fails(&ticket(FEW), at(20)) && !apart.has(&ticket(FEW)));
        apart.takes();
        assert!(apart.fails(&ticket(FEW), at(30)) && apart.has(&ticket(FEW)));
        assert_eq!((apart.next(), apart.due(at(20)).len()), (Some(at(20)), FEW));
        assert_eq!((apart.next(), apart.all().len(), apart.next()), (Some(at(30)), 1, None));
    }
}
