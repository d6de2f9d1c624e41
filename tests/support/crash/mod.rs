//! A story in which everything is killed: the daemon, the broker, the database, while partners fail in every way that
//! partners fail. At the end all must be as if nothing had happened.

mod desk;
mod partner;
mod servers;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use desk::Desk;
use partner::Partner;
use servers::Servers;

use super::wait::within;

/// How long everything may take to come to rest after the last event.
const REST: Duration = Duration::from_secs(120);

/// A story.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// What makes it the same again.
    pub(crate) seed: u64,
    /// Events of the desk, and changes by partners.
    pub(crate) events: usize,
    /// Tickets that the desk shares; partners share a quarter as many with it.
    pub(crate) tickets: usize,
    /// How often the daemon is killed.
    pub(crate) kills: usize,
    /// How often the broker and the database are, each.
    pub(crate) outages: usize,
    /// On RabbitMQ and PostgreSQL, or on what the daemon brings along.
    pub(crate) servers: bool,
}

/// Numbers that are the same for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// One of so many.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or_default() % sides
    }
}

/// Plays a story, and looks whether it came out right. Returns what it did, in words.
pub(crate) async fn play(plan: Plan) -> String {
    let begun = Instant::now();
    crossdesk::app::install_tls();
    let mut dice = Dice::new(plan.seed);
    let partners = [0, 1, 2].map(|n| Partner::new(plan.seed + n));
    for partner in &partners {
        partner.start().await;
    }
    let mut servers = Servers::start(plan.servers, &partners).await;
    let desk = Desk::new(&servers);
    desk.start();

    let mut tickets = Vec::new();
    for n in 0..plan.tickets {
        tickets.push(desk.share(&partners[n % 3].ours, n));
    }
    // What dies when: in an order that the seed chooses.
    let mut deaths: Vec<usize> = [vec![0; plan.kills], vec![1; plan.outages], vec![2; plan.outages]].concat();
    for at in (1..deaths.len()).rev() {
        deaths.swap(at, dice.roll(at + 1));
    }
    let mut done = 0;
    for n in 0..plan.events {
        if dice.roll(8) == 0 {
            partners[dice.roll(3)].act(dice.roll(1000), n, (plan.tickets / 4).max(1) / 3 + 1);
        } else {
            let ticket = &tickets[dice.roll(tickets.len())];
            desk.act(ticket, dice.roll(1000), n);
        }
        // Something dies at a moment that the seed chooses, on average evenly over the story.
        let due = (n + 1) * deaths.len() / plan.events;
        while done < due {
            desk.until_waiting(dice.roll(40)).await;
            match deaths[done] {
                1 => servers.kill_broker().await,
                2 => servers.stop_database().await,
                _ => servers.kill_daemon(),
            }
            done += 1;
        }
        if dice.roll(10) == 0 {
            desk.until_waiting(dice.roll(400)).await;
        }
    }
    for partner in &partners {
        partner.behave();
    }
    let mut left = Vec::new();
    let all_right = within(REST, async || {
        left = trouble(&servers, &desk, &partners).await;
        left.is_empty().then_some(())
    });
    if all_right.await.is_none() {
        let ticket = left.iter().find_map(|line| line.strip_prefix("ticket ")?.get(..40));
        let ticket = ticket.unwrap_or_default();
        let log: Vec<String> = partners.iter().flat_map(|partner| partner.log(ticket)).collect();
        let story = format!("the partner did: {}\n{}", log.join(", "), servers.explain(ticket).await);
        panic!("seed {}: after {REST:?} of rest:\n{}\n{story}", plan.seed, left.join("\n"));
    }
    format!(
        "seed {}: {} events, {} tickets, {} kills of the daemon, {} of the broker, {} stops of the database, {} requests of \
         which {} failed; all is right after {:.0} s",
        plan.seed,
        plan.events,
        plan.tickets,
        servers.daemon_kills,
        servers.broker_kills,
        servers.database_stops,
        partners.iter().map(Partner::requests).sum::<usize>(),
        partners.iter().map(Partner::failures).sum::<usize>(),
        begun.elapsed().as_secs_f64(),
    )
}

/// What is not as it should be.
async fn trouble(servers: &Servers, desk: &Desk, partners: &[Partner]) -> Vec<String> {
    let mut trouble = Vec::new();
    let mut say = |what: String| {
        if trouble.len() < 20 {
            trouble.push(what);
        }
    };
    match servers.waiting().await {
        Some(0) => {}
        Some(count) => say(format!("{count} messages wait in the daemon")),
        None => say("the daemon is not ready".to_owned()),
    }
    let dead = servers.dead_letters().await;
    if dead != json!([]) {
        say(format!("dead letters: {dead}"));
    }
    if desk.waiting() > 0 {
        say(format!("{} events wait on the desk", desk.waiting()));
    }
    for (n, partner) in partners.iter().enumerate() {
        if partner.waiting() > 0 {
            say(format!("{} changes wait at partner {n}", partner.waiting()));
        }
    }
    // What the desk has of its own tickets is what the partners have.
    let has: BTreeMap<String, Value> = partners.iter().flat_map(Partner::tickets).collect();
    for (uuid, wanted) in desk.shared(&servers.sharing_url) {
        match has.get(&uuid) {
            Some(found) if *found == wanted => {}
            Some(found) => say(format!("ticket {uuid}: the desk has {wanted}, the partner {found}")),
            None => say(format!("ticket {uuid} is at no partner")),
        }
    }
    // What the partners have shared is on the desk, once.
    for partner in partners {
        for (uuid, wanted) in partner.shared() {
            match desk.received(&uuid).as_slice() {
                [found] if *found == wanted => {}
                found => say(format!("ticket {uuid} of a partner: it has {wanted:?}, the desk {found:?}")),
            }
        }
    }
    for (uuid, commands) in desk.users_made() {
        if commands > 1 {
            say(format!("{commands} commands make user {uuid}"));
        }
    }
    trouble
}
