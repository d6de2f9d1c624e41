//! A partner shares a ticket, changes one, or unshares it.
//!
//! What the terms do not let cross is dropped first; the rest is compared with what the share last agreed, and what is
//! new becomes one command for the desk. The same change is laid over the ticket for its other shares at once.

use std::collections::HashSet;

use crate::domain::{
    Agreement, Command, Direction, Extra, Origin, Privacy, Property, Reason, Share, ShareRole, ShareState,
    TicketUpdate, Undone, Value,
};

use super::{
    Case, ChangedPart, Context, Decision, Outcome, Refusal, asking, asking::Asked, diff, mapping, people,
    reading, undone,
};

/// A partner shares a ticket; saying so again is taken as an update.
///
/// # Errors
/// A [`Refusal`]: 403 where the agreement is not in force or the partner is not its sender, 422 for a ticket that is
/// already here by another way (it came home, or came twice).
pub fn ticket_created(
    case: &mut Case,
    agreement: &Agreement,
    update: &TicketUpdate,
    ctx: &Context<'_>,
) -> Result<Decision, Refusal> {
    in_force(agreement)?;
    if agreement.direction == Direction::Outbound {
        let reason = "only the sender of an agreement shares tickets under it; make an agreement of your own";
        return Err(Refusal::new(403, reason));
    }
    case.end_dead_shares(ctx);
    let uuid = &case.ticket.uuid;
    if !case.ticket.received && case.ticket.id.is_some() {
        return Err(Refusal::new(422, format!("ticket {uuid} is here already")));
    }
    if case.ticket.gone {
        let reason =
            format!("ticket {uuid} was deleted here, or merged into another: it cannot be shared again");
        return Err(Refusal::new(422, reason));
    }
    // Shared anew under the agreement that it came by, it may meanwhile have been shared on.
    let known_by_this = case.share(&agreement.uuid).is_some();
    let elsewhere = |share: &&Share| {
        let other = share.agreement != agreement.uuid && share.state != ShareState::Ended;
        other && (share.role == ShareRole::Incoming || !known_by_this)
    };
    if case.shares.iter().any(|share| elsewhere(&share)) {
        return Err(Refusal::new(422, format!("ticket {uuid} is here already")));
    }
    let next = case.ticket.messages + 1;
    match case.share_mut(&agreement.uuid) {
        Some(share) if share.state != ShareState::Ended => {}
        Some(share) => {
            let anew = Share::new(share.ticket.clone(), share.agreement.clone(), ShareRole::Incoming);
            // What is still on its way belongs to the share before. Our numbers go on: the partner may have begun anew before it had the last
            // of them, and passes over those that it has had.
            *share = Share { from_n: next, seq: share.seq, ..anew };
        }
        None => {
            let share = Share::new(case.ticket.uuid.clone(), agreement.uuid.clone(), ShareRole::Incoming);
            case.shares.push(share);
        }
    }
    case.ticket.received = true;
    Ok(apply(case, agreement, update, ctx))
}

/// A partner changes a shared ticket.
///
/// # Errors
/// A [`Refusal`]: 403 where the agreement is not in force, 404 where the ticket is not shared under it, 410 where it no
/// longer is.
pub fn ticket_updated(
    case: &mut Case,
    agreement: &Agreement,
    update: &TicketUpdate,
    ctx: &Context<'_>,
) -> Result<Decision, Refusal> {
    in_force(agreement)?;
    shared_under(case, agreement)?;
    Ok(apply(case, agreement, update, ctx))
}

