//! From the desk's event to the partner's answer, at a steady rate: RabbitMQ and SQLite, the partner on loopback over HTTP.
//!
//! ```sh
//! cargo bench --bench latency -- 200 20     # events a second, seconds
//! ```
//! Prints how many arrived and the percentiles in milliseconds. The daemon, the desk, the partner and RabbitMQ share the
//! machine, so the figures are of all of them together.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
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

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Pair, TestDaemon, until};

/// How many tickets the events are spread over.
const TICKETS: usize = 200;

#[tokio::main]
async fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let (rate, seconds) = (numbers.first().copied().unwrap_or(200), numbers.get(1).copied().unwrap_or(10));
    let daemon = TestDaemon::with("Acme", Pair::SQLITE_AMQP, Default::default(), |config| {
        config.log.level = "warn".to_owned();
    })
    .await;
    let (partner, uuid) = daemon.agreed().await;
    let mut tickets = Vec::new();
    for _ in 0..TICKETS {
        tickets.push(daemon.open_and_share(&uuid, "Lens stuck").await);
    }
    until("all tickets are shared", async || (partner.tickets("POST").len() == TICKETS).then_some(())).await;
    daemon.until_quiet().await;

    let count = usize::try_from(rate * seconds).unwrap();
    let begun = Instant::now();
    let mut sent = Vec::with_capacity(count);
    for n in 0..count {
        let due = begun + Duration::from_nanos(1_000_000_000 / rate * u64::try_from(n).unwrap());
        tokio::time::sleep_until(due.into()).await;
        let event = daemon.desk(|desk| desk.comment(&tickets[n % TICKETS], "Smith", &n.to_string(), true));
        sent.push(Instant::now());
        daemon.tell(&event).await;
    }
    until("all have arrived", async || (partner.received().len() > count + TICKETS).then_some(())).await;
    let mut lags: Vec<f64> = Vec::with_capacity(count);
    for (at, body) in partner.received().into_iter().map(|r| (r.at, r.body)) {
        for comment in body["comments"].as_array().unwrap_or(&Vec::new()) {
            if let Some(n) = comment["body"].as_str().and_then(|text| text.parse::<usize>().ok()) {
                lags.push((at - sent[n]).as_secs_f64() * 1000.0);
            }
        }
    }
    lags.sort_by(f64::total_cmp);
    let at = |share: f64| lags[((lags.len() - 1) as f64 * share) as usize];
    let figures: Value = json!({"rate": rate, "sent": count, "arrived": lags.len(), "p50_ms": at(0.5), "p90_ms": at(0.9),
        "p99_ms": at(0.99), "max_ms": at(1.0)});
    println!("{figures}");
}
