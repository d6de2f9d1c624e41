//! A ticket as it travels between two sides, in either direction: the whole of it, or what changed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Comment, Origin, Parts, Person, Shared, TagSet, Tags, Timestamp, Uuid};

/// What one crossdesk tells another beside the protocol; others ignore it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    /// The number of this message in the share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
    /// The number of the other side's last message that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<i64>,
    /// Tags that are new.
    #[serde(default, skip_serializing_if = "TagSet::is_empty")]
    pub tags_added: TagSet,
    /// Tags that are gone.
    #[serde(default, skip_serializing_if = "TagSet::is_empty")]
    pub tags_removed: TagSet,
    /// Where the ticket first came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// A link to the writer's own ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How many desks it has crossed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hops: Option<u32>,
}

/// A ticket, or a change of one, as the protocol carries it. What is absent is unchanged.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketUpdate {
    /// The ticket.
    pub uuid: Uuid,
    /// The writer's own id of it.
    pub original_id: Option<String>,
    /// Subject, status, custom status and custom fields, as the wire says them.
    pub properties: Parts<Shared>,
    /// The whole set of tags.
    pub tags: Option<Tags>,
    /// Who asked.
    pub requester: Option<Person>,
    /// Who made the change.
    pub actor: Option<Person>,
    /// When the ticket came to be.
    pub requested_at: Option<Timestamp>,
    /// Comments, in order; known ones may be repeated.
    pub comments: Vec<Arc<Comment>>,
    /// What only a crossdesk tells and understands.
    pub extra: Option<Extra>,
}

impl TicketUpdate {
    /// An update that says nothing yet.
    pub fn new(uuid: Uuid) -> Self {
        Self {
            uuid,
            original_id: None,
            properties: Parts::new(),
            tags: None,
            requester: None,
            actor: None,
            requested_at: None,
            comments: Vec::new(),
            extra: None,
        }
    }
}
