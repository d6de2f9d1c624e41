//! Random histories of two desks that share a ticket: everything that can cross, cross each other, come late or twice, does.
//! After quiet both sides are equal, every comment is there once, nothing private is public, and nobody echoes for ever.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crossdesk::{
    demo::{Habits, HelpDesk},
    domain::{
        Agreement, AgreementStatus, Catalogue, Direction, EventBody, MessageType, Namespace, Terms,
        TicketEvent, Timestamp, User, Uuid,
    },
    engine::{
        Case, Content, Context, Decision, Desk, PartnerMessage, completion, incoming, outgoing, sharing,
    },
    wire,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A message to the other side: what it is, its body, its number in the share.
type Sent = (MessageType, String, i64);

struct Side {
    desk: HelpDesk,
    facts: Desk,
    agreement: Agreement,
    users: HashMap<(Uuid, Uuid), User>,
    case: Option<Case>,
    now: i64,
    events: VecDeque<Value>,
    commands: VecDeque<Value>,
    out: VecDeque<Sent>,
    waiting: Vec<TicketEvent>,
    sent: usize,
    number: String,
}

impl Side {
    fn new(name: &str, direction: Direction, habits: Habits) -> Self {
        let url = format!("https://{name}.example/sharing");
        let terms = Terms { sync_tags: true, sync_custom_fields: true, ..Terms::default() };
        Self {
            desk: HelpDesk::new(name, 1, habits),
            facts: Desk {
                name: name.to_owned(),
                namespace: Namespace::of(&url),
                sharing_url: url,
                ticket_url: None,
                command_timeout: std::time::Duration::from_secs(60),
            },
            agreement: Agreement {
                uuid: Uuid::new("agreement"),
                name: "Partner".to_owned(),
                direction,
                status: AgreementStatus::Accepted,
                terms,
                ..crate::life::pending()
            },
            users: HashMap::new(),
            case: None,
            now: 1_000_000,
            events: VecDeque::new(),
            commands: VecDeque::new(),
            out: VecDeque::new(),
            waiting: Vec::new(),
            sent: 0,
            number: "1".to_owned(),
        }
    }

