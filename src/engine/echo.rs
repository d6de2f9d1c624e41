//! Our own commands coming back as desk events, told apart from what people did.
//!
//! An open command leaves the values that it set as *expected*. The desk saying an expected value, or saying that this
//! very command caused its event, is the echo: nothing is sent, and what the desk made of the value (a trimmed tag, a
//! nearest status) is from then on how the agreed value reads here. Any other value for such a property waits until the
//! command is answered. Without this, two quick changes by a partner would go back and forth for ever.

use std::collections::BTreeSet;

use crate::domain::{Comment, Property, Revision, TicketEvent, Value};

use super::Case;

/// Takes the values and tags of an event in; returns whether the desk told anything new.
pub(super) fn absorb(case: &mut Case, event: &TicketEvent) -> bool {
    let caused_by = event.command_id.as_ref().filter(|id| id.owner == case.ticket.uuid).map(|id| id.n);
    let mut news = !case.ticket.known;
    for (property, value) in &event.properties {
        news |= absorb_property(case, property, value, event.revision, caused_by);
    }
    if let Some(tags) = &event.tags {
        news |= absorb_tags(case, tags, caused_by);
    }
    case.ticket.known = true;
    case.ticket.revision = case.ticket.revision.or_newer(event.revision);
    news
}

fn absorb_property(
    case: &mut Case,
    property: &Property,
    value: &Value,
    revision: Revision,
    caused_by: Option<i64>,
) -> bool {
    let ticket = &mut case.ticket;
    let expecting: Vec<usize> =
        (0..ticket.open.len()).filter(|&at| expected(ticket.open.get(at), property).is_some()).collect();
    let current = ticket.properties.get(property).cloned();
    if expecting.is_empty() {
        ticket.held.properties.remove(property);
        ticket.properties.insert(property.clone(), value.clone());
        return current.as_ref() != Some(value);
    }
    let echo = expecting.iter().rev().copied().find(|&at| {
        let named = ticket.open.get(at).is_some_and(|command| Some(command.n) == caused_by);
        named || expected(ticket.open.get(at), property) == Some(value)
    });
    let Some(echo) = echo else {
        if current.as_ref() == Some(value) {
            ticket.held.properties.remove(property);
            return false;
        }
        ticket.held.properties.insert(property.clone(), (value.clone(), revision));
        return true;
    };
    let was = expected(ticket.open.get(echo), property).cloned().unwrap_or_default();
    for command in ticket.open.iter_mut().take(echo + 1) {
        command.properties.remove(property);
    }
    ticket.held.properties.remove(property);
    ticket.properties.insert(property.clone(), value.clone());
    reads_here(case, property, &was, value);
    current.as_ref() != Some(value)
}

fn expected<'a>(command: Option<&'a crate::domain::OpenCommand>, property: &Property) -> Option<&'a Value> {
    command.and_then(|command| command.properties.get(property))
}

/// What we set as `was` reads as `value` on this desk: every agreed value that reads `was` now reads so.
pub(super) fn reads_here(case: &mut Case, property: &Property, was: &Value, value: &Value) {
    if was == value {
        return;
    }
    for share in &mut case.shares {
        if let Some(exchange) = share.agreed.properties.get_mut(property)
            && exchange.here == *was
        {
            exchange.here = value.clone();
        }
    }
}

fn absorb_tags(case: &mut Case, tags: &BTreeSet<String>, caused_by: Option<i64>) -> bool {
    let before = case.ticket.effective_tags();
    let news = case.ticket.tags != *tags;
    for command in &mut case.ticket.open {
        command.tags_added.retain(|tag| !tags.contains(tag));
        command.tags_removed.retain(|tag| tags.contains(tag));
    }
    case.ticket.tags.clone_from(tags);
    if let Some(n) = caused_by {
        // This is what the desk made of the command: what it left out or wrote otherwise is no change of anybody's.
        for command in case.ticket.open.iter_mut().filter(|command| command.n <= n) {
            command.tags_added.clear();
            command.tags_removed.clear();
        }
        let after = case.ticket.effective_tags();
        for exchange in case.shares.iter_mut().filter_map(|share| share.agreed.tags.as_mut()) {
            exchange.here.retain(|tag| after.contains(tag) || !before.contains(tag));
            exchange.here.extend(after.difference(&before).cloned());
        }
    }
    news
}

/// Takes the comments of an event in: known ones are passed over, ours coming back are recognised, and what may be ours
/// waits. Returns whether any is new.
pub(super) fn absorb_comments(case: &mut Case, event: &TicketEvent) -> bool {
    let caused_by = event.command_id.as_ref().filter(|id| id.owner == case.ticket.uuid).map(|id| id.n);
    let mut news = false;
    for (comment, named) in &event.comments {
        let id = comment.id.as_deref().unwrap_or_default();
        if case.comments.ids.contains_key(id) {
            continue;
        }
        if case.comments.known.contains_key(&comment.uuid) {
            if *named && !id.is_empty() {
                case.learn_comment(&comment.uuid, id);
            }
            continue;
        }
        if case.ticket.held.comments.iter().any(|held| held.uuid == comment.uuid) {
            continue;
        }
        let expects_any = case.ticket.open.iter().any(|command| !command.comments.is_empty());
        if *named || !expects_any {
            case.add_comment(comment.clone(), None);
            news = true;
        } else if let Some(ours) = caused_by.and_then(|n| expected_comment(case, n, comment)) {
            case.learn_comment(&ours, id);
        } else {
            case.ticket.held.comments.push(comment.clone());
            news = true;
        }
    }
    news
}

/// The comment of command `n` that this one is: the one that says the same, else the first that has not come back.
fn expected_comment(case: &Case, n: i64, comment: &Comment) -> Option<crate::domain::Uuid> {
    let command = case.ticket.open.iter().find(|command| command.n == n)?;
    let same = command.comments.iter().find(|ours| same_words(&ours.body, &comment.body));
    same.or_else(|| command.comments.first()).map(|ours| ours.uuid.clone())
}

/// Whether two bodies say the same when white space does not count.
pub(super) fn same_words(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}
