//! What a worker has in hand: messages by ticket, in order, and how far what was taken from the queue is done with.
//!
//! Rows are read while calls are being made, so what they say may be a little behind: what is on its way, and what was done since
//! the reading began, does not come into the hand again.

use std::collections::{BTreeSet, VecDeque};

use super::reading::Look;
use crate::domain::{Message, MessageId, Quick, QuickSet, Uuid};

/// What is in hand of one ticket.
#[derive(Debug)]
struct OfTicket {
    /// What waits, in order.
    waiting: VecDeque<Message>,
    /// The number of the one that is on its way.
    called: Option<i64>,
    /// Nothing of it is sent for now.
    held: bool,
    look: Look,
}

/// What a worker has in hand.
#[derive(Debug, Default)]
pub(super) struct Hand {
    tickets: Quick<Uuid, OfTicket>,
    /// Tickets of which something can be sent, whoever waits longest first.
    ready: VecDeque<Uuid>,
    /// The same of which something has failed before.
    again: VecDeque<Uuid>,
    /// How many messages wait.
    rows: usize,
    /// What was taken from the queue and is not acknowledged, in order.
    taken: VecDeque<(u64, Option<MessageId>)>,
    /// Up to where it can be acknowledged, and how many that are.
    through: Option<(u64, usize)>,
    /// What was done since the reading began that is under way.
    done: Option<QuickSet<MessageId>>,
}

impl Hand {
    /// Nothing waits, and nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// How many messages wait.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Of how many tickets something can be sent.
    pub(super) fn ready(&self) -> usize {
        self.ready.len() + self.again.len()
    }

    /// A reading of rows begins.
    pub(super) fn reading(&mut self) {
        self.done = Some(QuickSet::default());
    }

    /// Takes up what was taken from the queue and all that the rows say waits of these tickets: they say what comes first, whatever
    /// order the queue gives, be it that it hands messages over again or that one was refused and published later.
    pub(super) fn put(
        &mut self,
        taken: Vec<(u64, Option<MessageId>)>,
        owners: BTreeSet<Uuid>,
        rows: Vec<Message>,
        look: Look,
    ) {
        let done = self.done.take().unwrap_or_default();
        self.taken.extend(taken);
        for owner in &owners {
            if let Some(ticket) = self.tickets.get_mut(owner) {
                self.rows -= ticket.waiting.len();
                ticket.waiting.clear();
                ticket.look = look;
            }
        }
        let mut again = Vec::new();
        for message in rows.into_iter().filter(|message| !message.state.is_final()) {
            if done.contains(&message.id) {
                continue;
            }
            let new = || OfTicket { waiting: VecDeque::new(), called: None, held: false, look };
            let ticket = self.tickets.entry(message.id.owner.clone()).or_insert_with(new);
            ticket.held = false;
            if ticket.called == Some(message.id.n) {
                continue;
            }
            if ticket.waiting.is_empty() && ticket.called.is_none() {
                // What has failed before comes after what has not: it is the others that tell whether the partner is there.
                if message.attempts == 0 {
                    self.ready.push_back(message.id.owner.clone());
                } else {
                    again.push((message.due_at, message.id.owner.clone()));
                }
            }
            ticket.waiting.push_back(message);
            self.rows += 1;
        }
        // Whoever was tried last comes last: else the same few that fail would be tried each time, and nobody behind them.
        again.sort_by_key(|(due_at, _)| *due_at);
        self.again.extend(again.into_iter().map(|(_, owner)| owner));
        for owner in owners {
            self.let_go(&owner);
        }
    }

    /// What is to be sent next, and when its row was read; it is on its way then.
    pub(super) fn next(&mut self) -> Option<(Message, Look)> {
        loop {
            let owner = self.ready.pop_front().or_else(|| self.again.pop_front())?;
            // It may stand there for what has gone since.
            let Some(ticket) =
                self.tickets.get_mut(&owner).filter(|ticket| ticket.called.is_none() && !ticket.held)
            else {
                continue;
            };
            let Some(message) = ticket.waiting.pop_front() else { continue };
            ticket.called = Some(message.id.n);
            self.rows -= 1;
            return Some((message, ticket.look));
        }
    }

