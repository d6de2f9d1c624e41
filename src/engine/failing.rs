//! A partner fails on one ticket while it takes others': once that lasts, its people are told, and an issue stands until it is over.

use std::time::Duration;

use super::{Case, Context, Decision, Outcome};
use crate::domain::{Failing, Message, Reason, Uuid, lasting};

/// What the issue is about: whatever waits for the partner of this ticket.
const SUBJECT: &str = "delivery";

/// The partner fails on the ticket again. Once it has for `patience`, that is told.
pub fn fails(
    case: &mut Case,
    agreement: &Uuid,
    message: &Message,
    why: &str,
    patience: Duration,
    ctx: &Context<'_>,
) -> Decision {
    let mut decision = Decision::default();
    let Some(share) = case.share_mut(agreement).filter(|share| share.has(message)) else { return decision };
    let failing = *share.failing.get_or_insert(Failing { since: ctx.now, told: false });
    let time = ctx.now.since(failing.since);
    if failing.told || time < patience {
        return decision;
    }
    share.failing = Some(Failing { told: true, ..failing });
    decision.outcome = Outcome::Applied;
    decision.issue(case, agreement, SUBJECT, Reason::PartnerFails, why, ctx);
    let name = ctx.agreements.get(agreement).map_or_else(|| agreement.to_string(), |a| a.name.clone());
    let text = format!(
        "{name} has been failing on ticket {} for {}, while it takes others; what it is to be told of that one waits: {why}",
        case.number(),
        lasting(time)
    );
    decision.notice(case, agreement, "ticket_failing", text, ctx);
    decision
}

/// The partner has taken something of the ticket, or what it failed on is parked, which is an issue of its own.
pub fn over(case: &mut Case, agreement: &Uuid, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision { outcome: Outcome::Applied, ..Decision::default() };
    let failing = case.share_mut(agreement).and_then(|share| share.failing.take());
    if failing.is_some_and(|failing| failing.told) {
        decision.resolved(case, agreement, SUBJECT, Reason::PartnerFails, ctx);
    }
    decision
}
