//! Changes laid over a snapshot, one after the other: each finds its case, the engine decides, the batch keeps it.

use super::{
    cause::Cause,
    fold_event::{applied, done, not_shared},
    references, scope,
    writes::Batch,
};
use crate::{
    domain::{Agreement, Channel, DeskEvent, MessageId, MessageState, MessageType, Share, ShareState, Uuid},
    engine::{
        Case, Context, Decision, Outcome, Refusal, completion,
        drift::{self, Comparison},
        incoming, refusal, sharing, undone,
    },
    flow::{
        change::{Answer, Change, Done, TicketAction},
        options::Options,
    },
    ports::{Mark, StoreError},
};

impl Batch<'_> {
    /// Folds one change in.
    pub(in crate::flow) fn fold(&mut self, change: &Change) -> Answer {
        self.cause = Cause::of(change);
        self.trace = change.trace().cloned();
        match change {
            Change::Event { event, raw, came } => {
                if let Some(came) = came {
                    self.record(event, came);
                }
                self.event(event, raw)
            }
            Change::Dead { agreement, kind, body, reason } => {
                self.bury_incoming(agreement.clone(), *kind, body, reason);
                Ok(Done { outcome: Outcome::Rejected, ..Done::default() })
            }
            Change::Unnamed(ticket, body) => {
                let reason =
                    format!("ticket {ticket} says that a command made it, but no command's answer named it");
                self.bury_incoming(None, MessageType::DeadEvent, body, &reason);
                self.writes.let_go.push((ticket.clone(), body.clone()));
                Ok(Done::default())
            }
            Change::Ticket { agreement, ticket, action, .. } => self.partner(agreement, ticket, action),
            Change::Share(ticket, agreement) => self.share(ticket, agreement),
            Change::Unshare(ticket) => {
                let case = self.known(ticket).ok_or_else(|| not_shared(ticket))?;
                let end =
                    |case: &mut Case, ctx: &Context<'_>| sharing::unshare(case, "unshared by this desk", ctx);
                self.decide_or_refuse(case, None, end).map(done)
            }
            Change::Attempt(message, attempted) => self.attempt(message, attempted),
            Change::Published(seqs) => {
                self.writes.published.extend(seqs);
                Ok(Done::default())
            }
            Change::Buried(ids) => {
                let mark = |id: &MessageId| Mark {
                    id: id.clone(),
                    command: false,
                    state: MessageState::Parked,
                    attempts: 0,
                    due_at: None,
                    error: None,
                };
                self.writes.marks.extend(ids.iter().map(mark));
                Ok(Done::default())
            }
            Change::Due(ticket) => match self.snapshot.cases.remove(ticket) {
                Some(case) => Ok(done(self.decide(case, None, completion::timed_out))),
                None => Ok(Done::default()),
            },
            Change::Refit(ticket) => match self.snapshot.cases.remove(ticket) {
                Some(case) => Ok(done(self.decide(case, None, undone::fields_changed))),
                None => Ok(Done::default()),
            },
            Change::Retry(ticket) => match self.snapshot.cases.remove(ticket) {
                Some(case) => Ok(done(self.decide(case, None, undone::again))),
                None => Ok(Done::default()),
            },
            Change::RefitAll => {
                self.writes.refit = true;
                Ok(Done::default())
            }
            Change::Refitted(from, to) => {
                self.writes.refitted.push((from.clone(), to.clone()));
                Ok(Done::default())
            }
            Change::Once(key, change) => {
                if self.snapshot.seen.contains(key) {
                    return Ok(Done::default());
                }
                let done = self.fold(change)?;
                self.snapshot.seen.insert(key.clone());
                self.writes.seen.push(key.clone());
                Ok(done)
            }
            Change::Compared { agreement, ticket, comparison } => {
                self.compared(agreement, ticket, comparison)
            }
            Change::Claim(key) => {
                let created = self.snapshot.seen.insert(key.clone());
                self.writes.seen.extend(created.then(|| key.clone()));
                Ok(Done { created, ..Done::default() })
            }
            Change::Found { agreement, ticket, carried } => {
                self.carried(agreement, ticket, None, carried);
                Ok(Done::default())
            }
            Change::Hold(row, what) => {
                self.writes.waiting.push((row.clone(), what.clone()));
                Ok(Done::default())
            }
            Change::Release(row, what) => {
                self.writes.let_go.push((row.clone(), what.clone()));
                Ok(Done::default())
            }
            Change::Replay(message) => self.replay(message),
            Change::Retell(message) => {
                self.mark(message, MessageState::Withdrawn, message.error.clone());
                let (Some(agreement), Some(case)) =
                    (&message.agreement, self.snapshot.cases.remove(&message.id.owner))
                else {
                    return Ok(Done::default());
                };
                let anew =
                    |case: &mut Case, ctx: &Context<'_>| refusal::told_anew(case, agreement, message, ctx);
                Ok(done(self.decide(case, message.event_at, anew)))
            }
            Change::Drop(message) => {
                self.mark(message, MessageState::Withdrawn, message.error.clone());
                if message.state == MessageState::Parked
                    && let Some(agreement) = &message.agreement
                    && let Some(case) = self.snapshot.cases.remove(&message.id.owner)
                {
                    self.decide(case, None, |case, ctx| refusal::dropped(case, agreement, message, ctx));
                }
                Ok(Done::default())
            }
            Change::DeclineAll(decline) => {
                self.writes.decline_all_invites = Some(*decline);
                self.snapshot.decline_all_invites = Some(*decline);
                Ok(Done::default())
            }
            other => self.fold_agreement(other),
        }
    }

    fn partner(&mut self, agreement: &Uuid, ticket: &Uuid, action: &TicketAction) -> Answer {
        let agreement = self.snapshot.agreements.get(agreement).cloned();
        let agreement = agreement.ok_or_else(|| Refusal::new(403, "the agreement is gone"))?;
        let known = self.snapshot.cases.remove(ticket);
        let created = known.as_ref().is_none_or(|case| {
            case.share(&agreement.uuid).is_none_or(|share| share.state == ShareState::Ended)
        }) && matches!(action, TicketAction::Create(_));
        let case = known.unwrap_or_else(|| Case::new(ticket.clone()));
        let apply = |case: &mut Case, ctx: &Context<'_>| match action {
            TicketAction::Create(update) => incoming::ticket_created(case, &agreement, update, ctx),
            TicketAction::Update(update) => incoming::ticket_updated(case, &agreement, update, ctx),
            TicketAction::Unshare => incoming::ticket_unshared(case, &agreement, ctx),
        };
        let decision = self.decide_or_refuse(case, None, apply)?;
        Ok(Done { outcome: decision.outcome, created, ..Done::default() })
    }

    /// A partner was asked what it has of a ticket.
    fn compared(&mut self, agreement: &Uuid, ticket: &Uuid, comparison: &Comparison) -> Answer {
        let agreement = self.snapshot.agreements.get(agreement).cloned();
        let agreement = agreement.ok_or_else(|| Refusal::new(403, "the agreement is gone"))?;
        let Some(case) = self.snapshot.cases.remove(ticket) else { return Ok(Done::default()) };
        let mut differs = None;
        let compare = |case: &mut Case, ctx: &Context<'_>| {
            let (decision, found) = drift::compared(case, &agreement, comparison, ctx)?;
            differs = found;
            Ok(decision)
        };
        let outcome = self.decide_or_refuse(case, None, compare)?.outcome;
        Ok(Done { outcome, differs, ..Done::default() })
    }

    pub(super) fn mark(
        &mut self,
        message: &crate::domain::Message,
        state: MessageState,
        error: Option<String>,
    ) {
        let (id, attempts) = (message.id.clone(), message.attempts);
        self.writes.marks.push(Mark { id, command: false, state, attempts, due_at: None, error });
    }

    /// Something that came in and cannot be processed, as a dead letter of nobody's.
    fn bury_incoming(&mut self, agreement: Option<Uuid>, kind: MessageType, body: &str, reason: &str) {
        let seed = format!("{} {} {body}", self.now.millis(), self.writes.messages.len());
        let owner = self.options.desk.namespace.agreement(&seed);
        self.dead(MessageId { owner, n: 1 }, agreement, kind, body.to_owned(), reason.to_owned());
    }

    fn replay(&mut self, message: &crate::domain::Message) -> Answer {
        match message.kind.channel() {
            // An event is taken in anew by whoever replays it; then its dead letter is dropped.
            Channel::Dead => Err(Refusal::new(422, "a bridge's message is sent again by its bridge")),
            _ if message.kind.is_about_agreement() => self.replay_agreement(message),
            _ => {
                let (Some(agreement), Some(case)) =
                    (message.agreement.clone(), self.snapshot.cases.remove(&message.id.owner))
                else {
                    return Err(Refusal::new(409, "its ticket is gone"));
                };
                let ended = |share: &Share| share.state == ShareState::Ended;
                let in_force = self.snapshot.agreements.get(&agreement).is_some_and(Agreement::is_accepted);
                let unshares = message.kind == MessageType::TicketUnshare && in_force;
                if unshares && case.share(&agreement).is_some_and(ended) {
                    // The end of a share is no difference that could be told anew: it goes out again as it is.
                    self.decide(case, None, |case, ctx| {
                        let mut decision = Decision { outcome: Outcome::Applied, ..Decision::default() };
                        refusal::settled(&mut decision, case, &agreement, message, ctx);
                        decision
                    });
                    self.send_again(message);
                    return Ok(applied());
                }
                self.mark(message, MessageState::Withdrawn, message.error.clone());
                Ok(done(
                    self.decide(case, None, |case, ctx| refusal::replayed(case, &agreement, message, ctx)),
                ))
            }
        }
    }
}

