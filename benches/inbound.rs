//! What partners send over HTTP: tickets a second, beside a bare handler that reads the same JSON and writes one row durably.
//!
//! ```sh
//! cargo bench --bench inbound             # short: 4,000 tickets, 3 rounds
//! cargo bench --bench inbound -- 20000 5  # tickets, rounds
//! ```
//! 64 requests at once from the bench's process. `bare` is an axum handler on loopback that parses the ticket and inserts
//! it into SQLite (synchronous=FULL), a transaction each. `post` shares new tickets with the daemon, `put` comments on them; the
//! daemon is a process of its own on SQLite and its embedded broker.
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

use std::{sync::Arc, time::Instant};

use axum::{Router, extract::State, http::StatusCode, routing::any};
use daemon::{Daemon, Partners, end};
use futures_util::StreamExt;
use measured::median;
use serde_json::{Value, json};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// Requests at once.
const AT_ONCE: usize = 64;

fn uuid(n: usize) -> String {
    format!("{n:040x}")
}

fn ticket(n: usize) -> Value {
    json!({"uuid": uuid(n), "subject": "Lens stuck", "status": "open", "tags": ["camera", "billing"],
        "requester": {"uuid": "77", "name": "Joe User", "role": "end-user"},
        "custom_fields": {"Serial number": format!("v{n}"), "Site": "north"},
        "comments": [comment(n, 0)]})
}

fn comment(n: usize, k: usize) -> Value {
    json!({"uuid": format!("{n}-{k}"), "public": true, "body": "The lens is stuck and does not come out. ".repeat(8),
        "author": {"uuid": "9", "name": "Agent Smith", "role": "agent"}, "authored_at": "2026-11-23 10:15:30 +0000"})
}

/// Sends all, so many at once; returns how many a second were answered with a 2xx.
async fn rate(requests: Vec<reqwest::RequestBuilder>) -> f64 {
    let (begun, count) = (Instant::now(), requests.len());
    let mut answers = futures_util::stream::iter(requests.into_iter().map(reqwest::RequestBuilder::send))
        .buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        let answer = answer.unwrap();
        assert!(answer.status().is_success(), "{}: {}", answer.status(), answer.text().await.unwrap());
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

async fn keep(State(pool): State<SqlitePool>, body: axum::body::Bytes) -> StatusCode {
    let Ok(ticket) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let insert = sqlx::query("insert into ticket (uuid, doc) values (?, ?)");
    insert.bind(ticket["uuid"].to_string()).bind(ticket.to_string()).execute(&pool).await.unwrap();
    StatusCode::CREATED
}

async fn bare(folder: &std::path::Path) -> String {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    sqlx::query("create table ticket (uuid text, doc text)").execute(&pool).await.unwrap();
    let router = Router::new().fallback(any(keep)).with_state(pool);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::main]
async fn main() {
    crossdesk::app::install_tls();
    let numbers: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let (count, rounds) = (numbers.first().copied().unwrap_or(4_000), numbers.get(1).copied().unwrap_or(3));
    let folder = tempfile::tempdir().unwrap();
    let bare = bare(folder.path()).await;
    let store = format!("sqlite:{}", folder.path().join("bench.db").display());
    let partners = Partners { direction: "inbound", kind: "third_party", url: "http://127.0.0.1:9/sharing" };
    let daemon = Daemon::with(folder.path(), "inbound", &store, "embedded", "classic", partners);
    let mut child = daemon.start();
    daemon.until_ready().await;
    let key = events::agreement(0);
    let client = reqwest::Client::new();
    let request = |method: reqwest::Method, n: usize, body: &Value| {
        let url = format!("http://127.0.0.1:{}/sharing/tickets/{}", daemon.partners, uuid(n));
        client
            .request(method, url)
            .header("X-Ticket-Sharing-Token", format!("{key}:{key}"))
            .body(body.to_string())
    };
    let mut runs: [Vec<f64>; 3] = Default::default();
    for round in 0..rounds {
        let these = round * count..(round + 1) * count;
        let all =
            |make: &dyn Fn(usize) -> reqwest::RequestBuilder| these.clone().map(make).collect::<Vec<_>>();
        runs[0].push(rate(all(&|n| client.post(&bare).body(ticket(n).to_string()))).await);
        runs[1].push(rate(all(&|n| request(reqwest::Method::POST, n, &ticket(n)))).await);
        let change = |n: usize| json!({"uuid": uuid(n), "status": "pending", "comments": [comment(n, 1)]});
        runs[2].push(rate(all(&|n| request(reqwest::Method::PUT, n, &change(n)))).await);
    }
    end(&mut child);
    println!("{count} tickets, {rounds} rounds, {AT_ONCE} requests at once");
    for (name, run) in ["bare", "post", "put"].iter().zip(&runs) {
        let ratio = median(run.iter().zip(&runs[0]).map(|(run, bare)| run / bare));
        let rate = median(run.iter().copied()).0;
        println!("{name:<6} {rate:>7.0}/s   {:.2} of bare ({:.2}–{:.2})", ratio.0, ratio.1, ratio.2);
    }
}
