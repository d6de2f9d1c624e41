//! A partner fails on one ticket while it takes others': once that lasts, its people are told, and an issue stands until it is over.

use std::time::Duration;

use super::{Case, Context, Decision, Outcome};
use crate::domain::{Reason, Uuid, lasting};

/// What the issue is about: whatever waits for the partner of this ticket.
const SUBJECT: &str = "delivery";

/// The partner has been failing on the ticket for some time: that is told once.
pub fn fails(case: &mut Case, agreement: &Uuid, why: &str, time: Duration, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision::default();
    let Some(share) = case.share_mut(agreement).filter(|share| share.failing.is_none()) else {
        return decision;
    };
    share.failing = Some(ctx.now);
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

/// The partner has taken something of the ticket, or has refused it for good, which is an issue of its own.
pub fn over(case: &mut Case, agreement: &Uuid, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision { outcome: Outcome::Applied, ..Decision::default() };
    if let Some(share) = case.share_mut(agreement) {
        share.failing = None;
    }
    decision.resolved(case, agreement, SUBJECT, Reason::PartnerFails, ctx);
    decision
}
