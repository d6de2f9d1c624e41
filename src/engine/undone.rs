//! What a partner wanted and the desk could not do, or could not take then: it is asked again when that may help.

use super::{Case, Context, Decision, asking, asking::Asked, diff, field::fit, mapping};
use crate::domain::{Comment, OpenCommand, Property, Reason, Undone, Uuid, Value};

/// How many comments of a ticket are kept for another try.
const COMMENTS: usize = 50;

/// Keeps what a command wanted.
pub(super) fn keep(
    case: &mut Case,
    agreement: &Uuid,
    property: Option<(Property, Value)>,
    comment: Option<Comment>,
) {
    let undone = &mut case.ticket.undone;
    let at = undone.iter().position(|one| one.agreement == *agreement).unwrap_or_else(|| {
        let none =
            Undone { agreement: agreement.clone(), properties: Default::default(), comments: Vec::new() };
        undone.push(none);
        undone.len() - 1
    });
    let Some(undone) = undone.get_mut(at) else { return };
    undone.properties.extend(property);
    if let Some(comment) = comment.filter(|new| undone.comments.iter().all(|known| known.uuid != new.uuid)) {
        undone.comments.push(comment);
        let surplus = undone.comments.len().saturating_sub(COMMENTS);
        undone.comments.drain(..surplus);
    }
}

/// Somebody has since said otherwise: what was wanted of this part is history.
pub(super) fn overtaken(decision: &mut Decision, case: &mut Case, property: &Property, ctx: &Context<'_>) {
    let mut whose = Vec::new();
    for undone in &mut case.ticket.undone {
        if undone.properties.remove(property).is_some() {
            whose.push(undone.agreement.clone());
        }
    }
    case.ticket.undone.retain(|undone| !undone.properties.is_empty() || !undone.comments.is_empty());
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
        let share = case.share_mut(&undone.agreement).filter(|share| share.is_active());
        let (Some(share), Some(agreement)) = (share, ctx.agreements.get(&undone.agreement)) else { continue };
        for (property, value) in &undone.properties {
            if let Some(exchange) = share.agreed.properties.get_mut(property) {
                exchange.here = value.clone();
            }
        }
        let Undone { properties, comments, .. } = undone;
        let settles = properties.keys().map(ToString::to_string);
        let settles =
            settles.chain(comments.iter().map(|comment| format!("comment:{}", comment.uuid))).collect();
        let asked = Asked { settles, properties, comments, ..Asked::default() };
        asking::ask(decision, case, agreement, asked, ctx);
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
    case.ticket.effective(&Property::Status).and_then(Value::as_str) == Some("closed")
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
            match fit(ctx.catalogue, title, &mapping::value_in(title, &exchange.wire, agreement)) {
                Ok(value) => {
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
