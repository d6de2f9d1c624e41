//! What an event costs when there is much of everything: tickets, agreements, messages that wait.
//!
//! ```sh
//! cargo bench --bench growth                            # short: 1,000 and 100,000 tickets, 100 agreements; 2 rounds
//! cargo bench --bench growth -- 20000 5 1000000 10000   # events, rounds, most tickets, most agreements
//! ```
//! Daemons on SQLite, each with a store of its own, take the same events on 1,000 busy tickets, in turn in one run: beside
//! nothing else, beside so many shared tickets (each with a comment and a message), beside so many agreements. The ratio is to
//! the first in the same round. Then the largest store is given 100,000 messages that wait for the broker, and the time is taken
//! from the start of the process until the first event is acknowledged.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::wildcard_imports,
    reason = "a bench that finds what it does not expect ends there and then"
)]
#![allow(
    dead_code,
    unused_imports,
    clippy::allow_attributes,
    reason = "the bench uses a part of what others and the tests stand on"
)]

#[path = "pipeline/broker.rs"]
mod broker;
#[path = "pipeline/daemon.rs"]
mod daemon;
#[path = "pipeline/events.rs"]
mod events;
#[path = "pipeline/measured.rs"]
mod measured;
#[path = "../tests/support/mod.rs"]
mod support;

use std::{path::Path, time::Instant};

use broker::Rig;
use daemon::{Daemon, end};
use events::agreement;
use measured::{Measured, Usage, median};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use support::{servers::running_rabbit, until};

/// The tickets that the events are about.
const BUSY: usize = 1000;
/// The messages that wait at the last start.
const WAITING: usize = 100_000;

/// A daemon whose store has grown.
struct Grown {
    what: String,
    daemon: Daemon,
    path: String,
}

impl Grown {
    async fn new(rig: &Rig, folder: &Path, name: &str, tickets: usize, agreements: usize) -> Self {
        let path = folder.join(format!("{name}.db")).display().to_string();
        let daemon = Daemon::new(folder, name, &format!("sqlite:{path}"), &rig.url, "classic");
        let mut child = daemon.start();
        daemon.until_ready().await;
        rig.until_there(&daemon.queues()).await;
        rig.preload(&daemon.events, (0..BUSY).map(events::shared)).await;
        rig.rate_until(&daemon.queues(), BUSY).await;
        end(&mut child);
        rig.purge(&daemon.queues()).await;
        let this =
            Self { what: format!("{} tickets, {agreements} agreements", tickets.max(BUSY)), daemon, path };
        this.grow(tickets.saturating_sub(BUSY), agreements.saturating_sub(events::PARTNERS)).await;
        this
    }

