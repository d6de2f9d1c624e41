//! A store in memory that does what the databases do: for histories by the thousand. A test holds the two against each other.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use crossdesk::{
    domain::{
        Agreement, Catalogue, Channel, Keys, Message, MessageState, MessageType, StoredComment, TicketId,
        Timestamp, Uuid,
    },
    engine::{Snapshot, Stored},
    ports::{Counts, Happened, MessageFilter, Scope, Store, StoreError, TicketView, Writes},
};

use super::rows::{Rows, is_open, to_partner};

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Rows>);

fn is_to(row: &Message, agreement: &Uuid) -> bool {
    is_open(row) && to_partner(row) && row.agreement.as_ref() == Some(agreement)
}

#[async_trait]
impl Store for Memory {
    async fn prepare(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn snapshot_knowing(&self, scope: &Scope, known: Vec<Arc<Stored>>) -> Result<Snapshot, StoreError> {
        Ok(self.0.lock().unwrap().snapshot(scope, known))
    }

    async fn places(&self, count: usize) -> Result<Vec<i64>, StoreError> {
        let mut rows = self.0.lock().unwrap();
        let first = rows.next + 1;
        rows.next += i64::try_from(count).unwrap();
        Ok((first..=rows.next).collect())
    }

    async fn apply(&self, writes: Arc<Writes>) -> Result<(), StoreError> {
        let mut rows = self.0.lock().unwrap();
        // A transaction: all of it or nothing.
        let mut next = rows.clone();
        next.apply(&writes)?;
        *rows = next;
        Ok(())
    }

    async fn messages(&self, filter: MessageFilter, limit: i64) -> Result<Vec<Message>, StoreError> {
        use MessageFilter::{
            Commands, Creates, Ids, Of, Open, Parked, Pending, PendingTo, Retrying, Undelivered, Untaken,
            UntakenOf, Waiting,
        };
        let untaken = |row: &Message| {
            let asked = is_open(row) && row.kind.channel() == Channel::Command;
            asked && (row.attempts == 0 || row.due_at.is_some())
        };
        let wanted = |row: &Message| match &filter {
            Pending(after, without) => {
                let left_out =
                    to_partner(row) && row.agreement.as_ref().is_some_and(|to| without.contains(to));
                row.state == MessageState::Pending && row.seq > *after && !left_out
            }
            PendingTo(to) => row.state == MessageState::Pending && is_to(row, to),
            Undelivered(after) => is_open(row) && to_partner(row) && row.seq > *after,
            Retrying(to) => is_to(row, to) && row.due_at.is_some(),
            Open(to) => is_to(row, to),
            Creates(to) => is_to(row, to) && row.kind == MessageType::TicketCreate,
            Commands(after) => row.seq > *after && is_open(row) && row.kind.channel() == Channel::Command,
            Parked(after, of) => {
                row.state == MessageState::Parked
                    && row.seq > *after
                    && (of.is_none() || row.agreement == *of)
            }
            Untaken => untaken(row),
            UntakenOf(owners) => untaken(row) && owners.contains(&row.id.owner),
            Of(owner) => row.id.owner == *owner,
            Waiting(to, owners) => is_to(row, to) && owners.contains(&row.id.owner),
            Ids(ids) => ids.contains(&row.id),
        };
        let rows = self.0.lock().unwrap();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(rows.messages.values().filter(|row| wanted(row)).take(limit).cloned().collect())
    }

    async fn due(&self, now: Timestamp, limit: i64) -> Result<Vec<Uuid>, StoreError> {
        let rows = self.0.lock().unwrap();
        let due = rows
            .tickets
            .values()
            .map(|stored| &stored.ticket)
            .filter(|ticket| ticket.due_at.is_some_and(|due| due <= now));
        let mut due: Vec<_> = due.map(|ticket| (ticket.due_at, ticket.uuid.clone())).collect();
        due.sort();
        Ok(due.into_iter().take(usize::try_from(limit).unwrap()).map(|(_, uuid)| uuid).collect())
    }

    async fn waiting(&self, ticket: &TicketId) -> Result<Vec<String>, StoreError> {
        let rows = self.0.lock().unwrap();
        let of = rows.waiting.iter().filter(|(waiting, ..)| waiting == ticket);
        Ok(of.map(|(_, raw, _)| raw.clone()).collect())
    }

    async fn waiting_since(
        &self,
        before: Timestamp,
        _limit: i64,
    ) -> Result<Vec<(TicketId, String)>, StoreError> {
        let rows = self.0.lock().unwrap();
        let old = rows.waiting.iter().filter(|(.., at)| *at < before);
        Ok(old.map(|(ticket, raw, _)| (ticket.clone(), raw.clone())).collect())
    }

    async fn access_keys(&self, agreement: &Uuid) -> Result<Option<Keys>, StoreError> {
        Ok(self.0.lock().unwrap().keys.get(agreement).cloned())
    }

    async fn partner_fields(&self, _agreement: &Uuid) -> Result<Option<Catalogue>, StoreError> {
        Ok(None)
    }

    async fn invites(&self, _before: Timestamp, _limit: i64) -> Result<Vec<Uuid>, StoreError> {
        Ok(Vec::new())
    }

    async fn agreements(&self) -> Result<Vec<Agreement>, StoreError> {
        Ok(self.0.lock().unwrap().agreements.values().cloned().collect())
    }

    async fn tickets(
        &self,
        _after: Option<&Uuid>,
        _agreement: Option<&Uuid>,
        _limit: i64,
    ) -> Result<Vec<TicketView>, StoreError> {
        Ok(Vec::new())
    }

    async fn ticket(&self, _id: &str) -> Result<Option<TicketView>, StoreError> {
        Ok(None)
    }

    async fn comments(&self, ticket: &Uuid) -> Result<Vec<StoredComment>, StoreError> {
        Ok(self.0.lock().unwrap().comments.get(ticket).cloned().unwrap_or_default())
    }

    async fn unanswered_invites(&self, _limit: i64) -> Result<i64, StoreError> {
        Ok(0)
    }

    async fn history(&self, _ticket: &Uuid, _limit: i64) -> Result<Vec<Happened>, StoreError> {
        Ok(Vec::new())
    }

    async fn refitting(&self) -> Result<Option<Uuid>, StoreError> {
        Ok(self.0.lock().unwrap().refit.clone())
    }

    async fn unfit(&self, _after: &Uuid, _limit: i64) -> Result<Vec<Uuid>, StoreError> {
        Ok(Vec::new())
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let rows = self.0.lock().unwrap();
        let count = |state| rows.messages.values().filter(|row| row.state == state).count();
        let count = |state| i64::try_from(count(state)).unwrap();
        Ok(Counts { pending: count(MessageState::Pending), parked: count(MessageState::Parked) })
    }

    async fn prune(&self, _now: Timestamp, _before: Timestamp, _limit: i64) -> Result<u64, StoreError> {
        Ok(0)
    }
}
