//! What one batch writes.

use std::sync::Arc;

use super::recorded::Recorded;
use crate::{
    domain::{
        Agreement, Catalogue, Issue, Message, MessageId, MessageState, Share, StoredComment, TicketId,
        Timestamp, User, Uuid, Word,
    },
    engine::{Imprint, Stored, agreement::NewKey},
};

/// What has ended: one ticket's share under an agreement, or all of them with it.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The ticket; `None`: the agreement has ended.
    pub ticket: Option<Uuid>,
    /// The agreement.
    pub agreement: Uuid,
}

/// Messages that need no longer be sent, of those that were never tried.
#[derive(Clone, Debug)]
pub struct Withdraw {
    /// Of one ticket only.
    pub ticket: Option<Uuid>,
    /// The agreement.
    pub agreement: Uuid,
}

/// How far a message has come.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Which message.
    pub id: MessageId,
    /// Only if it is a command: the desk names them, and must not end anything else.
    pub command: bool,
    /// Its state now.
    pub state: MessageState,
    /// How often its receiver was tried.
    pub attempts: u32,
    /// When it may be tried again.
    pub due_at: Option<Timestamp>,
    /// What the receiver said.
    pub error: Option<String>,
}

/// Everything that one batch writes, in the order in which it is written.
#[derive(Debug, Default)]
pub struct Writes {
    /// The time of the batch.
    pub now: Timestamp,
    /// Agreements, each with the version that was read.
    pub agreements: Vec<Agreement>,
    /// Keys of agreements that are new or changed.
    pub access_keys: Vec<(Uuid, NewKey)>,
    /// What partners have told of their custom fields.
    pub partner_fields: Vec<(Uuid, Catalogue)>,
    /// Tickets that changed, each with the version that was read.
    pub tickets: Vec<Changed>,
    /// Tickets that were known already and have not changed: they must still have this version.
    pub relied_on: Vec<(Uuid, i64)>,
    /// What stands for tickets at partners: agreement, the partner's id, ticket.
    pub counterparts: Vec<(Uuid, String, Uuid)>,
    /// New comments.
    pub comments: Vec<NewComment>,
    /// Marks of comments that their tickets remember no longer: ticket and mark.
    pub older: Vec<(Uuid, String)>,
    /// The desk's ids of known comments: ticket, comment, id.
    pub learnt: Vec<(Uuid, Uuid, Word)>,
    /// People met, or whose id is now known.
    pub users: Vec<User>,
    /// Issues opened or resolved.
    pub issues: Vec<Issue>,
    /// Shares and agreements that have ended: issues of before about what does not sync under them are resolved.
    pub ended: Vec<Ended>,
    /// Messages that need no longer be sent.
    pub withdraw: Vec<Withdraw>,
    /// New messages.
    pub messages: Vec<Message>,
    /// How far older messages have come.
    pub marks: Vec<Mark>,
    /// Messages, by order of the store, that the broker has taken.
    pub published: Vec<i64>,
    /// Events that are applied with this.
    pub seen: Vec<String>,
    /// Events that wait until their ticket is known: its id and the event's bytes.
    pub waiting: Vec<(TicketId, String)>,
    /// Rows among those that wait, by name and contents, that need wait no longer.
    pub let_go: Vec<(TicketId, String)>,
    /// The desk's new catalogue.
    pub catalogue: Option<Catalogue>,
    /// Whether invites are declined from now on.
    pub decline_all_invites: Option<bool>,
    /// The desk's fields have changed: all tickets are to be gone through.
    pub refit: bool,
    /// Tickets have been gone through from the one to the other; `None`: to the last.
    pub refitted: Vec<(Uuid, Option<Uuid>)>,
    /// Events as they came, for them to be gone through again.
    pub recorded: Vec<Recorded>,
    /// What happened to tickets without a message that could carry it: ticket, its last message's number, a JSON object.
    pub history: Vec<(Uuid, i64, String)>,
}

/// A comment that is new.
#[derive(Clone, Debug)]
pub struct NewComment {
    /// Its ticket.
    pub ticket: Uuid,
    /// Its place in the store's order.
    pub place: i64,
    /// The place of the ticket's comment before it.
    pub before: Option<i64>,
    /// The comment.
    pub stored: StoredComment,
}

/// A ticket with its shares that changed.
#[derive(Debug)]
pub struct Changed {
    /// The ticket with all its shares, as it will be: with the version after the one that was read.
    pub stored: Arc<Stored>,
    /// The agreements under which it is shared, where these or the partners' numbers of it are others than before.
    pub under: Vec<Uuid>,
    /// Whether something changed by which it is found: it is new, or its number or when it is due.
    pub moved: bool,
    /// The partners' numbers of it, likewise.
    pub numbered: Vec<(Uuid, String)>,
}

impl Changed {
    /// What changed of a ticket since it was read.
    pub fn of(before: Option<&Imprint>, mut stored: Stored) -> Self {
        let moved = before.is_none_or(|before| !before.finds(&stored.ticket));
        let listed = before.is_some_and(|before| before.lists(&stored.shares));
        let shares = if listed { &[][..] } else { &stored.shares };
        let number = |share: &Share| Some((share.agreement.clone(), share.partner.ticket_id.clone()?));
        let under = shares.iter().map(|share| share.agreement.clone()).collect();
        let numbered = shares.iter().filter_map(number).collect();
        stored.ticket.version += 1;
        Self { stored: Arc::new(stored), under, moved, numbered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ShareRole, Ticket, Timestamp};

    fn share(agreement: &str, number: Option<&str>) -> Share {
        let mut share = Share::new(Uuid::new("t"), Uuid::new(agreement), ShareRole::Outgoing);
        share.partner.ticket_id = number.map(str::to_owned);
        share
    }

    fn changed(before: &[Share], after: &[Share]) -> Changed {
        let stored = |shares: &[Share]| Stored::new(Ticket::new(Uuid::new("t")), shares.to_vec());
        Changed::of(Some(&Imprint::of(&stored(before))), stored(after))
    }

    #[test]
    fn shares_are_listed_when_one_or_its_number_is_new() {
        let same = changed(&[share("a", Some("1"))], &[share("a", Some("1"))]);
        assert!(same.under.is_empty() && same.numbered.is_empty() && !same.moved);
        assert_eq!(same.stored.ticket.version, 1);
        let begun = changed(&[share("a", None)], &[share("a", None), share("b", None)]);
        assert!(begun.under.contains(&Uuid::new("b")) && begun.numbered.is_empty());
        for before in [None, Some("1")] {
            let numbered = changed(&[share("a", before)], &[share("a", Some("2"))]);
            assert_eq!(numbered.numbered, [(Uuid::new("a"), "2".to_owned())]);
        }
    }

    #[test]
    fn a_ticket_that_is_new_or_due_at_another_time_is_found_by_something_else() {
        let mut ticket = Ticket::new(Uuid::new("t"));
        assert!(Changed::of(None, Stored::new(ticket.clone(), vec![share("a", None)])).moved);
        let before = Imprint::of(&Stored::new(ticket.clone(), Vec::new()));
        ticket.due_at = Some(Timestamp::from_millis(1));
        assert!(Changed::of(Some(&before), Stored::new(ticket, Vec::new())).moved);
    }
}
