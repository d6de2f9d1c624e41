//! How many events a second go through, beside a loop that only forwards bytes: the floor that any consumer has.
//!
//! ```sh
//! cargo bench --bench pipeline                      # short: 20,000 events, 3 rounds
//! cargo bench --bench pipeline -- 100000 5          # events, rounds
//! cargo bench --bench pipeline -- 100000 5 quorum   # a quorum event queue
//! cargo bench --bench pipeline -- 30000 2 floor sqlite  # these contenders alone
//! ```
//! A private RabbitMQ and PostgreSQL. Events of 1.2 KB on 5,000 tickets, shared under four agreements of kind `queue`, wait
//! in a durable queue; each becomes one message to a partner queue. The contenders run one after the other, in turn, each as
//! a process of its own: `floor` forwards the bytes (prefetch, batches, confirms, then acks), `mapping` reads each event and
//! writes the partner's JSON, `sqlite` and `postgres` are the daemon with all that it does. `unshared` sends the daemon
//! events on tickets that nobody shares, beside `consume`, which takes and acknowledges; `mixed` has one of twenty on a shared
//! one. `two` and `four` are so many daemons on one PostgreSQL that share the work. These three run only where they are named.
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
    reason = "the bench uses a part of what the tests stand on"
)]

mod broker;
mod contender;
mod crew;
mod daemon;
mod events;
mod measured;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use broker::Rig;
use measured::{Measured, median};
use support::{rabbit::RabbitMq, servers::Postgres};

/// The contenders.
const NAMES: [&str; 9] =
    ["floor", "mapping", "sqlite", "postgres", "two", "four", "consume", "unshared", "mixed"];
/// Those that run where none are named.
const USUAL: [&str; 6] = ["floor", "mapping", "sqlite", "postgres", "consume", "unshared"];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == "as") {
        return contender::run(&args[2], &args[3], args[4].parse().unwrap());
    }
    let numbers: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let (count, rounds) = (numbers.first().copied().unwrap_or(20_000), numbers.get(1).copied().unwrap_or(3));
    let queue_type = if args.iter().any(|arg| arg == "quorum") { "quorum" } else { "classic" };
    let wanted = |name: &str| {
        let named = args.iter().any(|arg| NAMES.contains(&arg.as_str()));
        if named { args.iter().any(|arg| arg == name) } else { USUAL.contains(&name) }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(count, rounds, queue_type, &wanted));
}

async fn measure(count: usize, rounds: usize, queue_type: &'static str, wanted: &dyn Fn(&str) -> bool) {
    let (rabbit, postgres) = (RabbitMq::new(), Postgres::new());
    let broker = rabbit.start();
    let _postgres = postgres.start();
    let rig = Rig::new(&rabbit.url, broker.pid, queue_type).await;
    let folder = tempfile::tempdir().unwrap();
    let database = support::servers::new_database(&postgres.url, "bench").await;
    let sqlite = format!("sqlite:{}", folder.path().join("bench.db").display());
    let daemons = [
        ("sqlite", daemon::Daemon::new(folder.path(), "sqlite", &sqlite, &rabbit.url, queue_type)),
        ("postgres", daemon::Daemon::new(folder.path(), "postgres", &database, &rabbit.url, queue_type)),
    ];
    for (name, daemon) in &daemons {
        if wanted(name) || (*name == "sqlite" && wanted("mixed")) {
            daemon.share_tickets(&rig).await;
        }
    }
    let mut crews = Vec::new();
    for (name, count) in [("two", 2), ("four", 4)].into_iter().filter(|(name, _)| wanted(name)) {
        let database = support::servers::new_database(&postgres.url, name).await;
        let crew = crew::Crew::new(folder.path(), name, count, &database, &rabbit.url);
        crew.share_tickets(&rig).await;
        crews.push((name, crew));
    }
    let mut results: BTreeMap<&str, Vec<Measured>> = BTreeMap::new();
    let mut first = 0;
    for round in 0..rounds {
        for name in ["floor", "mapping"].into_iter().filter(|name| wanted(name)) {
            let measured = contender::measure(&rig, name, first, count).await;
            results.entry(name).or_default().push(measured);
        }
        for (name, daemon) in daemons.iter().filter(|(name, _)| wanted(name)) {
            results.entry(name).or_default().push(daemon.measure(&rig, first, count).await);
        }
        for (name, crew) in &crews {
            results.entry(name).or_default().push(crew.measure(&rig, first, count).await);
        }
        if wanted("consume") {
            results
                .entry("consume")
                .or_default()
                .push(contender::measure(&rig, "consume", first, count).await);
        }
        if wanted("unshared") {
            let measured = daemons[0].1.measure_unshared(&rig, first, count).await;
            results.entry("unshared").or_default().push(measured);
        }
        if wanted("mixed") {
            let measured = daemons[0].1.measure_mixed(&rig, first, count).await;
            results.entry("mixed").or_default().push(measured);
        }
        first += count;
        eprintln!("round {} of {rounds}", round + 1);
    }
    report(&results, count, rounds, queue_type);
}

fn report(results: &BTreeMap<&str, Vec<Measured>>, count: usize, rounds: usize, queue_type: &str) {
    println!(
        "{count} events, {rounds} rounds, {queue_type} event queue; medians, and the ratio of each round to its floor"
    );
    println!(
        "{:<10} {:>9} {:>22} {:>14} {:>10} {:>14}",
        "", "events/s", "ratio (least–most)", "CPU s/100,000", "peak MiB", "RabbitMQ CPU s"
    );
    for name in NAMES {
        let base = if matches!(name, "consume" | "unshared" | "mixed") { "consume" } else { "floor" };
        let Some(runs) = results.get(name) else { continue };
        // Without its base in the run, it is its own.
        let base = results.get(base).unwrap_or(runs);
        let ratios = median(runs.iter().zip(base).map(|(run, floor)| run.rate / floor.rate));
        println!(
            "{name:<10} {:>9.0} {:>8.2} ({:.2}–{:.2}) {:>14.1} {:>10.0} {:>14.1}",
            median(runs.iter().map(|run| run.rate)).0,
            ratios.0,
            ratios.1,
            ratios.2,
            median(runs.iter().map(|run| run.cpu)).0,
            median(runs.iter().map(|run| run.peak)).0,
            median(runs.iter().map(|run| run.broker)).0,
        );
    }
}
