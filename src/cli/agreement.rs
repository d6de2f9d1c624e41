//! `crossdesk agreement …`

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Global, client::Client, client::part, print};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// All agreements
    List,
    /// One agreement
    Show(Which),
    /// Invite a partner
    Invite(Invite),
    /// Say yes to an invite
    Accept(Which),
    /// Say no to an invite
    Decline(Which),
    /// End an agreement, or cancel an invite
    Deactivate(Which),
}

#[derive(Args, Debug)]
pub(super) struct Which {
    /// The agreement's uuid
    uuid: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Kind {
    Zendesk,
    Jira,
    ThirdParty,
    Queue,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Comments {
    PublicAndPrivate,
    PrivateOnly,
}

#[derive(Args, Debug)]
pub(super) struct Invite {
    /// What the partner is
    #[arg(long, default_value = "third_party")]
    kind: Kind,
    /// Its sharing URL; for a Zendesk, its domain
    #[arg(long = "partner-url", value_name = "URL")]
    partner_url: Option<String>,
    /// What this desk calls it
    #[arg(long)]
    name: Option<String>,
    /// Which comments cross, and with them the status
    #[arg(long, default_value = "public_and_private")]
    comments: Comments,
    /// Tags cross
    #[arg(long)]
    sync_tags: bool,
    /// Custom fields cross
    #[arg(long)]
    sync_custom_fields: bool,
}

fn word(value: impl ValueEnum) -> Value {
    value.to_possible_value().map_or(Value::Null, |value| Value::from(value.get_name()))
}

pub(super) async fn run(global: &Global, command: Command) -> Result<()> {
    let client = Client::new(global)?;
    let act = |which: Which, verb: &str| format!("agreements/{}/{verb}", part(&which.uuid));
    let answer = match command {
        Command::List => {
            let list = client.get("agreements").await?;
            if global.json {
                return print::json(&list);
            }
            let columns = [
                ("UUID", "uuid"),
                ("NAME", "name"),
                ("DIRECTION", "direction"),
                ("KIND", "kind"),
                ("STATUS", "status"),
                ("COMMENTS", "terms.comments"),
                ("REASON", "reason"),
            ];
            return print::table(list.as_array().map_or(&[], Vec::as_slice), &columns);
        }
        Command::Show(which) => client.get(&format!("agreements/{}", part(&which.uuid))).await?,
        Command::Invite(invite) => {
            let terms = json!({"comments": word(invite.comments), "sync_tags": invite.sync_tags,
                "sync_custom_fields": invite.sync_custom_fields});
            let body = json!({"kind": word(invite.kind), "url": invite.partner_url, "name": invite.name, "terms": terms});
            client.post("agreements", Some(body)).await?
        }
        Command::Accept(which) => client.post(&act(which, "accept"), None).await?,
        Command::Decline(which) => client.post(&act(which, "decline"), None).await?,
        Command::Deactivate(which) => client.post(&act(which, "deactivate"), None).await?,
    };
    if global.json { print::json(&answer) } else { print::members(&answer) }
}
