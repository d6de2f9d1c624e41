//! A ticket and its counterpart next to each other: what is in sync, what is not and why, what is on its way.

use std::collections::BTreeSet;

use crate::{
    domain::{
        Agreement, Channel, Issue, Message, MessageState, Property, Share, ShareRole, ShareState, TagSet,
        Ticket, Value,
    },
    engine::crosses,
};

use super::words;

/// A ticket under one agreement.
pub(super) struct Side {
    pub(super) partner: String,
    pub(super) agreement: String,
    pub(super) role: &'static str,
    pub(super) state: &'static str,
    pub(super) is_active: bool,
    pub(super) reason: String,
    pub(super) number: String,
    pub(super) url: String,
    pub(super) parts: Vec<Part>,
    /// Messages on their way to the partner.
    pub(super) waiting: usize,
    /// Comments that both sides have.
    pub(super) comments: i64,
}

/// A part of a ticket, on both sides.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) here: String,
    pub(super) there: String,
    /// `same`, `waits`, `differs` or `apart`.
    pub(super) state: &'static str,
    pub(super) words: String,
}

impl Side {
    pub(super) fn of(
        ticket: &Ticket,
        share: &Share,
        agreement: Option<&Agreement>,
        issues: &[Issue],
        messages: &[Message],
    ) -> Self {
        let of_it = |message: &&Message| {
            message.agreement.as_ref() == Some(&share.agreement)
                && message.kind.channel() == Channel::Partner
                && matches!(message.state, MessageState::Pending | MessageState::Published)
        };
        let open: Vec<&Message> = messages.iter().filter(of_it).collect();
        let issues: Vec<&Issue> = issues
            .iter()
            .filter(|issue| issue.agreement == share.agreement && issue.resolved_at.is_none())
            .collect();
        let name = agreement.map_or_else(|| share.agreement.to_string(), |agreement| agreement.name.clone());
        let names = ticket.effective_properties().keys().cloned().collect::<BTreeSet<_>>();
        let names: BTreeSet<Property> =
            names.into_iter().chain(share.agreed.properties.keys().cloned()).collect();
        let looked = Looked { ticket, share, agreement, issues: &issues, open: &open };
        let mut parts: Vec<Part> = names.iter().map(|property| looked.part(property)).collect();
        parts.push(looked.tags());
        parts.extend(looked.rest());
        Self {
            partner: name,
            agreement: share.agreement.to_string(),
            role: match share.role {
                ShareRole::Outgoing => "shared by us",
                ShareRole::Incoming => "shared by them",
            },
            state: match share.state {
                ShareState::Active => "in force",
                ShareState::Parked => "refused",
                ShareState::Ended => "ended",
            },
            is_active: share.state == ShareState::Active,
            reason: share.reason.clone().unwrap_or_default(),
            number: share.partner.ticket_id.clone().unwrap_or_default(),
            url: share.partner.url.clone().filter(|url| url.starts_with("http")).unwrap_or_default(),
            parts,
            waiting: open.len(),
            comments: share.comments_sent,
        }
    }
}

/// What a share's parts are judged by.
struct Looked<'a> {
    ticket: &'a Ticket,
    share: &'a Share,
    agreement: Option<&'a Agreement>,
    issues: &'a [&'a Issue],
    open: &'a [&'a Message],
}

impl Looked<'_> {
    fn part(&self, property: &Property) -> Part {
        let subject = property.to_string();
        let exchange = self.share.agreed.properties.get(property);
        let here = self.ticket.effective(property);
        let asked = self.ticket.open.iter().any(|command| command.properties.contains_key(property));
        let sent = self.open.iter().any(|message| message.contents.properties.contains(property));
        let crosses = self.agreement.is_some_and(|agreement| crosses(property, agreement, true));
        let same = exchange.is_some_and(|exchange| here.is_some_and(|here| *here == exchange.here));
        let (state, words) = match self.issue(&subject) {
            Some(issue) => ("differs", format!("{}: {}", words::reason(issue.reason), issue.detail)),
            None if asked => ("waits", "The desk has been asked, and has not answered".to_owned()),
            None if sent => ("waits", "On its way to the partner".to_owned()),
            None if same => ("same", "In sync".to_owned()),
            None if !crosses => ("apart", "Not shared under these terms".to_owned()),
            None if exchange.is_none() => ("apart", "Not told yet".to_owned()),
            None => ("waits", "Changed since it was told".to_owned()),
        };
        let there = exchange.map(|exchange| text(&exchange.wire.json())).unwrap_or_default();
        Part {
            name: words::part(&subject),
            here: here.map(|value| text(&value.json())).unwrap_or_default(),
            there,
            state,
            words,
        }
    }

    fn tags(&self) -> Part {
        let list = |tags: &TagSet| tags.iter().cloned().collect::<Vec<_>>().join(", ");
        let here = self.ticket.effective_tags();
        let agreed = self.share.agreed.tags.as_ref();
        let (state, words) = match (self.issue("tags"), agreed) {
            (Some(issue), _) => ("differs", format!("{}: {}", words::reason(issue.reason), issue.detail)),
            _ if !self.agreement.is_some_and(|agreement| agreement.terms.sync_tags) => {
                ("apart", "Not shared under these terms".to_owned())
            }
            (None, Some(agreed)) if agreed.here == here => ("same", "In sync".to_owned()),
            (None, Some(_)) => ("waits", "Changed since they were told".to_owned()),
            (None, None) => ("apart", "Not told yet".to_owned()),
        };
        let there = agreed.map(|agreed| list(&agreed.wire)).unwrap_or_default();
        Part { name: "Tags".to_owned(), here: list(&here), there, state, words }
    }

    /// What else does not sync: comments, links, the share itself.
    fn rest(&self) -> Vec<Part> {
        let shown = |subject: &str| {
            subject == "tags"
                || self.share.agreed.properties.keys().any(|property| property.to_string() == subject)
                || self.ticket.effective_properties().keys().any(|property| property.to_string() == subject)
        };
        let rest = self.issues.iter().filter(|issue| !shown(&issue.subject));
        let part = |issue: &&Issue| Part {
            name: words::part(&issue.subject),
            here: String::new(),
            there: String::new(),
            state: "differs",
            words: format!("{}: {}", words::reason(issue.reason), issue.detail),
        };
        rest.map(part).collect()
    }

    fn issue(&self, subject: &str) -> Option<&Issue> {
        self.issues.iter().find(|issue| issue.subject == subject).copied()
    }
}

/// A value as people read it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_as_people_write_them() {
        for (value, shown) in [
            (json!(null), ""),
            (json!("a"), "a"),
            (json!(["a", 2]), "a, 2"),
            (json!(true), "yes"),
            (json!(7), "7"),
        ] {
            assert_eq!(text(&value), shown);
        }
    }
}
