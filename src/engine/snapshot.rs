//! What the store knew when a batch began, and what the batch has made of it so far.

use std::collections::HashSet;

use crate::domain::{Agreement, Catalogue, Quick, TicketId, User, Uuid};

use super::Case;

/// Everything that the changes of one batch speak of.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Cases by ticket uuid.
    pub cases: Quick<Uuid, Case>,
    /// The uuids of the desk's ids.
    pub desk_ids: Quick<TicketId, Uuid>,
    /// Agreements by uuid: those named and those of every share.
    pub agreements: Quick<Uuid, Agreement>,
    /// People of partners that are known, by agreement and uuid.
    pub users: Quick<(Uuid, Uuid), User>,
    /// Events that were applied already.
    pub seen: HashSet<String>,
    /// The desk's custom fields, where it has sent them.
    pub catalogue: Option<Catalogue>,
    /// Whether invites are declined at once, where somebody has said so.
    pub decline_all_invites: Option<bool>,
}

impl Snapshot {
    /// Whether tickets could be shared under several agreements of this name: nobody knows then which is meant.
    pub fn is_ambiguous(&self, name: &str) -> bool {
        use crate::domain::Direction::Outbound;
        let meant = |agreement: &&Agreement| {
            agreement.name == name && agreement.is_accepted() && agreement.direction == Outbound
        };
        !self.agreements.contains_key(&Uuid::new(name)) && self.agreements.values().filter(meant).count() > 1
    }

    /// An agreement by uuid, or the accepted outbound one of this name.
    pub fn agreement(&self, uuid_or_name: &str) -> Option<&Agreement> {
        use crate::domain::Direction::Outbound;
        self.agreements.get(&Uuid::new(uuid_or_name)).or_else(|| {
            let mut named: Vec<_> = self.agreements.values().filter(|a| a.name == uuid_or_name).collect();
            named.sort_by_key(|a| (!a.is_accepted(), a.direction != Outbound, a.uuid.clone()));
            named.first().copied()
        })
    }
}