/// What an event would do: what becomes of it, the messages that it would send, and the lines that its ticket's history would
/// get, with the rule and what is held back. Nothing is written.
///
/// # Errors
/// The store is away.
pub async fn preview(options: &Options, event: &DeskEvent) -> Result<Preview, StoreError> {
    let change = Change::Event { event: Box::new(event.clone()), raw: String::new(), came: None };
    let snapshot = options.store.snapshot(&scope::of_one(&change, options)).await?;
    let references = references::known(options, &snapshot, &[&change]).await?;
    let mut batch = Batch::new(options, snapshot, std::collections::HashMap::new());
    batch.references = references;
    let answer = batch.fold(&change);
    let refused = answer.as_ref().err().map(|refusal| refusal.reason.clone());
    let outcome = answer.map_or(Outcome::Rejected, |done| done.outcome);
    let writes = std::sync::Arc::into_inner(batch.finish(Vec::new()).writes).unwrap_or_default();
    let told = writes.messages.iter().filter_map(|message| message.cause.clone());
    let decided = told.chain(writes.history.into_iter().map(|(.., line)| line)).collect();
    Ok(Preview { outcome, refused, decided, messages: writes.messages })
}

/// What an event would do.
#[derive(Debug)]
pub struct Preview {
    /// What becomes of it.
    pub outcome: Outcome,
    /// Why nothing does, where it is refused.
    pub refused: Option<String>,
    /// The lines of the ticket's history, each a JSON object.
    pub decided: Vec<String>,
    /// What it would send.
    pub messages: Vec<crate::domain::Message>,
}