/// A partner ends a share; doing so again is fine.
///
/// # Errors
/// A [`Refusal`]: 403 where the agreement is not in force, 404 where the ticket is not shared under it.
pub fn ticket_unshared(
    case: &mut Case,
    agreement: &Agreement,
    ctx: &Context<'_>,
) -> Result<Decision, Refusal> {
    in_force(agreement)?;
    let mut decision = Decision::default();
    match shared_under(case, agreement) {
        Err(refusal) if refusal.status == 410 => return Ok(decision),
        other => other?,
    }
    let reason = format!("{} unshared it", agreement.name);
    if let Some(share) = case.share_mut(&agreement.uuid) {
        share.state = ShareState::Ended;
        share.reason = Some(reason.clone());
    }
    let command = Command::UnshareTicket {
        uuid: case.ticket.uuid.clone(),
        id: case.ticket.id.clone(),
        agreement: (agreement.uuid.clone(), agreement.name.clone()),
        reason,
    };
    decision.command(case, &agreement.uuid, command, ctx);
    decision.withdraw.push(agreement.uuid.clone());
    decision.ended.push(agreement.uuid.clone());
    decision.outcome = Outcome::Applied;
    Ok(decision)
}

/// Whether tickets cross under an agreement.
///
/// # Errors
/// 403 with where it stands.
pub fn in_force(agreement: &Agreement) -> Result<(), Refusal> {
    if agreement.is_accepted() {
        return Ok(());
    }
    Err(Refusal::new(403, format!("agreement {} is {}", agreement.uuid, agreement.status.as_str())))
}

/// Whether a ticket is shared under an agreement, now.
///
/// # Errors
/// 404 where it never was, 410 where it no longer is.
pub fn shared_under(case: &Case, agreement: &Agreement) -> Result<(), Refusal> {
    match case.share(&agreement.uuid) {
        Some(share) if share.state == ShareState::Ended => {
            Err(Refusal::new(410, format!("ticket {} is no longer shared", case.ticket.uuid)))
        }
        Some(_) => Ok(()),
        None => Err(Refusal::new(404, format!("no ticket {} under this agreement", case.ticket.uuid))),
    }
}

fn apply(case: &mut Case, agreement: &Agreement, update: &TicketUpdate, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision::default();
    let creates =
        case.ticket.id.is_none() && case.ticket.received && case.ticket.open.iter().all(|c| !c.creates);
    let mut update = update.clone();
    if creates {
        // A ticket without a status is an open one.
        update.properties.entry(Property::Status).or_insert_with(|| Value::from("open").into());
    }
    let update = &update;
    let wanted = reading::values(&mut decision, case, agreement, update, ctx);
    if creates {
        if let Some(requester) = &update.requester {
            case.ticket.requester =
                Some(people::resolve(&mut decision, case, &agreement.uuid, requester, ctx));
        }
        case.ticket.created_at = update.requested_at;
        let origin = update.extra.as_ref().and_then(|extra| extra.origin.clone());
        case.ticket.origin = Some(origin.unwrap_or_else(|| Origin {
            desk: agreement.name.clone(),
            ticket_id: update.original_id.clone(),
            url: None,
        }));
        case.ticket.hops = update.extra.as_ref().and_then(|extra| extra.hops).unwrap_or(1);
    }
    let mut comments = comments(&mut decision, case, agreement, update, creates, ctx);
    let actor =
        update.actor.as_ref().map(|actor| people::resolve(&mut decision, case, &agreement.uuid, actor, ctx));
    if !comments.is_empty() {
        decision.changed.push(ChangedPart::Comments(Some(comments.len())));
    }
    if undone::is_closed(case) && !creates {
        closed(&mut decision, case, agreement, std::mem::take(&mut comments), ctx);
    }
    if !wanted.tags_added.is_empty() || !wanted.tags_removed.is_empty() {
        decision.changed.push(ChangedPart::Tags);
    }
    let asked = Asked {
        creates,
        settles: Vec::new(),
        tries: 0,
        properties: wanted.properties,
        tags_added: wanted.tags_added,
        tags_removed: wanted.tags_removed,
        comments,
        actor: actor.clone(),
        fields_not_synced: wanted.fields_not_synced,
        partner_news: wanted.partner_news,
    };
    asking::ask(&mut decision, case, agreement, asked, ctx);
    if !wanted.failed.is_empty() {
        let number = case.number();
        let text = format!("ticket {number}: {} does not sync: {}", agreement.name, wanted.failed.join("; "));
        decision.notice(case, &agreement.uuid, "field_failed", text, ctx);
    }
    diff::all_shares(&mut decision, case, actor.as_ref(), ctx);
    decision
}

