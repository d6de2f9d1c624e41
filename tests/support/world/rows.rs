//! The rows of the store in memory: what a batch reads of them, and what it writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crossdesk::{
    domain::{
        Agreement, Catalogue, Channel, Issue, Keys, Kind, Message, MessageId, MessageState, Share,
        ShareState, StoredComment, TicketId, Timestamp, User, Uuid,
    },
    engine::{Case, Snapshot, Stored, agreement::NewKey},
    ports::{Changed, NewComment, Scope, StoreError, TicketRef, Withdraw, Writes},
};

/// The rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) agreements: BTreeMap<Uuid, Agreement>,
    pub(super) keys: BTreeMap<Uuid, Keys>,
    pub(super) tickets: BTreeMap<Uuid, Arc<Stored>>,
    pub(super) ids: BTreeMap<TicketId, Uuid>,
    pub(super) comments: BTreeMap<Uuid, Vec<StoredComment>>,
    pub(super) users: BTreeMap<(Uuid, Uuid), User>,
    pub(super) issues: BTreeMap<(Uuid, Uuid, String), Issue>,
    pub(super) messages: BTreeMap<i64, Message>,
    pub(super) places: BTreeMap<MessageId, i64>,
    pub(super) next: i64,
    pub(super) seen: BTreeSet<String>,
    pub(super) waiting: Vec<(TicketId, String, Timestamp)>,
    pub(super) refit: Option<Uuid>,
    pub(super) catalogue: Option<Catalogue>,
}

pub(super) fn is_open(message: &Message) -> bool {
    matches!(message.state, MessageState::Pending | MessageState::Published)
}

pub(super) fn to_partner(message: &Message) -> bool {
    message.kind.channel() == Channel::Partner
}

impl Rows {
    fn ticket_of<'a>(&'a self, ticket: &'a TicketRef) -> Option<&'a Uuid> {
        match ticket {
            TicketRef::Desk(id) => self.ids.get(id),
            TicketRef::Network(uuid) => Some(uuid),
        }
    }

    pub(super) fn snapshot(&self, scope: &Scope, known: Vec<Arc<Stored>>) -> Snapshot {
        let mut snapshot = Snapshot { catalogue: self.catalogue.clone(), ..Snapshot::default() };
        let by_id = scope.desk_ids.iter().filter_map(|id| self.ids.get(id));
        let wanted: BTreeSet<&Uuid> = by_id.chain(&scope.tickets).collect();
        let read = wanted.into_iter().filter_map(|uuid| self.tickets.get(uuid)).cloned();
        for stored in known.into_iter().chain(read) {
            let uuid = stored.ticket.uuid.clone();
            snapshot.desk_ids.extend(stored.ticket.id.iter().map(|id| (id.clone(), uuid.clone())));
            snapshot.cases.insert(uuid, Case::loaded(stored));
        }
        self.comments(scope, &mut snapshot);
        let of_shares = snapshot.cases.values().flat_map(|case| &case.shares);
        let mut names: BTreeSet<String> = of_shares.map(|share| share.agreement.to_string()).collect();
        names.extend(scope.agreements.iter().cloned());
        for agreement in self.agreements.values() {
            if names.contains(agreement.uuid.as_str()) || names.contains(&agreement.name) {
                snapshot.agreements.insert(agreement.uuid.clone(), agreement.clone());
            }
        }
        for message in self.messages.values().filter(|message| scope.unanswered && is_open(message)) {
            let Some(agreement) = message.agreement.as_ref().filter(|_| !message.kind.is_about_agreement())
            else {
                continue;
            };
            let of_bridge = self.agreements.get(agreement).is_some_and(|a| a.kind == Kind::Queue);
            if let Some(case) = snapshot.cases.get_mut(&message.id.owner)
                && to_partner(message)
                && !of_bridge
            {
                case.note_unanswered(message);
            }
        }
        for (key, user) in &self.users {
            let by_id = user.id.as_ref().is_some_and(|id| scope.user_ids.contains(id));
            if scope.users.contains(&user.uuid) || by_id {
                snapshot.users.insert(key.clone(), user.clone());
            }
        }
        snapshot.seen = scope.events.iter().filter(|key| self.seen.contains(*key)).cloned().collect();
        snapshot
    }

    fn comments(&self, scope: &Scope, snapshot: &mut Snapshot) {
        for (ticket, uuid, id) in &scope.comments {
            let Some(ticket) = self.ticket_of(ticket) else { continue };
            let Some(case) = snapshot.cases.get_mut(ticket) else { continue };
            for stored in self.comments.get(ticket).into_iter().flatten() {
                let named = stored.from.is_some() && id.is_some() && stored.comment.id == *id;
                if stored.comment.uuid == *uuid || named {
                    if stored.from.as_ref().is_some_and(|from| !from.as_str().is_empty()) {
                        case.comments.foreign.insert(stored.comment.uuid.clone());
                    }
                    if let Some(id) = &stored.comment.id {
                        case.comments.ids.insert(id.clone(), stored.comment.uuid.clone());
                    }
                    case.comments.known.insert(stored.comment.uuid.clone(), stored.comment.id.clone());
                }
            }
        }
        let all: BTreeSet<&Uuid> = scope.all_comments.iter().filter_map(|t| self.ticket_of(t)).collect();
        for (uuid, case) in &mut snapshot.cases {
            let lags = |share: &Share| {
                share.state != ShareState::Ended && share.comments_sent < case.ticket.comments
            };
            if all.contains(uuid) || case.shares.iter().any(lags) {
                case.comments.unsent = self.comments.get(uuid).cloned().unwrap_or_default();
            }
        }
    }

