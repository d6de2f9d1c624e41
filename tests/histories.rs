//! Random histories of two desks that share a ticket, and of three in a chain: everything that can cross, cross each other, come late or twice, does.

use crossdesk::{demo::Habits, domain::Direction};
use proptest::prelude::*;
use serde_json::json;

use crate::support::side::{Side, agreement, deliver};

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
