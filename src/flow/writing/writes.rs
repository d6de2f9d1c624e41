//! A batch while it is folded: the snapshot as the changes have left it, and what is to be written.

use std::collections::{BTreeMap, HashMap};

use super::cause::Cause;
use crate::{
    domain::{
        Agreement, Catalogue, Channel, Command, Contents, FieldNotSynced, Issue, Kind, Message, MessageId,
        MessageState, MessageType, Notice, QuickSet, TicketId, Timestamp, Traceparent, Uuid,
    },
    engine::{Case, Content, Context, Decision, Draft, Outcome, Refusal, Snapshot, agreement::Ruling},
    flow::options::Options,
    ports::{Ended, Withdraw, Writes},
    wire,
};

/// The notices that go out by e-mail too, where an address is configured.
const MAILED: [&str; 4] =
    ["agreement_invited", "agreement_accepted", "agreement_declined", "agreement_deactivated"];

/// A batch while it is folded.
pub(in crate::flow) struct Batch<'a> {
    pub(super) options: &'a Options,
    pub(in crate::flow) now: Timestamp,
    pub(in crate::flow) snapshot: Snapshot,
    /// Events that wait, for tickets that a completion of this batch names.
    pub(super) waiting: HashMap<TicketId, Vec<String>>,
    pub(in crate::flow) writes: Writes,
    /// What is being folded, for the history of the ticket that it is about.
    pub(super) cause: Option<Cause>,
    /// The trace that it is part of.
    pub(super) trace: Option<Traceparent>,
    /// Numbers of tickets at partners', where comments are rewritten.
    pub(in crate::flow) references: HashMap<(Uuid, TicketId), String>,
    /// Agreements that have changed, so that workers are started and stopped.
    pub(super) agreements_changed: bool,
    pub(super) written: Vec<Written>,
    pub(super) mails: Vec<Notice>,
    pub(super) touched: QuickSet<Uuid>,
    pub(super) agreements: BTreeMap<Uuid, Agreement>,
    catalogue: Catalogue,
}

impl<'a> Batch<'a> {
    pub(in crate::flow) fn new(
        options: &'a Options,
        snapshot: Snapshot,
        waiting: HashMap<TicketId, Vec<String>>,
    ) -> Self {
        let now = options.clock.now();
        let catalogue = snapshot.catalogue.clone().unwrap_or_else(|| options.catalogue.as_ref().clone());
        Self {
            options,
            now,
            snapshot,
            waiting,
            cause: None,
            trace: None,
            references: HashMap::new(),
            writes: Writes { now, ..Writes::default() },
            agreements_changed: false,
            written: Vec::new(),
            mails: Vec::new(),
            touched: QuickSet::default(),
            agreements: BTreeMap::new(),
            catalogue,
        }
    }

    /// The desk's new catalogue.
    pub(super) fn set_catalogue(&mut self, catalogue: Catalogue) {
        self.catalogue = catalogue.clone();
        self.writes.catalogue = Some(catalogue);
        self.writes.refit = true;
    }

