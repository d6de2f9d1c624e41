//! What is known of a Jira beyond its tickets: which kind it is, who we are there, which fields and priorities it has.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::Value;
use sha2::Digest;

use super::session::Session;
use crate::{ports::Setback, wire::jira::Field};

/// How long it is believed.
const FRESH: Duration = Duration::from_secs(600);

/// What is known of a Jira and a project of it.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// It is Jira Cloud.
    pub(super) cloud: bool,
    /// The version of the API to speak.
    pub(super) version: &'static str,
    /// Our account's id.
    pub(super) account: String,
    /// What people call it.
    pub(super) called: String,
    /// The project is a service project.
    pub(super) service: bool,
    /// The project's name.
    pub(super) project: String,
    /// The types of issue that the project has.
    pub(super) types: Vec<String>,
    /// Every custom field.
    pub(super) fields: Vec<Field>,
    /// The names of the priorities.
    pub(super) priorities: Vec<String>,
}

/// What was found out lately, by agreement.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<String, (Instant, Arc<Facts>)>>);

/// The facts that an errand needs; asked for where they are not known.
pub(super) async fn known(known: &Known, session: &Session<'_>) -> Result<Arc<Facts>, Setback> {
    let key = key(session);
    let kept = known.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    if let Some((at, facts)) = kept
        && at.elapsed() < FRESH
    {
        return Ok(facts);
    }
    let facts = Arc::new(find_out(session).await?);
    known.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, (Instant::now(), facts.clone()));
    Ok(facts)
}

/// Forgets them.
pub(super) fn forget(known: &Known, session: &Session<'_>) {
    known.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(session));
}

/// Other settings are other facts.
fn key(session: &Session<'_>) -> String {
    let errand = session.errand;
    let account = errand.jira.email.as_deref().unwrap_or_default();
    // Another token may be another account's.
    let token = hex::encode(sha2::Sha256::digest(errand.token.reveal().as_bytes()));
    format!("{}\n{}\n{}\n{account}\n{token}", errand.agreement, errand.base, errand.jira.project)
}

async fn find_out(session: &Session<'_>) -> Result<Facts, Setback> {
    let get = async |parts: &[&str], what: &str| session.ask(Method::GET, parts, &[], None).await?.done(what);
    // Both know version 2; whether the other is there follows from the answer.
    let server = get(&["2", "serverInfo"], "this is no Jira that answers").await?;
    let cloud = server["deploymentType"] == "Cloud";
    let version = if cloud { "3" } else { "2" };
    let myself = get(&[version, "myself"], "Jira does not say who the account is").await?;
    let account = ["accountId", "key", "name"].into_iter().find_map(|name| myself[name].as_str());
    let account =
        account.ok_or_else(|| Setback::Refused("Jira does not say who the account is".to_owned()))?;
    let wanted = &session.errand.jira.project;
    let project = session.ask(Method::GET, &[version, "project", wanted], &[], None).await?;
    if project.status == 404 {
        let what = format!("the account {account} sees no project {wanted} in Jira");
        return Err(project.refused(&what));
    }
    let project = project.done("Jira does not show the project")?;
    let fields = get(&[version, "field"], "Jira does not tell its fields").await?;
    let priorities = get(&[version, "priority"], "Jira does not tell its priorities").await?;
    Ok(Facts {
        cloud,
        version,
        called: text(&myself["displayName"]).unwrap_or_else(|| account.to_owned()),
        account: account.to_owned(),
        service: project["projectTypeKey"] == "service_desk",
        project: text(&project["name"]).unwrap_or_else(|| wanted.clone()),
        types: names(&project["issueTypes"]),
        fields: custom(&fields, &project["id"]),
        priorities: names(&priorities),
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The names of things.
pub(super) fn names(things: &Value) -> Vec<String> {
    things.as_array().into_iter().flatten().filter_map(|thing| text(&thing["name"])).collect()
}

/// The custom fields that the project can have: its own before everybody's, and no other project's.
fn custom(fields: &Value, project: &Value) -> Vec<Field> {
    fn of(described: &Value) -> &Value {
        &described["scope"]["project"]["id"]
    }
    let all = || fields.as_array().into_iter().flatten();
    let its_own = all().filter(|described| !of(described).is_null() && of(described) == project);
    let everybodys = all().filter(|described| described["scope"]["project"].is_null());
    its_own.chain(everybodys).filter_map(field).collect()
}

/// A custom field; the others are no help desk's.
fn field(described: &Value) -> Option<Field> {
    let schema = &described["schema"];
    (described["custom"] == true).then_some(())?;
    Some(Field {
        id: text(&described["id"])?,
        name: text(&described["name"])?,
        kind: text(&schema["type"]).unwrap_or_default(),
        items: text(&schema["items"]).unwrap_or_default(),
        is_long: schema["custom"].as_str().is_some_and(|kind| kind.ends_with(":textarea")),
    })
}
