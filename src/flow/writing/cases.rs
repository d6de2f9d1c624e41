//! Tickets as the last batches have left them, so that a busy ticket is not read again for every batch.
//!
//! What is kept here may be behind the store when another daemon works on it too: every batch writes on the version that it
//! knew, or asks for it where it writes nothing, and when that has passed all is forgotten and read anew.

use std::sync::Arc;

use crate::{
    domain::{Quick, QuickSet, TicketId, Uuid},
    engine::Stored,
    ports::Scope,
};

/// How many tickets stay at least, when more than that are busy at once.
const GENERATION: usize = 3000;
/// When there are so many, those go that were needed longest ago. Before that another [`GENERATION`] may come.
const MANY: usize = 6000;

/// How many bytes tickets may hold beyond what every ticket takes, before those go that were needed longest ago: partners may send
/// large ones.
const HEAVY: usize = 16 * 1024 * 1024;

/// Tickets that were written or looked at lately.
#[derive(Debug, Default)]
pub(in crate::flow) struct Cases {
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    /// Each with its weight.
    tickets: Quick<Uuid, (Arc<Stored>, usize)>,
    /// Of all of them.
    weight: usize,
    ids: Quick<TicketId, Uuid>,
}

impl Generation {
    fn remove(&mut self, uuid: &Uuid) -> Option<Arc<Stored>> {
        let (stored, weight) = self.tickets.remove(uuid)?;
        self.weight -= weight;
        Some(stored)
    }
}

impl Cases {
    /// Takes the tickets that a scope names out of here, and their names out of the scope. Nobody else holds them then, but a batch
    /// that is just being written. All of them come back with [`Cases::keep`], or everything is forgotten.
    pub(super) fn take(&mut self, scope: &mut Scope) -> Vec<Arc<Stored>> {
        let mut known: QuickSet<Uuid> = QuickSet::default();
        let mut taken = Vec::with_capacity(scope.desk_ids.len() + scope.tickets.len());
        let mut found = |cases: &mut Self, uuid: &Uuid| {
            if known.contains(uuid) {
                return true;
            }
            let Some(stored) = cases.remove(uuid) else { return false };
            known.insert(uuid.clone());
            taken.push(stored);
            true
        };
        scope.desk_ids.retain(|id| self.named(id).is_none_or(|uuid| !found(self, &uuid)));
        scope.tickets.retain(|uuid| !found(self, uuid));
        taken
    }

    fn named(&self, id: &TicketId) -> Option<Uuid> {
        self.young.ids.get(id).or_else(|| self.old.ids.get(id)).cloned()
    }

    fn remove(&mut self, uuid: &Uuid) -> Option<Arc<Stored>> {
        self.young.remove(uuid).or_else(|| self.old.remove(uuid))
    }

    /// Keeps what has been written, or is about to be, or was taken and has not changed.
    pub(super) fn keep(&mut self, all: impl IntoIterator<Item = Arc<Stored>>) {
        for stored in all {
            let ticket = &stored.ticket;
            let (young, old) = (self.young.tickets.len(), self.old.tickets.len());
            let weight = stored.weight();
            if (young >= GENERATION && young + old >= MANY) || self.young.weight + weight > HEAVY {
                self.old = std::mem::take(&mut self.young);
            }
            // Of two states of one ticket, only the newer is of any use, and its place is among the young.
            self.remove(&ticket.uuid);
            self.young.weight += weight;
            self.young.ids.extend(ticket.id.iter().map(|id| (id.clone(), ticket.uuid.clone())));
            self.young.tickets.insert(ticket.uuid.clone(), (stored, weight));
        }
    }

    /// Forgets all: somebody else has written, or nobody knows what was.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Ticket;

    fn stored(number: usize, version: i64) -> Arc<Stored> {
        let mut ticket = Ticket::new(Uuid::new(format!("ticket-{number}")));
        ticket.id = Some(TicketId::new(number.to_string()));
        ticket.version = version;
        Arc::new(Stored::new(ticket, Vec::new()))
    }

    fn scope(ids: &[usize], uuids: &[usize]) -> Scope {
        Scope {
            desk_ids: ids.iter().map(|id| TicketId::new(id.to_string())).collect(),
            tickets: uuids.iter().map(|id| Uuid::new(format!("ticket-{id}"))).collect(),
            ..Scope::default()
        }
    }

    #[test]
    fn a_ticket_is_taken_once_however_often_it_is_named_and_what_is_not_known_stays_to_be_read() {
        let mut cases = Cases::default();
        cases.keep([stored(1, 1), stored(2, 1)]);
        cases.keep([stored(1, 2)]);
        let mut first = scope(&[1, 1, 3], &[1, 2, 4, 2]);
        let taken: Vec<_> = cases.take(&mut first).iter().map(|stored| stored.ticket.version).collect();
        assert_eq!(taken, [2, 1], "of two states of one, the newer");
        assert_eq!(first.desk_ids, scope(&[3], &[]).desk_ids);
        assert_eq!(first.tickets, scope(&[], &[4]).tickets);
        // Until it comes back, it has to be read.
        let mut second = scope(&[1], &[2]);
        assert!(cases.take(&mut second).is_empty());
        assert_eq!((second.desk_ids.len(), second.tickets.len()), (1, 1));
    }

    #[test]
    fn what_nobody_else_holds_is_given_away_whole() {
        let mut cases = Cases::default();
        cases.keep([stored(1, 1)]);
        let taken = cases.take(&mut scope(&[1], &[]));
        assert!(taken.iter().all(|stored| Arc::strong_count(stored) == 1));
    }

    #[test]
    fn of_large_tickets_fewer_are_kept() {
        let large = |number: usize| {
            let mut ticket = Ticket::new(Uuid::new(format!("ticket-{number}")));
            ticket.properties.insert(crate::domain::Property::Subject, "x".repeat(HEAVY / 4).as_str().into());
            Arc::new(Stored::new(ticket, Vec::new()))
        };
        let mut cases = Cases::default();
        for number in 0..40 {
            cases.keep([large(number % 20)]);
            let held = cases.young.weight + cases.old.weight;
            assert!(held <= 2 * HEAVY && cases.young.weight <= HEAVY, "{held}");
        }
        for _ in 0..40 {
            cases.keep([large(1)]);
        }
        assert!(!cases.old.tickets.is_empty(), "one that comes again and again drives nobody out");
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut cases = Cases::default();
        for number in 0..3 * MANY {
            cases.keep([stored(number, 1)]);
            // Looked at, and left alone.
            let taken = cases.take(&mut scope(&[number], &[]));
            cases.keep(taken);
            let tickets = cases.young.tickets.len() + cases.old.tickets.len();
            let names = cases.young.ids.len() + cases.old.ids.len();
            assert!(tickets <= MANY + GENERATION && names <= MANY + GENERATION, "{tickets}, {names}");
        }
        assert_eq!(cases.take(&mut scope(&[3 * MANY - 1, 0], &[])).len(), 1);
    }
}
