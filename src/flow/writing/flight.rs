//! A batch on its way into the store, and what the next one may take for granted meanwhile.

use std::{collections::HashSet, fmt, pin::Pin, sync::Arc};

use super::{finish::Finished, inlet::Unit};
use crate::{
    domain::Uuid,
    engine::{Snapshot, Stored},
    flow::change::Answer,
    ports::{NewComment, Scope, Store, StoreError, Writes},
};

/// The store's word on a batch.
pub(super) type Applied = Result<(), StoreError>;

/// What was decided about a batch.
pub(super) struct Decided {
    pub(super) answers: Vec<Answer>,
    pub(super) finished: Finished,
    /// Agreements that were found ended.
    pub(super) gone: Vec<Uuid>,
}

/// A batch on its way.
pub(super) struct Flight {
    pub(super) units: Vec<Unit>,
    pub(super) decided: Decided,
    pub(super) applying: Pin<Box<dyn Future<Output = Applied> + Send>>,
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("units", &self.units.len()).finish_non_exhaustive()
    }
}

impl Flight {
    /// Sets a batch on its way.
    pub(super) fn begin(units: Vec<Unit>, decided: Decided, store: Arc<dyn Store>) -> Self {
        let writes = decided.finished.writes.clone();
        let applying = Box::pin(async move { store.apply(writes).await });
        Self { units, decided, applying }
    }
}

/// Whether what is written touches nothing but tickets, comments and messages: what else there is, the next batch may read.
pub(super) fn is_plain(writes: &Writes) -> bool {
    writes.agreements.is_empty()
        && writes.access_keys.is_empty()
        && writes.partner_fields.is_empty()
        && writes.learnt.is_empty()
        && writes.users.is_empty()
        && writes.withdraw.is_empty()
        // These marks are neither with their tickets any more nor in the store yet.
        && writes.older.is_empty()
        && writes.waiting.is_empty()
        && writes.let_go.is_empty()
        && writes.catalogue.is_none()
        && writes.decline_all_invites.is_none()
        && !writes.refit
        && writes.refitted.is_empty()
}

/// Whether a batch can be decided on what is being written: all that it wants to know is in the tickets that are known, in
/// what is being written, or in rows that nobody is changing.
pub(super) fn can_follow(scope: &Scope, known: &[Arc<Stored>]) -> bool {
    let told_all = known.iter().all(|stored| {
        let ticket = &stored.ticket;
        stored.shares.iter().all(|share| {
            share.state == crate::domain::ShareState::Ended || share.comments_sent >= ticket.comments
        })
    });
    scope.all_comments.is_empty() && !scope.unanswered && told_all
}

/// Lays what is being written over what was read. The tickets are there already.
pub(super) fn overlay(snapshot: &mut Snapshot, scope: &Scope, before: &Writes) {
    let applied: HashSet<&str> = before.seen.iter().map(String::as_str).collect();
    let again = scope.events.iter().filter(|key| applied.contains(key.as_str()));
    snapshot.seen.extend(again.cloned());
    let uuids: HashSet<&Uuid> = scope.comments.iter().map(|(_, uuid, _)| uuid).collect();
    let ids: HashSet<&str> = scope.comments.iter().filter_map(|(.., id)| id.as_deref()).collect();
    for NewComment { ticket, stored, .. } in &before.comments {
        let comment = &stored.comment;
        let wanted =
            uuids.contains(&comment.uuid) || comment.id.as_deref().is_some_and(|id| ids.contains(id));
        if let Some(case) = snapshot.cases.get_mut(ticket).filter(|_| wanted) {
            case.know_comment(stored);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_on_their_way_from_a_ticket_to_the_store_are_waited_for() {
        assert!(is_plain(&Writes::default()));
        let older = vec![(Uuid::new("t"), "mark".to_owned())];
        assert!(!is_plain(&Writes { older, ..Writes::default() }));
    }
}
