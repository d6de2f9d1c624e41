//! How a partner's values read on this desk: what may cross, what is new against what was agreed, what fits.

use crate::domain::{
    Agreement, Contents, Exchange, Extra, FieldNotSynced, Insistence, Kind, Property, Reason, Share,
    ShareRole, Shared, TicketUpdate, Title,
};

use super::{
    Case, ChangedPart, Context, Decision, field,
    mapping::{self, Place},
    status, tags,
    wanted::Wanted,
};

/// The values and tags of an update that are new and may cross, noted as agreed.
pub(super) fn values(
    decision: &mut Decision,
    case: &mut Case,
    agreement: &Agreement,
    update: &TicketUpdate,
    ctx: &Context<'_>,
) -> Wanted {
    let mut wanted = Wanted::default();
    let Some(mut share) = case.share(&agreement.uuid).cloned() else { return wanted };
    let extra = update.extra.as_ref();
    let fresh = extra.and_then(|extra| extra.seq).is_none_or(|seq| seq > share.partner_seq);
    counterpart(&mut share, update, &mut wanted);
    // A Jira tells the time of each change, and its webhooks come in any order: part by part, the newest counts.
    let at = extra.and_then(|extra| extra.seq).filter(|_| agreement.kind == Kind::Jira);
    if fresh || at.is_some() {
        if at.is_none() {
            share.partner_seq = extra.and_then(|extra| extra.seq).unwrap_or(share.partner_seq);
        }
        for (name, wire) in &update.properties {
            if let Some(at) = at {
                let last = share.partner.at.entry(name.clone()).or_default();
                if *last >= at {
                    continue;
                }
                *last = at;
            }
            match mapping::incoming(name, agreement) {
                Place::Part(property) if Property::TOLD.contains(&property) => {
                    told(decision, &mut share, property, wire, agreement, &mut wanted);
                }
                Place::Part(property) => {
                    value(decision, case, &mut share, &property, wire, agreement, extra, &mut wanted, ctx);
                }
                // Some repeat everything that they were told.
                Place::Number | Place::NotTaken(_) if is_ours(&share, name, wire, agreement) => {}
                Place::Number if update.original_id.is_some() => {}
                Place::Number => {
                    let number =
                        wire.as_str().map(str::to_owned).or_else(|| Some(wire.json().as_i64()?.to_string()));
                    know(&mut share.partner.ticket_id, number, &mut wanted);
                }
                Place::NotTaken(title) => {
                    not_taken(decision, &mut share, title, wire, agreement, &mut wanted);
                }
            }
        }
        if update.tags.is_some()
            && !agreement.terms.sync_tags
            && update.tags.as_ref().is_some_and(|tags| !tags.is_empty())
        {
            decision.hold_back(&agreement.uuid, ChangedPart::Tags, Reason::NotShared);
        }
        if let (Some(at), true) = (at, update.tags.is_some()) {
            share.partner_seq = share.partner_seq.max(at);
        }
        if fresh {
            tags::take_in(case, &mut share, agreement, update, &mut wanted, ctx);
        }
    }
    share.begun = true;
    if let Some(kept) = case.share_mut(&agreement.uuid) {
        *kept = share;
    }
    wanted
}

/// Whether a value is the one that we told under this name.
fn is_ours(share: &Share, name: &Property, wire: &Shared, agreement: &Agreement) -> bool {
    share.agreed.properties.iter().any(|(property, exchange)| {
        exchange.wire == *wire && mapping::outgoing(property, agreement, true).as_ref() == Ok(name)
    })
}

/// What the partner tells of its own ticket.
fn counterpart(share: &mut Share, update: &TicketUpdate, wanted: &mut Wanted) {
    know(&mut share.partner.ticket_id, update.original_id.clone(), wanted);
    let link = |url: &String| url.starts_with("https://") || url.starts_with("http://");
    let url = update.extra.as_ref().and_then(|extra| extra.url.clone()).filter(link);
    know(&mut share.partner.url, url, wanted);
}

fn know(known: &mut Option<String>, said: Option<String>, wanted: &mut Wanted) {
    if said.is_some() && *known != said {
        *known = said;
        wanted.partner_news = true;
    }
}

