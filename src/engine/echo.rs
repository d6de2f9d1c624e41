//! Our own commands coming back as desk events, told apart from what people did.
//!
//! An open command leaves the values that it set as *expected*. The desk saying an expected value, or saying that this
//! very command caused its event, is the echo: nothing is sent, and what the desk made of the value (a trimmed tag, a
//! nearest status) is from then on how the agreed value reads here. Any other value for such a property waits until the
//! command is answered. Without this, two quick changes by a partner would go back and forth for ever.

use std::collections::{BTreeSet, HashMap};

use crate::domain::{
    Comment, Namespace, Parts, Property, Revision, Shared, TagSet, Tags, TicketEvent, Uuid, Word, part_at,
};

use super::{Case, ChangedPart, Context, Decision, undone};

/// Takes the values and tags of an event in; returns whether the desk told anything new.
pub(super) fn absorb(
    decision: &mut Decision,
    case: &mut Case,
    event: &TicketEvent,
    ctx: &Context<'_>,
) -> bool {
    let caused_by = event.command_id.as_ref().filter(|id| id.owner == case.ticket.uuid).map(|id| id.n);
    let mut news = !case.ticket.known;
    for (place, (property, value)) in event.properties.iter().enumerate() {
        if is_as_before(case, place, property, value) {
            continue;
        }
        let before = (!case.ticket.undone.is_empty()).then(|| case.ticket.properties.get(property).cloned());
        if absorb_property(case, property, value, event.revision, caused_by) {
            news = true;
            if decision.changed.is_empty() {
                // The tags and the comments may come behind them.
                decision.changed.reserve(event.properties.len() - place + 2);
            }
            decision.changed.push(ChangedPart::Property(property.clone()));
        }
        // Somebody on the desk has decided about it meanwhile.
        if before.is_some_and(|before| before.as_ref() != case.ticket.properties.get(property)) {
            undone::overtaken(decision, case, property, ctx);
        }
    }
    if let Some(tags) = &event.tags
        && absorb_tags(case, tags, caused_by)
    {
        news = true;
        decision.changed.push(ChangedPart::Tags);
    }
    case.ticket.known = true;
    case.ticket.moves_to(event.revision);
    news
}

/// Whether a value is what it was, and nothing waits for it: there is nothing to do about it.
fn is_as_before(case: &Case, place: usize, property: &Property, value: &Shared) -> bool {
    let ticket = &case.ticket;
    let waits = !ticket.open.is_empty() || !ticket.held.properties.is_empty() || !ticket.undone.is_empty();
    !waits && part_at(&ticket.properties, place, property) == Some(value)
}

fn absorb_property(
    case: &mut Case,
    property: &Property,
    value: &Shared,
    revision: Revision,
    caused_by: Option<i64>,
) -> bool {
    let ticket = &mut case.ticket;
    if ticket.open.is_empty() && ticket.held.properties.is_empty() {
        return set(&mut ticket.properties, property, value);
    }
    let expecting: Vec<usize> =
        (0..ticket.open.len()).filter(|&at| expected(ticket.open.get(at), property).is_some()).collect();
    if expecting.is_empty() {
        ticket.held.properties.remove(property);
        return set(&mut ticket.properties, property, value);
    }
    let current = ticket.properties.get(property).cloned();
    // Commands are done in order, so of several that set the same value the oldest is the one that came back.
    let named = |at: &&usize| ticket.open.get(**at).is_some_and(|command| Some(command.n) == caused_by);
    let same = |at: &&usize| expected(ticket.open.get(**at), property) == Some(value);
    let echo = expecting.iter().find(named).or_else(|| expecting.iter().find(same)).copied();
    let Some(echo) = echo else {
        // What was so before may be from before the command, or what the desk made of it: the answer tells.
        ticket.held.properties.insert(property.clone(), (value.clone(), revision));
        return current.as_ref() != Some(value);
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

/// Sets a value; returns whether it is another.
fn set(properties: &mut Parts<Shared>, property: &Property, value: &Shared) -> bool {
    match properties.get_mut(property) {
        Some(has) => std::mem::replace(has, value.clone()) != *value,
        None => properties.insert(property.clone(), value.clone()).is_none(),
    }
}

fn expected<'a>(command: Option<&'a crate::domain::OpenCommand>, property: &Property) -> Option<&'a Shared> {
    command.and_then(|command| command.properties.get(property))
}

