//! The issue of a ticket: found or made, changed, parted from it.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    answer::Answered,
    comments,
    facts::Facts,
    fields::{self, Setting},
    find::{self, Found},
    session::Session,
    transition,
};
use crate::{
    domain::{Carried, Comment, JiraIssue, Obstacle, Property, Reason, TicketUpdate},
    ports::Setback,
    wire::jira::{self, PROPERTY},
};

/// How often a request is made anew without what Jira does not take.
const ROUNDS: usize = 3;
/// How long Jira's index takes to know a new issue: an attempt whose answer was lost is not repeated before.
const INDEXED: std::time::Duration = std::time::Duration::from_secs(10);

/// Makes the issue of a ticket, or finds the one that an earlier try has made; then everything that belongs to it.
pub(super) async fn create(
    session: &Session<'_>,
    facts: &Facts,
    update: &TicketUpdate,
    carried: &mut Carried,
) -> Result<(), Setback> {
    let found = match &session.errand.issue {
        Some(key) => find::shown(session, facts, key).await?,
        None => find::made(session, facts).await?,
    };
    let (issue, described, since) = if let Some(Found { issue, described }) = found {
        carried.issue = Some(issue.clone());
        find::mark(session, facts, &issue.key, described.as_deref()).await?;
        let setting = fields::of(update, facts, carried);
        change(session, facts, &issue.key, setting, added(update), carried).await?;
        // The first try may have been long ago.
        (issue, described, None)
    } else {
        let (issue, described) = make(session, facts, update, carried).await?;
        (issue, described, Some(session.errand.since))
    };
    carried.issue = Some(issue.clone());
    link(session, facts, update, &issue.key, carried).await?;
    let rest: Vec<&Comment> = update
        .comments
        .iter()
        .map(AsRef::as_ref)
        .filter(|comment: &&Comment| described.as_deref() != Some(comment.uuid.as_str()))
        .collect();
    comments::write(session, facts, &issue.key, &rest, since, &mut carried.obstacles).await?;
    status(session, facts, &issue.key, update, carried).await
}

/// Changes the issue of a ticket as the ticket has changed.
pub(super) async fn update(
    session: &Session<'_>,
    facts: &Facts,
    update: &TicketUpdate,
    carried: &mut Carried,
) -> Result<(), Setback> {
    let issue = find::known(session, facts).await?;
    let setting = fields::of(update, facts, carried);
    change(session, facts, &issue, setting, labels(update), carried).await?;
    let comments: Vec<&Comment> = update.comments.iter().map(AsRef::as_ref).collect();
    // An earlier message may have written them, and been parked for something else.
    let written = comments.iter().filter_map(|comment| comment.authored_at);
    let since = Some(written.fold(session.errand.since, Ord::min));
    comments::write(session, facts, &issue, &comments, since, &mut carried.obstacles).await?;
    status(session, facts, &issue, update, carried).await
}

/// Changes fields and labels; what Jira does not take is left out alone.
async fn change(
    session: &Session<'_>,
    facts: &Facts,
    issue: &str,
    mut setting: Setting,
    mut labels: Vec<Value>,
    carried: &mut Carried,
) -> Result<(), Setback> {
    let mut round = 0;
    while !setting.fields.is_empty() || !labels.is_empty() {
        let mut body = json!({});
        if !setting.fields.is_empty() {
            body["fields"] = Value::Object(setting.fields.clone());
        }
        if !labels.is_empty() {
            body["update"] = json!({"labels": labels});
        }
        let answered = session.ask(Method::PUT, &[facts.version, "issue", issue], &[], Some(&body)).await?;
        if answered.is_done() {
            break;
        }
        round += 1;
        let no_labels = !answered.body["errors"]["labels"].is_null() && !labels.is_empty();
        if no_labels {
            labels.clear();
            let (subject, reason) = ("tags".to_owned(), Reason::PartnerRefused);
            let detail = answered.words("Jira does not take the labels");
            carried.obstacles.push(Obstacle { subject, reason, detail });
        }
        let less = setting.leave_out(&answered, carried) || no_labels;
        if answered.status != 400 || round > ROUNDS || !less {
            return Err(answered.refused(&format!("Jira does not change {issue}")));
        }
    }
    setting.settle(carried);
    Ok(())
}

