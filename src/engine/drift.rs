//! What a partner has of a shared ticket, held against what both sides last agreed, and the way back to one ticket.
//!
//! Drift is what no message is on its way about: a backup that was restored, an answer that meant nothing, a hand in the
//! database. The sender's values are put right over there, the partner's are taken where the partner is the sender; comments
//! that one side lacks come from the other.

use std::collections::BTreeSet;

use super::{
    Case, Context, Decision, Outcome, Refusal, diff, field,
    incoming::{in_force, ticket_unshared, ticket_updated},
    mapping::{self, Place},
    status,
};
use crate::domain::{
    Agreed, Agreement, Catalogue, Command, Exchange, Profile, Property, Reason, Share, ShareRole, Shared,
    StoredComment, TagSet, Tags, TicketUpdate, Timestamp, Uuid, Value, Word,
};

/// What the subject of an issue about drift begins with.
const ISSUE: &str = "drift:";

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
    property: Option<Property>,
}

impl Difference {
    fn new(part: &str, here: impl Into<Shared>, there: impl Into<Shared>) -> Self {
        let since = Timestamp::default();
        Self { part: part.to_owned(), here: here.into(), there: there.into(), since, property: None }
    }

    fn words(&self) -> String {
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
fn numbers(theirs: &TicketUpdate) -> Option<(i64, i64)> {
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

/// What was asked, and what is known of it.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What the partner answered.
    pub there: There,
    /// How far the share had come before it was asked: what has moved since is on its way.
    pub seq: (i64, i64),
    /// Open issues about drift of this share: subject, and since when.
    pub known: Vec<(String, Timestamp)>,
    /// Whether the two sides are to be made one again.
    pub repair: bool,
}

impl Comparison {
    /// Whether an issue is about drift.
    pub fn is_about(subject: &str) -> bool {
        subject.starts_with(ISSUE)
    }
}

/// Notes where a ticket and its counterpart differ, or puts it right. A ticket that something is on its way about is left
/// alone: then there is no answer.
///
/// # Errors
/// A [`Refusal`]: 403 where the agreement is not in force.
pub fn compared(
    case: &mut Case,
    agreement: &Agreement,
    comparison: &Comparison,
    ctx: &Context<'_>,
) -> Result<(Decision, Option<Vec<Difference>>), Refusal> {
    in_force(agreement)?;
    let mut decision = Decision::default();
    let on_its_way = case.unanswered.iter().any(|(to, _)| *to == agreement.uuid);
    let moved = case
        .share(&agreement.uuid)
        .is_none_or(|share| (share.seq, share.partner_seq) != comparison.seq || !share.is_active());
    if on_its_way || moved {
        return Ok((decision, None));
    }
    let mut found = differences(case, agreement, ctx.catalogue, &comparison.there);
    for difference in &mut found {
        let subject = format!("{ISSUE}{}", difference.part);
        let known = comparison.known.iter().find(|(known, _)| *known == subject);
        difference.since = known.map_or(ctx.now, |(_, since)| *since);
    }
    if comparison.repair && !found.is_empty() {
        decision = repair(case, agreement, &comparison.there, &found, ctx)?;
        decision.outcome = Outcome::Applied;
    }
    for difference in found.iter().filter(|_| !comparison.repair) {
        let subject = format!("{ISSUE}{}", difference.part);
        decision.issue(case, &agreement.uuid, subject, Reason::Drift, difference.words(), ctx);
        if let Some(issue) = decision.issues.last_mut() {
            issue.opened_at = difference.since;
        }
    }
    for (subject, _) in &comparison.known {
        let still = found.iter().any(|difference| subject.strip_prefix(ISSUE) == Some(&difference.part));
        if !still || comparison.repair {
            decision.resolved(case, &agreement.uuid, subject, Reason::Drift, ctx);
        }
    }
    Ok((decision, Some(found)))
}

fn repair(
    case: &mut Case,
    agreement: &Agreement,
    there: &There,
    found: &[Difference],
    ctx: &Context<'_>,
) -> Result<Decision, Refusal> {
    let Some(role) = case.share(&agreement.uuid).map(|share| share.role) else {
        return Ok(Decision::default());
    };
    let theirs = match there {
        There::Ended => return ticket_unshared(case, agreement, ctx),
        There::Nothing => {
            let mut decision = Decision::default();
            // Only the sender can tell of a ticket anew.
            if let Some(share) = case.share_mut(&agreement.uuid).filter(|_| role == ShareRole::Outgoing) {
                share.begun = false;
                share.told_number = false;
                share.agreed = Agreed::default();
                share.comments_sent = 0;
                share.tells_comments();
            }
            diff::all_shares(&mut decision, case, None, ctx);
            return Ok(decision);
        }
        There::Ticket(update) => update,
    };
    // Set back, this side may not know its own desk's comments: the desk tells them first, and only then are those that remain the
    // partner's.
    let share = case.share(&agreement.uuid);
    let set_back = numbers(theirs).is_some_and(|(_, seen)| share.is_some_and(|share| seen > share.seq));
    let mut taken = TicketUpdate::new(case.ticket.uuid.clone());
    for difference in found {
        match (&difference.property, role) {
            (Some(property), ShareRole::Outgoing) => untell(case, agreement, property, &difference.there),
            (Some(property), ShareRole::Incoming) => {
                // In the partner's words, as it would have told it.
                let name = theirs.properties.keys().find(
                    |name| matches!(mapping::incoming(name, agreement), Place::Part(part) if part == *property),
                );
                taken.properties.extend(name.map(|name| (name.clone(), difference.there.clone())));
            }
            (None, ShareRole::Outgoing) if difference.part == "tags" => {
                if let Some(share) = case.share_mut(&agreement.uuid) {
                    let tags = share.agreed.tags.get_or_insert_default();
                    tags.told.clear();
                    tags.wire = theirs.tags.clone().unwrap_or_default();
                    tags.here = Tags::new(tags.on_desk(&tags.wire));
                }
            }
            (None, ShareRole::Incoming) if difference.part == "tags" => {
                taken.tags = Some(theirs.tags.clone().unwrap_or_default());
            }
            (None, _) if difference.part == "sequence" => {
                if let (Some((seq, seen)), Some(share)) = (numbers(theirs), case.share_mut(&agreement.uuid)) {
                    share.seq = share.seq.max(seen);
                    share.partner_seq = share.partner_seq.min(seq);
                }
            }
            (None, _) => {
                let lacking = |uuid: &Uuid| {
                    difference.here.as_array().is_some_and(|list| list.iter().any(|one| one == uuid.as_str()))
                };
                let first = case.comments.unsent.iter().find(|stored| lacking(&stored.comment.uuid));
                let first = first.map(|stored| stored.n);
                if let (Some(n), Some(share)) = (first, case.share_mut(&agreement.uuid)) {
                    share.comments_sent = share.comments_sent.min(n - 1);
                    share.tells_comments();
                }
                if !set_back {
                    let known = &case.comments.known;
                    let new = theirs.comments.iter().filter(|comment| !known.contains_key(&comment.uuid));
                    taken.comments = new.cloned().collect();
                }
            }
        }
    }
    let mut decision = ticket_updated(case, agreement, &taken, ctx)?;
    if let (true, Some(id)) = (set_back, case.ticket.id.clone()) {
        let uuid = case.ticket.uuid.clone();
        decision.command(case, &agreement.uuid, Command::FetchTicket { uuid, id }, ctx);
    }
    Ok(decision)
}

/// What this side last told counts as never told: the partner has something else.
fn untell(case: &mut Case, agreement: &Agreement, property: &Property, there: &Shared) {
    let now = case.ticket.effective(property).cloned().unwrap_or_default();
    if let Some(share) = case.share_mut(&agreement.uuid) {
        share.agreed.properties.insert(property.clone(), Exchange::untold(there.clone(), &now));
    }
}
