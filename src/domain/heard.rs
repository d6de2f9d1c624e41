//! What a ticket remembers of what was heard of it, so that nothing need be looked up to know it again.
//!
//! Every event writes its ticket anyway. What stands there costs no row of its own and no page of an index, which a busy store
//! would otherwise pay for every event and every comment.

use serde::{Deserialize, Serialize};

use super::Uuid;

/// How much of a name is kept: 80 bits of a SHA-1, in hex.
const MARK: usize = 20;
/// How many comments a ticket remembers itself; of more, the store keeps those that came first.
const COMMENTS: usize = 64;
/// How many of the oldest go to the store at once.
const MOVED: usize = 32;
/// How many events of one revision are remembered: the newest.
const EVENTS: usize = 64;

/// What a ticket remembers: the events that told its present revision, and the comments of this desk.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Heard {
    /// Marks of events, one behind the other.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    events: String,
    /// Marks of comments under their usual names, one behind the other, oldest first.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    comments: String,
    /// The store knows of more comments under their usual names. So it is with whatever was written before tickets
    /// remembered any.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    older: bool,
    /// There are comments that go by other names than usual here: partners', and those that the desk names itself.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    foreign: bool,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_yes(flag: &bool) -> bool {
    *flag
}

impl Default for Heard {
    fn default() -> Self {
        Self { events: String::new(), comments: String::new(), older: true, foreign: true }
    }
}

impl Heard {
    /// Nothing was heard of a new ticket.
    pub fn nothing() -> Self {
        Self { older: false, foreign: false, ..Self::default() }
    }

    /// The mark of a name: of a hash its beginning.
    ///
    /// ```
    /// use crossdesk::domain::{Heard, Uuid};
    /// let uuid = Uuid::new("ed46838bfb41461e4f3b16ba471162c8e2764260");
    /// assert_eq!(Heard::mark(&uuid), Some("ed46838bfb41461e4f3b"));
    /// assert_eq!(Heard::mark(&Uuid::new("short")), None);
    /// ```
    pub fn mark(uuid: &Uuid) -> Option<&str> {
        uuid.as_str().get(..MARK)
    }

    /// How much it remembers, in bytes.
    pub fn size(&self) -> usize {
        self.events.len() + self.comments.len()
    }

    /// Whether a comment under its usual name is among those that the ticket itself remembers.
    pub fn has_comment(&self, uuid: &Uuid) -> bool {
        Self::mark(uuid).is_some_and(|mark| has(&self.comments, mark))
    }

    /// Remembers a comment under its usual name; returns the marks that are now for the store to keep.
    #[must_use]
    pub fn add_comment(&mut self, uuid: &Uuid) -> Vec<String> {
        let Some(mark) = Self::mark(uuid) else { return Vec::new() };
        let mut moved = Vec::new();
        if self.comments.len() >= COMMENTS * MARK {
            let rest = self.comments.split_off(MOVED * MARK);
            let oldest = std::mem::replace(&mut self.comments, rest);
            moved = marks(&oldest).map(str::to_owned).collect();
            self.older = true;
        }
        self.comments.reserve_exact(MARK);
        self.comments.push_str(mark);
        moved
    }

    /// Whether the store may know of comments under usual names that the ticket does not remember.
    pub fn has_older(&self) -> bool {
        self.older
    }

    /// Notes that there are comments which go by other names than usual.
    pub fn meets_foreign(&mut self) {
        self.foreign = true;
    }

    /// Whether there are comments which go by other names than usual.
    pub fn has_foreign(&self) -> bool {
        self.foreign
    }

    /// Whether an event is one of those that told the present revision.
    pub fn has_event(&self, event: &Uuid) -> bool {
        Self::mark(event).is_some_and(|mark| has(&self.events, mark))
    }

    /// Remembers an event that told the present revision.
    pub fn add_event(&mut self, event: &Uuid) {
        let Some(mark) = Self::mark(event) else { return };
        if self.events.len() >= EVENTS * MARK {
            self.events.drain(..MARK);
        }
        self.events.reserve_exact(MARK);
        self.events.push_str(mark);
    }

    /// There is a newer revision: whatever told the one before is older now, which is enough to know it again.
    pub fn forget_events(&mut self) {
        self.events.clear();
    }
}

fn marks(all: &str) -> impl Iterator<Item = &str> {
    (0..all.len() / MARK).filter_map(move |at| all.get(at * MARK..(at + 1) * MARK))
}

fn has(all: &str, mark: &str) -> bool {
    marks(all).any(|one| one == mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Namespace;

    fn comment(number: usize) -> Uuid {
        Namespace::of("desk.example/sharing").comment(&number.to_string())
    }

    #[test]
    fn every_comment_is_remembered_by_the_ticket_or_given_to_the_store() {
        let (mut heard, mut kept) = (Heard::nothing(), Vec::new());
        for number in 0..1000 {
            assert!(!heard.has_comment(&comment(number)));
            kept.extend(heard.add_comment(&comment(number)));
            for before in 0..=number {
                let mark = Heard::mark(&comment(before)).map(str::to_owned);
                let in_store = mark.is_some_and(|mark| kept.contains(&mark));
                assert!(heard.has_comment(&comment(before)) != in_store, "{before} after {number}");
            }
            assert_eq!(heard.has_older(), !kept.is_empty());
        }
    }

    #[test]
    fn what_was_written_before_tickets_remembered_anything_is_looked_up() {
        let heard: Result<Heard, _> = serde_json::from_str("{}");
        assert!(heard.is_ok_and(|heard| heard.has_older() && heard.has_foreign()));
        let new = serde_json::to_string(&Heard::nothing()).unwrap_or_default();
        let new: Result<Heard, _> = serde_json::from_str(&new);
        assert!(new.is_ok_and(|heard| heard == Heard::nothing()));
    }

    #[test]
    fn events_of_one_revision_are_remembered_without_growing_for_ever() {
        let mut heard = Heard::nothing();
        for number in 0..200 {
            heard.add_event(&comment(number));
        }
        assert!(heard.has_event(&comment(199)) && !heard.has_event(&comment(0)));
        assert_eq!(heard.events.len(), EVENTS * MARK);
        heard.forget_events();
        assert!(!heard.has_event(&comment(199)));
    }
}
