//! A story in which everything is killed: the daemon, the broker, the database, while partners fail in every way that
//! partners fail. At the end all must be as if nothing had happened.

mod desk;
mod partner;
mod servers;

use std::time::{Duration, Instant};

use serde_json::json;

use desk::Desk;
use partner::Partner;
use servers::Servers;

use super::{
    books::{Dice, differences},
    on_its_way::on_its_way,
    wait::within,
};

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
        let log: Vec<String> = partners.iter().flat_map(|partner| partner.books().log(ticket)).collect();
        let story = format!("the partner did: {}\n{}", log.join(", "), servers.explain(ticket).await);
        left.extend(on_its_way(&servers.store).await);
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
    match servers.waiting().await {
        Some(0) => {}
        Some(count) => trouble.push(format!("{count} messages wait in the daemon")),
        None => trouble.push("the daemon is not ready".to_owned()),
    }
    let dead = servers.dead_letters().await;
    if dead != json!([]) {
        trouble.push(format!("dead letters: {dead}"));
    }
    let partners: Vec<_> = partners.iter().map(Partner::books).collect();
    trouble.extend(differences(&desk.books(), &servers.sharing_url, partners.iter().map(|books| &**books)));
    trouble
}
