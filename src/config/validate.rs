//! What types alone cannot say: a configuration that passes here can be run.

use std::collections::HashSet;

use url::Url;

use super::sections::{Config, DeclaredAgreement};
use crate::{
    broker::MOST_SHARDS,
    domain::{Direction, Kind, Namespace},
    engine::{rules::Rule, status::STATUSES},
    partner::Allowed,
    wire::desk_filter::Filter,
};

type Check = Result<(), (String, String)>;

fn wrong(key: impl Into<String>, why: impl Into<String>) -> Check {
    Err((key.into(), why.into()))
}

/// Finds the first value that cannot be used: its key, and why.
pub(super) fn check(config: &Config) -> Check {
    if config.desk.name.trim().is_empty() {
        return wrong("desk.name", "is empty; partners see it on an invite");
    }
    match Url::parse(&config.desk.sharing_url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {}
        _ => return wrong("desk.sharing_url", "must be a URL such as https://desk.example/sharing"),
    }
    for (key, text) in [
        ("desk.command_timeout", &config.desk.command_timeout),
        ("store.keep", &config.store.keep),
        ("store.record", &config.store.record),
        ("reconcile.every", &config.reconcile.every),
        ("delivery.timeout", &config.delivery.timeout),
        ("delivery.retry.initial", &config.delivery.retry.initial),
        ("delivery.retry.max", &config.delivery.retry.max),
        ("delivery.retry.give_up_after", &config.delivery.retry.give_up_after),
        ("invites.expire_after", &config.invites.expire_after),
        ("delivery.notify_after", &config.delivery.notify_after),
        ("limits.header_timeout", &config.limits.header_timeout),
        ("limits.body_timeout", &config.limits.body_timeout),
    ] {
        match humantime::parse_duration(text) {
            // Never, where it is something that need not be done.
            Ok(duration) if !duration.is_zero() || ["reconcile.every", "store.record"].contains(&key) => {}
            _ => return wrong(key, format!("\"{text}\" is no duration; write it like 10s, 5m or 72h")),
        }
    }
    if !config.trace.otlp_url.is_empty() {
        match Url::parse(&config.trace.otlp_url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {}
            _ => return wrong("trace.otlp_url", "must be a URL such as http://127.0.0.1:4318/v1/traces"),
        }
    }
    if !(0.0..=1.0).contains(&config.trace.sample) {
        return wrong("trace.sample", "must be between 0 (none) and 1 (all)");
    }
    if config.delivery.retry.initial() > config.delivery.retry.max() {
        return wrong("delivery.retry.initial", "is longer than delivery.retry.max");
    }
    if config.store.keep() <= config.delivery.retry.give_up_after() {
        return wrong(
            "store.keep",
            "must be longer than delivery.retry.give_up_after: what is still tried must be kept",
        );
    }
    if !(1..=256).contains(&config.delivery.side_by_side) {
        return wrong("delivery.side_by_side", "must be between 1 and 256");
    }
    if config.http.listen == config.admin.listen && config.http.listen.port() != 0 {
        return wrong("admin.listen", "is the same as http.listen; the two listeners need a port each");
    }
    if config.invites.max_waiting < 1 || config.invites.per_minute < 1 {
        return wrong(
            "invites",
            "max_waiting and per_minute must be at least 1; desk.decline_all_invites refuses all",
        );
    }
    if !config.store.key.is_empty() {
        crate::store::check_key(&config.store.key).or_else(|why| wrong("store.key", why))?;
    }
    let limits = &config.limits;
    for (key, value, least) in [
        ("limits.body", limits.body, 1024),
        ("limits.headers", limits.headers, 8192),
        ("limits.comments", limits.comments, 1),
        ("limits.comment_length", limits.comment_length, 1),
        ("limits.tags", limits.tags, 1),
        ("limits.fields", limits.fields, 1),
        ("limits.requests_per_minute", limits.requests_per_minute as usize, 1),
        ("limits.connections", limits.connections, 1),
    ] {
        if value < least {
            return wrong(key, format!("must be at least {least}"));
        }
    }
    let shards = config.broker.events_shards;
    if !(1..=MOST_SHARDS).contains(&shards) {
        return wrong("broker.events_shards", format!("must be between 1 and {MOST_SHARDS}"));
    }
    if shards > 1 && config.broker.url == "embedded" {
        return wrong("broker.events_shards", "the embedded broker has one queue; give 1, or a RabbitMQ");
    }
    if config.http.certificate.is_empty() != config.http.private_key.is_empty() {
        return wrong(
            "http.private_key",
            "certificate and private_key go together: give both files, or neither",
        );
    }
    mail(config)?;
    desk(config)?;
    crate::store::open(&config.store.url, None, "").map(drop).or_else(|why| wrong("store.url", why))?;
    let authorities =
        config.broker.authorities().or_else(|why| wrong("broker.ca_file", why).map(|()| None))?;
    crate::broker::open(&config.broker.url, authorities, config.broker.topology())
        .map(drop)
        .or_else(|why| wrong("broker.url", why))?;
    for (at, rule) in config.rules.iter().enumerate() {
        Rule::new(&rule.name, &rule.when, &rule.share_with)
            .map(drop)
            .or_else(|why| wrong(format!("rules[{at}].when"), format!("rule \"{}\": {why}", rule.name)))?;
    }
    let allowed = if config.delivery.allow_private_partners { Allowed::Private } else { Allowed::Public };
    let mut uuids = HashSet::new();
    for (at, agreement) in config.agreements.iter().enumerate() {
        declared(at, agreement)?;
        let key = |name: &str| format!("agreements[{at}].{name}");
        if let Some(url) = agreement.url.as_ref().filter(|_| !agreement.status.is_final()) {
            allowed.check(url).map(drop).or_else(|why| wrong(key("url"), why))?;
        }
        if !uuids.insert(agreement.uuid.as_str().to_lowercase()) {
            return wrong(key("uuid"), "stands above already: each agreement has its own");
        }
    }
    Ok(())
}

fn mail(config: &Config) -> Check {
    if config.desk.admin_email.is_empty() {
        return Ok(());
    }
    crate::mail::check_address(&config.desk.admin_email).or_else(|why| wrong("desk.admin_email", why))?;
    crate::mail::check_address(&config.mail.from).or_else(|why| wrong("mail.from", why))?;
    if config.mail.url.is_empty() {
        return wrong("mail.url", "is missing: desk.admin_email is set, so a mail server is needed");
    }
    crate::mail::check_url(&config.mail.url).or_else(|why| wrong("mail.url", why))
}

fn declared(at: usize, agreement: &DeclaredAgreement) -> Check {
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

/// How the desk speaks and is spoken to, where that is not over its queues.
fn desk(config: &Config) -> Check {
    let desk = &config.desk;
    if !desk.event_filter.is_empty() {
        Filter::new(&desk.event_filter).map(drop).or_else(|why| wrong("desk.event_filter", why))?;
    }
    if desk.command_url.is_empty() {
        return Ok(());
    }
    match Url::parse(&desk.command_url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {}
        _ => return wrong("desk.command_url", "must be a URL such as https://desk.example/crossdesk"),
    }
    match &desk.command_secret {
        secret if secret.is_empty() => wrong(
            "desk.command_secret",
            "is missing: commands are signed with it; make one with: echo whsec_$(openssl rand -base64 32)",
        ),
        _ => Ok(()),
    }
}
