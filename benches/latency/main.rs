//! From the desk's event to the partner's answer, or to the partner's queue, at a steady rate: RabbitMQ and SQLite, the partner on
//! loopback over HTTP.
//!
//! ```sh
//! cargo bench --bench latency -- 200 20          # events a second, seconds
//! cargo bench --bench latency -- beside 100 10   # beside three other partners, first well, then down, silent, refusing
//! cargo bench --bench latency -- queue 500 20    # to four partner queues: until whoever takes from them has the message
//! ```
//! In `queue` the daemon is a process of its own and the agreements are of kind `queue`; the events are those of `pipeline`.
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

#[path = "../pipeline/broker.rs"]
mod broker;
#[path = "../pipeline/daemon.rs"]
mod daemon;
#[path = "../pipeline/events.rs"]
mod events;
#[path = "../pipeline/measured.rs"]
mod measured;
mod queue;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{FakePartner, Pair, TestDaemon, until};

/// How many tickets of each partner the events are spread over.
const TICKETS: usize = 100;

/// A partner with the tickets that are shared with it.
struct Neighbour {
    partner: FakePartner,
    agreement: String,
    tickets: Vec<String>,
}

impl Neighbour {
    async fn new(daemon: &TestDaemon) -> Self {
        let (partner, agreement) = daemon.agreed().await;
        let mut tickets = Vec::new();
        for _ in 0..TICKETS {
            tickets.push(daemon.open_and_share(&agreement, "Lens stuck").await);
        }
        let this = Self { partner, agreement, tickets };
        until("its tickets are shared", async || {
            (this.partner.tickets("POST").len() == TICKETS).then_some(())
        })
        .await;
        this
    }
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let numbers: Vec<u64> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let (rate, seconds) = (numbers.first().copied().unwrap_or(200), numbers.get(1).copied().unwrap_or(10));
    if args.iter().any(|arg| arg == "queue") {
        println!("{}", figures("to partner queues", rate, queue::measure(rate, seconds).await));
        return;
    }
    let daemon = TestDaemon::with("Acme", Pair::SQLITE_AMQP, Default::default(), |config| {
        config.log.level = "error".to_owned();
        config.delivery.retry = crossdesk::config::Config::default().delivery.retry;
    })
    .await;
    let well = Neighbour::new(&daemon).await;
    if !args.iter().any(|arg| arg == "beside") {
        println!("{}", figures("alone", rate, measure(&daemon, &well, &[], rate, seconds).await));
        return;
    }
    let others =
        [Neighbour::new(&daemon).await, Neighbour::new(&daemon).await, Neighbour::new(&daemon).await];
    println!("{}", figures("all are well", rate, measure(&daemon, &well, &others, rate, seconds).await));
    let [down, slow, refusing] = &others;
    down.partner.answer_always(Some((503, vec![], String::new())));
    let _never = slow.partner.hold();
    refusing.partner.answer_always(Some((422, vec![], "no".to_owned())));
    let beside = measure(&daemon, &well, &others, rate, seconds).await;
    println!("{}", figures("one is down, one never answers, one refuses", rate, beside));
    for (what, other) in [("down", down), ("slow", slow), ("refusing", refusing)] {
        let shown = daemon.get(&format!("agreements/{}", other.agreement)).await;
        println!(
            "{what}: {} requests got there, failing since {}",
            other.partner.received().len(),
            shown["failing_since"]
        );
    }
}

/// Comments on the tickets of one partner, and as many on those of all the others; the lags of the one, in milliseconds.
async fn measure(
    daemon: &TestDaemon,
    well: &Neighbour,
    others: &[Neighbour],
    rate: u64,
    seconds: u64,
) -> Vec<f64> {
    let count = usize::try_from(rate * seconds).unwrap();
    let before = well.partner.received().len();
    let begun = Instant::now();
    let mut sent = Vec::with_capacity(count);
    for n in 0..count {
        let due = begun + Duration::from_nanos(1_000_000_000 / rate * u64::try_from(n).unwrap());
        tokio::time::sleep_until(due.into()).await;
        let comment = |of: &Neighbour| {
            daemon.desk(|desk| desk.comment(&of.tickets[n % TICKETS], "Smith", &n.to_string(), true))
        };
        if !others.is_empty() {
            daemon.tell(&comment(&others[n % others.len()])).await;
        }
        let event = comment(well);
        sent.push(Instant::now());
        daemon.tell(&event).await;
    }
    until("all have arrived", async || (well.partner.received().len() >= before + count).then_some(())).await;
    let mut lags: Vec<f64> = Vec::with_capacity(count);
    for (at, body) in well.partner.received().into_iter().skip(before).map(|r| (r.at, r.body)) {
        for comment in body["comments"].as_array().unwrap_or(&Vec::new()) {
            if let Some(n) = comment["body"].as_str().and_then(|text| text.parse::<usize>().ok()) {
                lags.push((at - sent[n]).as_secs_f64() * 1000.0);
            }
        }
    }
    lags.sort_by(f64::total_cmp);
    lags
}

fn figures(what: &str, rate: u64, lags: Vec<f64>) -> Value {
    let at = |share: f64| lags[((lags.len() - 1) as f64 * share) as usize];
    json!({"what": what, "rate": rate, "arrived": lags.len(), "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99),
        "max_ms": at(1.0)})
}
