//! How a partner's values read on this desk: what may cross, what is new against what was agreed, what fits.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Agreement, Exchange, Extra, FieldNotSynced, Property, Reason, Share, ShareRole, TagsExchange,
    TicketUpdate, Value,
};

use super::{Case, Context, Decision, diff, field, status};

/// What an update asks of the desk, while it is being worked out.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) properties: BTreeMap<Property, Value>,
    pub(super) tags_added: BTreeSet<String>,
    pub(super) tags_removed: BTreeSet<String>,
    pub(super) fields_not_synced: Vec<FieldNotSynced>,
}

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
    let begun = share.begun;
    let extra = update.extra.as_ref();
    let fresh = extra.and_then(|extra| extra.seq).is_none_or(|seq| seq > share.partner_seq);
    if let Some(id) = &update.original_id {
        share.partner_ticket = Some(id.clone());
    }
    if fresh {
        share.partner_seq = extra.and_then(|extra| extra.seq).unwrap_or(share.partner_seq);
        for (property, wire) in &update.properties {
            let last = share.agreed.properties.get(property);
            if last.is_some_and(|last| last.wire == *wire) || (last.is_none() && wire.is_null()) {
                continue;
            }
            if crosses_over(case, &share, property, extra) {
                let detail =
                    format!("both sides changed {property} at once; the sender's value stays, not {wire}");
                decision.issue(case, &agreement.uuid, property, Reason::Concurrent, detail, ctx);
                if extra.is_none() {
                    share.agreed.properties.remove(property);
                }
                continue;
            }
            match reading(property, wire, agreement, begun, ctx) {
                Reading::Ignored => {}
                Reading::Is(here) => {
                    resolve_issue(decision, case, agreement, property, last.is_some(), ctx);
                    if case.ticket.effective(property).unwrap_or(&Value::Null) != &here {
                        wanted.properties.insert(property.clone(), here.clone());
                    }
                    let exchange = Exchange { wire: wire.clone(), here, seq: 0 };
                    share.agreed.properties.insert(property.clone(), exchange);
                }
                Reading::Unfit(unfit) => {
                    let here = case.ticket.effective(property).cloned().unwrap_or_default();
                    let exchange = Exchange { wire: wire.clone(), here, seq: 0 };
                    share.agreed.properties.insert(property.clone(), exchange);
                    decision.issue(case, &agreement.uuid, property, unfit.reason, unfit.detail.clone(), ctx);
                    wanted.fields_not_synced.push(unfit);
                }
            }
        }
        tags(case, &mut share, agreement, update, &mut wanted);
    }
    share.begun = true;
    if let Some(kept) = case.share_mut(&agreement.uuid) {
        *kept = share;
    }
    wanted
}

/// A value that fits now ends the issue that it once was.
fn resolve_issue(
    decision: &mut Decision,
    case: &Case,
    agreement: &Agreement,
    property: &Property,
    had_before: bool,
    ctx: &Context<'_>,
) {
    if had_before && matches!(property, Property::Field(_)) {
        decision.issue(case, &agreement.uuid, property, Reason::IncompatibleType, "it fits now", ctx);
        if let Some(issue) = decision.issues.last_mut() {
            issue.resolved_at = Some(ctx.now);
        }
    }
}

/// Whether the partner changed a property without having seen our own change of it, and ours stands: on the sender's side.
fn crosses_over(case: &Case, share: &Share, property: &Property, extra: Option<&Extra>) -> bool {
    let Some(last) = share.agreed.properties.get(property) else { return false };
    let unseen = match extra.and_then(|extra| extra.seen) {
        Some(seen) => last.seq > seen,
        None => case.unanswered.iter().any(|(agreement, contents)| {
            *agreement == share.agreement && last.seq > 0 && contents.seq == last.seq
        }),
    };
    unseen && share.role == ShareRole::Outgoing
}

enum Reading {
    /// It reads so on this desk.
    Is(Value),
    /// It may not cross, or says nothing.
    Ignored,
    /// A custom field that is left out.
    Unfit(FieldNotSynced),
}

fn reading(
    property: &Property,
    wire: &Value,
    agreement: &Agreement,
    begun: bool,
    ctx: &Context<'_>,
) -> Reading {
    if let Property::Field(title) = property {
        let left_out =
            |reason, detail| Reading::Unfit(FieldNotSynced { title: title.clone(), reason, detail });
        if !agreement.terms.sync_custom_fields {
            return left_out(Reason::NotShared, "the agreement does not share custom fields".to_owned());
        }
        return match field::fit(ctx.catalogue, title, wire) {
            Ok(here) => Reading::Is(here),
            Err(unfit) => left_out(unfit.reason, unfit.detail),
        };
    }
    if wire.is_null() || !diff::crosses(property, agreement, begun) {
        return Reading::Ignored;
    }
    match (property, wire) {
        (Property::Status, Value::String(word)) => {
            // A word that no desk here has is an open ticket at least, when it is new; later it changes nothing.
            let unknown = if begun { None } else { Some("open") };
            status::from_wire(word, agreement)
                .or(unknown)
                .map_or(Reading::Ignored, |s| Reading::Is(Value::from(s)))
        }
        (_, Value::String(_)) => Reading::Is(wire.clone()),
        _ => Reading::Ignored,
    }
}

fn tags(case: &Case, share: &mut Share, agreement: &Agreement, update: &TicketUpdate, wanted: &mut Wanted) {
    let (Some(incoming), true) = (&update.tags, agreement.terms.sync_tags) else { return };
    let mut last = share.agreed.tags.clone().unwrap_or_default();
    let (mut added, mut removed): (BTreeSet<String>, BTreeSet<String>) = match &update.extra {
        Some(extra) if extra.seq.is_some() => (extra.tags_added.clone(), extra.tags_removed.clone()),
        _ => (
            incoming.difference(&last.wire).cloned().collect(),
            last.wire.difference(incoming).cloned().collect(),
        ),
    };
    // A change of ours that the partner did not know of when it made its own: tag by tag, the sender's stands. Towards
    // others, who do not say what they have seen, what is unanswered stands.
    let seen = update.extra.as_ref().and_then(|extra| extra.seen);
    last.told.retain(|_, seq| match seen {
        Some(seen) => *seq > seen,
        None => case.unanswered.iter().any(|(to, open)| *to == share.agreement && open.seq == *seq),
    });
    if seen.is_none() || share.role == ShareRole::Outgoing {
        added.retain(|tag| !last.told.contains_key(tag));
        removed.retain(|tag| !last.told.contains_key(tag));
    }
    let has = case.ticket.effective_tags();
    let merge = |set: &BTreeSet<String>| -> BTreeSet<String> {
        set.union(&added).filter(|tag| !removed.contains(*tag)).cloned().collect()
    };
    share.agreed.tags =
        Some(TagsExchange { wire: merge(&last.wire), here: merge(&last.here), told: last.told });
    wanted.tags_added = added.difference(&has).cloned().collect();
    wanted.tags_removed = removed.intersection(&has).cloned().collect();
}
