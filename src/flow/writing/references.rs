//! The partners' numbers of tickets that comments mention, where an agreement wants them rewritten.

use std::collections::{HashMap, HashSet};

use crate::{
    domain::{Comment, EventBody, TicketId, Uuid},
    engine::{Snapshot, references::mentioned},
    flow::{
        change::{Change, TicketAction},
        options::Options,
    },
    ports::StoreError,
};

/// How many mentions of a batch are looked up.
const LIMIT: usize = 200;

/// The numbers at partners' of what the comments of a batch mention.
pub(in crate::flow) async fn known(
    options: &Options,
    snapshot: &Snapshot,
    changes: &[&Change],
) -> Result<HashMap<(Uuid, TicketId), String>, StoreError> {
    let mut known = HashMap::new();
    if !snapshot.agreements.values().any(|agreement| agreement.local.rewrite_references) {
        return Ok(known);
    }
    let unsent =
        snapshot.cases.values().flat_map(|case| &case.comments.unsent).map(|stored| &*stored.comment);
    let new = changes.iter().flat_map(|change| comments(change));
    let mentions: HashSet<TicketId> =
        new.chain(unsent).flat_map(|comment| mentioned(&comment.body)).collect();
    for id in mentions.into_iter().take(LIMIT) {
        let Some(view) = options.store.ticket(id.as_str()).await? else { continue };
        for share in view.shares {
            if let (Some(theirs), true) = (share.partner.ticket_id, view.ticket.id.as_ref() == Some(&id)) {
                known.insert((share.agreement, id.clone()), theirs);
            }
        }
    }
    Ok(known)
}

fn comments(change: &Change) -> Vec<&Comment> {
    match change {
        Change::Event { event, .. } => match &event.body {
            EventBody::Changed(ticket) | EventBody::Shared(ticket, _) => {
                ticket.comments.iter().map(|(comment, _)| comment).collect()
            }
            _ => Vec::new(),
        },
        Change::Ticket { action: TicketAction::Create(update) | TicketAction::Update(update), .. } => {
            update.comments.iter().map(AsRef::as_ref).collect()
        }
        Change::Once(_, change) => comments(change),
        _ => Vec::new(),
    }
}
