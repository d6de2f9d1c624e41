//! A partner refuses a message for good, or the terms have become too narrow for it: what it told becomes un-agreed, so that the next
//! difference tells it again.

use crate::domain::{
    Agreed, Channel, Contents, Exchange, Message, MessageType, Parts, Reason, Share, ShareState, Shared,
    Tags, Uuid, Word,
};

use super::{Case, Context, Decision, Outcome, diff};

/// How many refused messages of a share are remembered.
const REFUSED: usize = 8;

/// Takes back what a refused message had agreed. A refused creation holds everything that would follow it.
pub fn refused(
    case: &mut Case,
    agreement: &Uuid,
    message: &Message,
    why: &str,
    ctx: &Context<'_>,
) -> Decision {
    let mut decision = Decision { outcome: Outcome::Applied, ..Decision::default() };
    let (kind, contents) = (message.kind, &message.contents);
    case.unanswered.retain(|(to, open)| to != agreement || open.seq != contents.seq);
    let now = case.ticket.effective_properties().into_owned();
    let Some(share) = case.share_mut(agreement).filter(|share| share.has(message)) else { return decision };
    match kind {
        MessageType::TicketCreate => {
            share.state = ShareState::Parked;
            share.reason = Some(why.to_owned());
            untell_all(share);
            decision.withdraw.push(agreement.clone());
        }
        MessageType::TicketUpdate => {
            untell(share, contents, &now);
            if let Some(first) = contents.first_comment {
                // Once more, and without anything else: it is the comments that the partner does not take.
                share.comments_held |= first <= share.refused_from && contents.is_comments_alone();
                share.refused_from = share.refused_from.max(first);
            }
            share.refused.push(contents.seq);
            let surplus = share.refused.len().saturating_sub(REFUSED);
            share.refused.drain(..surplus);
        }
        _ => {}
    }
    let name = ctx.agreements.get(agreement).map_or_else(|| agreement.to_string(), |a| a.name.clone());
    let held = case.share(agreement).is_some_and(|share| share.comments_held);
    let held =
        if held { "; comments are not told any more until somebody sends it again, or drops it" } else { "" };
    let text = format!("{name} refused {} for ticket {}: {why}{held}", kind.as_str(), case.number());
    decision.issue(case, agreement, subject(message), Reason::PartnerRefused, why, ctx);
    decision.notice(case, agreement, "partner_refused", text, ctx);
    decision
}

/// What the issue is about that a refused message opens.
fn subject(message: &Message) -> String {
    match message.kind {
        MessageType::TicketCreate => "ticket".to_owned(),
        MessageType::TicketUpdate => format!("message:{}", message.contents.seq),
        _ => "share".to_owned(),
    }
}

/// A person has settled what became of a refused message.
pub fn settled(decision: &mut Decision, case: &Case, agreement: &Uuid, message: &Message, ctx: &Context<'_>) {
    // What an earlier share had to say is settled by nothing now.
    let of_this_share = case.share(agreement).is_some_and(|share| message.id.n >= share.from_n);
    if of_this_share && message.kind.channel() == Channel::Partner {
        decision.resolved(case, agreement, subject(message), Reason::PartnerRefused, ctx);
    }
}

/// A person wants a refused message tried again: the share goes on, and what is different now is told anew. Its issue ends with that;
/// should the partner refuse it again, there is another.
pub fn replayed(case: &mut Case, agreement: &Uuid, message: &Message, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision { outcome: Outcome::Applied, ..Decision::default() };
    settled(&mut decision, case, agreement, message, ctx);
    if let Some(share) = case.share_mut(agreement) {
        share.tells_comments();
        if share.state == ShareState::Parked {
            share.state = ShareState::Active;
            share.reason = None;
        }
    }
    diff::all_shares(&mut decision, case, None, ctx);
    decision
}

