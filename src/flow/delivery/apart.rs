//! Tickets on which a partner fails while it takes others': each is left alone by itself, so that one that it cannot digest does not
//! keep it from all.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::domain::{Timestamp, Uuid};

/// On so many tickets one after the other a partner may begin to fail before it is left alone altogether.
const FEW: usize = 8;

/// The tickets that are left alone.
#[derive(Debug, Default)]
pub(super) struct Apart {
    /// Until when: as the rows say it, and by a clock that nobody sets.
    until: BTreeMap<Uuid, (Timestamp, Instant)>,
    /// Those on which the partner has begun to fail since it took something last.
    in_a_row: BTreeSet<Uuid>,
    /// Those on which it fails though it has taken others' meanwhile.
    known: BTreeSet<Uuid>,
}

impl Apart {
    /// The partner fails on a ticket, which is to be tried again then, after so long. Returns whether that may be the ticket's own matter.
    pub(super) fn fails(&mut self, ticket: &Uuid, until: Timestamp, wait: Duration) -> bool {
        let known = self.known.contains(ticket);
        if !known {
            self.in_a_row.insert(ticket.clone());
        }
        let is_its_own = known || self.in_a_row.len() <= FEW;
        if is_its_own {
            self.until.insert(ticket.clone(), (until, Instant::now() + wait));
        }
        is_its_own
    }

    /// An earlier process left a ticket alone until then, which is so long from now; `is_its_own`: the partner took others' meanwhile.
    pub(super) fn resume(&mut self, ticket: Uuid, until: Timestamp, wait: Duration, is_its_own: bool) {
        if is_its_own {
            self.known.insert(ticket.clone());
        }
        let (until, at) = (until, Instant::now() + wait);
        self.until
            .entry(ticket)
            .and_modify(|latest| *latest = (latest.0.max(until), latest.1.max(at)))
            .or_insert((until, at));
    }

    /// The partner takes something of a ticket: whatever it fails on is those tickets' own matter.
    pub(super) fn takes(&mut self, ticket: &Uuid) {
        self.known.append(&mut self.in_a_row);
        self.known.remove(ticket);
    }

    /// Whether the partner has taken others' since it began to fail on a ticket.
    pub(super) fn is_known(&self, ticket: &Uuid) -> bool {
        self.known.contains(ticket)
    }

    /// Whether it fails on a ticket while, as far as is known, it takes others'.
    pub(super) fn fails_on_it_alone(&self, ticket: &Uuid) -> bool {
        self.known.contains(ticket) && self.in_a_row.is_empty()
    }

    /// Whether it has begun to fail on more tickets in a row than a partner does that is there.
    pub(super) fn are_many(&self) -> bool {
        self.in_a_row.len() > FEW
    }

    /// Until when a ticket is left alone.
    pub(super) fn until(&self, ticket: &Uuid) -> Option<Timestamp> {
        self.until.get(ticket).map(|(until, _)| *until)
    }

    /// When the next of them is to be tried again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.until.values().map(|(_, at)| *at).min()
    }

    /// Those that are to be tried again by now.
    pub(super) fn due(&self) -> BTreeSet<Uuid> {
        let now = Instant::now();
        self.until.iter().filter(|(_, (_, at))| *at <= now).map(|(ticket, _)| ticket.clone()).collect()
    }

    /// Whether a ticket is left alone still; one whose time has come is let go.
    pub(super) fn keeps(&mut self, ticket: &Uuid) -> bool {
        let keeps = self.until.get(ticket).is_some_and(|(_, at)| *at > Instant::now());
        if !keeps {
            self.until.remove(ticket);
        }
        keeps
    }

    /// Lets all go.
    pub(super) fn all(&mut self) -> BTreeSet<Uuid> {
        std::mem::take(&mut self.until).into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_partner_that_begins_to_fail_on_many_tickets_in_a_row_is_to_blame_itself() {
        let (mut apart, at) = (Apart::default(), Timestamp::from_millis(10));
        let ticket = |n: usize| Uuid::new(format!("t{n}"));
        for n in 0..FEW {
            assert!(apart.fails(&ticket(n), at, LONG) && apart.fails(&ticket(n), at, LONG));
        }
        assert!(!apart.fails(&ticket(FEW), at, LONG) && apart.until(&ticket(FEW)).is_none());
        assert!(!apart.fails_on_it_alone(&ticket(0)));
        // It takes something else: however many it fails on, it is not the partner as a whole.
        apart.takes(&ticket(99));
        for n in 0..=FEW {
            assert!(apart.fails(&ticket(n), at, LONG) && apart.is_known(&ticket(n)));
        }
        // What is known to fail says nothing of the partner, even while it is down.
        assert!((50..=50 + FEW).all(|n| apart.fails(&ticket(n), at, LONG) == (n < 50 + FEW)));
        assert!(apart.fails(&ticket(0), at, LONG) && !apart.fails_on_it_alone(&ticket(0)));
        apart.takes(&ticket(99));
        assert!(apart.fails_on_it_alone(&ticket(0)));
        apart.takes(&ticket(0));
        assert!(!apart.is_known(&ticket(0)));
    }

    #[test]
    fn a_ticket_is_kept_until_its_time_has_come() {
        let (mut apart, at) = (Apart::default(), Timestamp::from_millis(10));
        let (now, later) = (Uuid::new("now"), Uuid::new("later"));
        assert!(apart.fails(&now, at, Duration::ZERO) && apart.fails(&later, at, LONG));
        assert_eq!(apart.due(), BTreeSet::from([now.clone()]));
        assert!(!apart.keeps(&now) && apart.keeps(&later));
        assert_eq!((apart.until(&now), apart.until(&later)), (None, Some(at)));
        assert_eq!(apart.all(), BTreeSet::from([later]));
        assert_eq!(apart.next(), None);
    }
}
