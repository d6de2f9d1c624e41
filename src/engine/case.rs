//! One ticket with all that is known of it: what every decision about it starts from and leaves behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Imprint, Stored};
use crate::domain::{
    Contents, Message, MessageId, Quick, Share, ShareRole, StoredComment, Ticket, Uuid, Word,
};

/// What the engine needs to know of a ticket's comments: not all of them, only those that a change or a share speaks of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Comments {
    /// Comments that are known, of those asked for.
    pub known: Quick<Uuid, Option<Word>>,
    /// Those of the known ones that partners wrote.
    pub foreign: BTreeSet<Uuid>,
    /// The desk's ids of known ones.
    pub ids: Quick<Word, Uuid>,
    /// Comments that some active share has not seen, in order.
    pub unsent: Vec<StoredComment>,
    /// New ones, to be kept.
    pub added: Vec<StoredComment>,
    /// Ids that the desk gave to known ones, to be kept.
    pub learnt: BTreeMap<Uuid, Word>,
    /// Marks of known ones that the ticket remembers no longer, to be kept.
    #[serde(default)]
    pub older: Vec<String>,
}

impl Comments {
    /// Whether anything of them must be written.
    pub fn have_changed(&self) -> bool {
        !self.added.is_empty() || !self.learnt.is_empty()
    }

    /// Knows a comment, and the desk's id of it where there is one.
    pub fn know(&mut self, uuid: &Uuid, id: Option<&Word>) {
        self.known.insert(uuid.clone(), id.cloned());
        if let Some(id) = id {
            self.ids.insert(id.clone(), uuid.clone());
        }
    }
}

/// One ticket with its shares, its comments as far as needed, and its messages that no partner has answered.
#[derive(Clone, Debug)]
pub struct Case {
    /// The ticket.
    pub ticket: Ticket,
    /// Its shares, ended ones too.
    pub shares: Vec<Share>,
    /// Its comments, as far as they matter.
    pub comments: Comments,
    /// What is on its way to partners: agreement and contents.
    pub unanswered: Vec<(Uuid, Contents)>,
    loaded: Option<Imprint>,
}

impl Case {
    /// The case of a ticket that was never shared.
    pub fn new(uuid: Uuid) -> Self {
        Self {
            ticket: Ticket::new(uuid),
            shares: Vec::new(),
            comments: Comments::default(),
            unanswered: Vec::new(),
            loaded: None,
        }
    }

    /// The case as the store has it. What nobody else holds is taken, not copied.
    pub fn loaded(stored: Arc<Stored>) -> Self {
        let imprint = Imprint::of(&stored);
        let Stored { ticket, shares, .. } = Arc::unwrap_or_clone(stored);
        Self { ticket, shares, comments: Comments::default(), unanswered: Vec::new(), loaded: Some(imprint) }
    }

    /// Whether the store has it.
    pub fn is_stored(&self) -> bool {
        self.loaded.is_some()
    }

    /// Whether anything of it must be written.
    pub fn has_changed(&self) -> bool {
        self.comments.have_changed()
            || self.loaded.as_ref().is_none_or(|loaded| !loaded.is_still(&self.ticket, &self.shares))
    }

    /// What is remembered of the case as the store had it.
    pub fn imprint(&self) -> Option<&Imprint> {
        self.loaded.as_ref()
    }

    /// The ticket as the store is to have it, what is remembered of how it had it, and its comments.
    pub fn settled(self) -> (Stored, Option<Imprint>, Comments) {
        (Stored::new(self.ticket, self.shares), self.loaded, self.comments)
    }

    /// What people call the ticket: its number on the desk, or its uuid while it has none.
    pub fn number(&self) -> String {
        self.ticket.id.as_ref().map_or_else(|| self.ticket.uuid.to_string(), ToString::to_string)
    }

    /// The share under an agreement.
    pub fn share(&self, agreement: &Uuid) -> Option<&Share> {
        self.shares.iter().find(|share| share.agreement == *agreement)
    }

    /// The share under an agreement, to change it.
    pub fn share_mut(&mut self, agreement: &Uuid) -> Option<&mut Share> {
        self.shares.iter_mut().find(|share| share.agreement == *agreement)
    }

    /// The outgoing share that is not ended; a ticket has one at most.
    pub fn outgoing(&self) -> Option<&Share> {
        use crate::domain::ShareState::Ended;
        self.shares.iter().find(|share| share.role == ShareRole::Outgoing && share.state != Ended)
    }

    /// Ends the shares whose agreement has ended: nothing crosses under it any more.
    pub(super) fn end_dead_shares(&mut self, ctx: &super::Context<'_>) {
        for share in &mut self.shares {
            if let Some(agreement) = ctx.agreements.get(&share.agreement) {
                share.end_with(agreement.status);
            }
        }
    }

    /// The next message id of this ticket.
    pub(super) fn next_message(&mut self) -> MessageId {
        self.ticket.messages += 1;
        MessageId { owner: self.ticket.uuid.clone(), n: self.ticket.messages }
    }

    /// Takes a comment in: it is the ticket's next, and no share but `from` has seen it.
    pub(super) fn add_comment(&mut self, comment: crate::domain::Comment, from: Option<Uuid>) {
        self.ticket.comments += 1;
        match from {
            None => self.comments.older.extend(self.ticket.heard.add_comment(&comment.uuid)),
            Some(_) => self.ticket.heard.meets_foreign(),
        }
        let stored = StoredComment { n: self.ticket.comments, from, comment: Arc::new(comment) };
        self.know_comment(&stored);
        self.comments.unsent.push(stored.clone());
        self.comments.added.push(stored);
    }

    /// Knows a comment that is kept already.
    pub fn know_comment(&mut self, stored: &StoredComment) {
        let StoredComment { from, comment, .. } = stored;
        if from.as_ref().is_some_and(|from| !from.as_str().is_empty()) {
            self.comments.foreign.insert(comment.uuid.clone());
        }
        self.comments.know(&comment.uuid, comment.id.as_ref());
    }

    /// Keeps the desk's id of a known comment.
    pub(super) fn learn_comment(&mut self, uuid: &Uuid, id: &str) {
        if self.comments.ids.get(id) != Some(uuid) {
            let id = Word::new(id);
            self.comments.ids.insert(id.clone(), uuid.clone());
            self.comments.known.insert(uuid.clone(), Some(id.clone()));
            self.comments.learnt.insert(uuid.clone(), id);
        }
        for command in &mut self.ticket.open {
            command.comments.retain(|comment| comment.uuid != *uuid);
        }
        self.ticket.held.comments.retain(|comment| comment.id.as_deref() != Some(id));
        self.ticket.missing.retain(|comment| comment.uuid != *uuid);
    }

    /// Whether more than one or two messages that tell something are on their way to a partner: then it contradicts what it has not heard.
    pub(super) fn waits_long(&self, agreement: &Uuid, tells: impl Fn(&Contents) -> bool) -> bool {
        self.unanswered.iter().filter(|(to, contents)| to == agreement && tells(contents)).count() > 2
    }

    /// Notes a message of this ticket that its partner has not answered yet.
    pub fn note_unanswered(&mut self, message: &Message) {
        if let Some(agreement) = &message.agreement {
            self.unanswered.push((agreement.clone(), message.contents.clone()));
        }
    }
}
