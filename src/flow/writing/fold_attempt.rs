//! What came of trying a message: its row is marked, and its ticket or agreement learns of it.

use super::writes::Batch;
use crate::{
    domain::{Carried, Message, MessageId, MessageState, MessageType, Timestamp, Uuid},
    engine::{self, Case, completion, failing, refusal},
    flow::change::{Answer, Attempted, Done},
};

impl Batch<'_> {
    fn mark_for_later(&mut self, message: &Message, due_at: Timestamp, error: Option<String>) {
        self.mark(message, MessageState::Published, error);
        if let Some(mark) = self.writes.marks.last_mut() {
            mark.due_at = Some(due_at);
        }
    }

    /// What came of trying a message.
    pub(super) fn attempt(&mut self, message: &Message, attempted: &Attempted) -> Answer {
        match attempted {
            Attempted::Delivered | Attempted::Rekeyed | Attempted::Carried(_) => {
                self.mark(message, MessageState::Delivered, None);
            }
            Attempted::Taken => self.mark(message, MessageState::Published, None),
            Attempted::Later { due_at, error } => self.mark_for_later(message, *due_at, error.clone()),
            Attempted::Fails { due_at, why } => self.mark_for_later(message, *due_at, Some(why.clone())),
            Attempted::Parked(reason) => self.mark(message, MessageState::Parked, Some(reason.clone())),
        }
        if message.kind.is_about_agreement() {
            return self.attempted_agreement(message, attempted);
        }
        if let (Attempted::Delivered | Attempted::Carried(_), Some(agreement)) =
            (attempted, &message.agreement)
            && let Some(case) = self.snapshot.cases.get_mut(&message.id.owner)
        {
            // What the partner says later in this batch, it says having answered.
            case.unanswered.retain(|(to, open)| to != agreement || open.seq != message.contents.seq);
        }
        if let Some(agreement) = &message.agreement {
            self.fails_or_is_over(agreement, message, attempted);
        }
        if let (Attempted::Carried(carried), Some(agreement)) = (attempted, &message.agreement) {
            self.carried(agreement, &message.id.owner, message.event_at, carried);
        }
        if matches!(attempted, Attempted::Taken)
            && let Some(case) = self.snapshot.cases.remove(&message.id.owner)
        {
            self.decide(case, None, |case, ctx| completion::taken(case, message.id.n, ctx));
        }
        if let (Attempted::Parked(reason), Some(agreement)) = (attempted, &message.agreement)
            && let Some(case) = self.snapshot.cases.remove(&message.id.owner)
        {
            self.decide(case, message.event_at, |case, ctx| {
                refusal::refused(case, agreement, message, reason, ctx)
            });
            self.bury(message, reason);
        }
        Ok(Done::default())
    }

    /// A partner fails on a ticket while it takes others', or does no more.
    fn fails_or_is_over(&mut self, agreement: &Uuid, message: &Message, attempted: &Attempted) {
        let fails = |case: &Case| case.share(agreement).is_some_and(|share| share.failing.is_some());
        let Some(case) = self.snapshot.cases.remove(&message.id.owner) else { return };
        match attempted {
            Attempted::Fails { why, .. } => {
                let patience = self.options.notify_after;
                self.decide(case, None, |case, ctx| {
                    failing::fails(case, agreement, message, why, patience, ctx)
                });
            }
            Attempted::Delivered | Attempted::Parked(_) if fails(&case) => {
                // What is parked has a line of its own.
                let cause = self.cause.take();
                self.decide(case, None, |case, ctx| failing::over(case, agreement, ctx));
                self.cause = cause;
            }
            _ => drop(self.snapshot.cases.insert(message.id.owner.clone(), case)),
        }
    }

    /// What came of bringing a ticket to a partner that is no desk.
    pub(super) fn carried(
        &mut self,
        agreement: &Uuid,
        ticket: &Uuid,
        at: Option<Timestamp>,
        carried: &Carried,
    ) {
        self.learn(agreement, carried);
        let Some(known) = self.snapshot.agreements.get(agreement).cloned() else { return };
        if let Some(issue) = &carried.issue {
            self.writes.counterparts.push((agreement.clone(), issue.id.clone(), ticket.clone()));
        }
        if let Some(case) = self.snapshot.cases.remove(ticket) {
            self.decide(case, at, |case, ctx| engine::carried(case, &known, carried, ctx));
        }
    }

    /// A copy of a parked message for the dead-letter queue.
    fn bury(&mut self, message: &Message, reason: &str) {
        if let Some(mut case) = self.snapshot.cases.remove(&message.id.owner) {
            case.ticket.messages += 1;
            let id = MessageId { owner: case.ticket.uuid.clone(), n: case.ticket.messages };
            self.snapshot.cases.insert(case.ticket.uuid.clone(), case);
            let agreement = message.agreement.clone();
            self.dead(id, agreement, MessageType::DeadPartner, message.body.clone(), reason.to_owned());
        }
    }
}
