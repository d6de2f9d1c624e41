//! A partner that is no desk has taken a message, and tells what stands for the ticket there and what of it could not be set.

use crate::domain::{Agreement, Carried, Reason};

use super::{
    Case, Context, Decision,
    asking::{self, Asked},
};

/// Takes in what came of bringing a ticket over: the desk is told the partner's number, and what did not sync is kept.
pub fn carried(case: &mut Case, agreement: &Agreement, carried: &Carried, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision::default();
    let mut news = false;
    if let (Some(issue), Some(share)) = (&carried.issue, case.share_mut(&agreement.uuid)) {
        news = share.partner.ticket_id.as_ref() != Some(&issue.key);
        share.partner.ticket_id = Some(issue.key.clone());
        share.partner.url = Some(issue.url.clone());
    }
    for subject in &carried.settled {
        decision.resolved(case, &agreement.uuid, subject, Reason::PartnerRefused, ctx);
    }
    for obstacle in &carried.obstacles {
        decision.issue(case, &agreement.uuid, &obstacle.subject, obstacle.reason, &obstacle.detail, ctx);
    }
    asking::ask(&mut decision, case, agreement, Asked { partner_news: news, ..Asked::default() }, ctx);
    decision
}