/// A closed ticket takes no comment: what arrives is kept, told, and brought to the desk should the ticket be opened again.
fn closed(
    decision: &mut Decision,
    case: &mut Case,
    agreement: &Agreement,
    comments: Vec<crate::domain::Comment>,
    ctx: &Context<'_>,
) {
    for comment in comments {
        let subject = format!("comment:{}", comment.uuid);
        let words: String = comment.body.chars().take(200).collect();
        let detail =
            format!("the ticket is closed and takes no comment; {} wrote: {words}", comment.author.name);
        decision.hold_back(&agreement.uuid, ChangedPart::Comment(comment.uuid.clone()), Reason::TicketClosed);
        decision.issue(case, &agreement.uuid, subject, Reason::TicketClosed, detail, ctx);
        let number = case.number();
        let text = format!(
            "ticket {number} is closed, so a comment of {} was not added to it; crossdesk ticket explain {number} shows it",
            comment.author.name
        );
        decision.notice(case, &agreement.uuid, "comment_refused", text, ctx);
        undone::keep(case, Undone { comments: vec![comment], ..Undone::none(agreement.uuid.clone()) });
    }
}

/// The comments of an update that are new, taken in and named for the desk.
fn comments(
    decision: &mut Decision,
    case: &mut Case,
    agreement: &Agreement,
    update: &TicketUpdate,
    creates: bool,
    ctx: &Context<'_>,
) -> Vec<crate::domain::Comment> {
    let by_receiver = agreement.direction == Direction::Outbound;
    let limit: Privacy = diff::comment_limit(agreement, by_receiver);
    let (mut new, mut named) = (Vec::new(), HashSet::new());
    for comment in &update.comments {
        if !named.insert(&comment.uuid) {
            continue;
        }
        // A desk that could not create the ticket has none of its comments, though they are known.
        let known = case.comments.known.get(&comment.uuid).cloned();
        if known.as_ref().is_some_and(|id| !creates || id.is_some()) {
            continue;
        }
        let mut comment = crate::domain::Comment::clone(comment);
        comment.id = None;
        comment.limit(limit);
        comment.author = people::resolve(decision, case, &agreement.uuid, &comment.author, ctx);
        if known.is_none() {
            case.add_comment(comment.clone(), Some(agreement.uuid.clone()));
        }
        new.push(comment);
    }
    new
}

/// A shared ticket as this side last said it, for a partner that asks.
pub fn as_shared(
    case: &Case,
    agreement: &Agreement,
    comments: Vec<crate::domain::StoredComment>,
) -> TicketUpdate {
    let mut update = TicketUpdate::new(case.ticket.uuid.clone());
    let Some(share) = case.share(&agreement.uuid) else { return update };
    let exchanged = share.agreed.properties.iter().filter(|(_, exchange)| !exchange.wire.is_null());
    update.properties = exchanged
        .filter_map(|(property, exchange)| {
            Some((mapping::outgoing(property, agreement, false).ok()?, exchange.wire.clone()))
        })
        .collect();
    update.tags = share.agreed.tags.as_ref().map(|tags| tags.wire.clone());
    update.requester.clone_from(&case.ticket.requester);
    update.requested_at = case.ticket.created_at;
    update.original_id = case.ticket.id.as_ref().map(ToString::to_string);
    // Whoever compares knows by these that all is here, and whether anything is on its way.
    update.extra = Some(Extra { seq: Some(share.seq), seen: Some(share.partner_seq), ..Extra::default() });
    let by_us = share.role == ShareRole::Incoming;
    for stored in comments.into_iter().filter(|stored| stored.n <= share.comments_sent) {
        let comment = stored.comment;
        let ours = stored.from.as_ref() != Some(&agreement.uuid);
        update.comments.push(comment.limited(diff::comment_limit(agreement, ours == by_us)));
    }
    update
}
