//! From the desk's events to a partner over HTTP, as fast as it goes.
//!
//! ```sh
//! cargo bench --bench delivery            # short: 10,000 events, 3 rounds
//! cargo bench --bench delivery -- 50000 5 # events, rounds
//! ```
//! Events of 1.2 KB on 5,000 shared tickets wait in a queue of a private RabbitMQ; the daemon, a process of its own on SQLite,
//! delivers each to a partner on loopback that answers 200 at once. The partner runs in the bench's process and shares the
//! machine. Latency at a steady rate: `cargo bench --bench latency`.
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

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use axum::{Router, http::StatusCode};
use broker::Rig;
use daemon::{Daemon, Partners, end};
use measured::{Measured, Usage, median};
use support::servers::running_rabbit;

#[tokio::main]
async fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let (count, rounds) = (numbers.first().copied().unwrap_or(10_000), numbers.get(1).copied().unwrap_or(3));
    let (rabbit, running) = running_rabbit().await;
    let rig = Rig::new(&rabbit.url, running.pid, "classic").await;
    let answered = Arc::new(AtomicUsize::new(0));
    let counting = answered.clone();
    let partner = Router::new().fallback(move |_body: axum::body::Bytes| {
        counting.fetch_add(1, Ordering::Relaxed);
        async { StatusCode::OK }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sharing", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, partner).await });
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("bench.db").display());
    let partners = Partners { direction: "outbound", kind: "third_party", url: &url };
    let daemon = Daemon::with(folder.path(), "delivery", &store, &rabbit.url, "classic", partners);
    // It makes its queues.
    let mut child = daemon.start();
    daemon.until_ready().await;
    end(&mut child);
    let mut runs = Vec::new();
    for round in 0..=rounds {
        let first = answered.load(Ordering::Relaxed);
        // First all tickets are shared; that is not measured.
        let expected = if round == 0 {
            rig.preload(&daemon.events, (0..events::TICKETS).map(events::shared)).await;
            events::TICKETS
        } else {
            let from = (round - 1) * count;
            rig.preload(&daemon.events, (from..from + count).map(|n| events::changed(n, ""))).await;
            count
        };
        let before = rig.usage();
        let mut child = daemon.start();
        let done = || answered.load(Ordering::Relaxed) - first;
        let limit = Instant::now() + std::time::Duration::from_secs(300);
        let mut begun = None;
        while done() < expected {
            if begun.is_none() && done() > 0 {
                begun = Some((Instant::now(), done()));
            }
            assert!(Instant::now() < limit, "{} of {expected} after five minutes", done());
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let (at, had) = begun.expect("more than one");
        let rate = (expected - had) as f64 / at.elapsed().as_secs_f64();
        let (usage, after) = (Usage::of(child.id()), rig.usage());
        end(&mut child);
        if round > 0 {
            runs.push(usage.measured(rate, count, &before, &after));
        }
    }
    let (rate, least, most) = median(runs.iter().map(|run| run.rate));
    let cpu = median(runs.iter().map(|run| run.cpu)).0;
    let peak = median(runs.iter().map(|run| run.peak)).0;
    println!(
        "{count} events, {rounds} rounds: {rate:.0} deliveries a second ({least:.0}–{most:.0}), {cpu:.1} CPU s for 100,000, {peak:.0} MiB"
    );
}
