//! The desk says how a ticket stands.

use std::borrow::Cow;

use super::{Case, ChangedPart, Context, Decision, Outcome, asking, diff, echo, mapping, people, undone};
use crate::domain::{Property, Reason, TicketEvent};

/// Takes an event on a shared ticket in, and sends every share what it does not have yet.
///
/// An event older than the newest applied one never undoes it, though comments in it that are unknown still count.
pub fn ticket_changed(case: &mut Case, event: &TicketEvent, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision::default();
    case.end_dead_shares(ctx);
    let event: Cow<'_, TicketEvent> = people::as_known(case, event, ctx);
    let stale = event.revision.is_older_than(&case.ticket.revision);
    let news = !stale && take_in(&mut decision, case, &event, ctx);
    let comments = echo::absorb_comments(case, &event, ctx);
    if comments {
        decision.changed.push(ChangedPart::Comments(None));
    }
    // What the desk says of a command that it refused is no reason to ask again.
    let about_command = event.command_id.is_some();
    if (news || comments) && !about_command {
        undone::try_again(&mut decision, case, ctx);
    }
    held_back(&mut decision, case, &event, ctx);
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

fn take_in(decision: &mut Decision, case: &mut Case, event: &TicketEvent, ctx: &Context<'_>) -> bool {
    let first = !case.ticket.known;
    let news = echo::absorb(decision, case, event, ctx);
    asking::told(decision, case, first, ctx);
    let ticket = &mut case.ticket;
    ticket.id.get_or_insert_with(|| event.id.clone());
    ticket.gone = false;
    if !ticket.received {
        if event.requester.is_some() && event.requester != ticket.requester {
            ticket.requester.clone_from(&event.requester);
        }
        ticket.created_at = event.created_at.or(ticket.created_at);
    }
    news
}

/// What of the change stays here, share by share.
fn held_back(decision: &mut Decision, case: &Case, event: &TicketEvent, ctx: &Context<'_>) {
    if decision.changed.is_empty() {
        return;
    }
    let changed = std::mem::take(&mut decision.changed);
    for share in case.shares.iter().filter(|share| share.is_active()) {
        let Some(agreement) = ctx.agreements.get(&share.agreement) else { continue };
        for property in event.properties.keys().filter(|property| !Property::EXTRA.contains(property)) {
            let has_changed =
                |part: &ChangedPart| matches!(part, ChangedPart::Property(of) if of == property);
            let crosses = mapping::outgoing(property, agreement, share.begun).is_ok();
            if !crosses && changed.iter().any(has_changed) {
                decision.hold_back(&agreement.uuid, property, Reason::NotShared);
            }
        }
        if changed.contains(&ChangedPart::Tags) && !agreement.terms.sync_tags {
            decision.hold_back(&agreement.uuid, ChangedPart::Tags, Reason::NotShared);
        }
    }
    decision.changed = changed;
}
