//! What codes and terms mean, in plain words for people; and what to do about them.

use std::collections::HashMap;

use crate::{
    domain::{Agreement, CommentTerms, Direction, Kind, MessageType, Party, Reason, Timestamp, Uuid},
    wire::date::to_rfc3339,
};

/// A moment: exact for programs, and as people say it.
#[derive(Clone)]
pub(super) struct When {
    pub(super) exact: String,
    pub(super) words: String,
}

impl When {
    /// A moment, seen from now.
    pub(super) fn of(at: Timestamp, now: Timestamp) -> Self {
        let seconds = now.since(at).as_secs();
        let (count, unit) = match seconds {
            0..=59 => (seconds, "second"),
            60..=3599 => (seconds / 60, "minute"),
            3600..=86_399 => (seconds / 3600, "hour"),
            _ => (seconds / 86_400, "day"),
        };
        let words = match (count, unit) {
            _ if at > now => "soon".to_owned(),
            (0..10, "second") => "just now".to_owned(),
            (1, unit) => format!("1 {unit} ago"),
            (count, unit) => format!("{count} {unit}s ago"),
        };
        Self { exact: to_rfc3339(at), words }
    }
}

/// Agreements by uuid, for their names.
pub(super) fn by_uuid(agreements: &[Agreement]) -> HashMap<&Uuid, &Agreement> {
    agreements.iter().map(|agreement| (&agreement.uuid, agreement)).collect()
}

/// What a partner is.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Zendesk => "Zendesk",
        Kind::Jira => "Jira",
        Kind::ThirdParty => "Help desk",
        Kind::Queue => "Bridge on a queue",
    }
}

/// Who shares with whom.
pub(super) fn direction(agreement: &Agreement) -> &'static str {
    match agreement.direction {
        Direction::Outbound => "We share with them",
        Direction::Inbound => "They share with us",
    }
}

/// The terms, a sentence each.
pub(super) fn terms(agreement: &Agreement) -> Vec<String> {
    let (partner, terms) = (&agreement.name, &agreement.terms);
    let mut said = vec![match agreement.direction {
        Direction::Outbound => {
            format!(
                "Your agents choose tickets to share. {partner} gets a copy of each, and works on it there."
            )
        }
        Direction::Inbound => {
            format!("{partner} chooses tickets to share with you. Each becomes a ticket on your desk.")
        }
    }];
    said.push(match (terms.comments, agreement.direction) {
        (CommentTerms::PublicAndPrivate, _) => {
            "Public and private comments cross, and the status stays the same on both sides.".to_owned()
        }
        (CommentTerms::PrivateOnly, Direction::Outbound) => {
            format!("What {partner} writes arrives as private comments only, and each side keeps its own status.")
        }
        (CommentTerms::PrivateOnly, Direction::Inbound) => {
            format!("What your agents write reaches {partner} as private comments only, and each side keeps its own status.")
        }
    });
    let crosses = |yes: bool, what: &str, no: &str| {
        if yes { format!("{what} cross.") } else { format!("{what} {no}.") }
    };
    said.push(crosses(terms.sync_tags, "Tags", "stay on each side"));
    said.push(crosses(terms.sync_custom_fields, "Custom fields of the same title", "stay on each side"));
    for (yes, what) in [
        (terms.priority, "The priority crosses."),
        (terms.assignee, "The assignee's name is told."),
        (terms.requester_email, "The requester's mail address is told."),
        (terms.ccs, "Who is in copy is told."),
    ] {
        if yes {
            said.push(what.to_owned());
        }
    }
    said
}

/// The terms in a few words, for a line of a list.
pub(super) fn terms_in_short(agreement: &Agreement) -> String {
    let terms = &agreement.terms;
    let comments = match terms.comments {
        CommentTerms::PublicAndPrivate => "all comments, status",
        CommentTerms::PrivateOnly => "private comments",
    };
    let more = [
        (terms.sync_tags, "tags"),
        (terms.sync_custom_fields, "custom fields"),
        (terms.priority, "priority"),
    ];
    let more = more.into_iter().filter_map(|(yes, what)| yes.then_some(what));
    [comments].into_iter().chain(more).collect::<Vec<_>>().join(", ")
}

/// Who moved an agreement to where it stands, as this side sees it.
pub(super) fn by_whom(agreement: &Agreement) -> String {
    match (&agreement.changed_by, agreement.deactivated_by) {
        (Some(doer), _) => doer.to_string(),
        (None, Some(party)) if party == agreement.direction.ours() => "this desk".to_owned(),
        (None, Some(Party::Sender | Party::Receiver)) => agreement.name.clone(),
        (None, None) if agreement.declared => "the configuration".to_owned(),
        (None, None) => "–".to_owned(),
    }
}

