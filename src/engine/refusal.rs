//! A partner refuses a message for good: what it told becomes un-agreed, so that the next difference tells it again.

use crate::domain::{Contents, MessageType, Reason, ShareState, Uuid};

use super::{Case, Context, Decision, Outcome, diff};

/// Takes back what a refused message had agreed. A refused creation holds everything that would follow it.
pub fn refused(
    case: &mut Case,
    agreement: &Uuid,
    kind: MessageType,
    contents: &Contents,
    why: &str,
    ctx: &Context<'_>,
) -> Decision {
    let mut decision = Decision { outcome: Outcome::Applied, ..Decision::default() };
    case.unanswered.retain(|(to, open)| to != agreement || open.seq != contents.seq);
    let Some(share) = case.share_mut(agreement) else { return decision };
    let subject = match kind {
        MessageType::TicketCreate => {
            share.state = ShareState::Parked;
            share.reason = Some(why.to_owned());
            share.begun = false;
            share.agreed = crate::domain::Agreed::default();
            share.comments_sent = 0;
            decision.withdraw.push(agreement.clone());
            "ticket".to_owned()
        }
        MessageType::TicketUpdate => {
            share.agreed.properties.retain(|_, exchange| exchange.seq != contents.seq);
            if contents.tags {
                share.agreed.tags = None;
            }
            if let Some(first) = contents.first_comment {
                share.comments_sent = share.comments_sent.min(first - 1);
            }
            format!("message:{}", contents.seq)
        }
        _ => "share".to_owned(),
    };
    let name = ctx.agreements.get(agreement).map_or_else(|| agreement.to_string(), |a| a.name.clone());
    let number = case.ticket.id.as_ref().map_or_else(|| case.ticket.uuid.to_string(), ToString::to_string);
    let text = format!("{name} refused {} for ticket {number}: {why}", kind.as_str());
    decision.issue(case, agreement, subject, Reason::PartnerRefused, why, ctx);
    decision.notice(case, agreement, "partner_refused", text, ctx);
    decision
}

/// A person wants a refused message tried again: the share goes on, and what is different now is told anew.
pub fn replayed(case: &mut Case, agreement: &Uuid, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision { outcome: Outcome::Applied, ..Decision::default() };
    if let Some(share) = case.share_mut(agreement).filter(|share| share.state == ShareState::Parked) {
        share.state = ShareState::Active;
        share.reason = None;
    }
    diff::all_shares(&mut decision, case, None, ctx);
    decision
}
