//! Comments, in order, each once.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::Value;

use super::{facts::Facts, session::Session};
use crate::{
    domain::{Comment, Obstacle, Reason},
    ports::Setback,
    wire::{
        date,
        jira::{self, PROPERTY, Restriction},
    },
};

/// How much the two clocks may differ, in milliseconds.
const SKEW: i64 = 10 * 60 * 1000;
/// How many of the newest comments are looked through.
const NEWEST: &str = "100";

/// Writes comments that are not there yet. One that not everybody may read stays here where Jira is not told who may.
pub(super) async fn write(
    session: &Session<'_>,
    facts: &Facts,
    issue: &str,
    comments: &[&Comment],
    obstacles: &mut Vec<Obstacle>,
) -> Result<(), Setback> {
    if comments.is_empty() {
        return Ok(());
    }
    let there = there(session, facts, issue).await?;
    for comment in comments.iter().filter(|comment| !there.contains(comment.uuid.as_str())) {
        let restriction = match (comment.privacy().is_public(), &session.errand.jira.visibility) {
            (true, _) => None,
            (false, Some(visibility)) => Some(Restriction::To(visibility)),
            (false, None) if facts.service => Some(Restriction::Internal),
            (false, None) => {
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

/// The comments of this errand that an earlier try has written: ours, since there was anything to write.
async fn there(session: &Session<'_>, facts: &Facts, issue: &str) -> Result<HashSet<String>, Setback> {
    let newest = [("orderBy", "-created"), ("maxResults", NEWEST)];
    let path = [facts.version, "issue", issue, "comment"];
    let page =
        session.ask(Method::GET, &path, &newest, None).await?.done("Jira does not show the comments")?;
    let mut there = HashSet::new();
    for comment in page["comments"].as_array().into_iter().flatten() {
        let author = &comment["author"];
        let ours = ["accountId", "key", "name"].iter().any(|name| author[*name] == facts.account.as_str());
        let recent = comment["created"]
            .as_str()
            .and_then(date::parse)
            .is_none_or(|created| created.millis() >= session.errand.since.millis() - SKEW);
        let (Some(id), true) = (comment["id"].as_str(), ours && recent) else { continue };
        let path = [facts.version, "comment", id, "properties", PROPERTY];
        let property = session.ask(Method::GET, &path, &[], None).await?;
        if let Value::String(uuid) = &property.body["value"]["uuid"] {
            there.insert(uuid.clone());
        }
    }
    Ok(there)
}
