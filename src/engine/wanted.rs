//! What an update asks of the desk.

use crate::domain::{FieldNotSynced, Parts, Shared, TagSet};

/// What an update asks of the desk, while it is being worked out.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) properties: Parts<Shared>,
    pub(super) tags_added: TagSet,
    pub(super) tags_removed: TagSet,
    pub(super) fields_not_synced: Vec<FieldNotSynced>,
    /// Custom fields whose values fit no more, each with the reason, for the people of the desk.
    pub(super) failed: Vec<String>,
    /// Something new is known of the partner's own ticket.
    pub(super) partner_news: bool,
}