/// What the partner is let tell, and what sets nothing here.
fn told(
    decision: &mut Decision,
    share: &mut Share,
    property: Property,
    wire: &Shared,
    agreement: &Agreement,
    wanted: &mut Wanted,
) {
    if !mapping::crosses(&property, agreement, share.begun) {
        return decision.hold_back(&agreement.uuid, &property, Reason::NotShared);
    }
    if share.partner.told.get(&property) != Some(wire) {
        wanted.partner_news = true;
        share.partner.told.insert(property, wire.clone());
    }
}

/// A custom field that this side has settled not to take: said when its value is new.
fn not_taken(
    decision: &mut Decision,
    share: &mut Share,
    title: Title,
    wire: &Shared,
    agreement: &Agreement,
    wanted: &mut Wanted,
) {
    if share.agreed.not_taken.get(&title) == Some(wire) {
        return;
    }
    share.agreed.not_taken.insert(title.clone(), wire.clone());
    decision.hold_back(&agreement.uuid, &Property::Field(title.clone()), Reason::NotShared);
    let detail = "this side has settled that the field is not taken from the partner".to_owned();
    wanted.fields_not_synced.push(FieldNotSynced { title, reason: Reason::NotShared, detail });
}

/// The value of one part: new against what was agreed, or not; taken, or held back with the reason.
#[expect(clippy::too_many_arguments, reason = "one step of one loop, with all that the loop has")]
fn value(
    decision: &mut Decision,
    case: &mut Case,
    share: &mut Share,
    property: &Property,
    wire: &Shared,
    agreement: &Agreement,
    extra: Option<&Extra>,
    wanted: &mut Wanted,
    ctx: &Context<'_>,
) {
    let last = share.agreed.properties.get(property);
    if last.is_some_and(|last| last.wire == *wire) || (last.is_none() && wire.is_null()) {
        return;
    }
    let (known, was_unfit) = (last.is_some(), last.is_some_and(|last| last.unfit));
    let is_mute = extra.and_then(|extra| extra.seen).is_none();
    let crosses = is_unseen(case, share, property, extra);
    let tells = |contents: &Contents| contents.properties.contains(property);
    let insistence = (crosses && is_mute && !case.waits_long(&share.agreement, tells))
        .then(|| share.insists(&property.to_string(), ctx.now));
    if insistence == Some(Insistence::Ignored) {
        let detail = format!(
            "the partner says {wire} of {property} while it is told something else, again and again: what it is told stands"
        );
        decision.hold_back(&agreement.uuid, property, Reason::Concurrent);
        return decision.issue(case, &agreement.uuid, property, Reason::Concurrent, detail, ctx);
    }
    let unseen = crosses && insistence.is_none_or(|insistence| insistence == Insistence::Again);
    let ours = share.role == ShareRole::Outgoing;
    if unseen && (ours || (is_mute && repeats(case, share, property, wire))) {
        if ours {
            let detail =
                format!("both sides changed {property} at once; the sender's value stays, not {wire}");
            decision.hold_back(&agreement.uuid, property, Reason::Concurrent);
            decision.issue(case, &agreement.uuid, property, Reason::Concurrent, detail, ctx);
        }
        // Whoever does not say what it has seen is told our value again.
        if is_mute {
            let now = case.ticket.effective(property).cloned().unwrap_or_default();
            share.agreed.properties.insert(property.clone(), Exchange::untold(wire.clone(), &now));
        }
        return;
    }
    let reading = reading(property, wire, agreement, share.begun, ctx);
    if let Reading::Is(_) | Reading::Unfit(..) = reading {
        for undone in &mut case.ticket.undone {
            undone.properties.remove(property);
        }
    }
    match reading {
        Reading::Ignored => {
            if !wire.is_null() {
                decision.hold_back(&agreement.uuid, property, Reason::NotShared);
            }
        }
        Reading::Is(here) => {
            if was_unfit || known {
                decision.resolved(case, &agreement.uuid, property, Reason::IncompatibleType, ctx);
            }
            decision.changed.push(ChangedPart::Property(property.clone()));
            // What the desk is being asked again for is not taken as done: it may still come.
            let may_come = |command: &crate::domain::OpenCommand| {
                !command.settles.is_empty()
                    && command.properties.get(property).is_some_and(|value| *value != here)
            };
            let differs = case.ticket.effective(property).map_or(!here.is_null(), |value| *value != here);
            if differs || case.ticket.open.iter().any(may_come) {
                wanted.properties.insert(as_here(property, ctx), here.clone());
            }
            // A sender that does not say what it has seen takes our own change after it has told its: it is told its own once more.
            if !(crosses && is_mute) {
                let exchange = Exchange { wire: wire.clone(), here, seq: 0, unfit: false };
                share.agreed.properties.insert(property.clone(), exchange);
            }
        }
        Reading::Unfit(reason, detail) => {
            let here = case.ticket.effective(property).cloned().unwrap_or_default();
            let exchange = Exchange { wire: wire.clone(), here, seq: 0, unfit: true };
            share.agreed.properties.insert(property.clone(), exchange);
            decision.hold_back(&agreement.uuid, property, reason);
            decision.issue(case, &agreement.uuid, property, reason, detail.clone(), ctx);
            if let Property::Field(title) = property {
                if !was_unfit && reason != Reason::NotShared {
                    wanted.failed.push(format!("\"{title}\", {detail}"));
                }
                wanted.fields_not_synced.push(FieldNotSynced { title: title.clone(), reason, detail });
            }
        }
    }
}

