//! Random histories of two desks that share a ticket, and of three in a chain: everything that can cross, cross each other, come late or twice, does.
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

/// A message to another side: what it is, its body, its number in the share.
type Sent = (MessageType, String, i64);

/// One of the agreements of a side, and what is on its way under it.
struct Link {
    agreement: Agreement,
    out: VecDeque<Sent>,
}

struct Side {
    desk: HelpDesk,
    habits: Habits,
    facts: Desk,
    links: Vec<Link>,
    users: HashMap<(Uuid, Uuid), User>,
    case: Option<Case>,
    now: i64,
    events: VecDeque<Value>,
    commands: VecDeque<Value>,
    waiting: Vec<(TicketEvent, Option<String>)>,
    sent: usize,
    number: String,
    shared_on: bool,
}

fn agreement(uuid: &str, direction: Direction) -> Link {
    let terms = Terms { sync_tags: true, sync_custom_fields: true, ..Terms::default() };
    let agreement = Agreement {
        uuid: Uuid::new(uuid),
        name: uuid.to_owned(),
        direction,
        status: AgreementStatus::Accepted,
        terms,
        ..crate::life::pending()
    };
    Link { agreement, out: VecDeque::new() }
}

impl Side {
    fn new(name: &str, links: Vec<Link>, habits: Habits) -> Self {
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
            },
            links,
            users: HashMap::new(),
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

