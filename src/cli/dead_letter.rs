//! `crossdesk dead-letter …`

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::{Global, client::Client, client::part, print};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What waits for a person
    List {
        /// Only those under this agreement
        #[arg(long, value_name = "UUID")]
        agreement: Option<String>,
    },
    /// One of them, with its body
    Show {
        /// The message's id
        id: String,
    },
    /// Try again: a ticket's changes are told anew as they are now
    Replay(Which),
    /// Forget it
    Drop(Which),
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// The message's id
    id: Option<String>,
    /// All under this agreement
    #[arg(long, value_name = "UUID")]
    agreement: Option<String>,
    /// All of them
    #[arg(long)]
    all: bool,
}

impl Which {
    fn query(&self) -> String {
        match &self.agreement {
            Some(agreement) => format!("agreement={}", part(agreement)),
            None => "all=true".to_owned(),
        }
    }
}

pub(super) async fn run(global: &Global, command: Command) -> Result<()> {
    let client = Client::new(global)?;
    match command {
        Command::List { agreement } => {
            let list = all(&client, agreement.as_deref()).await?;
            if global.json {
                return print::json(&Value::Array(list));
            }
            let columns = [("ID", "id"), ("TYPE", "type"), ("SINCE", "created_at"), ("REASON", "reason")];
            print::table(&list, &columns)
        }
        Command::Show { id } => print::json(&client.get(&format!("dead-letters/{}", part(&id))).await?),
        Command::Replay(which) => match &which.id {
            Some(id) => {
                client.post(&format!("dead-letters/{}/replay", part(id)), None).await?;
                print::line("replayed")
            }
            None => many(&client, Method::POST, "dead-letters/replay", &which, "replayed").await,
        },
        Command::Drop(which) => match &which.id {
            Some(id) => {
                client.ask(Method::DELETE, &format!("dead-letters/{}", part(id)), None).await?;
                print::line("dropped")
            }
            None => many(&client, Method::DELETE, "dead-letters", &which, "dropped").await,
        },
    }
}

/// All of them, page after page.
async fn all(client: &Client, agreement: Option<&str>) -> Result<Vec<Value>> {
    let only = agreement.map(|agreement| format!("&agreement={}", part(agreement))).unwrap_or_default();
    let (mut list, mut after) = (Vec::new(), 0);
    loop {
        let page = client.get(&format!("dead-letters?after={after}{only}")).await?;
        let Some(last) = page.as_array().and_then(|page| page.last()) else { return Ok(list) };
        after = last["place"].as_i64().unwrap_or(i64::MAX);
        list.extend(page.as_array().into_iter().flatten().cloned());
    }
}

/// Goes through all that are meant, some at a time.
async fn many(client: &Client, method: Method, path: &str, which: &Which, done: &str) -> Result<()> {
    let (mut count, mut after, mut refused) = (0, 0, 0);
    loop {
        let answer =
            client.ask(method.clone(), &format!("{path}?{}&after={after}", which.query()), None).await?;
        count += answer.get("done").and_then(Value::as_u64).unwrap_or_default();
        for one in answer.get("refused").and_then(Value::as_array).into_iter().flatten() {
            refused += 1;
            print::line(&format!("{}: {}", print::text(one, "id"), print::text(one, "reason")))?;
        }
        match answer.get("next").and_then(Value::as_i64) {
            Some(next) => after = next,
            None => break,
        }
    }
    print::line(&format!("{done} {count}"))?;
    if refused == 0 {
        Ok(())
    } else {
        Err(anyhow!("{refused} could not be {done}; they stay, each with its reason"))
    }
}
