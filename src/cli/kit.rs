//! `partner-test` and `fake-partner`, for makers of partners.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use clap::Args;

use super::{Global, print};
use crate::kit::{Exam, FakePartner, Habits, Point, Verdict, examine};

/// What `partner-test` takes.
#[derive(Args, Debug)]
pub(super) struct PartnerTest {
    /// The sharing URL of the server
    url: String,
    /// Where the server's answers are heard
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// How the server reaches that, if not by this address
    #[arg(long, value_name = "URL")]
    own_url: Option<String>,
    /// How many seconds somebody over there may take to accept the invite
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait: u64,
}

/// What `fake-partner` takes.
#[derive(Args, Debug)]
pub(super) struct Fake {
    /// Where it is reached
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Leave invites unanswered
    #[arg(long)]
    pending: bool,
    /// Say nothing to tickets; otherwise each gets a comment
    #[arg(long)]
    silent: bool,
}

fn line(point: &Point) -> String {
    let mark = match point.verdict {
        Verdict::Kept => "✓",
        Verdict::Broken => "✗",
        Verdict::Lacking => "–",
    };
    format!("{mark} {:<15} {}: {}", point.dialect, point.wanted, point.answered)
}

/// Examines a server; fails where it breaks a point.
pub(super) async fn test(global: &Global, given: PartnerTest) -> Result<bool> {
    let listener = tokio::net::TcpListener::bind(given.listen).await;
    let listener = listener.with_context(|| format!("{} cannot be listened on", given.listen))?;
    let exam = Exam { url: given.url, own_url: given.own_url, patience: Duration::from_secs(given.wait) };
    let json = global.json;
    let told = move |point: &Point| {
        if !json {
            let _closed = print::line(&line(point));
        }
    };
    let paper = examine(&exam, listener, &told)
        .await
        .with_context(|| format!("{} was not examined to the end", exam.url))?;
    if json {
        print::json(&serde_json::to_value(&paper)?)?;
    } else {
        for dialect in ["all", "zendesk", "node", "request_tracker"] {
            let (kept, all) = paper.of(dialect);
            print::line(&format!("{dialect}: {kept} of {all} points kept"))?;
        }
    }
    Ok(paper.is_passed())
}

/// Is a partner until it is stopped.
pub(super) async fn fake(given: Fake) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(given.listen).await;
    let listener = listener.with_context(|| format!("{} cannot be listened on", given.listen))?;
    let url = format!("http://{}/sharing", listener.local_addr()?);
    let habits = Habits { accepts: !given.pending, replies: !given.silent };
    let partner = FakePartner::new(habits, |line| {
        let _closed = print::line(line);
    })?;
    print::line(&format!("a partner is at {url}; Ctrl-C ends it"))?;
    tokio::select! {
        ended = partner.serve(listener) => ended?,
        ended = tokio::signal::ctrl_c() => ended?,
    }
    Ok(())
}
