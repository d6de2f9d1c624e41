//! A ticket as the store has it, and how a case knows whether it has become another.

use std::{
    hash::{BuildHasher, Hash, Hasher},
    sync::LazyLock,
};

use foldhash::quality::RandomState;

use crate::domain::{
    Attachment, Comment, Exchange, Parts, Property, Share, Shared, TagSet, Ticket, TicketId, Timestamp, Word,
};

/// So many fields every ticket may have.
const USUAL: usize = 100;

/// Drawn anew by every process, and shown to nobody: a ticket that looks like another cannot be prepared.
static PRINTER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// A ticket with its shares, as the store has them or is about to have them.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The ticket, with the version that was read.
    pub ticket: Ticket,
    /// Its shares, ended ones too.
    pub shares: Vec<Share>,
    /// Of both as they were given. Nothing that it is made of may be changed behind it: a ticket's version and the places of its last rows
    /// are not.
    print: u64,
}

impl Stored {
    /// A ticket with its shares.
    pub fn new(ticket: Ticket, shares: Vec<Share>) -> Self {
        let print = print(&ticket, &shares);
        Self { ticket, shares, print }
    }

    /// About how many bytes it takes beyond what every ticket takes.
    pub fn weight(&self) -> usize {
        let Self { ticket, shares, .. } = self;
        let comments = |comments: &[Comment]| -> usize {
            let size = |comment: &Comment| {
                let html = comment.html_body.as_ref().map_or(0, String::len);
                size_of::<Comment>()
                    + comment.body.len()
                    + html
                    + comment.attachments.len() * size_of::<Attachment>()
            };
            comments.iter().map(size).sum()
        };
        let tags = |tags: &TagSet| tags.len() * size_of::<Word>();
        let values = |values: &Parts<Shared>| values.values().map(Shared::weight).sum::<usize>();
        let open = ticket.open.iter().map(|command| {
            let changed = tags(&command.tags_added) + tags(&command.tags_removed);
            values(&command.properties) + changed + comments(&command.comments)
        });
        let undone = ticket.undone.iter().map(|undone| {
            let changed = tags(&undone.tags_added) + tags(&undone.tags_removed);
            values(&undone.properties) + changed + comments(&undone.comments)
        });
        let agreed = shares.iter().map(|share| {
            let agreed = &share.agreed;
            let exchanges = agreed.properties.values().map(|last| last.wire.weight() + last.here.weight());
            let names = agreed
                .tags
                .as_ref()
                .map_or(0, |last| tags(&last.wire) + tags(&last.here) + last.names.len() * 64);
            let not_taken = agreed.not_taken.values().map(Shared::weight).sum::<usize>();
            let entries = agreed.properties.len() + agreed.not_taken.len();
            let unusual = entries.saturating_sub(USUAL) * size_of::<(Property, Exchange)>();
            exchanges.sum::<usize>() + names + not_taken + unusual + values(&share.partner.told)
        });
        let held = ticket.held.properties.values().map(|(value, _)| value.weight()).sum::<usize>();
        values(&ticket.properties)
            + tags(&ticket.tags)
            + open.chain(undone).chain(agreed).sum::<usize>()
            + held
            + comments(&ticket.held.comments)
            + comments(&ticket.missing)
    }
}

/// What is remembered of a ticket as the store has it, when a case has been made of that: a busy ticket is changed where it stands in
/// memory, and no copy of what it was is kept.
#[derive(Clone, Debug)]
pub struct Imprint {
    /// The version that was read.
    pub version: i64,
    id: Option<TicketId>,
    due_at: Option<Timestamp>,
    /// Of all of it: 64 bits of a keyed hash, so that one change in 10¹⁹ would be taken for none.
    whole: u64,
    /// Of the agreements under which it is shared, and the partners' numbers of it.
    shares: u64,
}

impl Imprint {
    /// Of a ticket.
    pub fn of(stored: &Stored) -> Self {
        Self {
            version: stored.ticket.version,
            id: stored.ticket.id.clone(),
            due_at: stored.ticket.due_at,
            whole: stored.print,
            shares: of_shares(&stored.shares),
        }
    }

    /// Whether the ticket still says the same.
    pub fn is_of(&self, stored: &Stored) -> bool {
        self.whole == stored.print
    }

