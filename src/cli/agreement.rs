//! `crossdesk agreement …`

use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Map, Value, json};

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
    /// Change the terms (the sender), the name, the address, the dialect
    Edit(Edit),
    /// Ask the partner, and compare both sides' custom fields: what will sync, what will not, and why
    Check(Which),
    /// Give the agreement a new access key (the sender)
    RotateKey(Which),
}

#[derive(Args, Debug)]
pub(super) struct Which {
    /// The agreement's uuid
    uuid: String,
    /// Who does it, for the notices on both sides
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Edit {
    /// The agreement's uuid
    uuid: String,
    /// What this desk calls it
    #[arg(long)]
    name: Option<String>,
    /// Where the partner is now, after it has moved; given as for an invite
    #[arg(long = "partner-url", value_name = "URL")]
    partner_url: Option<String>,
    /// Which comments cross, and with them the status
    #[arg(long)]
    comments: Option<Comments>,
    /// Whether tags cross
    #[arg(long)]
    sync_tags: Option<bool>,
    /// Whether custom fields cross
    #[arg(long)]
    sync_custom_fields: Option<bool>,
    /// What crosses beside, between two crossdesks: those that are named, and no other ("" for none)
    #[arg(long, value_name = "TERM", value_delimiter = ',')]
    also: Option<Vec<String>>,
    /// All that this side settles alone, as a JSON object (see the field `local` of `agreement show --json`)
    #[arg(long, value_name = "JSON", conflicts_with = "unmarked_comments")]
    local: Option<String>,
    /// The partner's dialect
    #[arg(long)]
    profile: Option<Profile>,
    /// How a comment is taken that does not say whether it is public
    #[arg(long)]
    unmarked_comments: Option<Unmarked>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Profile {
    Standard,
    RequestTracker,
}

/// Terms that only a crossdesk knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Also {
    Priority,
    Assignee,
    RequesterEmail,
    Ccs,
}

impl Also {
    /// All four: those that are named cross, and the others do not.
    fn terms(named: &[Self]) -> Map<String, Value> {
        let name = |term: &Self| term.to_possible_value().map(|value| value.get_name().to_owned());
        let all = Self::value_variants().iter();
        all.filter_map(|term| Some((name(term)?, Value::from(named.contains(term))))).collect()
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Unmarked {
    Private,
    Public,
}

impl Edit {
    fn form(&self) -> Result<Value> {
        let given = |pairs: Vec<(&str, Option<Value>)>| -> Map<String, Value> {
            pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
        };
        let mut terms = given(vec![
            ("comments", self.comments.map(word)),
            ("sync_tags", self.sync_tags.map(Value::from)),
            ("sync_custom_fields", self.sync_custom_fields.map(Value::from)),
        ]);
        if let Some(also) = &self.also {
            let also = also.iter().filter(|term| !term.is_empty());
            let also = also
                .map(|term| Also::from_str(term, false).map_err(|error| anyhow!("--also {term}: {error}")));
            terms.extend(Also::terms(&also.collect::<Result<Vec<_>>>()?));
        }
        let local = match &self.local {
            Some(json) => serde_json::from_str(json).context("--local is no JSON object")?,
            None => given(vec![("unmarked_comments", self.unmarked_comments.map(word))]),
        };
        let section = |section: Map<String, Value>| (!section.is_empty()).then_some(Value::Object(section));
        let local_given = self.local.is_some();
        let form = given(vec![
            ("name", self.name.clone().map(Value::from)),
            ("url", self.partner_url.clone().map(Value::from)),
            ("profile", self.profile.map(word)),
            ("terms", section(terms)),
            ("local", if local_given { Some(Value::Object(local)) } else { section(local) }),
        ]);
        Ok(Value::Object(form))
    }
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
    /// Its sharing URL; for a Zendesk, its domain; for a Jira, its address
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
    /// What crosses beside, between two crossdesks
    #[arg(long, value_name = "TERM", value_delimiter = ',')]
    also: Vec<Also>,
    /// The partner's dialect, where it is known
    #[arg(long)]
    profile: Option<Profile>,
    /// Who invites, for the partner to read
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Of a Jira: the key of the project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
    /// Of a Jira: the type of issue that tickets become
    #[arg(long, value_name = "NAME", requires = "project")]
    issue_type: Option<String>,
    /// Of a Jira: the account's e-mail address, for an API token of Jira Cloud
    #[arg(long, requires = "project")]
    email: Option<String>,
    /// Of a Jira: the file with its token; `-` reads it from the input
    #[arg(long, value_name = "FILE", requires = "project")]
    token_file: Option<std::path::PathBuf>,
    /// Of a Jira: the role that may read private comments
    #[arg(long, value_name = "NAME", requires = "project")]
    private_role: Option<String>,
}

impl Invite {
    /// What is settled about a Jira; the token stands in no command line, where others could read it.
    fn jira(&self) -> Result<Value> {
        let Some(project) = &self.project else { return Ok(Value::Null) };
        let token = match self.token_file.as_deref() {
            None => {
                return Err(anyhow!(
                    "--token-file is missing: the file with the Jira's token, or - for the input"
                ));
            }
            Some(path) if path.as_os_str() == "-" => std::io::read_to_string(std::io::stdin())?,
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("--token-file {} cannot be read", path.display()))?,
        };
        let mut jira = json!({"project": project, "token": token.trim()});
        let role = self.private_role.as_ref().map(|role| json!({"role": role}));
        let rest = [
            ("issue_type", self.issue_type.clone().map(Value::from)),
            ("email", self.email.clone().map(Value::from)),
            ("visibility", role),
        ];
        if let Value::Object(jira) = &mut jira {
            jira.extend(rest.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        Ok(jira)
    }
}

fn word(value: impl ValueEnum) -> Value {
    value.to_possible_value().map_or(Value::Null, |value| Value::from(value.get_name()))
}

async fn act(client: &Client, which: Which, verb: &str) -> Result<Value> {
    client.post(&format!("agreements/{}/{verb}", part(&which.uuid)), Some(json!({"by": which.by}))).await
}

/// What a check found, for people.
fn show_check(checked: &Value) -> Result<()> {
    print::line(&format!(
        "partner  {}: {}",
        print::text(checked, "partner.state"),
        print::text(checked, "partner.detail")
    ))?;
    for found in checked["points"].as_array().into_iter().flatten() {
        let sign = if found["ok"] == true { "ok" } else { "!!" };
        let (what, detail) = (print::text(found, "what"), print::text(found, "detail"));
        print::line(&format!("{sign}       {what}: {detail}"))?;
    }
    if checked["sync_custom_fields"] == false {
        print::line("fields   the terms do not let custom fields cross")?;
    } else if checked["partner_fields_known"] == false {
        print::line("fields   the partner has not told its custom fields; this desk's are listed")?;
    }
    let forecast = |value: &Value| match value["syncs"].as_str() {
        Some("partly") => format!("partly: {}", print::text(value, "detail")),
        Some("no") => format!("no, {}: {}", print::text(value, "reason"), print::text(value, "detail")),
        other => other.unwrap_or_default().to_owned(),
    };
    let rows: Vec<Value> = checked["fields"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|field| {
            json!({"title": field["title"], "here": field["here"], "there": field["there"],
            "arriving": forecast(&field["arriving"]), "leaving": forecast(&field["leaving"])})
        })
        .collect();
    if rows.is_empty() {
        return print::line("fields   neither side has any that is known");
    }
    print::table(
        &rows,
        &[
            ("TITLE", "title"),
            ("HERE", "here"),
            ("THERE", "there"),
            ("FROM THE PARTNER", "arriving"),
            ("TO THE PARTNER", "leaving"),
        ],
    )
}

pub(super) async fn run(global: &Global, command: Command) -> Result<()> {
    let client = Client::new(global)?;
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
            if invite.partner_url.is_none() && !matches!(invite.kind, Kind::Queue) {
                eprintln!(
                    "crossdesk: --partner-url is missing: where the partner is (--url is where this desk's daemon is)"
                );
                std::process::exit(2);
            }
            let mut terms = json!({"comments": word(invite.comments), "sync_tags": invite.sync_tags,
                "sync_custom_fields": invite.sync_custom_fields});
            if let Value::Object(terms) = &mut terms {
                terms.extend(Also::terms(&invite.also));
            }
            let profile = invite.profile.map_or_else(|| Value::from("standard"), word);
            let body = json!({"kind": word(invite.kind), "url": invite.partner_url, "name": invite.name, "terms": terms,
                "profile": profile, "by": invite.by, "jira": invite.jira()?});
            client.post("agreements", Some(body)).await?
        }
        Command::Accept(which) => act(&client, which, "accept").await?,
        Command::Decline(which) => act(&client, which, "decline").await?,
        Command::Deactivate(which) => act(&client, which, "deactivate").await?,
        Command::RotateKey(which) => {
            client.post(&format!("agreements/{}/rotate-key", part(&which.uuid)), None).await?
        }
        Command::Edit(edit) => {
            let path = format!("agreements/{}", part(&edit.uuid));
            client.ask(Method::PATCH, &path, Some(edit.form()?.to_string())).await?
        }
        Command::Check(which) => {
            let checked = client.get(&format!("agreements/{}/check", part(&which.uuid))).await?;
            return if global.json { print::json(&checked) } else { show_check(&checked) };
        }
    };
    if global.json { print::json(&answer) } else { print::members(&answer) }
}
