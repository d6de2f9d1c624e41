//! What types alone cannot say: a configuration that passes here can be run.

use std::collections::HashSet;

use url::Url;

use super::{
    declared::declared,
    fault::{Check, is_web, wrong},
    sections::Config,
};
use crate::{
    broker::MOST_SHARDS,
    domain::{AgreementStatus, Direction},
    engine::rules::Rule,
    partner::Allowed,
    wire::desk_filter::Filter,
};

/// More threads than any machine has use for.
const MOST_THREADS: usize = 256;

/// Finds the first value that cannot be used: its key, and why.
pub(super) fn check(config: &Config) -> Check {
    if config.desk.name.trim().is_empty() {
        return wrong("desk.name", "is empty; partners see it on an invite");
    }
    match Url::parse(&config.desk.sharing_url) {
        Ok(url) if is_web(&url) && url.query().is_none() && url.fragment().is_none() => {}
        _ => {
            return wrong(
                "desk.sharing_url",
                "must be a URL such as https://desk.example/sharing, with nothing after its path",
            );
        }
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
            Ok(url) if is_web(&url) => {}
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
    if config.runtime.threads > MOST_THREADS {
        return wrong(
            "runtime.threads",
            format!("must be between 0 (half as many as there are cores) and {MOST_THREADS}"),
        );
    }
    if !config.admin.token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong(
            "admin.token",
            "travels in a header: only letters, digits and signs of ASCII fit there, and no blanks",
        );
    }
    config.log.check()?;
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
    fields(config)?;
    config.broker.check_names()?;
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
    let (mut uuids, mut names) = (HashSet::new(), HashSet::new());
    for (at, agreement) in config.agreements.iter().enumerate() {
        declared(at, agreement)?;
        let key = |name: &str| format!("agreements[{at}].{name}");
        if let Some(url) = agreement.url.as_ref().filter(|_| !agreement.status.is_final()) {
            allowed.check(url).map(drop).or_else(|why| wrong(key("url"), why))?;
        }
        if !uuids.insert(agreement.uuid.as_str().to_lowercase()) {
            return wrong(key("uuid"), "stands above already: each agreement has its own");
        }
        let is_meant =
            agreement.direction == Direction::Outbound && agreement.status == AgreementStatus::Accepted;
        let by_name = config.rules.iter().any(|rule| rule.share_with == agreement.name);
        if is_meant && by_name && !names.insert(&agreement.name) {
            return wrong(
                key("name"),
                "is that of one above already, and a rule shares by it: give the rule the uuid",
            );
        }
    }
    Ok(())
}

fn mail(config: &Config) -> Check {
    if config.desk.admin_email.is_empty() {
        let unused = config.mail.url.is_empty();
        let usable = if unused { Ok(()) } else { crate::mail::check_url(&config.mail.url) };
        return usable.or_else(|why| wrong("mail.url", why));
    }
    crate::mail::check_address(&config.desk.admin_email).or_else(|why| wrong("desk.admin_email", why))?;
    crate::mail::check_address(&config.mail.from).or_else(|why| wrong("mail.from", why))?;
    if config.mail.url.is_empty() {
        return wrong("mail.url", "is missing: desk.admin_email is set, so a mail server is needed");
    }
    crate::mail::check_url(&config.mail.url).or_else(|why| wrong("mail.url", why))
}

/// How the desk speaks and is spoken to, where that is not over its queues.
fn desk(config: &Config) -> Check {
    let desk = &config.desk;
    let link = desk.ticket_url.replacen("{id}", "1", 1);
    if !desk.ticket_url.is_empty()
        && (link == desk.ticket_url || !Url::parse(&link).is_ok_and(|url| is_web(&url)))
    {
        return wrong(
            "desk.ticket_url",
            "must be a URL in which {id} stands for the ticket's number, such as https://desk.example/tickets/{id}",
        );
    }
    if !desk.event_filter.is_empty() {
        Filter::new(&desk.event_filter).map(drop).or_else(|why| wrong("desk.event_filter", why))?;
    }
    if desk.command_url.is_empty() {
        return Ok(());
    }
    match Url::parse(&desk.command_url) {
        Ok(url) if is_web(&url) => {}
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

/// The catalogue: a value finds its field by the title, in any letter case.
fn fields(config: &Config) -> Check {
    for (at, field) in config.desk.fields.iter().enumerate() {
        let key = |name: &str| format!("desk.fields[{at}].{name}");
        if field.title.as_str().trim().is_empty() {
            return wrong(key("title"), "is empty");
        }
        if config.desk.fields.iter().take(at).any(|above| above.title == field.title) {
            let why =
                format!("\"{}\" stands above already, and a title counts in any letter case", field.title);
            return wrong(key("title"), why);
        }
        if field.options.is_empty() && field.kind.has_options() {
            return wrong(
                key("options"),
                format!("is missing: \"{}\" takes what is listed there, and nothing else", field.title),
            );
        }
    }
    Ok(())
}
