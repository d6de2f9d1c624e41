//! A desk and its engine, with nothing in between: what a daemon decides, without the daemon.

use crossdesk::{
    demo::{Habits, HelpDesk},
    domain::{
        Agreement, AgreementStatus, Catalogue, Direction, EventBody, MessageType, Namespace, Quick, Terms,
        TicketEvent, Timestamp, User, Uuid,
    },
    engine::{
        Case, Content, Context, Decision, Desk, PartnerMessage, completion, incoming, outgoing, sharing,
    },
    wire,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// A message to another side: what it is, its body, its number in the share.
pub(crate) type Sent = (MessageType, String, i64);

/// One of the agreements of a side, and what is on its way under it.
pub(crate) struct Link {
    pub(crate) agreement: Agreement,
    pub(crate) out: VecDeque<Sent>,
}

pub(crate) struct Side {
    pub(crate) desk: HelpDesk,
    pub(crate) habits: Habits,
    pub(crate) facts: Desk,
    pub(crate) links: Vec<Link>,
    pub(crate) users: Quick<(Uuid, Uuid), User>,
    pub(crate) case: Option<Case>,
    pub(crate) now: i64,
    pub(crate) events: VecDeque<Value>,
    pub(crate) commands: VecDeque<Value>,
    pub(crate) waiting: Vec<(TicketEvent, Option<String>)>,
    pub(crate) sent: usize,
    pub(crate) number: String,
    pub(crate) shared_on: bool,
}

pub(crate) fn agreement(uuid: &str, direction: Direction) -> Link {
    let terms = Terms { sync_tags: true, sync_custom_fields: true, ..Terms::default() };
    let agreement = Agreement {
        uuid: Uuid::new(uuid),
        name: uuid.to_owned(),
        direction,
        status: AgreementStatus::Accepted,
        terms,
        ..Agreement::pending(Timestamp::default())
    };
    Link { agreement, out: VecDeque::new() }
}

impl Side {
    pub(crate) fn new(name: &str, links: Vec<Link>, habits: Habits) -> Self {
        let url = format!("https://{name}.example/sharing");
        Self {
            desk: HelpDesk::new(name, 1, habits),
            habits,
            facts: Desk {
                name: name.to_owned(),
                namespace: Namespace::of(&url),
                sharing_url: url,
                ticket_url: None,
                command_timeout: std::time::Duration::from_secs(60),
                takes_commands: false,
            },
            links,
            users: Quick::default(),
            case: None,
            now: 1_000_000,
            events: VecDeque::new(),
            commands: VecDeque::new(),
            waiting: Vec::new(),
            sent: 0,
            number: "1".to_owned(),
            shared_on: false,
        }
    }

    pub(crate) fn decide<T>(&mut self, case: &mut Case, act: impl FnOnce(&mut Case, &Context<'_>) -> T) -> T {
        let agreements =
            self.links.iter().map(|link| (link.agreement.uuid.clone(), link.agreement.clone())).collect();
        let (catalogue, references) = (Catalogue::default(), HashMap::new());
        let context = Context {
            now: Timestamp::from_millis(self.now),
            desk: &self.facts,
            agreements: &agreements,
            users: &self.users,
            references: &references,
            catalogue: &catalogue,
            event_at: None,
        };
        act(case, &context)
    }

    /// Does what the store and the relay do with a decision.
    pub(crate) fn write(&mut self, mut case: Case, decision: Decision) {
        for user in decision.users {
            self.users.insert((user.agreement.clone(), user.uuid.clone()), user);
        }
        for draft in decision.messages {
            let link = self
                .links
                .iter_mut()
                .find(|link| Some(&link.agreement.uuid) == draft.agreement.as_ref())
                .unwrap();
            let (catalogue, now) = (Catalogue::default(), Timestamp::from_millis(self.now));
            let body = wire::encode(&draft, Some(&link.agreement), &self.facts, &catalogue, now);
            match &draft.content {
                Content::Command(_) => self.commands.push_back(serde_json::from_str(&body).unwrap()),
                Content::Partner(PartnerMessage::Create(_) | PartnerMessage::Update(_)) => {
                    self.sent += 1;
                    link.out.push_back((draft.content.kind(), body, draft.contents.seq));
                }
                Content::Partner(other) => panic!("{other:?}"),
            }
        }
        case.comments.added.clear();
        case.comments.learnt.clear();
        self.case = Some(case);
    }

    /// The daemon takes the desk's next event.
    pub(crate) fn take_event(&mut self) -> bool {
        let Some(event) = self.events.pop_front() else { return false };
        let event = wire::desk::decode(event.to_string().as_bytes(), &self.facts.namespace).unwrap();
        match event.body {
            EventBody::Shared(ticket, wanted) => self.take(ticket, Some(wanted)),
            EventBody::Changed(ticket) => self.take(ticket, None),
            EventBody::Completed(done) => {
                let Some(mut case) = self.case.take() else { return true };
                let mut wanted = Vec::new();
                if let Some(id) = &done.ticket_id {
                    case.ticket.id.get_or_insert_with(|| id.clone());
                    let mut caused_by = Some(done.command_id.clone());
                    for (mut ticket, share) in std::mem::take(&mut self.waiting) {
                        wanted.extend(share.map(|share| (ticket.clone(), share)));
                        ticket.command_id = ticket.command_id.or(caused_by.take());
                        let decision =
                            self.decide(&mut case, |case, ctx| outgoing::ticket_changed(case, &ticket, ctx));
                        self.write(case, decision);
                        case = self.case.take().unwrap();
                    }
                }
                let decision = self.decide(&mut case, |case, ctx| completion::completed(case, &done, ctx));
                self.write(case, decision);
                for (ticket, wanted) in wanted {
                    self.take(ticket, Some(wanted));
                }
            }
            other => panic!("{other:?}"),
        }
        true
    }

    pub(crate) fn take(&mut self, ticket: TicketEvent, wanted: Option<String>) {
        let Some(mut case) = self
            .case
            .take()
            .or_else(|| wanted.is_some().then(|| Case::new(self.facts.namespace.ticket(&ticket.id))))
        else {
            return;
        };
        if case.ticket.received && case.ticket.id.is_none() {
            self.case = Some(case);
            return self.waiting.push((ticket, wanted));
        }
        case.ticket.id.get_or_insert_with(|| ticket.id.clone());
        let agreement = wanted.and_then(|wanted| {
            self.links
                .iter()
                .find(|link| link.agreement.uuid.as_str() == wanted)
                .map(|link| link.agreement.clone())
        });
        let decision = self.decide(&mut case, |case, ctx| match &agreement {
            Some(agreement) => sharing::share(case, agreement, Some(&ticket), ctx).unwrap(),
            None => outgoing::ticket_changed(case, &ticket, ctx),
        });
        self.write(case, decision);
    }

    /// The desk does its next command; perhaps its answer to the broker is lost, and the command comes again.
    pub(crate) fn obey(&mut self, again: bool) -> bool {
        let Some(command) = self.commands.front().cloned() else { return false };
        if !again {
            self.commands.pop_front();
        }
        let events = self.desk.obey(&command);
        self.events.extend(events);
        true
    }

    /// The commands that the desk has not answered run out.
    pub(crate) fn time_out(&mut self) {
        self.now += 120_000;
        if let Some(mut case) = self.case.take() {
            let decision = self.decide(&mut case, completion::timed_out);
            self.write(case, decision);
        }
    }

    /// What another side sent under one of the agreements.
    pub(crate) fn receive(&mut self, agreement: &Uuid, (kind, body, _): &Sent) {
        let value: Value = serde_json::from_str(body).unwrap();
        let uuid = Uuid::new(value["uuid"].as_str().unwrap());
        let update =
            wire::nhd::read_ticket(body.as_bytes(), &uuid, crossdesk::domain::Privacy::Private).unwrap();
        let mut case = self.case.take().unwrap_or_else(|| Case::new(uuid));
        let agreement =
            self.links.iter().find(|link| link.agreement.uuid == *agreement).unwrap().agreement.clone();
        let decision = self.decide(&mut case, |case, ctx| match kind {
            MessageType::TicketCreate => incoming::ticket_created(case, &agreement, &update, ctx),
            _ => incoming::ticket_updated(case, &agreement, &update, ctx),
        });
        self.write(case, decision.unwrap());
    }

    pub(crate) fn answered(&mut self, agreement: &Uuid, seq: i64) {
        if let Some(case) = &mut self.case {
            case.unanswered.retain(|(to, contents)| to != agreement || contents.seq != seq);
        }
    }

    /// The desk of this side as people see it; what a desk writes in its own way counts as the same.
    pub(crate) fn picture(&self) -> BTreeMap<String, Value> {
        let ticket = &self.desk.tickets[&self.number];
        let mut comments: Vec<_> = ticket.comments.iter().map(|c| (c.body.clone(), c.public)).collect();
        comments.sort();
        let status = ticket.values["status"].as_str().unwrap();
        let tags: std::collections::BTreeSet<_> =
            ticket.tags.iter().map(|tag| tag.trim().to_lowercase()).collect();
        BTreeMap::from([
            ("status".to_owned(), json!(status)),
            ("subject".to_owned(), ticket.values["subject"].clone()),
            ("tags".to_owned(), json!(tags)),
            ("comments".to_owned(), json!(comments)),
        ])
    }
}

/// One side's next message reaches its neighbour, perhaps twice because the answer was lost.
pub(crate) fn deliver(sides: &mut [Side], from: usize, to: usize, twice: bool) -> bool {
    let up = to > from;
    let link = usize::from(from == 1 && up);
    let Some(link) = sides[from].links.get_mut(link) else { return false };
    let (agreement, Some(message)) = (link.agreement.uuid.clone(), link.out.front().cloned()) else {
        return false;
    };
    if !twice {
        link.out.pop_front();
    }
    sides[to].receive(&agreement, &message);
    if !twice {
        sides[from].answered(&agreement, message.2);
    }
    true
}
