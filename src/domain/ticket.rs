//! A shared ticket as this desk has it, with what is on its way to the desk and what waits for that.

use std::{
    borrow::Cow,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    Comment, Heard, Held, OpenCommand, Parts, Person, Property, Revision, Shared, Tags, TicketId, Timestamp,
    Undone, Uuid,
};

/// Where a ticket first came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Origin {
    /// The desk's name.
    pub desk: String,
    /// The ticket's number there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<String>,
    /// A link to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A comment of a shared ticket, with its place and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredComment {
    /// Its number among the ticket's comments, from 1.
    pub n: i64,
    /// The agreement that brought it; `None`: written on this desk.
    pub from: Option<Uuid>,
    /// The comment.
    pub comment: Arc<Comment>,
}

/// A shared ticket. Its state moves by the desk's own events only; what partners change is in the open commands until then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// The network's name, kept over all hops.
    #[serde(skip, default = "nobody")]
    pub uuid: Uuid,
    /// The desk's id, once it is known.
    #[serde(skip)]
    pub id: Option<TicketId>,
    /// Counts its writes, so that two writers cannot undo each other.
    #[serde(skip)]
    pub version: i64,
    /// When something that waits must be settled.
    #[serde(skip)]
    pub due_at: Option<Timestamp>,
    /// The place of its last message in the store's order; zero: it had none. Each message tells the place of the one before.
    #[serde(skip)]
    pub last_message: i64,
    /// The same of its comments.
    #[serde(skip)]
    pub last_comment: i64,
    /// A partner's ticket, made here by a command.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub received: bool,
    /// The newest event that was applied.
    #[serde(default)]
    pub revision: Revision,
    /// What it remembers of what was heard of it.
    #[serde(default)]
    pub heard: Heard,
    /// Whether the desk has ever told its state.
    #[serde(default)]
    pub known: bool,
    /// Its parts as the desk last told them.
    #[serde(default, skip_serializing_if = "Parts::is_empty")]
    pub properties: Parts<Shared>,
    /// Its tags as the desk last told them.
    #[serde(default, skip_serializing_if = "no_tags")]
    pub tags: Tags,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<Person>,
    /// When it came to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// How many comments it has had.
    #[serde(default)]
    pub comments: i64,
    /// How many messages it has had.
    #[serde(default)]
    pub messages: i64,
    /// The desk has it no more, or has merged it into another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Where it first came from; `None`: from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// How many desks it has crossed to get here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u32,
    /// Commands that the desk has not answered yet, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenCommand>,
    /// What waits for them.
    #[serde(default, skip_serializing_if = "Held::is_empty")]
    pub held: Held,
    /// Comments that answered or expired commands added, and that the desk has never shown: they may still come back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Comment>,
    /// What the desk could not do, and is asked again when the ticket changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<Undone>,
}

/// What it says, whenever it was written and wherever its last rows stand: these never move without what it says of its messages and
/// comments.
impl Hash for Ticket {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Named one by one, so that none is forgotten.
        let Self {
            uuid: _,
            version: _,
            last_message: _,
            last_comment: _,
            id,
            due_at,
            received,
            revision,
            heard,
            known,
            properties,
            tags,
            requester,
            created_at,
            comments,
            messages,
            gone,
            origin,
            hops,
            open,
            held,
            missing,
            undone,
        } = self;
        (id, due_at, received, revision, heard, known, properties, tags, requester).hash(state);
        (created_at, comments, messages, gone, origin, hops, open, held, missing, undone).hash(state);
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn no_tags(tags: &Tags) -> bool {
    tags.is_empty()
}

fn nobody() -> Uuid {
    Uuid::new("")
}

impl Ticket {
    /// A ticket of which nothing is known but its name.
    pub fn new(uuid: Uuid) -> Self {
        Self {
            uuid,
            id: None,
            version: 0,
            due_at: None,
            last_message: 0,
            last_comment: 0,
            received: false,
            revision: Revision::default(),
            heard: Heard::nothing(),
            known: false,
            properties: Parts::new(),
            tags: Tags::default(),
            requester: None,
            created_at: None,
            comments: 0,
            messages: 0,
            gone: false,
            origin: None,
            hops: 0,
            open: Vec::new(),
            held: Held::default(),
            missing: Vec::new(),
            undone: Vec::new(),
        }
    }

    /// The desk has told a revision: it is the present one, unless a newer one has been told.
    pub fn moves_to(&mut self, revision: Revision) {
        let newest = self.revision.or_newer(revision);
        // Events are known to be older by their numbers alone.
        if newest.number != self.revision.number {
            self.heard.forget_events();
        }
        self.revision = newest;
    }

    /// The commands that the desk is taken to do: one that asks for what it could not do before is not among them.
    fn likely(&self) -> impl DoubleEndedIterator<Item = &OpenCommand> {
        self.open.iter().filter(|command| command.settles.is_empty())
    }

    /// What a property is or is about to be: the newest value that an open command sets, else what the desk last told.
    pub fn effective(&self, property: &Property) -> Option<&Shared> {
        let expected = self.likely().rev().find_map(|command| command.properties.get(property));
        expected.or_else(|| self.properties.get(property))
    }

    /// All properties as they are or are about to be.
    pub fn effective_properties(&self) -> Cow<'_, Parts<Shared>> {
        let mut all = Cow::Borrowed(&self.properties);
        for command in self.likely().filter(|command| !command.properties.is_empty()) {
            // One by one, so that a field keeps the title that the desk writes.
            for (property, value) in &command.properties {
                all.to_mut().insert(property.clone(), value.clone());
            }
        }
        all
    }

    /// The tags as they are or are about to be.
    pub fn effective_tags(&self) -> Tags {
        let mut tags = self.tags.clone();
        for command in self.likely().filter(|c| !c.tags_removed.is_empty() || !c.tags_added.is_empty()) {
            let tags = Tags::make_mut(&mut tags);
            tags.retain(|tag| !command.tags_removed.contains(tag));
            tags.extend(command.tags_added.iter().cloned());
        }
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Title, Value};

    #[test]
    fn a_field_that_a_command_sets_keeps_the_title_that_the_desk_writes() {
        let field = |title: &str| Property::Field(Title::new(title));
        let mut ticket = Ticket::new(Uuid::new("t"));
        ticket.properties.insert(field("Camera model"), Shared::from(Value::from("X100")));
        let properties = [(field("CAMERA MODEL"), Shared::from(Value::from("X200")))].into_iter().collect();
        let command = OpenCommand::new(1, Timestamp::default(), Uuid::new("a"));
        ticket.open.push(OpenCommand { properties, ..command });
        let all = ticket.effective_properties();
        let shown: Vec<_> = all.iter().map(|(name, value)| (name.to_string(), value.as_str())).collect();
        assert_eq!(shown, [("field:Camera model".to_owned(), Some("X200"))]);
    }
}
