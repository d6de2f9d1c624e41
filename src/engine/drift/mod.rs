//! What a partner has of a shared ticket, held against what both sides last agreed, and the way back to one ticket.
//!
//! Drift is what no message is on its way about: a backup that was restored, an answer that meant nothing, a hand in the
//! database. The sender's values are put right over there, the partner's are taken where the partner is the sender; comments
//! that one side lacks come from the other.

mod difference;

use super::{
    Case, Context, Decision, Outcome, Refusal, asking, diff,
    incoming::{in_force, ticket_unshared, ticket_updated},
    mapping::{self, Place},
};
use crate::domain::{
    Agreed, Agreement, Exchange, Property, Reason, ShareRole, Shared, Tags, TicketUpdate, Timestamp, Uuid,
};
use difference::numbers;
pub use difference::{Difference, There, differences};

/// What the subject of an issue about drift begins with.
const ISSUE: &str = "drift:";

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
        asking::fetch(&mut decision, case, agreement, id, ctx);
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
