//! The words for a ticket's status, here and on a partner's wire.

use crate::domain::{Agreement, Kind, Profile};

/// The statuses of this desk.
pub const STATUSES: [&str; 6] = ["new", "open", "pending", "hold", "solved", "closed"];

/// The partner's word for a status of ours: the agreement's own map first; then, a status that the partner does not know
/// becomes its nearest.
///
/// Of a Jira, whose statuses are each project's own, only done and not done are told apart without a map; Zendesk transmits on-hold as open; Request Tracker knows open, pending and solved alone (protocol: status vocabulary).
pub fn to_wire<'a>(status: &'a str, agreement: &'a Agreement) -> &'a str {
    let map = &agreement.local.status.to_partner;
    if let Some(mapped) = map.get(status) {
        return mapped;
    }
    let nearest = match (agreement.kind, agreement.profile, status) {
        (_, Profile::RequestTracker, "new" | "hold")
        | (Kind::Jira, _, "new" | "pending" | "hold")
        | (Kind::Zendesk, _, "hold") => "open",
        (_, Profile::RequestTracker, "closed") | (Kind::Jira, _, "closed") => "solved",
        _ => return status,
    };
    // A new ticket is not begun with, whatever an open one is called there.
    map.get(nearest).filter(|_| status != "new").map_or(nearest, String::as_str)
}

/// Whether a status of ours reaches the partner as its nearest only, and not because this side has settled so.
pub(super) fn is_nearest(status: &str, agreement: &Agreement) -> bool {
    // A Jira has no new issue that is not open, and no done one that is not closed.
    let as_good = agreement.kind == Kind::Jira && matches!(status, "new" | "closed");
    !as_good
        && !agreement.local.status.to_partner.contains_key(status)
        && to_wire(status, agreement) != status
}

/// Our word for a partner's: the agreement's own map first; letter case does not count, and Request Tracker's `closed` is
/// what it calls solved. `None` for a word that no desk here has.
pub fn from_wire(status: &str, agreement: &Agreement) -> Option<&'static str> {
    let word = status.trim().to_lowercase();
    let mapped = mapped_from(&word, agreement);
    let word = match (agreement.profile, word.as_str()) {
        _ if mapped.is_some() => mapped.unwrap_or_default(),
        (Profile::RequestTracker, "closed") | (_, "resolved") => "solved",
        (_, "on-hold" | "on_hold") => "hold",
        (_, word) => word,
    };
    STATUSES.into_iter().find(|known| *known == word)
}

/// What the agreement's own map says that a partner's word means; a Jira's may be read backwards, since its words name
/// statuses in both.
fn mapped_from<'a>(word: &str, agreement: &'a Agreement) -> Option<&'a str> {
    let map = &agreement.local.status;
    let is_it = |theirs: &str| theirs.trim().to_lowercase() == word;
    let said = map.from_partner.iter().find(|(theirs, _)| is_it(theirs)).map(|(_, ours)| ours.as_str());
    let backwards = || {
        // Of several that are one word there, the one that leaves most open.
        let is_told_so = |ours: &&str| map.to_partner.get(*ours).is_some_and(|theirs| is_it(theirs));
        let found = ["open", "pending", "solved", "hold", "new", "closed"].into_iter().find(is_told_so);
        found.filter(|_| agreement.kind == Kind::Jira)
    };
    said.or_else(backwards)
}

/// Whether the agreement's own map says what a partner's word means.
pub fn is_mapped(status: &str, agreement: &Agreement) -> bool {
    mapped_from(&status.trim().to_lowercase(), agreement).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    #[test]
    fn a_map_that_names_some_statuses_holds_for_those_nearest_to_them_too() {
        let mut agreement = Agreement { kind: Kind::Jira, ..Agreement::pending(Timestamp::default()) };
        let map = [("open", "In Progress"), ("solved", "Done")];
        agreement.local.status.to_partner =
            map.map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned())).into();
        let told = STATUSES.map(|status| to_wire(status, &agreement));
        assert_eq!(told, ["open", "In Progress", "In Progress", "In Progress", "Done", "Done"]);
        agreement.local.status.to_partner.insert("closed".to_owned(), "Done".to_owned());
        assert_eq!(from_wire("done", &agreement), Some("solved"), "a closed ticket takes nothing any more");
    }
}
