//! What a declared agreement must have.

use url::Url;

use super::{
    fault::{Check, wrong},
    sections::DeclaredAgreement,
};
use crate::{
    domain::{Direction, Kind, Namespace},
    engine::status::STATUSES,
};

/// What an agreement of the configuration must have, each kind its own.
pub(super) fn declared(at: usize, agreement: &DeclaredAgreement) -> Check {
    let key = |name: &str| format!("agreements[{at}].{name}");
    let hex40 = |text: &str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !hex40(agreement.uuid.as_str()) {
        let example = Namespace::of("desk.example/sharing").agreement("1");
        return wrong(key("uuid"), format!("must be 40 hex digits, such as {example}"));
    }
    if agreement.kind == Kind::Jira {
        return jira(at, agreement);
    }
    if agreement.jira.is_some() {
        return wrong(key("jira"), "is for kind jira alone");
    }
    if !hex40(&agreement.access_key) {
        return wrong(key("access_key"), "must be 40 hex digits; make one with: openssl rand -hex 20");
    }
    match (agreement.kind, &agreement.url) {
        (Kind::Queue, Some(_)) => {
            wrong(key("url"), "a partner of kind queue has none: its bridge takes the queue")
        }
        (Kind::Queue, None) => Ok(()),
        (_, Some(url)) if Url::parse(url).is_ok_and(|url| url.host().is_some()) => Ok(()),
        _ => wrong(key("url"), "must be the partner's sharing URL"),
    }
}

fn jira(at: usize, agreement: &DeclaredAgreement) -> Check {
    let key = |name: &str| format!("agreements[{at}].{name}");
    if agreement.direction != Direction::Outbound {
        return wrong(
            key("direction"),
            "must be outbound: tickets are shared with a Jira, which shares none itself",
        );
    }
    if !agreement.url.as_ref().is_some_and(|url| Url::parse(url).is_ok_and(|url| url.host().is_some())) {
        return wrong(key("url"), "must be the Jira's address, such as https://acme.atlassian.net");
    }
    let Some(jira) = &agreement.jira else {
        return wrong(key("jira"), "is missing: its project and its token, in a section [agreements.jira]");
    };
    for (name, text) in
        [("jira.project", &jira.project), ("jira.token", &jira.token), ("jira.issue_type", &jira.issue_type)]
    {
        if text.trim().is_empty() {
            return wrong(key(name), "is empty");
        }
    }
    match jira.status.keys().find(|status| !STATUSES.contains(&status.as_str())) {
        Some(status) => {
            wrong(key("jira.status"), format!("\"{status}\" is none of this desk's: {}", STATUSES.join(" ")))
        }
        None => Ok(()),
    }
}