    fn context(&self, event_at: Option<Timestamp>) -> Context<'_> {
        Context {
            now: self.now,
            desk: &self.options.desk,
            agreements: &self.snapshot.agreements,
            users: &self.snapshot.users,
            references: &self.references,
            catalogue: &self.catalogue,
            event_at,
        }
    }

    /// Lets the engine decide about a case, and takes in what it decided.
    pub(super) fn decide(
        &mut self,
        mut case: Case,
        event_at: Option<Timestamp>,
        engine: impl FnOnce(&mut Case, &Context<'_>) -> Decision,
    ) -> Decision {
        let mut decision = engine(&mut case, &self.context(event_at));
        let tells = decision.outcome != Outcome::Unchanged || case.has_changed();
        let line = self.cause.as_ref().filter(|_| tells).map(|cause| cause.with(&decision));
        self.keep_and_take_in(case, &mut decision, line);
        decision
    }

    /// The same where the engine may refuse; a refused change leaves no trace in its case.
    pub(super) fn decide_or_refuse(
        &mut self,
        mut case: Case,
        event_at: Option<Timestamp>,
        engine: impl FnOnce(&mut Case, &Context<'_>) -> Result<Decision, Refusal>,
    ) -> Result<Decision, Refusal> {
        let ticket = case.ticket.uuid.clone();
        let before = case.clone();
        let existed = case.is_stored() || self.touched.contains(&ticket);
        match engine(&mut case, &self.context(event_at)) {
            Ok(mut decision) => {
                let line = self.cause.as_ref().map(|cause| cause.with(&decision));
                self.keep_and_take_in(case, &mut decision, line);
                Ok(decision)
            }
            Err(refusal) => {
                if let Some(cause) = self.cause.as_ref().filter(|_| existed) {
                    let line = cause.refused(&refusal);
                    self.writes.history.push((ticket.clone(), before.ticket.messages, line));
                }
                if existed {
                    self.snapshot.cases.insert(ticket, before);
                }
                Err(refusal)
            }
        }
    }

    /// Keeps a case with what was decided about it. The line of its history travels with the first message, if there is one.
    fn keep_and_take_in(&mut self, case: Case, decision: &mut Decision, line: Option<String>) {
        let (ticket, number, first) =
            (case.ticket.uuid.clone(), case.ticket.messages, self.writes.messages.len());
        self.keep(case);
        self.take_in(&ticket, decision);
        match (line, self.writes.messages.get_mut(first)) {
            (Some(line), Some(message)) if message.id.owner == ticket => message.cause = Some(line),
            (Some(line), _) => self.writes.history.push((ticket, number, line)),
            (None, _) => {}
        }
    }

    fn keep(&mut self, case: Case) {
        if let Some(id) = &case.ticket.id {
            self.snapshot.desk_ids.insert(id.clone(), case.ticket.uuid.clone());
        }
        self.touched.insert(case.ticket.uuid.clone());
        self.snapshot.cases.insert(case.ticket.uuid.clone(), case);
    }

    /// Takes in what was decided: of the decision stays what it says of itself.
    fn take_in(&mut self, ticket: &Uuid, decision: &mut Decision) {
        for user in &decision.users {
            self.snapshot.users.insert((user.agreement.clone(), user.uuid.clone()), user.clone());
        }
        self.writes.users.append(&mut decision.users);
        for issue in &mut decision.issues {
            let agreement = self.snapshot.agreements.get(&issue.agreement);
            // What was on its way when the agreement ended, is nobody's trouble.
            if issue.reason.ends_with_share() && agreement.is_some_and(|known| known.status.is_final()) {
                issue.resolved_at.get_or_insert(self.now);
            }
        }
        self.writes.issues.append(&mut decision.issues);
        for agreement in std::mem::take(&mut decision.ended) {
            self.ended(Some(ticket), agreement);
        }
        for agreement in &decision.withdraw {
            self.writes
                .withdraw
                .push(Withdraw { ticket: Some(ticket.clone()), agreement: agreement.clone() });
            self.withdraw_unwritten(Some(ticket), agreement);
        }
        for draft in std::mem::take(&mut decision.messages) {
            self.message(draft);
        }
    }

    /// What a share or an agreement had not synced is no trouble any more once it has ended. Issues of this very batch are not in the store yet.
    fn ended(&mut self, ticket: Option<&Uuid>, agreement: Uuid) {
        let now = self.now;
        let of_it = |issue: &&mut Issue| {
            issue.agreement == agreement && ticket.is_none_or(|ticket| issue.ticket == *ticket)
        };
        let known = self.writes.issues.iter_mut().filter(of_it);
        known.filter(|issue| ticket.is_none() || issue.reason.ends_with_share()).for_each(|issue| {
            issue.resolved_at.get_or_insert(now);
        });
        self.writes.ended.push(Ended { ticket: ticket.cloned(), agreement });
    }

    /// Messages of this very batch are not in the store yet, so they are withdrawn here.
    fn withdraw_unwritten(&mut self, ticket: Option<&Uuid>, agreement: &Uuid) {
        for message in &mut self.writes.messages {
            let about_ticket =
                message.kind.channel() == Channel::Partner && !message.kind.is_about_agreement();
            let of_ticket = ticket.is_none_or(|ticket| message.id.owner == *ticket);
            if about_ticket && of_ticket && message.agreement.as_ref() == Some(agreement) {
                message.state = MessageState::Withdrawn;
            }
        }
    }

    /// Turns a draft into a message row.
    pub(super) fn message(&mut self, draft: Draft) {
        let agreement = draft.agreement.as_ref().and_then(|uuid| self.snapshot.agreements.get(uuid));
        let body = wire::encode(&draft, agreement, &self.options.desk, &self.catalogue, self.now);
        let kind = draft.content.kind();
        let bridged = agreement.is_some_and(|agreement| agreement.kind == Kind::Queue);
        if let Content::Command(Command::Notice(notice)) = &draft.content
            && MAILED.contains(&notice.kind)
        {
            self.mails.push(notice.clone());
        }
        self.written.push(match &draft.content {
            Content::Command(Command::CreateTicket(command) | Command::UpdateTicket(command)) => {
                Written::Command(kind, command.fields_not_synced.clone())
            }
            Content::Command(_) => Written::Command(kind, Vec::new()),
            Content::Partner(_) => {
                Written::Partner(kind, agreement.map_or(Kind::ThirdParty, |agreement| agreement.kind))
            }
        });
        self.writes.messages.push(Message {
            seq: 0,
            before: None,
            id: draft.id,
            agreement: draft.agreement,
            kind,
            state: MessageState::Pending,
            body,
            contents: Contents { trace: self.trace.clone(), ..draft.contents },
            attempts: 0,
            due_at: None,
            error: None,
            event_at: draft.event_at,
            created_at: self.now,
            updated_at: self.now,
            cause: None,
            bridged,
        });
    }

    /// A dead letter: to its queue, and then before a person.
    pub(super) fn dead(
        &mut self,
        id: MessageId,
        agreement: Option<Uuid>,
        kind: MessageType,
        body: String,
        reason: String,
    ) {
        self.writes.messages.push(Message {
            seq: 0,
            before: None,
            id,
            agreement,
            kind,
            state: MessageState::Pending,
            body,
            contents: Contents { trace: self.trace.clone(), ..Contents::default() },
            attempts: 0,
            due_at: None,
            error: Some(reason),
            event_at: None,
            created_at: self.now,
            updated_at: self.now,
            cause: None,
            bridged: true,
        });
    }

    /// Takes in what was decided about an agreement.
    pub(super) fn ruling(&mut self, ruling: Ruling) -> Agreement {
        let agreement = ruling.agreement;
        self.agreements_changed = true;
        let is_final = |known: &Agreement| known.status.is_final();
        let had_ended = self.snapshot.agreements.get(&agreement.uuid).is_some_and(is_final);
        self.snapshot.agreements.insert(agreement.uuid.clone(), agreement.clone());
        self.agreements.insert(agreement.uuid.clone(), agreement.clone());
        if let Some(key) = ruling.access_key {
            self.writes.access_keys.push((agreement.uuid.clone(), key));
        }
        if let Some(fields) = ruling.partner_fields {
            self.writes.partner_fields.push((agreement.uuid.clone(), fields));
        }
        if is_final(&agreement) && !had_ended {
            self.ended(None, agreement.uuid.clone());
        }
        if ruling.withdraw {
            self.writes.withdraw.push(Withdraw { ticket: None, agreement: agreement.uuid.clone() });
            self.withdraw_unwritten(None, &agreement.uuid);
        }
        for draft in ruling.messages {
            self.message(draft);
        }
        agreement
    }
}

/// A message that counts once it is written.
pub(super) enum Written {
    Partner(MessageType, Kind),
    Command(MessageType, Vec<FieldNotSynced>),
}
