//! Comments, in order, each once.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::Value;

use super::{facts::Facts, session::Session};
use crate::{
    domain::{Comment, Obstacle, Reason, Timestamp},
    ports::Setback,
    wire::{
        date,
        jira::{self, PROPERTY, Restriction},
    },
};

/// How much the two clocks may differ, in milliseconds.
const SKEW: i64 = 10 * 60 * 1000;
/// How many comments are asked for at once.
const PAGE: usize = 100;

/// Writes comments that are not there yet; none of them can have been written before `since`. One that not everybody may read
/// stays here where Jira is not told who may.
pub(super) async fn write(
    session: &Session<'_>,
    facts: &Facts,
    issue: &str,
    comments: &[&Comment],
    since: Option<Timestamp>,
    obstacles: &mut Vec<Obstacle>,
) -> Result<(), Setback> {
    if comments.is_empty() {
        return Ok(());
    }
    let wanted: HashSet<&str> = comments.iter().map(|comment| comment.uuid.as_str()).collect();
    let there = there(session, facts, issue, &wanted, since).await?;
    let new = || comments.iter().filter(|comment| !there.contains(comment.uuid.as_str()));
    let private = new().any(|comment| !comment.privacy().is_public());
    let service = if private { in_service(session, facts, issue).await? } else { facts.service };
    for comment in new() {
        let to = session.errand.jira.visibility.as_ref();
        let restriction = match comment.privacy().is_public() {
            true => None,
            // In a service project a role or group alone hides nothing from the portal.
            false if to.is_some() || service => Some(Restriction { to, internal: service }),
            false => {
                obstacles.push(Obstacle {
                    subject: format!("comment:{}", comment.uuid),
                    reason: Reason::NotShared,
                    detail: "the comment is private, and the agreement does not say who may read such in Jira: give \
                             jira.visibility a role or a group"
                        .to_owned(),
                });
                continue;
            }
        };
        let body = jira::comment(comment, restriction, facts.cloud);
        let path = [facts.version, "issue", issue, "comment"];
        let answered = session.ask(Method::POST, &path, &[], Some(&body)).await?;
        if !answered.is_done() {
            // The others, and the rest of the ticket, go on without it.
            let detail =
                answered.words(&format!("Jira does not take the comment of {}", comment.author.name));
            let subject = format!("comment:{}", comment.uuid);
            obstacles.push(Obstacle { subject, reason: Reason::PartnerRefused, detail });
        }
    }
    Ok(())
}

/// Whether an issue is in a service project: it may have been moved since it was made.
async fn in_service(session: &Session<'_>, facts: &Facts, issue: &str) -> Result<bool, Setback> {
    let path = [facts.version, "issue", issue];
    let shown = session.ask(Method::GET, &path, &[("fields", "project")], None).await?;
    let shown = shown.done("Jira does not show the issue")?;
    let kind = shown["fields"]["project"]["projectTypeKey"].as_str();
    Ok(kind.map_or(facts.service, |kind| kind == "service_desk"))
}

/// Those of the wanted comments that an earlier try has written: among ours, newest first, as far back as they can be.
async fn there(
    session: &Session<'_>,
    facts: &Facts,
    issue: &str,
    wanted: &HashSet<&str>,
    since: Option<Timestamp>,
) -> Result<HashSet<String>, Setback> {
    let mut there = HashSet::new();
    let mut start = 0;
    loop {
        let (from, most) = (start.to_string(), PAGE.to_string());
        let query = [("orderBy", "-created"), ("startAt", from.as_str()), ("maxResults", most.as_str())];
        let path = [facts.version, "issue", issue, "comment"];
        let page = session.ask(Method::GET, &path, &query, None).await?;
        let page = page.done("Jira does not show the comments")?;
        let comments = page["comments"].as_array().map(Vec::as_slice).unwrap_or_default();
        for comment in comments {
            let created = comment["created"].as_str().and_then(date::parse);
            if let (Some(created), Some(since)) = (created, since)
                && created.millis() < since.millis() - SKEW
            {
                return Ok(there);
            }
            let author = &comment["author"];
            let ours =
                ["accountId", "key", "name"].iter().any(|name| author[*name] == facts.account.as_str());
            let (Some(id), true) = (comment["id"].as_str(), ours) else { continue };
            let path = [facts.version, "comment", id, "properties", PROPERTY];
            let property = session.ask(Method::GET, &path, &[], None).await?;
            if property.status == 404 {
                continue;
            }
            let property = property.done("Jira does not show which comment one is")?;
            if let Value::String(uuid) = &property["value"]["uuid"] {
                there.insert(uuid.clone());
            }
        }
        start += comments.len();
        let total = page["total"].as_u64().and_then(|total| usize::try_from(total).ok()).unwrap_or_default();
        if comments.is_empty() || start >= total || wanted.iter().all(|uuid| there.contains(*uuid)) {
            return Ok(there);
        }
    }
}