/// A person wants a refused message forgotten: comments that it held are tried once more with the next change. A share that did not come
/// to be for it has ended then, and can be begun anew.
pub fn dropped(case: &mut Case, agreement: &Uuid, message: &Message, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision::default();
    let unborn = |share: &&mut Share| message.id.n >= share.from_n && share.state == ShareState::Parked;
    if message.kind == MessageType::TicketCreate
        && let Some(share) = case.share_mut(agreement).filter(unborn)
    {
        share.state = ShareState::Ended;
        decision.ended.push(agreement.clone());
    }
    let first = message.contents.first_comment.unwrap_or(i64::MAX);
    let holds = |share: &&mut Share| message.id.n >= share.from_n && first <= share.refused_from;
    if let Some(share) = case.share_mut(agreement).filter(holds) {
        share.comments_held = false;
    }
    settled(&mut decision, case, agreement, message, ctx);
    decision
}

/// The terms have become narrower than a message that waits and was never tried: what it and those behind it told is told anew, as
/// the terms are now.
pub fn told_anew(case: &mut Case, agreement: &Uuid, message: &Message, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision { outcome: Outcome::Applied, ..Decision::default() };
    let from = message.contents.seq;
    // It may have been told anew already.
    if !case.unanswered.iter().any(|(to, open)| to == agreement && open.seq == from) {
        return decision;
    }
    let behind = case.unanswered.extract_if(.., |(to, open)| to == agreement && open.seq > from);
    let mut waiting: Vec<Contents> = behind.map(|(_, open)| open).collect();
    case.unanswered.retain(|(to, open)| to != agreement || open.seq != from);
    waiting.sort_unstable_by_key(|open| open.seq);
    let now = case.ticket.effective_properties().into_owned();
    let concerned = |share: &&mut Share| share.is_active() && message.id.n >= share.from_n;
    let Some(share) = case.share_mut(agreement).filter(concerned) else { return decision };
    // The newest first: each gives back what the one before it had told.
    waiting.iter().rev().chain([&message.contents]).for_each(|open| untell(share, open, &now));
    if message.kind == MessageType::TicketCreate {
        untell_all(share);
    }
    decision.withdraw.push(agreement.clone());
    diff::all_shares(&mut decision, case, None, ctx);
    decision
}

/// The partner has nothing of the ticket.
fn untell_all(share: &mut Share) {
    share.begun = false;
    share.told_number = false;
    share.agreed = Agreed::default();
    share.comments_sent = 0;
}

/// What a message told is no longer agreed; `now` is what the ticket says.
fn untell(share: &mut Share, contents: &Contents, now: &Parts<Shared>) {
    share.told_number &= contents.seq > 1;
    for property in &contents.properties {
        let last = share.agreed.properties.get(property);
        if last.is_none_or(|told| told.seq != contents.seq) {
            continue;
        }
        let was = contents.was.get(property);
        let is_null = now.get(property).is_none_or(Shared::is_null);
        match was {
            // What that was told with was not refused itself.
            Some(was) if !share.refused.contains(&was.seq) => {
                share.agreed.properties.insert(property.clone(), was.clone());
            }
            Some(was) if is_null => {
                let untold = Exchange::untold(was.wire.clone(), &Shared::default());
                share.agreed.properties.insert(property.clone(), untold);
            }
            _ => drop(share.agreed.properties.remove(property)),
        }
    }
    if let Some(tags) = &mut share.agreed.tags {
        // The message told them in the wire's words.
        let here = tags.on_desk(&contents.tags_removed);
        let refused = |tag: &Word| contents.tags_added.contains(&tags.on_wire(tag));
        let kept = tags.here.iter().filter(|tag| !refused(tag)).cloned().chain(here).collect();
        tags.here = Tags::new(kept);
        let wire = Tags::make_mut(&mut tags.wire);
        wire.retain(|tag| !contents.tags_added.contains(tag));
        wire.extend(contents.tags_removed.iter().cloned());
        tags.told.retain(|_, seq| *seq != contents.seq);
    }
    if let Some(first) = contents.first_comment {
        share.comments_sent = share.comments_sent.min(first - 1);
    }
}
