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
    let columns = [
        ("WRITTEN", "created_at"),
        ("MESSAGE", "type"),
        ("STATE", "state"),
        ("TRIES", "attempts"),
        ("AGREEMENT", "agreement"),
        ("REASON", "reason"),
    ];
    print::table(story.get("messages").and_then(Value::as_array).map_or(&[], Vec::as_slice), &columns)
}