    /// One that was on its way is done.
    pub(super) fn done(&mut self, id: &MessageId) {
        if let Some(done) = &mut self.done {
            done.insert(id.clone());
        }
        if let Some(ticket) = self.tickets.get_mut(&id.owner) {
            ticket.called = None;
            if !ticket.waiting.is_empty() {
                self.ready.push_back(id.owner.clone());
            }
        }
        self.let_go(&id.owner);
    }

    /// One that was on its way waits again, before whatever follows it.
    pub(super) fn back(&mut self, message: Message) {
        if let Some(ticket) = self.tickets.get_mut(&message.id.owner) {
            ticket.called = None;
            self.again.push_back(message.id.owner.clone());
            ticket.waiting.push_front(message);
            self.rows += 1;
        }
    }

    /// Nothing of a ticket is sent for now. What its rows say is to be tried later is let go of; of the rest, which is given, that has to be
    /// written first: rows are all that is left of what is acknowledged.
    pub(super) fn hold(&mut self, owner: &Uuid) -> Vec<Message> {
        let Some(ticket) = self.tickets.get_mut(owner) else { return Vec::new() };
        ticket.held = true;
        let before = ticket.waiting.len();
        ticket.waiting.retain(|message| message.due_at.is_none());
        self.rows -= before - ticket.waiting.len();
        let rest = ticket.waiting.iter().cloned().collect();
        self.let_go(owner);
        rest
    }

    /// One that was on its way is to be tried later, as its row says.
    pub(super) fn failed(&mut self, id: &MessageId) {
        if let Some(ticket) = self.tickets.get_mut(&id.owner) {
            ticket.called = None;
        }
    }

    /// Of these messages of a ticket that is not sent it is written that they are to be tried later.
    pub(super) fn aside(&mut self, owner: &Uuid, numbers: &[i64]) {
        if let Some(ticket) = self.tickets.get_mut(owner) {
            let before = ticket.waiting.len();
            ticket.waiting.retain(|message| !numbers.contains(&message.id.n));
            self.rows -= before - ticket.waiting.len();
        }
        self.let_go(owner);
    }

    /// Nothing that waits is to be sent.
    pub(super) fn withdraw_all(&mut self) {
        self.tickets.retain(|_, ticket| {
            ticket.waiting.clear();
            ticket.called.is_some()
        });
        self.ready.clear();
        self.again.clear();
        self.rows = 0;
    }

    /// Up to where the queue can be acknowledged, once that are so many; it counts as acknowledged then.
    pub(super) fn acknowledged(&mut self, at_least: usize) -> Option<u64> {
        while let Some((tag, id)) = self.taken.front()
            && !id.as_ref().is_some_and(|id| self.has(id))
        {
            let count = self.through.map_or(0, |(_, count)| count);
            self.through = Some((*tag, count + 1));
            self.taken.pop_front();
        }
        self.through.take_if(|(_, count)| *count >= at_least).map(|(tag, _)| tag)
    }

    /// What waits, in no order of tickets.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Message> {
        self.tickets.values().flat_map(|ticket| &ticket.waiting)
    }

    /// The last that was taken, and the tickets of which something waits.
    pub(super) fn into_rest(self) -> (Option<u64>, BTreeSet<Uuid>) {
        let last = self.taken.back().map(|(tag, _)| *tag);
        (last.or(self.through.map(|(tag, _)| tag)), self.tickets.into_keys().collect())
    }

    fn has(&self, id: &MessageId) -> bool {
        self.tickets.get(&id.owner).is_some_and(|ticket| {
            ticket.called == Some(id.n) || ticket.waiting.iter().any(|message| message.id.n == id.n)
        })
    }

    fn let_go(&mut self, owner: &Uuid) {
        let over = |ticket: &OfTicket| ticket.waiting.is_empty() && ticket.called.is_none();
        if self.tickets.get(owner).is_some_and(over) {
            self.tickets.remove(owner);
        }
    }
}

#[cfg(test)]
mod tests;