/// Why a part of a ticket does not sync.
pub(super) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::UnknownField => "No such field",
        Reason::IncompatibleType => "Field of another type",
        Reason::UnknownOption => "No such option",
        Reason::NotShared => "Not shared",
        Reason::CommandFailed => "The desk refused it",
        Reason::PartnerRefused => "The partner refused it",
        Reason::PartnerFails => "The partner fails on it",
        Reason::Concurrent => "Changed on both sides",
        Reason::ShareRefused => "Could not be shared",
        Reason::NearestStatus => "Nearest status",
        Reason::TicketClosed => "The ticket is closed",
        Reason::Drift => "The two sides differ",
    }
}

/// What a person can do about it.
pub(super) fn remedy(reason: Reason) -> &'static str {
    match reason {
        Reason::UnknownField => {
            "Make a custom field of that title, or map the title to another in the agreement's local settings."
        }
        Reason::IncompatibleType => {
            "Give the fields of both sides types that fit, or leave the field out of the agreement."
        }
        Reason::UnknownOption => "Add the option to the field, or map it to one that there is.",
        Reason::NotShared => {
            "Nothing, if that is meant so; otherwise the sender changes the agreement's terms."
        }
        Reason::CommandFailed => "Mend on the desk what it says, then try again.",
        Reason::PartnerRefused => "Mend what the partner says, here or there; the next change tells it anew.",
        Reason::PartnerFails => {
            "Tell the partner's people what it answers; it is tried again until `delivery.retry.give_up_after`."
        }
        Reason::Concurrent => "Look at both tickets: the sender's value stands.",
        Reason::ShareRefused => "Mend what the reason says, and share the ticket again.",
        Reason::NearestStatus => "Nothing, or map the status in the agreement's local settings.",
        Reason::TicketClosed => "Open a follow-up ticket, if what was said matters.",
        Reason::Drift => {
            "Look at both tickets; made one again, the sender's values count, and comments go to whoever lacks them."
        }
    }
}

/// What a message is, to people.
pub(super) fn message(kind: MessageType) -> &'static str {
    match kind {
        MessageType::AgreementInvite => "Invite",
        MessageType::AgreementUpdate => "Change of an agreement",
        MessageType::TicketCreate => "New shared ticket",
        MessageType::TicketUpdate => "Change of a ticket",
        MessageType::TicketUnshare => "End of a share",
        MessageType::CommandUserCreate => "Make a user",
        MessageType::CommandTicketCreate => "Make a ticket",
        MessageType::CommandTicketUpdate => "Change a ticket",
        MessageType::CommandTicketUnshare => "A share has ended",
        MessageType::CommandTicketFetch => "Send a ticket",
        MessageType::CommandNotice => "Notice",
        MessageType::DeadEvent => "Event of the desk",
        MessageType::DeadInbound => "Message of a bridge",
        MessageType::DeadPartner => "Copy of a message",
    }
}

/// What a person can do about a message that waits for one.
pub(super) fn message_remedy(kind: MessageType) -> &'static str {
    match kind {
        MessageType::DeadEvent => {
            "Mend what the reason says on the desk or in its filter, and send it again; or drop it."
        }
        MessageType::DeadInbound => "Have the bridge send it corrected, and drop this one.",
        MessageType::AgreementInvite | MessageType::AgreementUpdate => {
            "Mend what the partner says, its address above all, and send it again."
        }
        _ => "Mend what the partner says, and send it again: it gets the ticket as it is then.",
    }
}

/// A part of a ticket, as people call it.
pub(super) fn part(subject: &str) -> String {
    let plain = match subject {
        "subject" => "Subject",
        "status" => "Status",
        "custom_status" => "Custom status",
        "priority" => "Priority",
        "assignee" => "Assignee",
        "requester_email" => "Requester's mail address",
        "ccs" => "In copy",
        "tags" => "Tags",
        "ticket" => "The ticket",
        "share" => "The share",
        "sequence" => "The order of messages",
        "link" => "Link",
        "comment" | "comments" => "Comments",
        "message" => "Messages",
        "description" => "Description",
        other => {
            return match other.split_once(':') {
                Some(("drift", differing)) => part(differing),
                Some(("field", title)) => title.to_owned(),
                Some(("comment", _)) => "A comment".to_owned(),
                Some(("message", _)) => "A message".to_owned(),
                _ => other.to_owned(),
            };
        }
    };
    plain.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_said_as_people_say_them() {
        let now = Timestamp::from_millis(1_000_000_000);
        for (before, words) in [
            (2, "just now"),
            (45, "45 seconds ago"),
            (61, "1 minute ago"),
            (7_300, "2 hours ago"),
            (90_000, "1 day ago"),
        ] {
            let at = now.minus(std::time::Duration::from_secs(before));
            assert_eq!(When::of(at, now).words, words);
        }
        assert_eq!(When::of(now.plus(std::time::Duration::from_secs(5)), now).words, "soon");
    }

    #[test]
    fn parts_of_a_ticket_have_names_for_people() {
        for (subject, words) in [
            ("status", "Status"),
            ("field:Camera model", "Camera model"),
            ("comment:ab12", "A comment"),
            ("x", "x"),
        ] {
            assert_eq!(part(subject), words);
        }
    }
}
