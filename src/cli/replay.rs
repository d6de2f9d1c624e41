//! `crossdesk replay`: what a changed configuration would have sent.

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::{Value, json};

use super::{Global, print};
use crate::{
    app::{self, Altered, How, Rehearsed},
    config,
};

#[derive(Args, Debug)]
pub(super) struct Replay {
    /// How far back: 24h, 90m, 7days
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    since: String,
}

/// Goes through the recorded events under the configuration that is given, and tells what would be others.
pub(super) async fn run(global: &Global, given: Replay) -> Result<()> {
    let config = config::from_file(global.config.as_deref(), &config::environment())?;
    let since = config::read_duration(&given.since).map_err(|why| anyhow!("--since: {why}"))?;
    let mut all = Vec::new();
    let replayed = app::replay(&config, since, |rehearsed| {
        if global.json {
            all.push(rehearsed);
            return Ok(());
        }
        tell(&rehearsed)
    })
    .await?;
    if global.json {
        return print::json(&json!({"events": replayed.events, "differing": all}));
    }
    if replayed.events == 0 {
        return print::line(&format!(
            "no event was recorded in the last {}: set store.record (such as \"7days\") and start the daemon anew",
            given.since
        ));
    }
    print::line(&format!(
        "{} events of the last {}: {} would send something else; nothing was sent",
        replayed.events, given.since, replayed.other
    ))
}

fn tell(rehearsed: &Rehearsed) -> Result<()> {
    let Rehearsed { at, ticket, event, messages, refused } = rehearsed;
    print::line(&format!("{at} ticket {ticket}, event {event}"))?;
    if let Some(why) = refused {
        print::line(&format!("  it would be refused: {why}"))?;
    }
    for Altered { to, kind, how, parts } in messages {
        print::line(&match how {
            How::Added => format!("  + {kind} would go to {to}"),
            How::Gone => format!("  - {kind} to {to} would not be sent"),
            How::Changed => format!("  ~ {kind} to {to} would say something else"),
        })?;
        for (path, (before, after)) in parts {
            print::line(&match (before, after) {
                (Value::Null, after) => format!("      {path}: {after}"),
                (before, Value::Null) => format!("      {path}: {before} is gone"),
                (before, after) => format!("      {path}: {before} becomes {after}"),
            })?;
        }
    }
    Ok(())
}