    fn decide<T>(&mut self, case: &mut Case, act: impl FnOnce(&mut Case, &Context<'_>) -> T) -> T {
        let agreements = HashMap::from([(self.agreement.uuid.clone(), self.agreement.clone())]);
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
    fn write(&mut self, mut case: Case, decision: Decision) {
        for user in decision.users {
            self.users.insert((user.agreement.clone(), user.uuid.clone()), user);
        }
        for draft in decision.messages {
            let body = wire::encode(
                &draft,
                Some(&self.agreement),
                &self.facts,
                &Catalogue::default(),
                Timestamp::from_millis(self.now),
            );
            match &draft.content {
                Content::Command(_) => self.commands.push_back(serde_json::from_str(&body).unwrap()),
                Content::Partner(PartnerMessage::Create(_) | PartnerMessage::Update(_)) => {
                    self.sent += 1;
                    self.out.push_back((draft.content.kind(), body, draft.contents.seq));
                }
                Content::Partner(other) => panic!("{other:?}"),
            }
        }
        let seen = case.shares.iter().map(|share| share.comments_sent).min().unwrap_or(0);
        case.comments.unsent.retain(|comment| comment.n > seen);
        case.comments.added.clear();
        case.comments.learnt.clear();
        self.case = Some(case);
    }

    /// The daemon takes the desk's next event.
    fn take_event(&mut self) -> bool {
        let Some(event) = self.events.pop_front() else { return false };
        let event = wire::desk::decode(event.to_string().as_bytes(), &self.facts.namespace).unwrap();
        match event.body {
            EventBody::Shared(ticket, _) => {
                let mut case = Case::new(self.facts.namespace.ticket(&ticket.id));
                case.ticket.id = Some(ticket.id.clone());
                let agreement = self.agreement.clone();
                let decision = self
                    .decide(&mut case, |case, ctx| sharing::share(case, &agreement, Some(&ticket), ctx))
                    .unwrap();
                self.write(case, decision);
            }
            EventBody::Changed(ticket) => match self.case.take() {
                Some(case) if case.ticket.id.is_none() => {
                    self.case = Some(case);
                    self.waiting.push(ticket);
                }
                Some(mut case) => {
                    let decision =
                        self.decide(&mut case, |case, ctx| outgoing::ticket_changed(case, &ticket, ctx));
                    self.write(case, decision);
                }
                None => {}
            },
            EventBody::Completed(done) => {
                let Some(mut case) = self.case.take() else { return true };
                if let Some(id) = &done.ticket_id {
                    case.ticket.id.get_or_insert_with(|| id.clone());
                    let mut caused_by = Some(done.command_id.clone());
                    for mut ticket in std::mem::take(&mut self.waiting) {
                        ticket.command_id = ticket.command_id.or(caused_by.take());
                        let decision =
                            self.decide(&mut case, |case, ctx| outgoing::ticket_changed(case, &ticket, ctx));
                        self.write(case, decision);
                        case = self.case.take().unwrap();
                    }
                }
                let decision = self.decide(&mut case, |case, ctx| completion::completed(case, &done, ctx));
                self.write(case, decision);
            }
            other => panic!("{other:?}"),
        }
        true
    }

    /// The desk does its next command.
    fn obey(&mut self) -> bool {
        let Some(command) = self.commands.pop_front() else { return false };
        let events = self.desk.obey(&command);
        self.events.extend(events);
        true
    }

    /// The commands that the desk has not answered run out.
    fn time_out(&mut self) {
        self.now += 120_000;
        if let Some(mut case) = self.case.take() {
            let decision = self.decide(&mut case, completion::timed_out);
            self.write(case, decision);
        }
    }

    /// What the other side sent.
    fn receive(&mut self, (kind, body, _): &Sent) {
        let value: Value = serde_json::from_str(body).unwrap();
        let uuid = Uuid::new(value["uuid"].as_str().unwrap());
        let update =
            wire::nhd::read_ticket(body.as_bytes(), &uuid, crossdesk::domain::Privacy::Private).unwrap();
        let mut case = self.case.take().unwrap_or_else(|| Case::new(uuid));
        let agreement = self.agreement.clone();
        let decision = self.decide(&mut case, |case, ctx| match kind {
            MessageType::TicketCreate => incoming::ticket_created(case, &agreement, &update, ctx),
            _ => incoming::ticket_updated(case, &agreement, &update, ctx),
        });
        self.write(case, decision.unwrap());
    }

    fn answered(&mut self, seq: i64) {
        if let Some(case) = &mut self.case {
            case.unanswered.retain(|(_, contents)| contents.seq != seq);
        }
    }

    /// The desk of this side as people see it.
    fn picture(&self) -> BTreeMap<String, Value> {
        let ticket = &self.desk.tickets[&self.number];
        let mut comments: Vec<_> = ticket.comments.iter().map(|c| (c.body.clone(), c.public)).collect();
        comments.sort();
        BTreeMap::from([
            ("status".to_owned(), ticket.values["status"].clone()),
            ("subject".to_owned(), ticket.values["subject"].clone()),
            ("tags".to_owned(), json!(ticket.tags)),
            ("comments".to_owned(), json!(comments)),
        ])
    }
}

/// One side's next message reaches the other, perhaps twice because the answer was lost.
fn deliver(from: &mut Side, to: &mut Side, twice: bool) -> bool {
    let Some(message) = from.out.front().cloned() else { return false };
    to.receive(&message);
    if !twice {
        from.out.pop_front();
        from.answered(message.2);
    }
    true
}

const STATUSES: [&str; 4] = ["open", "pending", "hold", "solved"];
const TAGS: [&[&str]; 5] = [&[], &["a"], &["b"], &["a", "b"], &["b", "c"]];

/// A person does something on a desk.
fn act(side: &mut Side, what: u8, count: usize) {
    let number = side.number.clone();
    if !side.desk.tickets.contains_key(&number) {
        return;
    }
    let pick = usize::from(what);
    let event = match what % 4 {
        0 => side.desk.set(&number, "status", STATUSES[pick / 4 % STATUSES.len()]),
        1 => side.desk.tag(&number, TAGS[pick / 4 % TAGS.len()]),
        2 => side.desk.comment(&number, "Ann", &format!("{} {count}", side.desk.name.clone()), pick % 8 < 4),
        _ => side.desk.set(&number, "subject", &format!("subject {}", pick / 4 % 3)),
    };
    side.events.push_back(event);
}

/// One thing that happens.
#[derive(Clone)]
struct Step(u8, u8);

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = [
            "acme acts",
            "lens acts",
            "acme event",
            "lens event",
            "acme obeys",
            "lens obeys",
            "acme→lens",
            "lens→acme",
            "acme late",
            "lens late",
        ];
        write!(f, "{} {}", what[usize::from(self.0)], self.1)
    }
}