    /// The same of one that is being changed.
    pub fn is_still(&self, ticket: &Ticket, shares: &[Share]) -> bool {
        self.whole == print(ticket, shares)
    }

    /// Whether the ticket is still found by the same.
    pub fn finds(&self, ticket: &Ticket) -> bool {
        self.id == ticket.id && self.due_at == ticket.due_at
    }

    /// Whether it is shared under the same agreements, and has the same numbers there.
    pub fn lists(&self, shares: &[Share]) -> bool {
        self.shares == of_shares(shares)
    }
}

fn print(ticket: &Ticket, shares: &[Share]) -> u64 {
    PRINTER.hash_one((ticket, shares))
}

fn of_shares(shares: &[Share]) -> u64 {
    let mut hasher = PRINTER.build_hasher();
    for share in shares {
        (&share.agreement, &share.partner.ticket_id).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::Uuid;

    fn ticket() -> Value {
        let person = json!({"uuid": "p", "id": "7", "name": "Joe User", "role": "end-user"});
        let comment = json!({"uuid": "c", "id": "c1", "author": person, "body": "The lens", "html_body": "<p>The lens</p>", "privacy": "public",
            "authored_at": 5, "attachments": [{"url": "https://desk.example/1", "filename": "lens.jpg", "content_type": "image/jpeg"}]});
        let command = json!({"n": 1, "at": 2, "on_its_way": true, "agreement": "a", "creates": true, "fetches": true, "properties": {"status": "open"},
            "tags_added": ["new"], "tags_removed": ["old"], "comments": [comment], "settles": ["status"], "tries": 1});
        json!({"received": true, "revision": {"number": 3, "time": 4}, "heard": {"events": "e", "comments": "m", "older": false, "foreign": false},
            "known": true, "properties": {"subject": "Lens", "status": "open", "field:Camera model": "X100", "field:Zoom": 3, "field:Élan": [true]},
            "tags": ["vip"], "requester": person, "created_at": 6, "comments": 7, "messages": 8, "gone": true,
            "origin": {"desk": "Other", "ticket_id": "12", "url": "https://other.example/12"}, "hops": 2, "open": [command],
            "held": {"properties": {"status": ["open", {"number": 3, "time": 4}]}, "comments": [comment]}, "missing": [comment],
            "undone": [{"agreement": "a", "properties": {"status": "solved"}, "tags_added": ["x"], "tags_removed": ["y"], "comments": [comment], "tries": 1}]})
    }

    fn share() -> Value {
        json!({"role": "incoming", "state": "active", "begun": true, "from_n": 1, "seq": 2, "partner_seq": 3, "comments_sent": 4,
            "agreed": {"properties": {"status": {"wire": "open", "here": "pending", "seq": 5, "unfit": true}},
                "tags": {"wire": ["vip"], "here": ["VIP"], "told": {"vip": 6}, "names": {"VIP": "vip"}}, "not_taken": {"Zoom": "3"}},
            "partner": {"ticket_id": "9", "url": "https://other.example/9", "told": {"assignee": "Ann"}, "at": {"status": 7}},
            "told_number": true, "refused_from": 8, "refused": [9], "comments_held": true, "failing": {"since": 11, "told": true},
            "insisted": [{"what": "status", "since": 10, "times": 2}], "reason": "parked"})
    }

    #[test]
    fn what_stands_beside_the_document_leaves_its_print_too() {
        let with = |id: &str, due_at| {
            let mut ticket = Ticket::new(Uuid::new("t"));
            (ticket.id, ticket.due_at) = (Some(TicketId::new(id)), due_at);
            Stored::new(ticket, Vec::new())
        };
        let imprint = Imprint::of(&with("1", None));
        assert!(imprint.is_of(&with("1", None)));
        assert!(
            !imprint.is_of(&with("2", None)) && !imprint.is_of(&with("1", Some(Timestamp::from_millis(1))))
        );
    }

    #[test]
    fn numbers_that_only_look_alike_leave_other_prints() {
        let with = |value: Value| {
            let mut ticket = Ticket::new(Uuid::new("t"));
            ticket.properties.insert(Property::Subject, Shared::from(value));
            Stored::new(ticket, Vec::new())
        };
        let alike = [json!(0), json!(0.0), json!(-1), json!(u64::MAX), json!(3), json!(f64::from_bits(3))];
        for (at, one) in alike.iter().enumerate() {
            for (place, other) in alike.iter().enumerate() {
                for wrapped in [|value: &Value| value.clone(), |value: &Value| json!({"a": [value]})] {
                    let same = Imprint::of(&with(wrapped(one))).is_of(&with(wrapped(other)));
                    assert_eq!(same, at == place, "{one} and {other}");
                }
            }
        }
    }

    fn stored(ticket: &Value, share: &Value) -> Option<Stored> {
        let mut share: Share = serde_json::from_value(share.clone()).ok()?;
        share.agreement = Uuid::new("a");
        Some(Stored::new(serde_json::from_value(ticket.clone()).ok()?, vec![share]))
    }

    /// The document with each of its values changed in turn.
    fn altered(doc: &Value) -> Vec<(String, Value)> {
        let inner = |key: String, value: &Value, put: &dyn Fn(Value) -> Value| {
            let inner = altered(value).into_iter();
            inner.map(|(path, value)| (format!("{key}.{path}"), put(value))).collect::<Vec<_>>()
        };
        match doc {
            Value::Object(map) => {
                let with = |key: &str, value| {
                    let mut map = map.clone();
                    map.insert(key.to_owned(), value);
                    Value::Object(map)
                };
                map.iter()
                    .flat_map(|(key, value)| inner(key.clone(), value, &|value| with(key, value)))
                    .collect()
            }
            Value::Array(list) => {
                let with = |at: usize, value: Value| {
                    let has =
                        list.iter().enumerate().map(|(place, old)| if place == at { &value } else { old });
                    Value::Array(has.cloned().collect())
                };
                let each = list.iter().enumerate();
                each.flat_map(|(at, old)| inner(at.to_string(), old, &|value| with(at, value))).collect()
            }
            Value::String(text) => {
                let words = ["open", "incoming", "outgoing", "active", "parked", "private", "agent"];
                let others = words.iter().filter(|word| *word != text).map(|word| Value::from(*word));
                others.chain([format!("{text}x").into()]).map(|other| (String::new(), other)).collect()
            }
            Value::Bool(flag) => vec![(String::new(), (!flag).into())],
            Value::Number(number) => {
                let number = number.as_i64().unwrap_or_default();
                let others =
                    [(number + 1).into(), json!(0.0), json!(-1), json!(u64::MAX), json!(f64::from_bits(3))];
                others.into_iter().map(|other| (String::new(), other)).collect()
            }
            Value::Null => Vec::new(),
        }
    }

    #[test]
    fn every_part_of_a_ticket_and_its_shares_leaves_its_own_print() {
        let Some(before) = stored(&ticket(), &share()) else { panic!("the documents are read") };
        let imprint = Imprint::of(&before);
        assert!(stored(&ticket(), &share()).is_some_and(|same| imprint.is_of(&same)));
        let tickets = altered(&ticket()).into_iter().map(|(path, doc)| (path, stored(&doc, &share())));
        let shares = altered(&share()).into_iter().map(|(path, doc)| (path, stored(&ticket(), &doc)));
        let mut seen = 0;
        for (path, after) in tickets.chain(shares).filter_map(|(path, after)| Some((path, after?))) {
            let same = (&before.ticket, &before.shares) == (&after.ticket, &after.shares);
            assert_eq!(imprint.is_of(&after), same, "{path}");
            seen += usize::from(!same);
        }
        assert!(seen > 200, "only {seen} changes were read");
    }

    #[test]
    fn what_lists_show_of_a_ticket_is_seen_to_change() {
        let Some(mut stored) = stored(&ticket(), &share()) else { panic!("the documents are read") };
        let imprint = Imprint::of(&stored);
        assert!(imprint.finds(&stored.ticket) && imprint.lists(&stored.shares));
        stored.ticket.due_at = Some(Timestamp::from_millis(1));
        assert!(!imprint.finds(&stored.ticket));
        for share in &mut stored.shares {
            share.partner.ticket_id = Some("10".to_owned());
        }
        assert!(!imprint.lists(&stored.shares));
        assert!(!imprint.lists(&[]));
    }
}