/// A property as this desk writes it: a field's title may be in other letters at the partner's.
fn as_here(property: &Property, ctx: &Context<'_>) -> Property {
    let own = match property {
        Property::Field(title) => ctx.catalogue.find(title),
        _ => None,
    };
    own.map_or_else(|| property.clone(), |field| Property::Field(field.title.clone()))
}

/// Whether the partner changed a property without having seen our own change of it. Then the sender's stands.
fn is_unseen(case: &Case, share: &Share, property: &Property, extra: Option<&Extra>) -> bool {
    let Some(last) = share.agreed.properties.get(property) else { return false };
    match extra.and_then(|extra| extra.seen) {
        Some(seen) => last.seq > seen,
        None => case.unanswered.iter().any(|(agreement, contents)| {
            *agreement == share.agreement && last.seq > 0 && contents.seq == last.seq
        }),
    }
}

/// Whether a partner says what it had before a change of ours that is on its way to it: most likely it repeats that, or has only now
/// done what we told before.
fn repeats(case: &Case, share: &Share, property: &Property, wire: &Shared) -> bool {
    let on_its_way = case.unanswered.iter().filter(|(agreement, _)| *agreement == share.agreement);
    let was = on_its_way.filter_map(|(_, contents)| contents.was.get(property));
    was.into_iter().any(|was| was.wire == *wire)
}

enum Reading {
    /// It reads so on this desk.
    Is(Shared),
    /// It may not cross, or says nothing.
    Ignored,
    /// It has no place on this desk: why, as a code and in words.
    Unfit(Reason, String),
}

fn reading(
    property: &Property,
    wire: &Shared,
    agreement: &Agreement,
    begun: bool,
    ctx: &Context<'_>,
) -> Reading {
    if let Property::Field(title) = property {
        if !agreement.terms.sync_custom_fields {
            return Reading::Unfit(
                Reason::NotShared,
                "the agreement does not share custom fields".to_owned(),
            );
        }
        return match field::fit(ctx.catalogue, title, &mapping::value_in(title, &wire.json(), agreement)) {
            Ok(here) => Reading::Is(here.into()),
            Err(unfit) => Reading::Unfit(unfit.reason, unfit.detail),
        };
    }
    if wire.is_null() || !mapping::crosses(property, agreement, begun) {
        return Reading::Ignored;
    }
    match (property, wire.as_str()) {
        (Property::Status, Some(word)) => match status::from_wire(word, agreement) {
            Some(status) => Reading::Is(status.into()),
            // A word that no desk here has is an open ticket at least, when it is new; later it changes nothing.
            None if !begun => Reading::Is("open".into()),
            None => {
                let detail =
                    format!("the partner's status \"{word}\" is none of this desk's: the status stays");
                Reading::Unfit(Reason::NearestStatus, detail)
            }
        },
        (_, Some(_)) => Reading::Is(wire.clone()),
        _ => Reading::Ignored,
    }
}