    pub(super) fn apply(&mut self, writes: &Writes) -> Result<(), StoreError> {
        for agreement in &writes.agreements {
            if self.agreements.get(&agreement.uuid).is_some_and(|known| known.version != agreement.version) {
                return Err(StoreError::Conflict);
            }
            let mut row = agreement.clone();
            row.version += 1;
            self.agreements.insert(row.uuid.clone(), row);
        }
        for (uuid, key) in &writes.access_keys {
            match key {
                NewKey::Set(key) => {
                    self.keys.insert(uuid.clone(), Keys { current: key.clone(), next: None });
                }
                other => unreachable!("no story changes keys: {other:?}"),
            }
        }
        for (uuid, version) in &writes.relied_on {
            if self.tickets.get(uuid).is_none_or(|stored| stored.ticket.version != *version) {
                return Err(StoreError::Conflict);
            }
        }
        for Changed { stored, .. } in &writes.tickets {
            let ticket = &stored.ticket;
            let known = self.tickets.get(&ticket.uuid).map(|known| known.ticket.version);
            let other = ticket.id.as_ref().and_then(|id| self.ids.get(id)).is_some_and(|u| *u != ticket.uuid);
            if known.is_some_and(|version| version + 1 != ticket.version) || other {
                return Err(StoreError::Conflict);
            }
            self.ids.extend(ticket.id.iter().map(|id| (id.clone(), ticket.uuid.clone())));
            self.tickets.insert(ticket.uuid.clone(), stored.clone());
        }
        for NewComment { ticket, stored, .. } in &writes.comments {
            let known = self.comments.entry(ticket.clone()).or_default();
            if known.iter().any(|known| known.comment.uuid == stored.comment.uuid) {
                return Err(StoreError::Conflict);
            }
            known.push(stored.clone());
        }
        for (ticket, uuid, id) in &writes.learnt {
            let comments = self.comments.entry(ticket.clone()).or_default();
            for stored in comments.iter_mut().filter(|stored| stored.comment.uuid == *uuid) {
                Arc::make_mut(&mut stored.comment).id = Some(id.clone());
            }
        }
        for user in &writes.users {
            let key = (user.agreement.clone(), user.uuid.clone());
            let known = self.users.get(&key).and_then(|known| known.id.clone());
            self.users.insert(key, User { id: user.id.clone().or(known), ..user.clone() });
        }
        for issue in &writes.issues {
            let key = (issue.ticket.clone(), issue.agreement.clone(), issue.subject.clone());
            match self.issues.get_mut(&key) {
                Some(known) if issue.resolved_at.is_some() => known.resolved_at = issue.resolved_at,
                None if issue.resolved_at.is_some() => {}
                _ => drop(self.issues.insert(key, issue.clone())),
            }
        }
        self.seen.extend(writes.seen.iter().cloned());
        self.waiting.extend(writes.waiting.iter().map(|(t, raw)| (t.clone(), raw.clone(), writes.now)));
        self.waiting.retain(|(ticket, raw, _)| !writes.let_go.contains(&(ticket.clone(), raw.clone())));
        if writes.refit {
            self.refit = Some(Uuid::new(""));
        }
        for (from, to) in &writes.refitted {
            if self.refit.as_ref() == Some(from) {
                self.refit.clone_from(to);
            }
        }
        if writes.catalogue.is_some() {
            self.catalogue.clone_from(&writes.catalogue);
        }
        self.notes(writes);
        self.insert(&writes.messages)
    }

    /// How far older messages have come.
    fn notes(&mut self, writes: &Writes) {
        for seq in &writes.published {
            if let Some(row) = self.messages.get_mut(seq).filter(|row| row.state == MessageState::Pending) {
                row.state = MessageState::Published;
            }
        }
        for mark in &writes.marks {
            let row = self.places.get(&mark.id).and_then(|seq| self.messages.get_mut(seq));
            let ended = [MessageState::Delivered, MessageState::Withdrawn];
            let fits = |row: &&mut Message| {
                !ended.contains(&row.state) && (!mark.command || row.kind.channel() == Channel::Command)
            };
            let Some(row) = row.filter(fits) else { continue };
            row.error = if mark.state == MessageState::Delivered {
                mark.error.clone()
            } else {
                mark.error.clone().or(row.error.take())
            };
            // A partner's answer is no word of the broker's: without that, the message is published again.
            let unheard = row.state == MessageState::Pending && mark.state == MessageState::Published;
            row.state = if unheard { MessageState::Pending } else { mark.state };
            (row.attempts, row.due_at) = (mark.attempts, mark.due_at);
        }
        for Withdraw { ticket, agreement } in &writes.withdraw {
            for row in self.messages.values_mut().filter(|row| is_open(row) && to_partner(row)) {
                let whose = ticket.as_ref().is_none_or(|t| row.id.owner == *t && row.attempts == 0);
                if whose && !row.kind.is_about_agreement() && row.agreement.as_ref() == Some(agreement) {
                    row.state = MessageState::Withdrawn;
                }
            }
        }
    }

    fn insert(&mut self, messages: &[Message]) -> Result<(), StoreError> {
        for message in messages {
            let again = self.places.insert(message.id.clone(), message.seq).is_some();
            if again || self.messages.insert(message.seq, message.clone()).is_some() {
                return Err(StoreError::Conflict);
            }
        }
        Ok(())
    }
}