    async fn run(&self, sql: String) {
        let mut database = SqliteConnection::connect(&format!("sqlite:{}", self.path)).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut database).await.unwrap();
    }

    /// Tickets, each with a comment and a message, and agreements: copies of one that is there, under other names.
    async fn grow(&self, tickets: usize, agreements: usize) {
        let numbers = |count: usize| {
            format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {count})")
        };
        let shared_under = agreement(0);
        if tickets > 0 {
            self.run(format!(
                "begin; create temp table grown as {} select lower(hex(randomblob(20))) as uuid, 'old-' || i as id from n;
                 insert into ticket (uuid, id, version, due_at, updated_at, doc, shares)
                   select g.uuid, g.id, t.version, null, t.updated_at, t.doc, t.shares from grown g,
                   (select * from ticket where uuid in (select ticket from share where agreement = '{shared_under}') limit 1) t;
                 insert into share (agreement, ticket) select '{shared_under}', uuid from grown;
                 insert into comment (ticket, uuid, n, id, origin, doc) select uuid, lower(hex(randomblob(20))), 1, 'c', null, '{{}}' from grown;
                 insert into message (owner, n, agreement, kind, state, body, contents, attempts, created_at, updated_at, daemon)
                   select uuid, 1, '{shared_under}', 'ticket.create', 'delivered', '{{}}', '{{\"seq\":1}}', 1, 9e15, 9e15, '' from grown;
                 commit;",
                numbers(tickets)
            ))
            .await;
        }
        if agreements > 0 {
            let columns = "direction, kind, url, status, deactivated_by, reason, terms, profile, accepting";
            let more = "access_key, next_key, sealed, messages, version, created_at, updated_at, doc";
            self.run(format!(
                "{} insert into agreement (uuid, name, {columns}, declared, {more}) select lower(hex(randomblob(20))), 'Grown ' || i,
                 {columns}, 0, {more} from n, (select * from agreement limit 1)",
                numbers(agreements)
            ))
            .await;
        }
    }

    /// A round of events; returns what it measured, and the memory at rest.
    async fn measure(&self, rig: &Rig, first: usize, count: usize) -> (Measured, f64) {
        let mut child = self.daemon.start();
        self.daemon.until_ready().await;
        let rest = Usage::of(child.id()).peak;
        let events = (first..first + count).map(|n| events::changed_on(n, &(n % BUSY).to_string()));
        end(&mut child);
        rig.preload(&self.daemon.events, events).await;
        let before = rig.usage();
        let mut child = self.daemon.start();
        let rate = rig.rate_until(&self.daemon.queues(), count).await;
        let (usage, after) = (Usage::of(child.id()), rig.usage());
        end(&mut child);
        rig.purge(&self.daemon.queues()).await;
        (usage.measured(rate, count, &before, &after), rest)
    }

    /// A round of events while as many old messages are pruned; returns what it measured, and how many of them are left.
    async fn prune(&self, rig: &Rig, first: usize, count: usize) -> (Measured, i64) {
        self.run(format!(
            "insert into message (seq, owner, n, agreement, kind, state, body, contents, attempts, created_at, updated_at, daemon)
             select -m.seq, owner, n + 2000000, agreement, kind, 'delivered', printf('%.900c', 'x'), contents, 1, 0, 0, '' from message m
             where m.seq > 0 limit {WAITING}"
        ))
        .await;
        let (measured, _) = self.measure(rig, first, count).await;
        let mut database = SqliteConnection::connect(&format!("sqlite:{}", self.path)).await.unwrap();
        let left = sqlx::query_scalar("select count(*) from message where updated_at = 0");
        (measured, left.fetch_one(&mut database).await.unwrap())
    }

    /// How long the pages take, in milliseconds: the median and the slowest of fifty requests each.
    async fn pages(&self) -> Vec<(&'static str, f64, f64)> {
        let mut child = self.daemon.start();
        self.daemon.until_ready().await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut taken = Vec::new();
        for path in ["/", "/agreements", "/tickets", "/tickets?q=old-77", "/attention"] {
            let mut times = Vec::new();
            for _ in 0..50 {
                let url = format!("http://127.0.0.1:{}{path}", self.daemon.admin);
                let begun = Instant::now();
                let answer = client.get(url).bearer_auth("bench").send().await.unwrap();
                assert!(answer.status().is_success(), "{path}: {}", answer.status());
                answer.text().await.unwrap();
                times.push(begun.elapsed().as_secs_f64() * 1000.0);
            }
            times.sort_by(f64::total_cmp);
            taken.push((path, times[25], times[49]));
        }
        end(&mut child);
        taken
    }

    /// From the start of the process until the first event is acknowledged, with messages that wait for the broker.
    async fn start_up(&self, rig: &Rig) -> f64 {
        self.run(format!(
            "insert into message (owner, n, agreement, kind, state, body, contents, attempts, created_at, updated_at, daemon)
             select owner, n + 1000000, agreement, kind, 'handed', printf('%.900c', 'x'), contents, 0, 9e15, 9e15, '' from message limit {WAITING}"
        ))
        .await;
        let count = 1000;
        rig.preload(
            &self.daemon.events,
            (0..count).map(|n| events::changed_on(n + 900_000_000, &(n % BUSY).to_string())),
        )
        .await;
        let begun = Instant::now();
        let mut child = self.daemon.start();
        let queue = [self.daemon.events.clone()];
        // What is delivered and not acknowledged counts as ready again only when the daemon goes.
        let admin = format!("http://127.0.0.1:{}/metrics", self.daemon.admin);
        until("the first event is applied", async || {
            let text = reqwest::get(&admin).await.ok()?.text().await.ok()?;
            let line = text.lines().find(|line| line.contains("events_total") && line.contains("applied"))?;
            line.rsplit(' ').next()?.parse::<u64>().ok().filter(|count| *count > 0)
        })
        .await;
        let seconds = begun.elapsed().as_secs_f64();
        rig.rate_until(&self.daemon.queues(), WAITING + count).await;
        assert_eq!(rig.count(&queue).await, 0);
        end(&mut child);
        seconds
    }
}

