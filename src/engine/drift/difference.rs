//! Where a ticket and its counterpart differ.

use std::collections::BTreeSet;

use crate::{
    domain::{
        Agreement, Catalogue, Profile, Property, Share, Shared, StoredComment, TagSet, Tags, TicketUpdate,
        Timestamp, Uuid, Value, Word,
    },
    engine::{
        Case, field,
        mapping::{self, Place},
        status,
    },
};

/// What the partner answered when it was asked for a ticket.
#[derive(Clone, Debug)]
pub enum There {
    /// The ticket, as far as it shows it.
    Ticket(Box<TicketUpdate>),
    /// It knows no such ticket.
    Nothing,
    /// It knows it, and shares it no longer.
    Ended,
}

/// One part of a ticket that differs between the two sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The part: `subject`, `status`, `tags`, `field:<title>`, `comments`; `ticket` where the partner has none, `share` where it
    /// has ended there, `sequence` where one side was set back and its next messages would be taken for old ones.
    pub part: String,
    /// What both sides agreed on; of comments those that the partner lacks.
    pub here: Shared,
    /// What the partner has; of comments those that this side lacks.
    pub there: Shared,
    /// Since when it is known.
    pub since: Timestamp,
    pub(super) property: Option<Property>,
}

impl Difference {
    fn new(part: &str, here: impl Into<Shared>, there: impl Into<Shared>) -> Self {
        let since = Timestamp::default();
        Self { part: part.to_owned(), here: here.into(), there: there.into(), since, property: None }
    }

    pub(super) fn words(&self) -> String {
        let count = |value: &Shared| value.as_array().map_or(0, Vec::len);
        match self.part.as_str() {
            "comments" => {
                format!("{} not there, {} not here", count(&self.here), count(&self.there))
            }
            "ticket" => "the partner has no such ticket".to_owned(),
            "share" => "the partner no longer shares it".to_owned(),
            "sequence" => "one side was set back: its next changes would be taken for old ones".to_owned(),
            _ => format!("agreed {}, there {}", self.here, self.there),
        }
    }
}

/// Where a ticket and its counterpart differ. Parts that the partner does not show, or that never crossed, are passed over:
/// they may be kept back for good reasons. Comments, and what is absent, are judged by an answer that is known to be whole
/// only: another crossdesk's, or one that holds comments.
pub fn differences(
    case: &Case,
    agreement: &Agreement,
    catalogue: &Catalogue,
    there: &There,
) -> Vec<Difference> {
    let Some(share) = case.share(&agreement.uuid).filter(|share| share.is_active() && share.begun) else {
        return Vec::new();
    };
    let theirs = match there {
        There::Nothing => return vec![Difference::new("ticket", Value::from(true), Value::from(false))],
        There::Ended => return vec![Difference::new("share", Value::from(true), Value::from(false))],
        There::Ticket(update) => update,
    };
    let whole = theirs.extra.is_some();
    let mut found = values(share, agreement, catalogue, theirs, whole);
    if let Some((seq, seen)) = numbers(theirs)
        && (seen > share.seq || seq < share.partner_seq)
    {
        let (ours, counted) = (vec![share.seq, share.partner_seq], vec![seen, seq]);
        found.push(Difference::new("sequence", Value::from(ours), Value::from(counted)));
    }
    let shown = theirs.tags.clone().or_else(|| whole.then(Tags::default));
    if let Some(tags) = shown.filter(|_| agreement.terms.sync_tags) {
        let agreed = share.agreed.tags.as_ref().map(|tags| tags.wire.clone()).unwrap_or_default();
        if tags != agreed {
            found.push(Difference::new("tags", listed(&agreed), listed(&tags)));
        }
    }
    if whole || !theirs.comments.is_empty() {
        let has: BTreeSet<&Uuid> = theirs.comments.iter().map(|comment| &comment.uuid).collect();
        // What came from there is not told back, whatever has become of it.
        let told = |stored: &&StoredComment| {
            stored.n <= share.comments_sent && stored.from.as_ref() != Some(&agreement.uuid)
        };
        let sent = case.comments.unsent.iter().filter(told);
        let lacking = sent.map(|stored| &stored.comment.uuid).filter(|uuid| !has.contains(uuid));
        let lacking: Vec<&str> = lacking.map(Uuid::as_str).collect();
        let unknown = theirs.comments.iter().map(|comment| &comment.uuid);
        let unknown: Vec<&str> =
            unknown.filter(|uuid| !case.comments.known.contains_key(uuid)).map(Uuid::as_str).collect();
        if !lacking.is_empty() || !unknown.is_empty() {
            found.push(Difference::new("comments", Value::from(lacking), Value::from(unknown)));
        }
    }
    found
}

/// The numbers of the partner's last message, and of our last one that it has seen.
pub(super) fn numbers(theirs: &TicketUpdate) -> Option<(i64, i64)> {
    let extra = theirs.extra.as_ref()?;
    Some((extra.seq?, extra.seen?))
}

fn listed(tags: &TagSet) -> Value {
    tags.iter().map(Word::as_str).collect()
}

fn values(
    share: &Share,
    agreement: &Agreement,
    catalogue: &Catalogue,
    theirs: &TicketUpdate,
    whole: bool,
) -> Vec<Difference> {
    let nothing = Shared::default();
    let shown =
        theirs.properties.iter().filter_map(|(name, wire)| match mapping::incoming(name, agreement) {
            Place::Part(property) => Some((property, wire)),
            Place::Number | Place::NotTaken(_) => None,
        });
    let mut all: Vec<(Property, &Shared)> = shown.collect();
    // What is always there cannot be missing from a whole answer.
    for property in [Property::Subject, Property::Status] {
        if whole && !all.iter().any(|(shown, _)| *shown == property) {
            all.push((property, &nothing));
        }
    }
    let mut found = Vec::new();
    for (property, wire) in all {
        let last = share.agreed.properties.get(&property);
        let never = last.is_none() && (!whole || wire.is_null());
        if never || Property::TOLD.contains(&property) || !mapping::crosses(&property, agreement, true) {
            continue;
        }
        let agreed = last.map_or(&nothing, |last| &last.wire);
        if !alike(&property, agreed, wire, agreement, catalogue) {
            let difference = Difference::new(&property.to_string(), agreed.clone(), wire.clone());
            found.push(Difference { property: Some(property), ..difference });
        }
    }
    found
}

/// Whether two values of the wire mean the same here: one desk writes 5 where another writes "5".
fn alike(
    property: &Property,
    one: &Shared,
    other: &Shared,
    agreement: &Agreement,
    catalogue: &Catalogue,
) -> bool {
    if one == other {
        return true;
    }
    match (property, one.as_str(), other.as_str()) {
        (Property::Status, Some(one), Some(other)) => {
            let read = |word| status::from_wire(word, agreement);
            read(one).is_some_and(|status| {
                read(other) == Some(status)
                    // Told as its nearest, it may be kept as that.
                    || (agreement.profile == Profile::RequestTracker
                        && status::to_wire(status, agreement) == other)
            })
        }
        (Property::Field(title), ..) => {
            let fit = |wire: &Shared| {
                field::fit(catalogue, title, &mapping::value_in(title, &wire.json(), agreement)).ok()
            };
            fit(one).is_some_and(|value| fit(other) == Some(value))
        }
        _ => false,
    }
}
