//! What a daemon is made of, as the configuration says.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, anyhow};

use crate::{
    broker,
    clock::SystemClock,
    config::Config,
    domain::{AccessKey, Namespace},
    engine::Desk,
    flow::{Invites, Limits, Live, Mapping, Options, Post, Postbox, Reconciling, SharingRule},
    mail::SmtpMailer,
    partner::{Allowed, HttpPartner, JiraTracker, SignedHook},
    ports::DeskHook,
    retry::Policy,
    store,
};

/// Changes that make a full batch. Larger ones gain SQLite nothing, and take memory.
const BATCH: usize = 250;
/// The same for a database that is a server: each batch is a way there and back.
const BATCH_OF_A_SERVER: usize = 500;
/// How long a busy pipeline waits for a batch to fill.
const LINGER: Duration = Duration::from_millis(2);

/// What decides what becomes of the desk's events.
pub(super) fn mapping(config: &Config) -> Mapping {
    let rule = |rule: &crate::config::Rule| SharingRule {
        name: rule.name.clone(),
        when: rule.when.clone(),
        share_with: rule.share_with.clone(),
    };
    Mapping {
        event_filter: config.desk.event_filter.clone(),
        fields: config.desk.fields.clone(),
        rules: config.rules.iter().map(rule).collect(),
    }
}

/// The ports and settings of the flow.
///
/// # Errors
/// A configuration that cannot be used.
pub fn options(config: &Config) -> Result<Options> {
    let key = Some(config.store.key.as_str()).filter(|key| !key.is_empty());
    let authorities = config.broker.authorities().map_err(|error| anyhow!("broker.ca_file: {error}"))?;
    let allowed = if config.delivery.allow_private_partners { Allowed::Private } else { Allowed::Public };
    let partner = HttpPartner::new(config.delivery.timeout(), allowed).map_err(|error| anyhow!(error))?;
    let mapping = mapping(config);
    let changeable = mapping.changeable().map_err(|error| anyhow!(error))?;
    let sharing_url = config.desk.sharing_url.trim_end_matches('/').to_owned();
    let store = store::open(&config.store.url, key, &config.daemon_name())
        .map_err(|error| anyhow!("store.url: {error}"))?;
    Ok(Options {
        batch: if store.is_shared() { BATCH_OF_A_SERVER } else { BATCH },
        store,
        broker: broker::open(&config.broker.url, authorities, config.broker.topology())
            .map_err(|error| anyhow!("broker.url: {error}"))?,
        partner: Arc::new(partner),
        tracker: Arc::new(
            JiraTracker::new(config.delivery.timeout(), allowed).map_err(|error| anyhow!(error))?,
        ),
        desk_hook: desk_hook(config)?,
        event_filter: mapping.filter().map_err(|error| anyhow!(error))?,
        clock: Arc::new(SystemClock),
        outages: Arc::default(),
        tally: Arc::default(),
        desk: Arc::new(Desk {
            name: config.desk.name.clone(),
            namespace: Namespace::of(&sharing_url),
            sharing_url,
            ticket_url: Some(config.desk.ticket_url.clone()).filter(|url| !url.is_empty()),
            command_timeout: config.desk.command_timeout(),
            takes_commands: !config.desk.command_url.is_empty(),
        }),
        live: Live::new(changeable.clone()),
        catalogue: changeable.catalogue,
        rules: changeable.rules,
        mapped: changeable.mapped,
        record: config.store.record(),
        decline_all_invites: config.desk.decline_all_invites,
        retry: Policy {
            initial: config.delivery.retry.initial(),
            max: config.delivery.retry.max(),
            jitter: Policy::JITTER,
        },
        reconnect: Policy::RECONNECT,
        give_up_after: config.delivery.retry.give_up_after(),
        side_by_side: config.delivery.side_by_side,
        started: Arc::default(),
        notify_after: config.delivery.notify_after(),
        limits: Limits {
            body: config.limits.body,
            comments: config.limits.comments,
            comment_length: config.limits.comment_length,
            tags: config.limits.tags,
            fields: config.limits.fields,
            requests_per_minute: config.limits.requests_per_minute,
        },
        shards: config.broker.events_shards,
        linger: LINGER,
        keep: config.store.keep(),
        reconciling: Reconciling { every: config.reconcile.every(), repair: config.reconcile.repair },
        post: Postbox::default(),
        invites: Invites {
            waiting: config.invites.max_waiting,
            per_minute: config.invites.per_minute,
            expire_after: config.invites.expire_after(),
        },
    })
}

/// Who brings the desk its commands, where it takes them over HTTP.
fn desk_hook(config: &Config) -> Result<Option<Arc<dyn DeskHook>>> {
    let desk = &config.desk;
    if desk.command_url.is_empty() {
        return Ok(None);
    }
    let secret = AccessKey::new(desk.command_secret.clone());
    let hook = SignedHook::new(&desk.command_url, &secret, config.delivery.timeout());
    Ok(Some(Arc::new(hook.map_err(|error| anyhow!("desk.command_secret: {error}"))?)))
}

/// The post, where an address is configured.
pub(super) fn post(config: &Config) -> Result<Option<(Postbox, Post)>> {
    if config.desk.admin_email.is_empty() {
        return Ok(None);
    }
    let mailer =
        SmtpMailer::new(&config.mail.url, &config.mail.from, &config.desk.admin_email, &config.desk.name);
    Ok(Some(Post::new(Arc::new(mailer.map_err(|error| anyhow!("mail: {error}"))?))))
}