/// Parts the issue from its ticket: link and property go, the issue stays.
pub(super) async fn unshare(session: &Session<'_>, facts: &Facts) -> Result<(), Setback> {
    let issue = match &session.errand.issue {
        Some(issue) => issue.clone(),
        None => match find::made(session, facts).await? {
            Some(found) => found.issue.key,
            None => return Ok(()),
        },
    };
    let ticket = session.errand.ticket.as_str();
    let gone = |answered: Answered, what: &str| match answered.status {
        // Jira Cloud answers 404 where no link has the id.
        404 => Ok(()),
        _ => answered.done(what).map(drop),
    };
    let path = [facts.version, "issue", &issue, "remotelink"];
    let link = session.ask(Method::DELETE, &path, &[("globalId", ticket)], None).await?;
    gone(link, "Jira does not remove the link")?;
    let path = [facts.version, "issue", &issue, "properties", PROPERTY];
    let property = session.ask(Method::DELETE, &path, &[], None).await?;
    gone(property, "Jira does not remove the property")
}

/// Makes an issue; its description carries the first public comment, if it has one.
async fn make(
    session: &Session<'_>,
    facts: &Facts,
    update: &TicketUpdate,
    carried: &mut Carried,
) -> Result<(JiraIssue, Option<String>), Setback> {
    let errand = session.errand;
    let first = jira::first_public(update);
    let mut setting: Setting = fields::of(update, facts, carried);
    setting.put_plain("project", json!({"key": errand.jira.project}));
    setting.put_plain("issuetype", json!({"name": errand.jira.issue_type}));
    setting.put_description(jira::description(update, first, facts.cloud));
    if let Some(tags) = update.tags.as_ref().filter(|tags| !tags.is_empty()) {
        setting.put_labels(json!(tags));
    }
    if !setting.fields.contains_key("summary") {
        setting.put_plain("summary", Value::from("(no subject)"));
    }
    for round in 0.. {
        // A project may have no descriptions: then the comment comes as one.
        let first = first.filter(|_| setting.fields.contains_key("description"));
        let first = first.map(|comment| comment.uuid.as_str().to_owned());
        let property = json!([{"key": PROPERTY, "value": find::kept(session, first.as_deref())}]);
        let body = json!({"fields": setting.fields, "properties": property});
        let asked = session.ask(Method::POST, &[facts.version, "issue"], &[], Some(&body)).await;
        let answered = asked.map_err(|setback| match setback {
            // It may have been made: then it has to be found.
            Setback::Later { why, after } => Setback::Later { why, after: after.or(Some(INDEXED)) },
            other => other,
        })?;
        if answered.is_done() {
            let issue = jira::issue(&answered.body, &errand.base);
            setting.settle(carried);
            let unnamed = || Setback::Refused("Jira made an issue and did not say which".to_owned());
            return issue.map(|issue| (issue, first)).ok_or_else(unnamed);
        }
        if answered.status != 400 || round >= ROUNDS || !setting.leave_out(&answered, carried) {
            return Err(answered.refused(&format!("Jira makes no issue in {}", facts.project)));
        }
    }
    Err(Setback::Refused("Jira makes no issue".to_owned()))
}

/// Links the issue back to its ticket. That takes a permission of its own, without which the rest still goes.
async fn link(
    session: &Session<'_>,
    facts: &Facts,
    update: &TicketUpdate,
    issue: &str,
    carried: &mut Carried,
) -> Result<(), Setback> {
    let errand = session.errand;
    let body = jira::remote_link(&errand.ticket, update, &errand.desk, &errand.jira.link_type);
    let path = [facts.version, "issue", issue, "remotelink"];
    let answered = session.ask(Method::POST, &path, &[], Some(&body)).await?;
    let subject = "link".to_owned();
    if answered.is_done() {
        carried.settled.push(subject);
    } else {
        let detail = answered.words(&format!("Jira does not link {issue} to the ticket"));
        carried.obstacles.push(Obstacle { subject, reason: Reason::PartnerRefused, detail });
    }
    Ok(())
}

async fn status(
    session: &Session<'_>,
    facts: &Facts,
    issue: &str,
    update: &TicketUpdate,
    carried: &mut Carried,
) -> Result<(), Setback> {
    match update.properties.get(&Property::Status).and_then(|status| status.as_str()) {
        Some(word) => transition::to(session, facts, issue, word, carried).await,
        None => Ok(()),
    }
}

/// All labels, as new ones.
fn added(update: &TicketUpdate) -> Vec<Value> {
    update.tags.iter().flat_map(|tags| tags.iter()).map(|tag| json!({"add": tag})).collect()
}

/// Labels that are new or gone; those that people over there have set stay.
fn labels(update: &TicketUpdate) -> Vec<Value> {
    let Some(extra) = &update.extra else { return Vec::new() };
    let added = extra.tags_added.iter().map(|tag| json!({"add": tag}));
    added.chain(extra.tags_removed.iter().map(|tag| json!({"remove": tag}))).collect()
}
