//! A batch that has been folded, as the store takes it: every new row at its place, behind the one before it of its ticket.

use std::{collections::HashMap, sync::Arc};

use super::writes::{Batch, Written};
use crate::{
    domain::{Kind, MessageType, Notice, Uuid},
    engine::{Imprint, Stored},
    ports::{Changed, NewComment, Writes},
    telemetry::metric,
};

impl Batch<'_> {
    /// How many places in the store's order it needs.
    pub(super) fn new_rows(&self) -> usize {
        let cases = self.touched.iter().filter_map(|uuid| self.snapshot.cases.get(uuid));
        self.writes.messages.len() + cases.map(|case| case.comments.added.len()).sum::<usize>()
    }

    /// The batch as the store takes it, its new rows at these places.
    pub(super) fn finish(mut self, places: Vec<i64>) -> Finished {
        let mut places = places.into_iter();
        for message in &mut self.writes.messages {
            message.seq = places.next().unwrap_or_default();
            if let Some(case) = self.snapshot.cases.get_mut(&message.id.owner) {
                message.before = chain(&mut case.ticket.last_message, message.seq);
            }
        }
        let mut unchanged = Vec::new();
        let mut touched: Vec<Uuid> = self.touched.into_iter().collect();
        touched.sort_unstable();
        for uuid in touched {
            let Some(case) = self.snapshot.cases.remove(&uuid) else { continue };
            let (mut settled, imprint, comments) = case.settled();
            let same = |imprint: &&Imprint| imprint.is_of(&settled) && !comments.have_changed();
            if let Some(imprint) = imprint.as_ref().filter(same) {
                self.writes.relied_on.push((uuid, imprint.version));
                unchanged.push(Arc::new(settled));
                continue;
            }
            for stored in comments.added {
                let place = places.next().unwrap_or_default();
                let before = chain(&mut settled.ticket.last_comment, place);
                self.writes.comments.push(NewComment { ticket: uuid.clone(), place, before, stored });
            }
            self.writes.older.extend(comments.older.into_iter().map(|mark| (uuid.clone(), mark)));
            let learnt = comments.learnt.into_iter();
            self.writes.learnt.extend(learnt.map(|(comment, id)| (uuid.clone(), comment, id)));
            self.writes.tickets.push(Changed::of(imprint.as_ref(), settled));
        }
        // What was looked at and left alone was judged by what is known of it.
        for case in self.snapshot.cases.into_values() {
            let (stored, Some(imprint), comments) = case.settled() else { continue };
            self.writes.relied_on.push((stored.ticket.uuid.clone(), imprint.version));
            if imprint.is_of(&stored) && !comments.have_changed() {
                unchanged.push(Arc::new(stored));
            }
        }
        self.writes.agreements = self.agreements.into_values().collect();
        Finished {
            writes: Arc::new(self.writes),
            unchanged,
            agreements_changed: self.agreements_changed,
            written: self.written,
            mails: self.mails,
        }
    }
}

/// Puts a row behind the last one of its ticket; returns the place of that, if there was one.
fn chain(last: &mut i64, place: i64) -> Option<i64> {
    let before = std::mem::replace(last, place);
    (before != 0).then_some(before)
}

/// A batch that is ready to be written.
pub(super) struct Finished {
    pub(super) writes: Arc<Writes>,
    /// Tickets that are as the store has them.
    pub(super) unchanged: Vec<Arc<Stored>>,
    pub(super) agreements_changed: bool,
    written: Vec<Written>,
    /// What is told by e-mail too.
    pub(super) mails: Vec<Notice>,
}

impl Finished {
    /// Counts what has been written, and says so.
    pub(super) fn count(&self) {
        for message in &self.writes.messages {
            tracing::debug!(
                ticket.uuid = %message.id.owner, agreement.uuid = message.agreement.as_ref().map(Uuid::as_str),
                message.id = %message.id, kind = message.kind.as_str(), "message written"
            );
        }
        let mut partners: HashMap<(MessageType, Kind), u64> = HashMap::new();
        for written in &self.written {
            match written {
                Written::Partner(message, kind) => *partners.entry((*message, *kind)).or_default() += 1,
                Written::Command(command, not_synced) => metric::command(*command, not_synced),
            }
        }
        for ((message, kind), count) in partners {
            metric::partner_messages(kind, message, count);
        }
        for agreement in &self.writes.agreements {
            tracing::info!(
                agreement.uuid = %agreement.uuid, agreement.name = agreement.name, status = agreement.status.as_str(),
                reason = agreement.reason, "agreement changed"
            );
        }
    }
}
