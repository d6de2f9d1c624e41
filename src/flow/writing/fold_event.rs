//! What the desk says, laid over a snapshot: events on tickets, shares begun and ended, commands answered.

use super::writes::Batch;
use crate::{
    domain::{Agreement, DeskEvent, EventBody, ShareRole, TicketEvent, TicketId, Timestamp},
    engine::{Case, Context, Decision, Outcome, Refusal, outgoing, rules, sharing},
    flow::change::{Answer, Done},
    ports::{Before, Recorded},
};

impl Batch<'_> {
    /// Takes the case of one of the desk's tickets out, where there is one.
    pub(super) fn known(&mut self, id: &TicketId) -> Option<Case> {
        let uuid = self.snapshot.desk_ids.get(id)?;
        self.snapshot.cases.remove(uuid)
    }

    fn known_or_new(&mut self, id: &TicketId) -> Result<Case, Refusal> {
        if let Some(known) = self.known(id) {
            return Ok(known);
        }
        let mut case = Case::new(self.options.desk.namespace.ticket(id));
        if self.snapshot.cases.contains_key(&case.ticket.uuid) {
            let reason = format!(
                "a partner has shared a ticket under the uuid of ticket {id}; unshare that one first"
            );
            return Err(Refusal::new(409, reason));
        }
        case.ticket.id = Some(id.clone());
        Ok(case)
    }

    /// Keeps an event as it came, with what is known of its ticket, for it to be gone through again.
    pub(super) fn record(&mut self, event: &DeskEvent, came: &(String, usize)) {
        let (id, uuid) = match &event.body {
            EventBody::Changed(ticket) | EventBody::Shared(ticket, _) => (&ticket.id, ticket.uuid.as_ref()),
            EventBody::Unshared(id) | EventBody::Deleted(id) | EventBody::Merged(id, _) => (id, None),
            EventBody::Fields(_) | EventBody::Completed(_) => return,
        };
        if self.was_applied(event) {
            return;
        }
        let uuid = self.snapshot.desk_ids.get(id).or(uuid);
        let case = uuid.and_then(|uuid| self.snapshot.cases.get(uuid));
        self.writes.recorded.push(Recorded {
            at: self.now,
            ticket: id.clone(),
            came: came.0.clone(),
            part: came.1,
            before: case.map(Before::of),
            mapping: self.options.mapped.clone(),
        });
    }

    /// Whether an event was applied before: its ticket remembers those of the present revision, and what is older than that is
    /// known to be; the store remembers the others.
    fn was_applied(&mut self, event: &DeskEvent) -> bool {
        match event.mark() {
            Some(mark) => self.case_of(event).is_some_and(|case| case.ticket.heard.has_event(&mark)),
            None => self.snapshot.seen.contains(&event.key),
        }
    }

    fn remember(&mut self, event: &DeskEvent) {
        let Some(mark) = event.mark() else {
            self.snapshot.seen.insert(event.key.clone());
            self.writes.seen.push(event.key.clone());
            return;
        };
        let EventBody::Changed(ticket) = &event.body else { return };
        if let Some(case) = self.case_of(event)
            && !ticket.revision.is_older_than(&case.ticket.revision)
        {
            case.ticket.heard.add_event(&mark);
        }
    }

    fn case_of(&mut self, event: &DeskEvent) -> Option<&mut Case> {
        let EventBody::Changed(ticket) = &event.body else { return None };
        let uuid = self.snapshot.desk_ids.get(&ticket.id).or(ticket.uuid.as_ref())?;
        self.snapshot.cases.get_mut(uuid)
    }

    pub(super) fn event(&mut self, event: &DeskEvent, raw: &str) -> Answer {
        if self.was_applied(event) {
            return Ok(Done::default());
        }
        let at = event.time;
        let answer = match &event.body {
            EventBody::Changed(ticket) => self.changed(ticket, at, raw),
            EventBody::Shared(ticket, agreement) => self.shared(ticket, agreement, at, raw),
            EventBody::Unshared(id) => match self.known(id) {
                Some(case) => Ok(done(self.decide(case, at, |case, ctx| {
                    sharing::unshare(case, "unshared by an agent", ctx).unwrap_or_default()
                }))),
                None => Ok(unshared()),
            },
            EventBody::Deleted(id) => self.gone(id, "was deleted", at),
            EventBody::Merged(id, into) => self.gone(id, &format!("was merged into {into}"), at),
            EventBody::Fields(fields) => {
                self.set_catalogue(crate::domain::Catalogue::new(fields.clone()));
                Ok(applied())
            }
            EventBody::Completed(completion) => self.completed(completion, at),
        };
        if let Ok(done) = &answer
            && matches!(done.outcome, Outcome::Applied | Outcome::Rejected)
        {
            self.remember(event);
        }
        answer
    }

    fn changed(&mut self, event: &TicketEvent, at: Option<Timestamp>, raw: &str) -> Answer {
        // The desk's number is the stronger name: a uuid that belongs to another number is the desk's mistake.
        let uuid = self.snapshot.desk_ids.get(&event.id).or(event.uuid.as_ref());
        let case = uuid.and_then(|uuid| self.snapshot.cases.get(uuid));
        // Somebody wanted to share it once, and could not: it is not shared.
        let tracked = case.is_some_and(|case| !case.shares.is_empty() || case.ticket.received);
        let rule = self.rule_for(case, event);
        let is_new = case.is_none();
        if is_new && event.came_by_command() {
            // A command of ours made it; its completion will say which ticket it is.
            self.writes.waiting.push((event.id.clone(), raw.to_owned()));
            return Ok(Done::default());
        }
        if let Some((name, share_with)) = rule {
            if let Some(cause) = &mut self.cause {
                cause.by_rule(&name);
            }
            match self.start_share(event, &share_with, at) {
                Ok(done) => return Ok(done),
                Err(refusal) => {
                    tracing::warn!(ticket.id = %event.id, rule = name, reason = refusal.reason, "a rule could not share");
                }
            }
        }
        let case = self.known(&event.id).or_else(|| self.snapshot.cases.remove(event.uuid.as_ref()?));
        match case {
            Some(case) if tracked => {
                let decision = self.decide(case, at, |case, ctx| outgoing::ticket_changed(case, event, ctx));
                tracing::debug!(ticket.id = %event.id, outcome = decision.outcome.as_str(), "event on a shared ticket");
                Ok(done(decision))
            }
            Some(case) => {
                self.snapshot.cases.insert(case.ticket.uuid.clone(), case);
                Ok(unshared())
            }
            None => Ok(unshared()),
        }
    }

    /// The rule that shares a ticket: name and agreement. One that had an outgoing share once is people's to share again,
    /// and none goes back under the agreement that it came by.
    pub(super) fn rule_for(&self, case: Option<&Case>, event: &TicketEvent) -> Option<(String, String)> {
        let shares = case.map_or(&[][..], |case| &case.shares);
        if shares.iter().any(|share| share.role == ShareRole::Outgoing) {
            return None;
        }
        // Before its command is answered nobody knows under which agreement it came.
        if event.came_by_command() && case.is_none_or(|case| case.ticket.id.is_none()) {
            return None;
        }
        let rule = rules::first_match(&self.options.rules, event)?;
        let agreement = self.snapshot.agreement(&rule.share_with);
        let came_by =
            agreement.is_some_and(|agreement| shares.iter().any(|share| share.agreement == agreement.uuid));
        (!came_by).then(|| (rule.name.clone(), rule.share_with.clone()))
    }

    /// The agreement that somebody names, to share a ticket under.
    fn agreement_to_share(&self, wanted: &str) -> Result<Agreement, Refusal> {
        if self.snapshot.is_ambiguous(wanted) {
            let reason =
                format!("several agreements are called \"{wanted}\": give the uuid of the one that is meant");
            return Err(Refusal::new(409, reason));
        }
        self.snapshot.agreement(wanted).cloned().ok_or_else(|| no_agreement(wanted))
    }

    pub(super) fn start_share(&mut self, event: &TicketEvent, wanted: &str, at: Option<Timestamp>) -> Answer {
        let agreement = self.agreement_to_share(wanted)?;
        let case = self.known_or_new(&event.id)?;
        let share = |case: &mut Case, ctx: &Context<'_>| sharing::share(case, &agreement, Some(event), ctx);
        self.decide_or_refuse(case, at, share).map(done)
    }

    pub(super) fn shared(
        &mut self,
        event: &TicketEvent,
        wanted: &str,
        at: Option<Timestamp>,
        raw: &str,
    ) -> Answer {
        let unknown = !self.snapshot.desk_ids.contains_key(&event.id);
        if unknown && event.came_by_command() {
            self.writes.waiting.push((event.id.clone(), raw.to_owned()));
            return Ok(Done::default());
        }
        let refusal = match self.start_share(event, wanted, at) {
            Err(refusal) => refusal,
            done => return done,
        };
        // An event has nobody to answer to: the refusal is kept with the ticket, and told as a notice.
        let agreement = self.snapshot.agreement(wanted).cloned();
        let Ok(case) = self.known_or_new(&event.id) else { return Err(refusal) };
        let why = refusal.reason.clone();
        let refused = |case: &mut Case, ctx: &Context<'_>| {
            sharing::refused(case, agreement.as_ref(), wanted, &why, ctx)
        };
        Ok(done(self.decide(case, at, refused)))
    }

    pub(super) fn share(&mut self, ticket: &TicketId, wanted: &str) -> Answer {
        let agreement = self.agreement_to_share(wanted)?;
        let case = self.known_or_new(ticket)?;
        // A share whose agreement has ended is no share any more, though its row may not say so yet.
        let ended = |uuid| self.snapshot.agreements.get(uuid).is_some_and(|a| a.status.is_final());
        if case.outgoing().is_some_and(|share| !ended(&share.agreement)) {
            let reason = format!("ticket {ticket} has an outgoing share already");
            self.snapshot.cases.insert(case.ticket.uuid.clone(), case);
            return Err(Refusal::new(409, reason));
        }
        let share = |case: &mut Case, ctx: &Context<'_>| sharing::share(case, &agreement, None, ctx);
        self.decide_or_refuse(case, None, share).map(done)
    }

    fn gone(&mut self, id: &TicketId, why: &str, at: Option<Timestamp>) -> Answer {
        match self.known(id) {
            Some(case) => Ok(done(self.decide(case, at, |case, ctx| sharing::gone(case, why, ctx)))),
            None => Ok(unshared()),
        }
    }
}

pub(super) fn done(decision: Decision) -> Done {
    Done { outcome: decision.outcome, ..Done::default() }
}

pub(super) fn applied() -> Done {
    Done { outcome: Outcome::Applied, ..Done::default() }
}

pub(super) fn unshared() -> Done {
    Done { outcome: Outcome::Unshared, ..Done::default() }
}

pub(super) fn not_shared(ticket: &TicketId) -> Refusal {
    Refusal::new(409, format!("ticket {ticket} is not shared"))
}

pub(super) fn no_agreement(wanted: &str) -> Refusal {
    Refusal::new(404, format!("there is no agreement \"{wanted}\""))
}