fn play(habits: (Habits, Habits), history: &[Step]) {
    let (mut acme, mut lens) =
        (Side::new("acme", Direction::Outbound, habits.0), Side::new("lens", Direction::Inbound, habits.1));
    let (number, opened) = acme.desk.open(("77", "Joe"), "Lens stuck", "It is stuck.", &[]);
    acme.number = number.clone();
    acme.events.push_back(opened);
    let shared = acme.desk.share(&number, "agreement");
    acme.events.push_back(shared);
    for (count, Step(step, what)) in history.iter().enumerate() {
        match step {
            0 => act(&mut acme, *what, count),
            1 => act(&mut lens, *what, count),
            2 => drop(acme.take_event()),
            3 => drop(lens.take_event()),
            4 => drop(acme.obey()),
            5 => drop(lens.obey()),
            6 => drop(deliver(&mut acme, &mut lens, what % 5 == 4)),
            7 => drop(deliver(&mut lens, &mut acme, what % 5 == 4)),
            8 => acme.time_out(),
            _ => lens.time_out(),
        }
    }
    for _ in 0..4 {
        let mut steps = 0;
        loop {
            let mut moved = false;
            for side in [&mut acme, &mut lens] {
                moved |= side.take_event() | side.obey();
            }
            moved |= deliver(&mut acme, &mut lens, false) | deliver(&mut lens, &mut acme, false);
            steps += 1;
            assert!(steps < 2000, "they echo for ever");
            if !moved {
                break;
            }
        }
        acme.time_out();
        lens.time_out();
    }
    assert_eq!(acme.picture(), lens.picture(), "both sides are equal after quiet");
    let before = (acme.sent, lens.sent);
    // Whatever happens now on the desks alone changes nothing.
    for side in [&mut acme, &mut lens] {
        let number = side.number.clone();
        let status = side.desk.tickets[&number].values["status"].as_str().unwrap().to_owned();
        let event = side.desk.set(&number, "status", &status);
        side.events.push_back(event);
        side.take_event();
    }
    assert_eq!((acme.sent, lens.sent), before, "an event that tells nothing new sends nothing");
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![6 => 0u8..2, 12 => 2u8..8, 1 => 8u8..10];
    (kind, 0u8..40).prop_map(|(kind, what)| Step(kind, what))
}

fn habits() -> impl Strategy<Value = Habits> {
    (any::<bool>(), any::<bool>())
        .prop_map(|(completes, names_commands)| Habits { completes, names_commands })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_quiet_both_sides_are_equal(
        ours in habits(),
        theirs in habits(),
        history in prop::collection::vec(step(), 0..100),
    ) {
        play((ours, theirs), &history);
    }
}
