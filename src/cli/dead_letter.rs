//! `crossdesk dead-letter …`

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::{Global, client::Client, client::part, print};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What waits for a person
    List,
    /// One of them, with its body
    Show(Which),
    /// Try again: a ticket's changes are told anew as they are now
    Replay(Which),
    /// Forget it
    Drop(Which),
}

#[derive(Args, Debug)]
pub(super) struct Which {
    /// The message's id
    id: String,
}

pub(super) async fn run(global: &Global, command: Command) -> Result<()> {
    let client = Client::new(global)?;
    match command {
        Command::List => {
            let list = client.get("dead-letters").await?;
            if global.json {
                return print::json(&list);
            }
            let columns = [("ID", "id"), ("TYPE", "type"), ("SINCE", "created_at"), ("REASON", "reason")];
            print::table(list.as_array().map_or(&[], Vec::as_slice), &columns)
        }
        Command::Show(which) => {
            let list = client.get("dead-letters").await?;
            let mut found = list.as_array().map_or(&[][..], Vec::as_slice).iter();
            let one = found.find(|one| one.get("id").and_then(Value::as_str) == Some(which.id.as_str()));
            print::json(one.ok_or_else(|| anyhow!("there is no dead letter {}", which.id))?)
        }
        Command::Replay(which) => {
            client.post(&format!("dead-letters/{}/replay", part(&which.id)), None).await?;
            print::line("replayed")
        }
        Command::Drop(which) => {
            client.ask(Method::DELETE, &format!("dead-letters/{}", part(&which.id)), None).await?;
            print::line("dropped")
        }
    }
}
