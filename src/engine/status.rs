//! The words for a ticket's status, here and on a partner's wire.

use crate::domain::{Agreement, Kind, Profile};

/// The statuses of this desk.
pub const STATUSES: [&str; 6] = ["new", "open", "pending", "hold", "solved", "closed"];

/// The partner's word for a status of ours: the agreement's own map first; then, a status that the partner does not know
/// becomes its nearest.
///
/// Zendesk transmits on-hold as open; Request Tracker knows open, pending and solved alone (protocol: status vocabulary).
pub fn to_wire<'a>(status: &'a str, agreement: &'a Agreement) -> &'a str {
    if let Some(mapped) = agreement.local.status.to_partner.get(status) {
        return mapped;
    }
    match (agreement.kind, agreement.profile, status) {
        (_, Profile::RequestTracker, "new" | "hold") | (Kind::Zendesk, _, "hold") => "open",
        (_, Profile::RequestTracker, "closed") => "solved",
        _ => status,
    }
}

/// Whether a status of ours reaches the partner as its nearest only, and not because this side has settled so.
pub(super) fn is_nearest(status: &str, agreement: &Agreement) -> bool {
    !agreement.local.status.to_partner.contains_key(status) && to_wire(status, agreement) != status
}

/// Our word for a partner's: the agreement's own map first; letter case does not count, and Request Tracker's `closed` is
/// what it calls solved. `None` for a word that no desk here has.
pub fn from_wire(status: &str, agreement: &Agreement) -> Option<&'static str> {
    let word = status.trim().to_lowercase();
    let map = &agreement.local.status.from_partner;
    let mapped =
        map.iter().find(|(theirs, _)| theirs.trim().to_lowercase() == word).map(|(_, ours)| ours.as_str());
    let word = match (agreement.profile, word.as_str()) {
        _ if mapped.is_some() => mapped.unwrap_or_default(),
        (Profile::RequestTracker, "closed") | (_, "resolved") => "solved",
        (_, "on-hold" | "on_hold") => "hold",
        (_, word) => word,
    };
    STATUSES.into_iter().find(|known| *known == word)
}
