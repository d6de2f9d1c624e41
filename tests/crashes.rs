//! Everything killed at random: a short story of each kind. The long one: `cargo bench --bench crash`.

use crate::support::crash::{Plan, play};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_daemon_the_broker_and_the_database_are_killed() {
    let told = play(Plan { seed: 1, events: 300, tickets: 24, kills: 4, outages: 1, servers: true }).await;
    assert!(told.contains("all is right"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_on_what_the_daemon_brings_along() {
    let told = play(Plan { seed: 2, events: 300, tickets: 24, kills: 5, outages: 0, servers: false }).await;
    assert!(told.contains("all is right"), "{told}");
}