#[tokio::main]
async fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let at = |place: usize, usual: usize| numbers.get(place).copied().unwrap_or(usual);
    let (count, rounds, tickets, agreements) = (at(0, 10_000), at(1, 2), at(2, 100_000), at(3, 100));
    let (rabbit, running) = running_rabbit().await;
    let rig = Rig::new(&rabbit.url, running.pid, "classic").await;
    let folder = tempfile::tempdir().unwrap();
    let mut sizes = vec![(BUSY, 4)];
    sizes.extend([100_000, 1_000_000].into_iter().filter(|size| *size <= tickets).map(|size| (size, 4)));
    sizes.extend([100, 10_000].into_iter().filter(|size| *size <= agreements).map(|size| (BUSY, size)));
    let mut grown = Vec::new();
    for (at, (tickets, agreements)) in sizes.iter().enumerate() {
        grown.push(Grown::new(&rig, folder.path(), &format!("grown{at}"), *tickets, *agreements).await);
        eprintln!("{} are there", grown[at].what);
    }
    let mut runs: Vec<Vec<(Measured, f64)>> = vec![Vec::new(); grown.len()];
    for round in 0..rounds {
        for (at, store) in grown.iter().enumerate() {
            runs[at].push(store.measure(&rig, round * count, count).await);
        }
        eprintln!("round {} of {rounds}", round + 1);
    }
    println!("{count} events, {rounds} rounds; medians, and the ratio of each round to the first store's");
    for (store, run) in grown.iter().zip(&runs) {
        let ratio = median(run.iter().zip(&runs[0]).map(|(run, first)| run.0.rate / first.0.rate));
        println!(
            "{:<36} {:>7.0}/s  {:.2} ({:.2}–{:.2})  {:>5.1} CPU s/100,000 {:>5.0} MiB, {:.0} at rest",
            store.what,
            median(run.iter().map(|run| run.0.rate)).0,
            ratio.0,
            ratio.1,
            ratio.2,
            median(run.iter().map(|run| run.0.cpu)).0,
            median(run.iter().map(|run| run.0.peak)).0,
            median(run.iter().map(|run| run.1)).0,
        );
    }
    let largest = sizes.iter().enumerate().max_by_key(|(_, size)| size.0).map_or(0, |(at, _)| at);
    let (pruning, left) = grown[largest].prune(&rig, rounds * count, count).await;
    let usual = median(runs[largest].iter().map(|run| run.0.rate)).0;
    println!(
        "{}, beside pruning: {:.2} of its rate; {left} of {WAITING} old messages are left",
        grown[largest].what,
        pruning.rate / usual
    );
    for (path, median, slowest) in grown[largest].pages().await {
        println!(
            "{}, the page {path}: {median:.1} ms, the slowest of fifty {slowest:.1} ms",
            grown[largest].what
        );
    }
    let seconds = grown[largest].start_up(&rig).await;
    println!(
        "{}, {WAITING} messages that wait: the first event {seconds:.2} s after the start",
        grown[largest].what
    );
}
