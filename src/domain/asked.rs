//! What the desk has been asked to do to a ticket: what is expected of it, what waits for its answer, and what it could not do.

use serde::{Deserialize, Serialize};

use super::{Comment, Parts, Revision, Shared, TagSet, Timestamp, Uuid};

/// A command that the desk has not answered yet: the values that it set are expected to come back.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub struct OpenCommand {
    /// Its number among the ticket's messages.
    pub n: i64,
    /// When it was written; of one that is brought to the desk, when the desk took it.
    pub at: Timestamp,
    /// It is being brought to the desk, which has not taken it yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_its_way: bool,
    /// The agreement whose partner caused it.
    pub agreement: Uuid,
    /// Whether it creates the ticket.
    #[serde(default)]
    pub creates: bool,
    /// Whether it asks for the ticket, of which nothing is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fetches: bool,
    /// The values that it sets, as far as they have not come back.
    #[serde(default, skip_serializing_if = "Parts::is_empty")]
    pub properties: Parts<Shared>,
    /// Tags that it adds, as far as they have not come back.
    #[serde(default)]
    pub tags_added: TagSet,
    /// Tags that it removes, as far as they have not gone.
    #[serde(default)]
    pub tags_removed: TagSet,
    /// Comments that it adds, as far as the desk's ids for them are not known.
    #[serde(default)]
    pub comments: Vec<Comment>,
    /// The issues that end when it is done: it asks again for what the desk could not do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settles: Vec<String>,
    /// How often it was asked before.
    #[serde(default)]
    pub tries: u32,
}

impl OpenCommand {
    /// A command that asks for nothing yet.
    pub fn new(n: i64, at: Timestamp, agreement: Uuid) -> Self {
        Self {
            n,
            at,
            on_its_way: false,
            agreement,
            creates: false,
            fetches: false,
            properties: Parts::new(),
            tags_added: TagSet::new(),
            tags_removed: TagSet::new(),
            comments: Vec::new(),
            settles: Vec::new(),
            tries: 0,
        }
    }

    /// Whether it counts as done when nobody answers it. One that creates the ticket is waited for without limit.
    pub fn runs_out(&self) -> bool {
        !self.creates && !self.on_its_way
    }
}

/// What the desk said of parts that an open command sets: it counts once that command is answered.
#[derive(Clone, Debug, Default, PartialEq, Hash, Serialize, Deserialize)]
pub struct Held {
    /// Values, each with the revision that brought it.
    #[serde(default, skip_serializing_if = "Parts::is_empty")]
    pub properties: Parts<(Shared, Revision)>,
    /// Comments that may be ours coming back.
    #[serde(default)]
    pub comments: Vec<Comment>,
}

impl Held {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.comments.is_empty()
    }
}

/// What a partner wanted and the desk could not do: it is asked again when the ticket changes.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub struct Undone {
    /// The agreement whose partner wanted it.
    pub agreement: Uuid,
    /// Values.
    #[serde(default, skip_serializing_if = "Parts::is_empty")]
    pub properties: Parts<Shared>,
    /// Tags to add.
    #[serde(default, skip_serializing_if = "TagSet::is_empty")]
    pub tags_added: TagSet,
    /// Tags to take away.
    #[serde(default, skip_serializing_if = "TagSet::is_empty")]
    pub tags_removed: TagSet,
    /// Comments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<Comment>,
    /// How often it was asked again.
    #[serde(default)]
    pub tries: u32,
}

impl Undone {
    /// Nothing undone yet under an agreement.
    pub fn none(agreement: Uuid) -> Self {
        Self {
            agreement,
            properties: Parts::new(),
            tags_added: TagSet::new(),
            tags_removed: TagSet::new(),
            comments: Vec::new(),
            tries: 0,
        }
    }

    /// Whether nothing is left to ask for.
    pub fn is_empty(&self) -> bool {
        self.properties.is_empty()
            && self.comments.is_empty()
            && self.tags_added.is_empty()
            && self.tags_removed.is_empty()
    }
}
