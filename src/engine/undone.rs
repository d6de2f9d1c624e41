//! What a partner wanted and the desk could not do, or could not take then: it is asked again when that may help.

use super::{Case, Context, Decision, asking, asking::Asked, diff, field::fit, mapping};
use crate::domain::{OpenCommand, Property, Reason, Shared, Undone, Uuid};

/// How many comments of a ticket are kept for another try.
const COMMENTS: usize = 50;
/// How often the desk is asked again for the same.
const TRIES: u32 = 20;

/// Keeps what a command wanted.
pub(super) fn keep(case: &mut Case, wanted: Undone) {
    let undone = &mut case.ticket.undone;
    let at = undone.iter().position(|one| one.agreement == wanted.agreement).unwrap_or_else(|| {
        undone.push(Undone::none(wanted.agreement.clone()));
        undone.len() - 1
    });
    let Some(known) = undone.get_mut(at) else { return };
    let new_comment =
        |comment: &crate::domain::Comment| known.comments.iter().all(|one| one.uuid != comment.uuid);
    let fresh =
        wanted.properties.iter().any(|(property, value)| known.properties.get(property) != Some(value))
            || wanted.comments.iter().any(new_comment);
    // Something new to ask for is asked for, however hopeless the rest.
    known.tries = if fresh { wanted.tries } else { known.tries.max(wanted.tries) };
    for (property, value) in wanted.properties {
        known.properties.insert(property, value);
    }
    known.tags_added.extend(wanted.tags_added);
    known.tags_removed.extend(wanted.tags_removed);
    for comment in wanted.comments {
        if known.comments.iter().all(|one| one.uuid != comment.uuid) {
            known.comments.push(comment);
        }
    }
    let surplus = known.comments.len().saturating_sub(COMMENTS);
    known.comments.drain(..surplus);
}

/// Somebody has since said otherwise: what was wanted of this part is history.
pub(super) fn overtaken(decision: &mut Decision, case: &mut Case, property: &Property, ctx: &Context<'_>) {
    let mut whose = Vec::new();
    for undone in &mut case.ticket.undone {
        if undone.properties.remove(property).is_some() {
            whose.push(undone.agreement.clone());
        }
    }
    case.ticket.undone.retain(|undone| !undone.is_empty());
    for agreement in whose {
        decision.resolved(case, &agreement, property, Reason::CommandFailed, ctx);
    }
}

/// The ticket has changed: the desk is asked again for what it could not do. A closed ticket can still do nothing.
pub(super) fn try_again(decision: &mut Decision, case: &mut Case, ctx: &Context<'_>) {
    if case.ticket.undone.is_empty() || is_closed(case) {
        return;
    }
    for undone in std::mem::take(&mut case.ticket.undone) {
        let active = case.share(&undone.agreement).is_some_and(crate::domain::Share::is_active);
        let Some(agreement) = ctx.agreements.get(&undone.agreement).filter(|_| active) else { continue };
        if undone.tries >= TRIES {
            case.ticket.undone.push(undone);
            continue;
        }
        let Undone { properties, comments, tags_added, tags_removed, tries, .. } = undone;
        // Apart, so that a value that still cannot be set keeps no comment from the agents.
        let settles = properties.keys().map(ToString::to_string).collect();
        let values = Asked { settles, properties, tries: tries + 1, ..Asked::default() };
        asking::ask(decision, case, agreement, values, ctx);
        let mut settles: Vec<String> =
            comments.iter().map(|comment| format!("comment:{}", comment.uuid)).collect();
        if !tags_added.is_empty() || !tags_removed.is_empty() {
            settles.push("tags".to_owned());
        }
        let rest =
            Asked { settles, comments, tags_added, tags_removed, tries: tries + 1, ..Asked::default() };
        asking::ask(decision, case, agreement, rest, ctx);
    }
}

/// The desk has done what it could not do before.
pub(super) fn done(decision: &mut Decision, case: &Case, command: &OpenCommand, ctx: &Context<'_>) {
    for subject in &command.settles {
        decision.resolved(case, &command.agreement, subject, Reason::CommandFailed, ctx);
    }
}

/// Whether the ticket takes nothing more.
pub(super) fn is_closed(case: &Case) -> bool {
    case.ticket.effective(&Property::Status).and_then(|status| status.as_str()) == Some("closed")
}

/// A person wants everything tried again that the desk could not do, however often it was tried.
pub fn again(case: &mut Case, ctx: &Context<'_>) -> Decision {
    for undone in &mut case.ticket.undone {
        undone.tries = 0;
    }
    let mut decision = fields_changed(case, ctx);
    try_again(&mut decision, case, ctx);
    decision
}

/// The desk's custom fields have changed: values that fitted no field, and that nobody has overtaken, are set now.
pub fn fields_changed(case: &mut Case, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision::default();
    case.end_dead_shares(ctx);
    let agreements: Vec<Uuid> =
        case.shares.iter().filter(|s| s.is_active()).map(|s| s.agreement.clone()).collect();
    for uuid in agreements {
        let Some(agreement) = ctx.agreements.get(&uuid).filter(|agreement| agreement.is_accepted()) else {
            continue;
        };
        let mut asked = Asked::default();
        let mut share = match case.share(&uuid) {
            Some(share) => share.clone(),
            None => continue,
        };
        for (property, exchange) in &mut share.agreed.properties {
            let Property::Field(title) = property else { continue };
            let here = case.ticket.effective(property).cloned().unwrap_or_default();
            let crosses = mapping::crosses(property, agreement, true);
            if !exchange.unfit || !crosses || here != exchange.here {
                continue;
            }
            match fit(ctx.catalogue, title, &mapping::value_in(title, &exchange.wire.json(), agreement)) {
                Ok(value) => {
                    let value = Shared::from(value);
                    exchange.here = value.clone();
                    exchange.unfit = false;
                    if here != value {
                        asked.properties.insert(property.clone(), value);
                    }
                    decision.resolved(case, &uuid, property, Reason::UnknownField, ctx);
                }
                Err(unfit) => {
                    decision.issue(case, &uuid, property, unfit.reason, unfit.detail, ctx);
                }
            }
        }
        if let Some(kept) = case.share_mut(&uuid) {
            *kept = share;
        }
        asking::ask(&mut decision, case, agreement, asked, ctx);
    }
    diff::all_shares(&mut decision, case, None, ctx);
    decision
}
