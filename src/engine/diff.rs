//! The one way that anything leaves for a partner: what the ticket is now, against what that share last agreed.
//!
//! No difference, no message. It does not matter where a change came from; a received ticket that is shared on needs
//! nothing of its own.

use std::sync::Arc;

use crate::domain::{
    Agreement, CommentTerms, Contents, Exchange, Extra, Kind, Origin, Person, Privacy, Property, Reason,
    Share, ShareRole, Shared, TicketUpdate, part_at,
};

use super::{Case, Content, Context, Decision, Draft, PartnerMessage, mapping, references, status, tags};

/// How many comments one message tells; further ones follow in the next.
const COMMENTS: usize = 200;
/// How many bytes of them, but for one that is longer by itself: a partner takes a body of some MiB.
const BYTES: usize = 1024 * 1024;

/// Sends every active share what it does not have yet.
pub(super) fn all_shares(
    decision: &mut Decision,
    case: &mut Case,
    actor: Option<&Person>,
    ctx: &Context<'_>,
) {
    let mut shares = std::mem::take(&mut case.shares);
    for share in &mut shares {
        let Some(agreement) = ctx.agreements.get(&share.agreement) else { continue };
        if !share.is_active() || !agreement.is_accepted() || !(case.ticket.known || case.ticket.received) {
            continue;
        }
        let mut more = true;
        while more {
            let create = !share.begun;
            let told = difference(decision, case, share, agreement, actor, ctx);
            let Some((update, contents, is_more)) = told else { break };
            more = is_more;
            let id = case.next_message();
            if create {
                share.from_n = id.n;
            }
            let update = Box::new(update);
            let message =
                if create { PartnerMessage::Create(update) } else { PartnerMessage::Update(update) };
            // Nobody hears when a bridge takes what is in its queue: there it counts as answered at once.
            if agreement.kind != Kind::Queue {
                case.unanswered.push((agreement.uuid.clone(), contents.clone()));
            }
            decision.messages.push(Draft {
                id,
                agreement: Some(agreement.uuid.clone()),
                content: Content::Partner(message),
                contents,
                event_at: ctx.event_at,
            });
        }
    }
    case.shares = shares;
}

/// What a comment may at most be when the receiver wrote it.
pub(super) fn comment_limit(agreement: &Agreement, written_by_receiver: bool) -> Privacy {
    if written_by_receiver && agreement.terms.comments == CommentTerms::PrivateOnly {
        Privacy::Private
    } else {
        Privacy::Public
    }
}

