//! `crossdesk ticket …`

use anyhow::Result;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Global, client::Client, client::part, print};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Shared tickets
    List {
        /// Only those shared under this agreement
        #[arg(long, value_name = "UUID")]
        agreement: Option<String>,
        /// Those after the ticket of this uuid
        #[arg(long, value_name = "UUID")]
        after: Option<String>,
    },
    /// One ticket
    Show(Which),
    /// Share a ticket
    Share {
        #[command(flatten)]
        which: Which,
        /// The agreement, by uuid or name
        #[arg(long = "with", value_name = "AGREEMENT")]
        with: String,
    },
    /// End a ticket's share
    Unshare(Which),
    /// Everything that happened to a ticket, and what did not, and why
    Explain(Which),
}

#[derive(Args, Debug)]
pub(super) struct Which {
    /// The ticket's number on the desk, or its uuid
    id: String,
}

pub(super) async fn run(global: &Global, command: Command) -> Result<()> {
    let client = Client::new(global)?;
    let answer = match command {
        Command::List { agreement, after } => {
            let query: Vec<String> = [("agreement", agreement), ("after", after)]
                .into_iter()
                .filter_map(|(name, value)| Some(format!("{name}={}", part(&value?))))
                .collect();
            let list = client.get(&format!("tickets?{}", query.join("&"))).await?;
            if global.json {
                return print::json(&list);
            }
            let columns = [
                ("ID", "id"),
                ("STATUS", "status"),
                ("SUBJECT", "subject"),
                ("COMMENTS", "comments"),
                ("UUID", "uuid"),
            ];
            return print::table(list.as_array().map_or(&[], Vec::as_slice), &columns);
        }
        Command::Show(which) => client.get(&format!("tickets/{}", part(&which.id))).await?,
        Command::Share { which, with } => {
            client
                .post(&format!("tickets/{}/share", part(&which.id)), Some(json!({"agreement": with})))
                .await?
        }
        Command::Unshare(which) => {
            client.ask(Method::DELETE, &format!("tickets/{}/share", part(&which.id)), None).await?
        }
        Command::Explain(which) => {
            let story = client.get(&format!("tickets/{}/explain", part(&which.id))).await?;
            return if global.json { print::json(&story) } else { explain(&story) };
        }
    };
    if global.json { print::json(&answer) } else { print::members(&answer) }
}

fn explain(story: &Value) -> Result<()> {
    if let Some(ticket) = story.get("ticket") {
        print::members(ticket)?;
    }
    print::line("")?;
    let lines = story.get("timeline").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let rows: Vec<Value> = lines.iter().map(row).collect();
    let columns = [
        ("WHEN", "at"),
        ("WAY", "way"),
        ("WHAT", "what"),
        ("PARTNER", "partner"),
        ("RESULT", "result"),
        ("HELD BACK", "held_back"),
    ];
    print::table(&rows, &columns)
}

/// A line of the timeline, for people.
fn row(line: &Value) -> Value {
    let text = |path: &str| print::text(line, path);
    let list = |key: &str| -> String {
        let items = line.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
    };
    let incoming = line.get("from").is_some();
    let way = if incoming { format!("from {}", text("from")) } else { format!("to {}", text("to")) };
    let told = if incoming { list("changed") } else { list("told") };
    let mut what = text("what");
    if !told.is_empty() {
        what = format!("{what}: {told}");
    }
    if !text("rule").is_empty() {
        what = format!("{what} (rule {})", text("rule"));
    }
    let result = if incoming {
        let words = [text("outcome"), text("status"), text("error"), text("reason")];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(": ")
    } else {
        format!("{}: {}", text("state"), text("answer"))
    };
    let held = line.get("held_back").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let held: Vec<String> = held
        .iter()
        .map(|held| format!("{}: {}", print::text(held, "subject"), print::text(held, "reason")))
        .collect();
    json!({"at": text("at"), "way": way, "what": what, "partner": text("partner"), "result": result, "held_back": held.join(", ")})
}
