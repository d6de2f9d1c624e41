//! What the desk answers to a command, laid over a snapshot.

use super::{fold_event::applied, writes::Batch};
use crate::{
    domain::{
        Completion, CompletionStatus, DeskEvent, EventBody, MessageState, Parts, Revision, TicketEvent,
        TicketId, Timestamp,
    },
    engine::{completion, outgoing},
    flow::change::Answer,
    ports::Mark,
    wire,
};

impl Batch<'_> {
    /// Takes in that the desk has answered a command, and what it said of a ticket before it told which one that is.
    pub(super) fn completed(&mut self, completion: &Completion, at: Option<Timestamp>) -> Answer {
        let state = MessageState::Delivered;
        self.writes.marks.push(Mark {
            id: completion.command_id.clone(),
            command: true,
            state,
            attempts: 1,
            due_at: None,
            error: completion.error.clone(),
        });
        let Some(mut case) = self.snapshot.cases.remove(&completion.command_id.owner) else {
            return Ok(applied());
        };
        let taken = completion.ticket_id.as_ref().and_then(|id| self.snapshot.desk_ids.get(id));
        if let (Some(id), Some(_)) = (&completion.ticket_id, taken.filter(|uuid| **uuid != case.ticket.uuid))
        {
            // Two tickets cannot be one: the answer is taken as a failure, which both sides get to see.
            let error = format!("the desk answered with ticket {id}, which is another shared ticket");
            let failed = Completion {
                status: CompletionStatus::Failed,
                error: Some(error),
                ticket_id: None,
                ..completion.clone()
            };
            self.decide(case, at, |case, ctx| completion::completed(case, &failed, ctx));
            return Ok(applied());
        }
        if let Some(id) = &completion.ticket_id {
            case.ticket.id.get_or_insert_with(|| id.clone());
            completion::learn_comments(&mut case, completion);
            // What the desk said before it told the number is what it made of the command, the first of it for certain.
            let mut caused_by = Some(completion.command_id.clone());
            let (mut wanted, mut last) = (Vec::new(), None);
            for event in self.released(id) {
                let mut ticket = match event.body {
                    EventBody::Changed(ticket) => ticket,
                    EventBody::Shared(ticket, agreement) => {
                        wanted.push((ticket.clone(), agreement, event.time));
                        ticket
                    }
                    _ => continue,
                };
                last = Some((ticket.clone(), event.time));
                let (first, mut told) = (caused_by.take(), Vec::new());
                if later(&ticket.revision, &completion.revision) && ticket.command_id.is_none() {
                    // Somebody has edited it since: of what is ours only the comments are in it.
                    let words = TicketEvent {
                        properties: Parts::new(),
                        tags: None,
                        comments: std::mem::take(&mut ticket.comments),
                        command_id: first,
                        ..ticket.clone()
                    };
                    told.push(words);
                } else {
                    ticket.command_id = ticket.command_id.or(first);
                }
                told.push(ticket);
                for ticket in told {
                    self.decide(case, event.time, |case, ctx| outgoing::ticket_changed(case, &ticket, ctx));
                    let Some(next) = self.snapshot.cases.remove(&completion.command_id.owner) else {
                        return Ok(applied());
                    };
                    case = next;
                }
            }
            self.decide(case, at, |case, ctx| completion::completed(case, completion, ctx));
            for (ticket, agreement, time) in wanted {
                self.shared(&ticket, &agreement, time, "")?;
            }
            // Rules have waited until it was known what the ticket is.
            if let Some((ticket, time)) = last
                && let Some((name, share_with)) =
                    self.rule_for(self.snapshot.cases.get(&completion.command_id.owner), &ticket)
            {
                if let Some(cause) = &mut self.cause {
                    cause.by_rule(&name);
                }
                if let Err(refusal) = self.start_share(&ticket, &share_with, time) {
                    tracing::warn!(ticket.id = %ticket.id, rule = name, reason = refusal.reason, "a rule could not share");
                }
            }
            return Ok(applied());
        }
        self.decide(case, at, |case, ctx| completion::completed(case, completion, ctx));
        Ok(applied())
    }

    /// Events that waited for a ticket to be named: of earlier batches, and of this one.
    fn released(&mut self, id: &TicketId) -> Vec<DeskEvent> {
        let waited = self.waiting.remove(id).unwrap_or_default();
        let fresh = self.writes.waiting.extract_if(.., |(waiting, _)| waiting == id);
        let fresh: Vec<String> = fresh.map(|(_, raw)| raw).collect();
        let ours = &self.options.desk.namespace;
        let decoded = waited.iter().chain(&fresh);
        let mut events: Vec<DeskEvent> =
            decoded.filter_map(|raw| wire::desk::decode(raw.as_bytes(), ours).ok()).collect();
        // Only what was looked at: another daemon may just be writing one more.
        self.writes.let_go.extend(waited.into_iter().map(|raw| (id.clone(), raw)));
        // Over HTTP two events of one ticket may overtake each other.
        events.sort_by_key(|event| match &event.body {
            EventBody::Changed(ticket) | EventBody::Shared(ticket, _) => ticket.revision.number,
            _ => None,
        });
        events
    }
}

/// Whether an event tells a later revision than the one that a command has made.
fn later(event: &Revision, made: &Revision) -> bool {
    matches!((event.number, made.number), (Some(event), Some(made)) if event > made)
}