/// What we set as `was` reads as `value` on this desk: every agreed value that reads `was` now reads so.
pub(super) fn reads_here(case: &mut Case, property: &Property, was: &Shared, value: &Shared) {
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

fn absorb_tags(case: &mut Case, tags: &Tags, caused_by: Option<i64>) -> bool {
    let before = case.ticket.effective_tags();
    let news = case.ticket.tags != *tags;
    // Of several commands that speak of one tag, the oldest is the one that an event can show as done.
    let mut judged = BTreeSet::new();
    for command in &mut case.ticket.open {
        command.tags_added.retain(|tag| !(judged.insert(tag.clone()) && tags.contains(tag)));
        command.tags_removed.retain(|tag| !judged.insert(tag.clone()) || tags.contains(tag));
    }
    case.ticket.tags.clone_from(tags);
    own_way(case, &before);
    if let Some(n) = caused_by {
        // This is what the desk made of the command: what it left out of it, kept against it or wrote otherwise is no
        // change of anybody's. A tag that the command did not speak of and that is gone, somebody took away.
        let (mut left_out, mut kept) = (TagSet::new(), TagSet::new());
        for command in case.ticket.open.iter_mut().filter(|command| command.n <= n) {
            left_out.extend(std::mem::take(&mut command.tags_added));
            kept.extend(std::mem::take(&mut command.tags_removed));
        }
        let after = case.ticket.effective_tags();
        left_out.retain(|tag| !after.contains(tag));
        let rewritten = |tag: &Word| !left_out.is_empty() && !before.contains(tag);
        for exchange in case.shares.iter_mut().filter_map(|share| share.agreed.tags.as_mut()) {
            let here = Tags::make_mut(&mut exchange.here);
            here.retain(|tag| !left_out.contains(tag));
            here.extend(after.iter().filter(|tag| kept.contains(tag) || rewritten(tag)).cloned());
        }
    }
    news
}

/// A tag that an open command adds and that has not come back, while one that differs from it in letter case or signs alone
/// has: the desk writes it in its own way.
fn own_way(case: &mut Case, before: &TagSet) {
    let bare = |tag: &str| -> String {
        tag.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    if case.ticket.open.iter().all(|command| command.tags_added.is_empty()) {
        return;
    }
    let mut new: HashMap<String, &Word> = HashMap::new();
    for tag in case.ticket.tags.iter().filter(|tag| !before.contains(tag)) {
        new.entry(bare(tag)).or_insert(tag);
    }
    // Of several commands that add one tag, the oldest is the one that an event can show as done.
    let (mut judged, mut written) = (BTreeSet::new(), Vec::new());
    for command in &mut case.ticket.open {
        command.tags_added.retain(|wire| {
            let own = if judged.insert(wire.clone()) { new.get(&bare(wire)) } else { None };
            written.extend(own.map(|own| (wire.clone(), (*own).clone())));
            own.is_none()
        });
    }
    if !written.is_empty() {
        let exchanges = case.shares.iter_mut().filter_map(|share| share.agreed.tags.as_mut());
        exchanges.for_each(|exchange| exchange.reads_here(&written));
    }
}

/// Takes the comments of an event in: known ones are passed over, ours coming back are recognised, and what may be ours
/// waits. Returns whether any is new.
pub(super) fn absorb_comments(case: &mut Case, event: &TicketEvent, ctx: &Context<'_>) -> bool {
    let caused_by = event.command_id.as_ref().filter(|id| id.owner == case.ticket.uuid).map(|id| id.n);
    let mut news = false;
    for (comment, named) in &event.comments {
        let id = comment.id.as_deref().unwrap_or_default();
        if case.comments.ids.contains_key(id) {
            continue;
        }
        let renamed = if_taken(case, comment, *named, ctx);
        let comment = renamed.as_ref().unwrap_or(comment);
        if case.comments.known.contains_key(&comment.uuid) {
            if *named && !id.is_empty() {
                case.learn_comment(&comment.uuid, id);
            }
            continue;
        }
        if case.ticket.held.comments.iter().any(|held| held.uuid == comment.uuid) {
            continue;
        }
        if let Some(at) = case.ticket.missing.iter().position(|ours| !*named && same_comment(comment, ours)) {
            let ours = case.ticket.missing.remove(at);
            case.learn_comment(&ours.uuid, id);
            continue;
        }
        news |= let_go(case, ctx);
        // One that cannot be ours waits all the same behind those that can: they keep their order.
        if case.ticket.held.comments.is_empty() && (*named || !expects_comments(case)) {
            let usual = !*named && renamed.is_none();
            let origin = if usual { None } else { origin(comment, ctx) };
            case.add_comment(comment.clone(), origin);
            news = true;
        } else if let Some(ours) =
            caused_by.filter(|_| !*named).and_then(|n| expected_comment(case, n, comment))
        {
            case.learn_comment(&ours, id);
        } else {
            case.ticket.held.comments.push(comment.clone());
            news = true;
        }
    }
    news | let_go(case, ctx)
}

/// A comment of this desk under another name where a partner has used the one that it gets: names can be computed, and
/// nobody is to keep a comment from others by being faster.
fn if_taken(case: &Case, comment: &Comment, named: bool, ctx: &Context<'_>) -> Option<Comment> {
    if named || !case.comments.foreign.contains(&comment.uuid) {
        return None;
    }
    let seed = format!("{} {}", comment.uuid, ctx.now.millis());
    let uuid = Namespace::of(&seed).comment(comment.id.as_deref().unwrap_or_default());
    let mut renamed = comment.clone();
    renamed.uuid = uuid;
    Some(renamed)
}

/// Whose a comment is of which a desk's event tells: this desk's. One under another name than usual is found again by the
/// desk's id, as those of partners are.
fn origin(comment: &Comment, ctx: &Context<'_>) -> Option<Uuid> {
    let usual = comment.id.as_deref().map(|id| ctx.desk.namespace.comment(id));
    (usual.as_ref() != Some(&comment.uuid)).then(|| Uuid::new(""))
}

/// Whether a comment that the desk tells may be one of ours coming back.
fn expects_comments(case: &Case) -> bool {
    case.ticket.open.iter().any(|command| !command.comments.is_empty())
}

/// Comments that have waited are people's once no comment of ours is waited for. Returns whether there were any.
pub(super) fn let_go(case: &mut Case, ctx: &Context<'_>) -> bool {
    !expects_comments(case) && take_held(case, ctx)
}

/// Comments that have waited are people's now, but for those that may be one of ours which is waited for, in whatever words: the desk
/// may write it in its own. Returns whether there were any.
pub(super) fn speak_out(case: &mut Case, ctx: &Context<'_>) -> bool {
    let ticket = &mut case.ticket;
    let ours: Vec<&Comment> = ticket.open.iter().flat_map(|command| &command.comments).collect();
    let may_be_ours = |comment: &mut Comment| ours.iter().any(|ours| same_author(comment, ours));
    let back: Vec<Comment> = ticket.held.comments.extract_if(.., may_be_ours).collect();
    let any = take_held(case, ctx);
    case.ticket.held.comments = back;
    any
}

fn take_held(case: &mut Case, ctx: &Context<'_>) -> bool {
    let before = case.ticket.comments;
    for comment in std::mem::take(&mut case.ticket.held.comments) {
        let id = comment.id.clone().unwrap_or_default();
        if !case.comments.known.contains_key(&comment.uuid) && !case.comments.ids.contains_key(&id) {
            let origin = origin(&comment, ctx);
            case.add_comment(comment, origin);
        }
    }
    case.ticket.comments > before
}

/// The comment of command `n` that this one is: the one that says the same, else the first that has not come back.
fn expected_comment(case: &Case, n: i64, comment: &Comment) -> Option<Uuid> {
    let command = case.ticket.open.iter().find(|command| command.n == n)?;
    let same = command.comments.iter().find(|ours| same_words(&ours.body, &comment.body));
    same.or_else(|| command.comments.first()).map(|ours| ours.uuid.clone())
}

/// Whether a comment on the desk is one of ours come back: by author, words and privacy.
pub(super) fn same_comment(theirs: &Comment, ours: &Comment) -> bool {
    same_author(theirs, ours) && same_words(&theirs.body, &ours.body)
}

/// Whether both are by the same person, for the same readers.
fn same_author(theirs: &Comment, ours: &Comment) -> bool {
    let (one, other) = (&theirs.author, &ours.author);
    let author =
        (other.id.is_some() && one.id == other.id) || one.name == other.name || one.uuid == other.uuid;
    author && theirs.privacy() == ours.privacy()
}

/// Whether two bodies say the same when white space does not count.
fn same_words(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}
