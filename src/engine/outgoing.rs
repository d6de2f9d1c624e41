//! The desk says how a ticket stands.

use crate::domain::TicketEvent;

use super::{Case, Context, Decision, Outcome, diff, echo};

/// Takes an event on a shared ticket in, and sends every share what it does not have yet.
///
/// An event older than the newest applied one never undoes it, though comments in it that are unknown still count.
pub fn ticket_changed(case: &mut Case, event: &TicketEvent, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision::default();
    case.end_dead_shares(ctx);
    let stale = event.revision.is_older_than(&case.ticket.revision);
    let news = !stale && take_in(case, event);
    let comments = echo::absorb_comments(case, event);
    diff::all_shares(&mut decision, case, event.actor.as_ref(), ctx);
    decision.outcome = if news || comments {
        Outcome::Applied
    } else if stale {
        Outcome::Stale
    } else {
        Outcome::Unchanged
    };
    decision
}

fn take_in(case: &mut Case, event: &TicketEvent) -> bool {
    let news = echo::absorb(case, event);
    let ticket = &mut case.ticket;
    ticket.id.get_or_insert_with(|| event.id.clone());
    if !ticket.received {
        if let Some(requester) = &event.requester {
            ticket.requester = Some(requester.clone());
        }
        ticket.created_at = event.created_at.or(ticket.created_at);
    }
    news
}
