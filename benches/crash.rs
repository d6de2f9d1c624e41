//! Everything killed at random, the long story.
//!
//! ```sh
//! cargo bench --bench crash                  # a new seed; 2,000 events, 200 tickets, 3 partners
//! cargo bench --bench crash -- 42            # this seed
//! cargo bench --bench crash -- 42 10000 500  # this seed, so many events and tickets
//! ```
//! First on RabbitMQ and PostgreSQL: the daemon is killed 20 times (SIGKILL), the broker 3 times (SIGKILL), PostgreSQL is
//! stopped at once 3 times; then on SQLite and the embedded broker. Partners answer 503, hang, close the connection after
//! reading, or do what they are asked and lose the answer. At the end every comment is at its partner once, in order, the
//! last values are right, every ticket and user was made once, and nothing waits. Prints the seed; fails with what is wrong.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench that finds what it does not expect ends there and then"
)]
#![allow(
    dead_code,
    unused_imports,
    clippy::wildcard_imports,
    clippy::allow_attributes,
    reason = "the bench uses a part of what the tests stand on"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use support::crash::{Plan, play};

#[tokio::main]
async fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let at = |place: usize, usual: u64| numbers.get(place).copied().unwrap_or(usual);
    let seed = at(0, u64::from(std::process::id()));
    let (events, tickets) = (usize::try_from(at(1, 2000)).unwrap(), usize::try_from(at(2, 200)).unwrap());
    let told = play(Plan { seed, events, tickets, kills: 20, outages: 3, servers: true }).await;
    println!("{told}");
    let told = play(Plan { seed, events, tickets, kills: 20, outages: 0, servers: false }).await;
    println!("{told}");
}
