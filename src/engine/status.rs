//! The words for a ticket's status, here and on a partner's wire.

use crate::domain::{Agreement, Kind, Profile};

/// The statuses of this desk.
pub const STATUSES: [&str; 6] = ["new", "open", "pending", "hold", "solved", "closed"];

/// The partner's word for a status of ours: a status that the partner does not know becomes its nearest.
///
/// Zendesk transmits on-hold as open; Request Tracker knows open, pending and solved alone (protocol: status vocabulary).
pub fn to_wire<'a>(status: &'a str, agreement: &Agreement) -> &'a str {
    match (agreement.kind, agreement.profile, status) {
        (_, Profile::RequestTracker, "new" | "hold") | (Kind::Zendesk, _, "hold") => "open",
        (_, Profile::RequestTracker, "closed") => "solved",
        _ => status,
    }
}

/// Our word for a partner's: letter case does not count, and Request Tracker's `closed` is what it calls solved.
/// `None` for a word that no desk here has.
pub fn from_wire(status: &str, agreement: &Agreement) -> Option<&'static str> {
    let word = status.trim().to_lowercase();
    let word = match (agreement.profile, word.as_str()) {
        (Profile::RequestTracker, "closed") | (_, "resolved") => "solved",
        (_, "on-hold" | "on_hold") => "hold",
        (_, word) => word,
    };
    STATUSES.into_iter().find(|known| *known == word)
}