/// What a share has not been told, in a message; and whether there is more than goes into one.
fn difference(
    decision: &mut Decision,
    case: &Case,
    share: &mut Share,
    agreement: &Agreement,
    actor: Option<&Person>,
    ctx: &Context<'_>,
) -> Option<(TicketUpdate, Contents, bool)> {
    let ticket = &case.ticket;
    let create = !share.begun;
    let seq = share.seq + 1;
    let mut update = TicketUpdate::new(ticket.uuid.clone());
    let mut contents = Contents { seq, ..Contents::default() };

    let mut all = ticket.effective_properties();
    for (property, value) in mapping::always_told(ticket, agreement) {
        all.to_mut().insert(property, value);
    }
    for (place, (property, here)) in all.iter().enumerate() {
        let last = part_at(&share.agreed.properties, place, property);
        let unsaid = last.is_none() && here.is_null();
        if unsaid || last.is_some_and(|last| last.here == *here) {
            continue;
        }
        let Ok(name) = mapping::outgoing(property, agreement, share.begun) else { continue };
        nearest(decision, case, last, property, here, agreement, ctx);
        let wire = mapping::shared_out(property, here, agreement);
        let silent = last.is_some_and(|last| last.wire == wire)
            || (wire.is_null() && !matches!(property, Property::Field(_)));
        let told_in = if silent { last.map_or(0, |last| last.seq) } else { seq };
        let exchange = Exchange { wire: wire.clone(), here: here.clone(), seq: told_in, unfit: false };
        if !silent {
            // Nobody hears of it when a bridge refuses something.
            if let Some(last) = last.filter(|_| agreement.kind != Kind::Queue) {
                contents.was.insert(property.clone(), last.clone());
            }
            if update.properties.is_empty() {
                update.properties.reserve(all.len() - place);
            }
            contents.properties.push(property.clone());
            update.properties.insert(name, wire);
        }
        share.agreed.properties.insert(property.clone(), exchange);
    }

    let mut extra = Extra { seq: Some(seq), seen: Some(share.partner_seq), ..Extra::default() };
    if agreement.terms.sync_tags {
        if agreement.kind == Kind::Jira {
            tags::as_labels(&ticket.effective_tags(), share);
        }
        tags::tell(&ticket.effective_tags(), share, &mut update, &mut extra);
        contents.tags_added.clone_from(&extra.tags_added);
        contents.tags_removed.clone_from(&extra.tags_removed);
    }

    let limit = comment_limit(agreement, share.role == ShareRole::Incoming);
    let fresh: Vec<_> = case.comments.unsent.iter().filter(|stored| stored.n > share.comments_sent).collect();
    // What was not read cannot be told: then the mark stays, and the next change of the ticket reads it.
    let all_read =
        i64::try_from(fresh.len()).is_ok_and(|count| count == ticket.comments - share.comments_sent);
    let tells = all_read && !share.comments_held;
    let fresh = fresh.into_iter().filter(|_| tells);
    let (mut bytes, mut left_from) = (0, None);
    let says_more = !contents.properties.is_empty() || update.tags.is_some();
    for stored in fresh.filter(|stored| stored.from.as_ref() != Some(&agreement.uuid)) {
        if says_more && stored.n <= share.refused_from {
            // What was refused with something else goes by itself, so that it is seen which of them the partner does not take.
            left_from = Some(stored.n);
            break;
        }
        bytes += stored.comment.body.len() + stored.comment.html_body.as_ref().map_or(0, String::len);
        if update.comments.len() >= COMMENTS || (bytes > BYTES && !update.comments.is_empty()) {
            left_from = Some(stored.n);
            break;
        }
        contents.first_comment.get_or_insert(stored.n);
        let mut comment = stored.comment.clone().limited(limit);
        if agreement.local.rewrite_references && !ctx.references.is_empty() {
            references::rewrite(Arc::make_mut(&mut comment), &agreement.uuid, ctx.references);
        }
        update.comments.push(comment);
    }
    if tells {
        share.comments_sent = left_from.map_or(ticket.comments, |n| n - 1);
    }

    // A crossdesk is told our number as soon as there is one; others with the next message.
    let number_alone = ticket.id.is_some() && !share.told_number && share.partner_seq > 0;
    let nothing = contents.properties.is_empty() && update.tags.is_none() && update.comments.is_empty();
    if !create && !number_alone && nothing {
        return None;
    }
    share.seq = seq;
    if !share.told_number {
        update.original_id = ticket.id.as_ref().map(ToString::to_string);
        extra.url = our_origin(case, ctx).url;
        share.told_number = ticket.id.is_some();
    }
    if create || seq == 1 {
        extra.origin = Some(ticket.origin.clone().unwrap_or_else(|| our_origin(case, ctx)));
    }
    if create {
        share.begun = true;
        update.requester.clone_from(&ticket.requester);
        update.requested_at = ticket.created_at;
        update.properties.entry(Property::Status).or_insert_with(|| Shared::from("open"));
        extra.hops = Some(ticket.hops + 1);
    }
    update.actor = actor.cloned();
    update.extra = Some(extra);
    Some((update, contents, left_from.is_some()))
}

/// A status that the partner has not is told as its nearest, and that is said.
fn nearest(
    decision: &mut Decision,
    case: &Case,
    last: Option<&Exchange>,
    property: &Property,
    here: &Shared,
    agreement: &Agreement,
    ctx: &Context<'_>,
) {
    if *property != Property::Status {
        return;
    }
    let is_nearest = |value: &Shared| value.as_str().is_some_and(|word| status::is_nearest(word, agreement));
    if let Some(word) = here.as_str().filter(|_| is_nearest(here)) {
        let told = status::to_wire(word, agreement);
        let detail = format!("{} has no status {word}: it is told {told}", agreement.name);
        decision.issue(case, &agreement.uuid, property, Reason::NearestStatus, detail, ctx);
    } else if last.is_some_and(|last| is_nearest(&last.here)) {
        decision.resolved(case, &agreement.uuid, property, Reason::NearestStatus, ctx);
    }
}

fn our_origin(case: &Case, ctx: &Context<'_>) -> Origin {
    let id = case.ticket.id.as_ref();
    let url = ctx.desk.ticket_url.as_ref().zip(id).map(|(pattern, id)| id.link(pattern));
    Origin { desk: ctx.desk.name.clone(), ticket_id: id.map(ToString::to_string), url }
}