    fn decide<T>(&mut self, case: &mut Case, act: impl FnOnce(&mut Case, &Context<'_>) -> T) -> T {
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
    fn write(&mut self, mut case: Case, decision: Decision) {
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
    fn take_event(&mut self) -> bool {
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

    fn take(&mut self, ticket: TicketEvent, wanted: Option<String>) {
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
    fn obey(&mut self, again: bool) -> bool {
        let Some(command) = self.commands.front().cloned() else { return false };
        if !again {
            self.commands.pop_front();
        }
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

    /// What another side sent under one of the agreements.
    fn receive(&mut self, agreement: &Uuid, (kind, body, _): &Sent) {
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

    fn answered(&mut self, agreement: &Uuid, seq: i64) {
        if let Some(case) = &mut self.case {
            case.unanswered.retain(|(to, contents)| to != agreement || contents.seq != seq);
        }
    }

    /// The desk of this side as people see it; what a desk writes in its own way counts as the same.
    fn picture(&self) -> BTreeMap<String, Value> {
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
fn deliver(sides: &mut [Side], from: usize, to: usize, twice: bool) -> bool {
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

const STATUSES: [&str; 4] = ["open", "pending", "hold", "solved"];
const TAGS: [&[&str]; 5] = [&[], &["a"], &["b"], &["a", "b"], &["b", "c"]];

/// A person does something on a desk.
fn act(side: &mut Side, what: u8, count: usize) {
    let number = side.number.clone();
    if !side.desk.tickets.contains_key(&number) {
        return;
    }
    let pick = usize::from(what);
    let own_way = side.habits.normalises;
    let event = match what % 4 {
        0 => {
            let status = STATUSES[pick / 4 % STATUSES.len()];
            let refused = status == "solved" && side.desk.required_to_solve.is_some();
            let status = if refused { "pending" } else { status };
            side.desk.set(&number, "status", if own_way && status == "hold" { "open" } else { status })
        }
        1 => {
            let mut tags: Vec<&str> = TAGS[pick / 4 % TAGS.len()].to_vec();
            // A tag that desks write in different ways stays once it is there: taken away and put back before the other desk
            // has done the first, it may be lost (said in the docs).
            let odd = side.desk.tickets[&number]
                .tags
                .iter()
                .find(|tag| tag.to_lowercase().starts_with("vip"))
                .cloned();
            if odd.is_some() || (pick / 4 % 6 == 5 && !own_way) {
                tags.push(odd.as_deref().unwrap_or("Vip "));
            }
            side.desk.tag(&number, &tags)
        }
        2 => side.desk.comment(&number, "Ann", &format!("{} {count}", side.desk.name.clone()), pick % 8 < 4),
        _ => side.desk.set(&number, "subject", &format!("subject {}", pick / 4 % 3)),
    };
    side.events.push_back(event);
}

/// One thing that happens: what, at which desk, and a number to vary it.
#[derive(Clone)]
struct Step(u8, u8, u8);

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = ["acts", "takes an event", "obeys", "sends up", "sends down", "is late", "shares on"];
        write!(
            f,
            "Step({}, {}, {}) /* {} {} */",
            self.0,
            self.1,
            self.2,
            ["acme", "lens", "cem"][usize::from(self.1)],
            what[usize::from(self.0)]
        )
    }
}

/// The desks in a chain: the first has the ticket and shares it with the second, which may share it on.
fn chain(habits: &[Habits]) -> Vec<Side> {
    let last = habits.len() - 1;
    let side = |at: usize, habits: &Habits| {
        let mut links = Vec::new();
        if at > 0 {
            links.push(agreement(["ab", "bc"][at - 1], Direction::Inbound));
        }
        if at < last {
            links.push(agreement(["ab", "bc"][at], Direction::Outbound));
        }
        Side::new(["acme", "lens", "cem"][at], links, *habits)
    };
    habits.iter().enumerate().map(|(at, habits)| side(at, habits)).collect()
}

fn share_on(side: &mut Side) {
    let number = side.number.clone();
    if side.links.len() == 2 && !side.shared_on && side.desk.tickets.contains_key(&number) {
        side.shared_on = true;
        let event = side.desk.share(&number, "bc");
        side.events.push_back(event);
    }
}

/// `strict`: the desks that solve no ticket before a field is filled.
fn play(habits: &[Habits], strict: &[bool], history: &[Step]) {
    let mut sides = chain(habits);
    let count = sides.len();
    for (side, strict) in sides.iter_mut().zip(strict) {
        // A desk that never answers cannot say that it refuses.
        side.desk.required_to_solve = (*strict && side.habits.completes).then(|| "Cause".to_owned());
    }
    let first = &mut sides[0];
    let (number, opened) = first.desk.open(("77", "Joe"), "Lens stuck", "It is stuck.", &[]);
    first.number = number.clone();
    let shared = first.desk.share(&number, "ab");
    first.events.extend([opened, shared]);
    for (n, Step(step, who, what)) in history.iter().enumerate() {
        let who = usize::from(*who) % count;
        match step {
            0 => act(&mut sides[who], *what, n),
            1 => drop(sides[who].take_event()),
            2 => drop(sides[who].obey(what % 5 == 4)),
            3 if who + 1 < count => drop(deliver(&mut sides, who, who + 1, what % 5 == 4)),
            4 if who > 0 => drop(deliver(&mut sides, who, who - 1, what % 5 == 4)),
            5 => sides[who].time_out(),
            6 => share_on(&mut sides[who]),
            _ => {}
        }
    }
    for round in 0..5 {
        let mut steps = 0;
        loop {
            let mut moved = false;
            for who in 0..count {
                moved |= sides[who].take_event() | sides[who].obey(false);
                moved |= who + 1 < count && deliver(&mut sides, who, who + 1, false);
                moved |= who > 0 && deliver(&mut sides, who, who - 1, false);
            }
            steps += 1;
            assert!(steps < 3000, "they echo for ever");
            if !moved {
                break;
            }
        }
        for side in &mut sides {
            side.time_out();
            if round == 0 {
                share_on(side);
            }
            // Somebody fills the field in the end: then what could not be done can.
            if round == 1 && side.desk.required_to_solve.is_some() {
                let number = side.number.clone();
                let event = side.desk.fill(&number, "Cause", json!("dust"));
                side.events.push_back(event);
            }
        }
    }
    let any_own_way = habits.iter().any(|habits| habits.normalises);
    let picture = |side: &Side| {
        let mut picture = side.picture();
        // A desk without on-hold has it as open, and the others keep theirs.
        if any_own_way && picture["status"] == "hold" {
            picture.insert("status".to_owned(), json!("open"));
        }
        picture
    };
    for side in &sides[1..] {
        assert_eq!(picture(&sides[0]), picture(side), "all sides are equal after quiet");
    }
    // Whatever happens now on the desks alone changes nothing.
    for side in &mut sides {
        let (number, before) = (side.number.clone(), side.sent);
        let status = side.desk.tickets[&number].values["status"].as_str().unwrap().to_owned();
        let event = side.desk.set(&number, "status", &status);
        side.events.push_back(event);
        side.take_event();
        assert_eq!(side.sent, before, "an event that tells nothing new sends nothing");
    }
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![6 => Just(0u8), 12 => 1u8..5, 1 => 5u8..7];
    (kind, 0u8..3, 0u8..48).prop_map(|(kind, who, what)| Step(kind, who, what))
}

/// A desk that writes values in its own way has to say what it made of a command: by its answer, or by naming it.
fn habits() -> impl Strategy<Value = Habits> {
    let flags = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.3));
    flags.prop_map(|(completes, names_commands, own_way)| {
        let normalises = own_way && (completes || names_commands);
        Habits { completes, names_commands, normalises }
    })
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() }
}

/// How many histories of each kind: `CROSSDESK_HISTORIES` for more.
fn cases(usual: u32) -> u32 {
    std::env::var("CROSSDESK_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}

proptest! {
    #![proptest_config(config(cases(1500)))]

    #[test]
    fn after_quiet_both_sides_are_equal(
        habits in prop::collection::vec(habits(), 2),
        strict in prop::collection::vec(prop::bool::weighted(0.3), 2),
        history in prop::collection::vec(step(), 0..100),
    ) {
        play(&habits, &strict, &history);
    }

    #[test]
    fn after_quiet_a_chain_of_three_is_equal(
        habits in prop::collection::vec(habits(), 3),
        strict in prop::collection::vec(prop::bool::weighted(0.2), 3),
        history in prop::collection::vec(step(), 0..120),
    ) {
        play(&habits, &strict, &history);
    }
}
