//! Tickets as the last batches have left them, so that a busy ticket is not read again for every batch.
//!
//! What is kept here may be behind the store when another daemon works on it too: every batch writes on the version that it
//! knew, or asks for it where it writes nothing, and when that has passed all is forgotten and read anew.

use std::sync::Arc;

use crate::{
    domain::{Quick, QuickSet, TicketId, Uuid},
    engine::Stored,
    ports::{Changed, Scope},
};

/// How many tickets stay at least, when more than that are busy at once.
const GENERATION: usize = 3000;
/// When there are so many, those go that were written longest ago. Before that another [`GENERATION`] may come.
const MANY: usize = 6000;

/// Tickets that were written lately.
#[derive(Debug, Default)]
pub(super) struct Cases {
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    tickets: Quick<Uuid, Arc<Stored>>,
    ids: Quick<TicketId, Uuid>,
}

impl Cases {
    /// Takes out of a scope what need not be read, and puts it there as known.
    pub(super) fn know(&self, scope: &mut Scope) {
        let mut known: QuickSet<Uuid> = QuickSet::default();
        let mut found = |stored: Option<&Arc<Stored>>, scope: &mut Vec<Arc<Stored>>| {
            let Some(stored) = stored else { return false };
            if known.insert(stored.ticket.uuid.clone()) {
                scope.push(stored.clone());
            }
            true
        };
        let mut taken = Vec::new();
        scope.desk_ids.retain(|id| !found(self.by_id(id), &mut taken));
        scope.tickets.retain(|uuid| !found(self.get(uuid), &mut taken));
        scope.known = taken;
    }

    fn get(&self, uuid: &Uuid) -> Option<&Arc<Stored>> {
        self.young.tickets.get(uuid).or_else(|| self.old.tickets.get(uuid))
    }

    fn by_id(&self, id: &TicketId) -> Option<&Arc<Stored>> {
        self.get(self.young.ids.get(id).or_else(|| self.old.ids.get(id))?)
    }

    /// Keeps what has been written, or is about to be.
    pub(super) fn keep(&mut self, written: &[Changed]) {
        for Changed { stored, .. } in written {
            let ticket = &stored.ticket;
            let (young, old) = (self.young.tickets.len(), self.old.tickets.len());
            if young >= GENERATION && young + old >= MANY {
                self.old = std::mem::take(&mut self.young);
            }
            // Of two states of one ticket, only the newer is of any use.
            self.old.tickets.remove(&ticket.uuid);
            self.young.ids.extend(ticket.id.iter().map(|id| (id.clone(), ticket.uuid.clone())));
            self.young.tickets.insert(ticket.uuid.clone(), stored.clone());
        }
    }

    /// Forgets all: somebody else has written, or nobody knows what was.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}
