//! The issue that stands for a ticket: how it is found again, and what is kept with it so that it can be.

use reqwest::Method;
use serde_json::{Value, json};

use super::{facts::Facts, session::Session};
use crate::{
    domain::JiraIssue,
    ports::Setback,
    wire::jira::{self, PROPERTY},
};

/// An issue that is there already, and what its property says.
pub(super) struct Found {
    pub(super) issue: JiraIssue,
    /// The comment that its description carries.
    pub(super) described: Option<String>,
}

/// The issue of a key; `None` where it is gone.
pub(super) async fn shown(session: &Session<'_>, facts: &Facts, key: &str) -> Result<Option<Found>, Setback> {
    let path = [facts.version, "issue", key];
    let answered = session.ask(Method::GET, &path, &[("fields", "status")], None).await?;
    if answered.status == 404 {
        return Ok(None);
    }
    let issue = jira::issue(&answered.done("Jira does not show the issue")?, &session.errand.base);
    let Some(issue) = issue else { return Ok(None) };
    let property = property(session, facts, key).await?;
    Ok(Some(Found { issue, described: described(&property) }))
}

/// What we have kept with an issue; null where that is nothing.
async fn property(session: &Session<'_>, facts: &Facts, key: &str) -> Result<Value, Setback> {
    let path = [facts.version, "issue", key, "properties", PROPERTY];
    let answered = session.ask(Method::GET, &path, &[], None).await?;
    if answered.status == 404 {
        return Ok(Value::Null);
    }
    // Anything else is no word that there is none.
    let kept = answered.done("Jira does not show what an issue stands for")?;
    Ok(kept["value"].clone())
}

fn described(property: &Value) -> Option<String> {
    property["described"].as_str().map(str::to_owned)
}

/// The issue that stands for the ticket: as it is known, or found.
pub(super) async fn known(session: &Session<'_>, facts: &Facts) -> Result<String, Setback> {
    if let Some(issue) = &session.errand.issue {
        return Ok(issue.clone());
    }
    let found = made(session, facts).await?;
    let gone = || Setback::Refused(format!("no issue in Jira stands for ticket {}", session.errand.ticket));
    found.map(|found| found.issue.key).ok_or_else(gone)
}

/// Finds the issue that an earlier try has made: by its link; or, where that try ended before the link, among those that we have
/// made since, by the property that it was made with.
pub(super) async fn made(session: &Session<'_>, facts: &Facts) -> Result<Option<Found>, Setback> {
    let errand = session.errand;
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let (ticket, project) = (quoted(errand.ticket.as_str()), quoted(&errand.jira.project));
    let age = errand.now.since(errand.since).as_secs();
    let minutes = age / 60 + 10;
    let jql = format!(
        "issue in issuesWithRemoteLinksByGlobalId(\"{ticket}\") OR (project = \"{project}\" AND creator = currentUser() \
         AND created >= \"-{minutes}m\") ORDER BY created DESC"
    );
    let mut body = json!({"jql": jql, "fields": ["summary"], "maxResults": 100});
    if facts.cloud {
        body["properties"] = json!([PROPERTY]);
    }
    // Newer Clouds have it elsewhere, and count pages otherwise.
    let mut elsewhere = false;
    let mut seen: usize = 0;
    loop {
        let path: &[&str] =
            if elsewhere { &[facts.version, "search", "jql"] } else { &[facts.version, "search"] };
        let answered = session.ask(Method::POST, path, &[], Some(&body)).await?;
        if !elsewhere && matches!(answered.status, 404 | 410) {
            elsewhere = true;
            continue;
        }
        let page = answered.done("Jira does not search")?;
        let issues = page["issues"].as_array().map(Vec::as_slice).unwrap_or_default();
        for issue in issues {
            let Some(candidate) = jira::issue(issue, &errand.base) else { continue };
            if session.marks.is_anothers(&errand.base, &candidate.id, errand.ticket.as_str()) {
                continue;
            }
            let mut kept = issue["properties"][PROPERTY].clone();
            if kept.is_null() {
                kept = property(session, facts, &candidate.key).await?;
            }
            if let Some(ticket) = kept["uuid"].as_str() {
                session.marks.keep(&errand.base, &candidate.id, ticket);
            }
            if kept["uuid"] == errand.ticket.as_str() && kept["agreement"] == errand.agreement.as_str() {
                return Ok(Some(Found { issue: candidate, described: described(&kept) }));
            }
        }
        seen += issues.len();
        let total = page["total"].as_u64().and_then(|total| usize::try_from(total).ok()).unwrap_or_default();
        match &page["nextPageToken"] {
            Value::String(token) if elsewhere => body["nextPageToken"] = Value::from(token.as_str()),
            _ if !elsewhere && !issues.is_empty() && seen < total => body["startAt"] = Value::from(seen),
            _ => return Ok(None),
        }
    }
}

/// What is kept with an issue: the ticket that it stands for, and the comment that its description carries.
pub(super) fn kept(session: &Session<'_>, described: Option<&str>) -> Value {
    let errand = session.errand;
    let mut kept = json!({"uuid": errand.ticket, "agreement": errand.agreement});
    if let Some(described) = described {
        kept["described"] = Value::from(described);
    }
    kept
}

/// Says which ticket the issue stands for: of one that was found it may say so no more.
pub(super) async fn mark(
    session: &Session<'_>,
    facts: &Facts,
    issue: &str,
    described: Option<&str>,
) -> Result<(), Setback> {
    let body = kept(session, described);
    let path = [facts.version, "issue", issue, "properties", PROPERTY];
    let answered = session.ask(Method::PUT, &path, &[], Some(&body)).await?;
    answered.done("Jira does not keep the issue's property").map(drop)
}
