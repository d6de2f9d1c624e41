//! Recorded events gone through again: what would be sent under a changed mapping that was not sent under the one of then, and
//! the other way round. Each event is decided on what was known of its ticket when it came. Nothing is written, nothing sent.

mod altered;

use std::{collections::HashMap, sync::Arc};

use super::{
    change::Change,
    intake,
    options::Options,
    writing::{Batch, references, scope},
};
use crate::{
    clock::ManualClock,
    domain::{Channel, Message, MessageState, TicketId, Uuid},
    engine::Case,
    ports::{Before, Mapped, Recorded, StoreError, Writes},
    wire::date,
};
use altered::compare;
pub use altered::{Altered, How};

/// An event whose messages would be others.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Rehearsed {
    /// When it came, RFC 3339.
    pub at: String,
    /// The desk's number of the ticket.
    pub ticket: TicketId,
    /// Its source and id.
    pub event: String,
    /// What would be others.
    pub messages: Vec<Altered>,
    /// Why the changed mapping refuses it, where it does and the one of then did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Goes through recorded events, in their order.
#[derive(Debug)]
pub struct Rehearsal {
    changed: Options,
    /// What the changed configuration declares.
    declared: Vec<Change>,
    /// Settings by the digest of the mapping that was in force.
    then: HashMap<String, Options>,
    /// Tickets that would have gone another way, as they would be by now.
    elsewhere: HashMap<TicketId, Case>,
}

/// What one mapping makes of an event.
#[derive(Default)]
struct Made {
    event: Option<String>,
    messages: Vec<(String, Message)>,
    case: Option<Case>,
    refused: Option<String>,
}

impl Rehearsal {
    /// Compares what was in force with these settings, and with what they declare.
    pub fn new(changed: Options, declared: Vec<Change>) -> Self {
        Self { changed, declared, then: HashMap::new(), elsewhere: HashMap::new() }
    }

    /// The settings under the mapping that was in force.
    fn then(&mut self, mapped: &Mapped) -> Result<Options, StoreError> {
        if let Some(then) = self.then.get(&mapped.digest) {
            return Ok(then.clone());
        }
        let then = self.changed.under(&mapped.doc).map_err(StoreError::Broken)?;
        self.then.insert(mapped.digest.clone(), then.clone());
        Ok(then)
    }

    /// Goes through one event; nothing where the same would be sent.
    ///
    /// # Errors
    /// The store is away.
    pub async fn step(&mut self, recorded: Recorded) -> Result<Option<Rehearsed>, StoreError> {
        let then = self.then(&recorded.mapping)?;
        let before = recorded.before.clone().map(Before::case);
        let made = make(&then, &[], &recorded, before.clone()).await?;
        let elsewhere = self.elsewhere.get(&recorded.ticket).cloned();
        let went_elsewhere = elsewhere.is_some();
        let start = match (elsewhere, before) {
            (Some(mut case), Some(real)) => {
                // What partners wrote meanwhile is known there too.
                case.comments.known.extend(real.comments.known);
                case.comments.foreign.extend(real.comments.foreign);
                case.comments.ids.extend(real.comments.ids);
                Some(case)
            }
            (elsewhere, before) => elsewhere.or(before),
        };
        let mut would = make(&self.changed, &self.declared, &recorded, start).await?;
        let messages = compare(&made.messages, &would.messages);
        let refused = would.refused.take().filter(|_| made.refused.is_none());
        if !messages.is_empty() || went_elsewhere {
            match would.case {
                Some(case) => self.elsewhere.insert(recorded.ticket.clone(), settled(case)),
                None => self.elsewhere.remove(&recorded.ticket),
            };
        }
        if messages.is_empty() && refused.is_none() {
            return Ok(None);
        }
        let event = would.event.or(made.event).unwrap_or_default();
        Ok(Some(Rehearsed {
            at: date::to_rfc3339(recorded.at),
            ticket: recorded.ticket,
            event,
            messages,
            refused,
        }))
    }
}

/// A case as it would be read for the next event.
fn settled(mut case: Case) -> Case {
    case.comments.added.clear();
    case.comments.learnt.clear();
    let sent = case.shares.iter().map(|share| share.comments_sent).min().unwrap_or_default();
    case.comments.unsent.retain(|stored| stored.n > sent);
    Before::of(&case).case()
}

/// What an event becomes under a mapping, from what was known of its ticket.
async fn make(
    options: &Options,
    declared: &[Change],
    recorded: &Recorded,
    before: Option<Case>,
) -> Result<Made, StoreError> {
    let options = Options { clock: Arc::new(ManualClock::at(recorded.at)), ..options.clone() };
    let change = intake::read(&options, recorded.came.as_bytes()).await.into_iter().nth(recorded.part);
    let event = match &change {
        Some(Change::Event { event, .. }) => event.key.clone(),
        Some(Change::Dead { reason, .. }) => {
            return Ok(Made { refused: Some(reason.clone()), ..Made::default() });
        }
        // The filter makes no such event of it.
        _ => return Ok(Made::default()),
    };
    let Some(change) = change else { return Ok(Made::default()) };
    let mut scope = scope::of_one(&change, &options);
    let shares = before.iter().flat_map(|case| &case.shares);
    scope.agreements.extend(shares.map(|share| share.agreement.to_string()));
    scope.agreements.extend(declared.iter().filter_map(|change| match change {
        Change::Declare(declared) => Some(declared.0.uuid.to_string()),
        _ => None,
    }));
    let mut snapshot = options.store.snapshot(&scope).await?;
    // What is known by now counts for people and agreements, and for tickets not.
    snapshot.seen.clear();
    snapshot.desk_ids.clear();
    snapshot.cases.clear();
    if let Some(case) = before {
        snapshot.desk_ids.insert(recorded.ticket.clone(), case.ticket.uuid.clone());
        snapshot.cases.insert(case.ticket.uuid.clone(), case);
    }
    let mut batch = Batch::new(&options, snapshot, HashMap::new());
    for change in declared {
        // What cannot be declared is told by a start.
        let _as_it_was = batch.fold(change);
    }
    batch.writes = Writes { now: batch.now, ..Writes::default() };
    batch.references = references::known(&options, &batch.snapshot, &[&change]).await?;
    let refused = batch.fold(&change).err().map(|refusal| refusal.reason);
    let uuid = batch.snapshot.desk_ids.get(&recorded.ticket);
    let case = uuid.and_then(|uuid| batch.snapshot.cases.get(uuid)).cloned();
    let name = |agreement: &Uuid| {
        let known = batch.snapshot.agreements.get(agreement);
        known.map_or_else(|| agreement.to_string(), |agreement| agreement.name.clone())
    };
    let to = |message: &Message| match (message.kind.channel(), &message.agreement) {
        (Channel::Partner, Some(agreement)) => name(agreement),
        _ => "the desk".to_owned(),
    };
    let sent = batch.writes.messages.iter().filter(|message| message.state == MessageState::Pending);
    let messages = sent.map(|message| (to(message), message.clone())).collect();
    Ok(Made { event: Some(event), messages, case, refused })
}
