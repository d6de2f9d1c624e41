//! Tags between the two sides of a share: they merge one by one, in and out.

use std::sync::Arc;

use litemap::LiteMap;

use super::{Case, Context, wanted::Wanted};
use crate::domain::{
    Agreement, Contents, Extra, Insistence, Share, ShareRole, TagSet, Tags, TagsExchange, TicketUpdate, named,
};

/// How many changes of tags are remembered that the partner has not been seen to know.
const TOLD: usize = 32;

/// Takes in what a partner tells of its tags.
pub(super) fn take_in(
    case: &Case,
    share: &mut Share,
    agreement: &Agreement,
    update: &TicketUpdate,
    wanted: &mut Wanted,
    ctx: &Context<'_>,
) {
    let (Some(incoming), true) = (&update.tags, agreement.terms.sync_tags) else { return };
    let mut last = share.agreed.tags.clone().unwrap_or_default();
    let (mut added, mut removed): (TagSet, TagSet) = match &update.extra {
        Some(extra) if extra.seq.is_some() && extra.seen.is_some() => {
            (extra.tags_added.clone(), extra.tags_removed.clone())
        }
        _ => (incoming.less(&last.wire), last.wire.less(incoming)),
    };
    // A change of ours that the partner did not know of when it made its own: tag by tag, the sender's stands. Towards
    // others, who do not say what they have seen, what is unanswered stands.
    let seen = update.extra.as_ref().and_then(|extra| extra.seen);
    last.told.retain(|_, seq| match seen {
        Some(seen) => *seq > seen,
        None => case.unanswered.iter().any(|(to, open)| *to == share.agreement && open.seq == *seq),
    });
    let is_contested = |tags: &TagSet| tags.iter().any(|tag| last.told.contains_key(tag.as_str()));
    let contested = seen.is_none() && (is_contested(&added) || is_contested(&removed));
    let tells = |contents: &Contents| !contents.tags_added.is_empty() || !contents.tags_removed.is_empty();
    let insistence =
        (contested && !case.waits_long(&share.agreement, tells)).then(|| share.insists("tags", ctx.now));
    match insistence {
        Some(Insistence::Ignored) => return,
        Some(Insistence::GivesIn) => last.told = LiteMap::new(),
        Some(Insistence::Again) | None => {}
    }
    let said = (added.clone(), removed.clone());
    if seen.is_none() || share.role == ShareRole::Outgoing {
        added.retain(|tag| !last.told.contains_key(tag.as_str()));
        removed.retain(|tag| !last.told.contains_key(tag.as_str()));
    }
    let has = case.ticket.effective_tags();
    let merge = |set: &TagSet, added: &TagSet, removed: &TagSet| set.with(added).less(removed);
    // Whoever does not say what it has seen is told our tags again: what counts as agreed is what it has now.
    let agreed = match (seen, insistence) {
        // It is told once more what it has now: what is on its way says otherwise.
        (None, Some(Insistence::GivesIn)) => &(TagSet::new(), TagSet::new()),
        (None, _) => &said,
        (Some(_), _) => &(added.clone(), removed.clone()),
    };
    let wire = merge(&last.wire, &agreed.0, &agreed.1);
    let here = merge(&last.here, &last.on_desk(&agreed.0), &last.on_desk(&agreed.1));
    let (added, mut removed) = (last.on_desk(&added), last.on_desk(&removed));
    share.agreed.tags =
        Some(TagsExchange { wire: wire.into(), here: here.into(), told: last.told, names: last.names });
    wanted.tags_added = added.less(&has);
    removed.retain(|tag| has.contains(tag));
    wanted.tags_removed = removed;
}

/// A label of a Jira holds no white space.
pub(super) fn as_labels(here: &TagSet, share: &mut Share) {
    for tag in here.iter().filter(|tag| tag.contains(char::is_whitespace)) {
        let label = tag.split_whitespace().collect::<Vec<_>>().join("_");
        share.agreed.tags.get_or_insert_default().names.entry(tag.clone()).or_insert_with(|| label.into());
    }
}

/// Tells a partner what has changed of the tags.
pub(super) fn tell(here: &Tags, share: &mut Share, update: &mut TicketUpdate, extra: &mut Extra) {
    let nothing = TagsExchange::default();
    let last = share.agreed.tags.as_ref().unwrap_or(&nothing);
    if last.here == *here {
        return;
    }
    let (added, removed) = last.changes(here);
    if added.is_empty() && removed.is_empty() {
        return;
    }
    // Usually the tags are called the same on both sides: then both have the same set.
    let wire = if last.wire == last.here && last.names.is_empty() {
        here.clone()
    } else {
        Tags::new(last.wire.with(&added).less(&removed))
    };
    let last = share.agreed.tags.get_or_insert_default();
    last.here = here.clone();
    if wire == last.wire {
        // The partner has told it, and the desk only now has it: nothing to say.
        return;
    }
    last.wire = wire.clone();
    // No larger than it is: there is one for each ticket in memory.
    let mut told = LiteMap::with_capacity(last.told.len() + added.len() + removed.len());
    told.extend(std::mem::take(&mut last.told));
    last.told = told;
    last.told.extend(added.iter().chain(&removed).map(|tag| (named(tag), share.seq + 1)));
    // Of a partner who never says what it has seen, only the newest are remembered.
    forget_oldest(&mut last.told, share.seq);
    update.tags = Some(wire);
    extra.tags_added = added;
    extra.tags_removed = removed;
}

/// Leaves no more than [`TOLD`], as far as there are older ones than the message that is being made.
fn forget_oldest(told: &mut LiteMap<Arc<str>, i64>, before: i64) {
    if told.len() <= TOLD {
        return;
    }
    let mut older: Vec<i64> = told.values().copied().filter(|seq| *seq <= before).collect();
    older.sort_unstable();
    older.truncate(told.len() - TOLD);
    let Some(newest) = older.last().copied() else { return };
    let mut of_the_newest = older.iter().filter(|seq| **seq == newest).count();
    told.retain(|_, seq| {
        let goes = *seq < newest || (*seq == newest && of_the_newest > 0);
        of_the_newest -= usize::from(goes && *seq == newest);
        !goes
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_was_told_the_oldest_is_forgotten_and_never_what_is_being_told() {
        let told = |seqs: &[i64]| -> LiteMap<Arc<str>, i64> {
            seqs.iter().enumerate().map(|(at, seq)| (Arc::from(format!("{at:03}")), *seq)).collect()
        };
        let left = |mut told: LiteMap<Arc<str>, i64>, before| {
            forget_oldest(&mut told, before);
            told.values().copied().collect::<Vec<_>>()
        };
        let many = |seq: i64| vec![seq; TOLD];
        assert_eq!(left(told(&many(5)), 9), many(5));
        assert_eq!(left(told(&[&[7, 7, 3], &many(8)[..]].concat()), 9), many(8));
        assert_eq!(left(told(&[&[5, 5, 3], &many(5)[2..]].concat()), 9).len(), TOLD);
        assert!(!left(told(&[&[5, 5, 3], &many(5)[2..]].concat()), 9).contains(&3));
        assert_eq!(left(told(&[&[3, 4], &many(9)[..], &[9]].concat()), 8), [many(9), vec![9]].concat());
    }
}
