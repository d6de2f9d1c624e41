//! Somebody at the desk starts a share, or ends one.

use crate::domain::{
    Agreement, Contents, Direction, Property, Reason, Share, ShareRole, ShareState, TicketEvent, Uuid,
};

use super::{
    Case, Content, Context, Decision, Draft, Outcome, PartnerMessage, Refusal, asking, diff, echo, outgoing,
};

/// Shares a ticket under an agreement, with all that is known of it; what is not known is fetched from the desk.
///
/// # Errors
/// A [`Refusal`] with 409 where the agreement is not ours to share under or not in force, where the ticket is closed, or
/// where it is shared already with somebody else.
pub fn share(
    case: &mut Case,
    agreement: &Agreement,
    event: Option<&TicketEvent>,
    ctx: &Context<'_>,
) -> Result<Decision, Refusal> {
    case.end_dead_shares(ctx);
    let name = &agreement.name;
    if agreement.direction != Direction::Outbound {
        let reason = format!("under \"{name}\" the partner shares its tickets; invite it to share ours");
        return Err(Refusal::new(409, reason));
    }
    if !agreement.is_accepted() {
        return Err(Refusal::new(409, format!("agreement \"{name}\" is {}", agreement.status.as_str())));
    }
    let status = event.and_then(|event| event.properties.get(&Property::Status));
    let status = status.or_else(|| case.ticket.effective(&Property::Status));
    if status.and_then(|status| status.as_str()) == Some("closed") {
        return Err(Refusal::new(409, "a closed ticket cannot be shared"));
    }
    if let Some(other) = case.outgoing().filter(|share| share.agreement != agreement.uuid) {
        let reason =
            format!("the ticket is shared under agreement {} already; unshare it first", other.agreement);
        return Err(Refusal::new(409, reason));
    }
    let already = case.outgoing().is_some();
    if !already {
        // A partner that has not heard of the end passes over numbers that it has had.
        let seq = case.share(&agreement.uuid).map_or(0, |ended| ended.seq);
        case.shares.retain(|share| share.agreement != agreement.uuid);
        let share = Share::new(case.ticket.uuid.clone(), agreement.uuid.clone(), ShareRole::Outgoing);
        case.shares.push(Share { seq, ..share });
    }
    let mut decision = Decision::default();
    match event {
        Some(event) => decision = outgoing::ticket_changed(case, event, ctx),
        None => diff::all_shares(&mut decision, case, None, ctx),
    }
    let complete = event.is_some_and(|event| event.comments_complete);
    if let (false, false, Some(id)) = (already, complete, case.ticket.id.clone()) {
        asking::fetch(&mut decision, case, agreement, id, ctx);
    }
    if !already {
        decision.outcome = Outcome::Applied;
    }
    Ok(decision)
}

/// Notes that a share could not begin, for the people of the desk to see.
pub fn refused(
    case: &mut Case,
    agreement: Option<&Agreement>,
    wanted: &str,
    why: &str,
    ctx: &Context<'_>,
) -> Decision {
    let mut decision = Decision { outcome: Outcome::Rejected, ..Decision::default() };
    let uuid = agreement.map_or_else(|| Uuid::new(wanted), |agreement| agreement.uuid.clone());
    let number = case.number();
    let text = format!("ticket {number} was not shared with \"{wanted}\": {why}");
    decision.notice(case, &uuid, "share_refused", text, ctx);
    decision.issue(case, &uuid, "share", Reason::ShareRefused, why, ctx);
    decision
}

/// Ends the ticket's outgoing share, or the one it came by where it has no outgoing one.
///
/// # Errors
/// 409 where it is not shared.
pub fn unshare(case: &mut Case, why: &str, ctx: &Context<'_>) -> Result<Decision, Refusal> {
    case.end_dead_shares(ctx);
    let agreement =
        case.outgoing().or_else(|| case.shares.iter().find(|share| share.state != ShareState::Ended));
    let Some(agreement) = agreement.map(|share| share.agreement.clone()) else {
        return Err(Refusal::new(409, "the ticket is not shared"));
    };
    let mut decision = Decision { outcome: Outcome::Applied, ..Decision::default() };
    last_words(&mut decision, case, ctx);
    end(&mut decision, case, &agreement, why, ctx);
    Ok(decision)
}

/// Ends every share of a ticket that is gone from the desk.
pub fn gone(case: &mut Case, why: &str, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision::default();
    case.ticket.gone = true;
    let active: Vec<Uuid> =
        case.shares.iter().filter(|s| s.state != ShareState::Ended).map(|s| s.agreement.clone()).collect();
    last_words(&mut decision, case, ctx);
    for agreement in active {
        end(&mut decision, case, &agreement, why, ctx);
        let number = case.number();
        let text = format!("ticket {number} {why}, so it is no longer shared; the partner keeps its ticket");
        decision.notice(case, &agreement, "ticket_unshared", text, ctx);
        decision.outcome = Outcome::Applied;
    }
    decision
}

/// What agents have written and what waits behind a comment of ours is told before a share ends. (A message that was never tried is
/// taken back all the same.)
fn last_words(decision: &mut Decision, case: &mut Case, ctx: &Context<'_>) {
    if echo::speak_out(case, ctx) {
        diff::all_shares(decision, case, None, ctx);
    }
}

/// Ends a share; a partner that knows of it is told.
pub(super) fn end(decision: &mut Decision, case: &mut Case, agreement: &Uuid, why: &str, ctx: &Context<'_>) {
    let Some(share) = case.share_mut(agreement) else { return };
    let told = share.begun;
    share.state = ShareState::Ended;
    share.reason = Some(why.to_owned());
    decision.withdraw.push(agreement.clone());
    decision.ended.push(agreement.clone());
    if told {
        let id = case.next_message();
        decision.messages.push(Draft {
            id,
            agreement: Some(agreement.clone()),
            content: Content::Partner(PartnerMessage::Unshare),
            contents: Contents::default(),
            event_at: ctx.event_at,
        });
    }
}
