//! What a Jira tells by webhook: who it is, which ticket it is about, and the change that it becomes, written before it is
//! answered.
//!
//! A webhook may come before it is written which issue stands for a ticket that is just being shared. Then it waits in a row of
//! its own until that is known.

use std::{fmt, sync::atomic::Ordering};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{
    request::{Reply, away, is_uuid},
    token::same,
};
use crate::{
    domain::{
        Agreement, AgreementStatus, JiraSecrets, Kind, Namespace, Property, Share, TicketId, TicketUpdate,
        Timestamp, Uuid,
    },
    engine::Refusal,
    flow::{
        change::{Change, TicketAction},
        options::Options,
        pipeline::Pipeline,
    },
    ports::{MessageFilter, Scope, StoreError, TicketRef},
    telemetry::metric,
    wire::{
        jira,
        jira_hook::{self, Hook, Hooked},
    },
};

/// How rows of webhooks are called that wait for their issue.
const WAITING: &str = "jira ";
/// A webhook of a Jira.
#[derive(Clone, Default)]
pub struct Webhook {
    /// The agreement that its address names.
    pub agreement: String,
    /// The secret, where its address carries it.
    pub secret: Option<String>,
    /// `X-Hub-Signature`: `sha256=` and the HMAC of the body.
    pub signature: Option<String>,
    /// `X-Atlassian-Webhook-Identifier`: the same on every retry.
    pub id: Option<String>,
    /// The JSON.
    pub body: Vec<u8>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (agreement, id) = (&self.agreement, &self.id);
        f.debug_struct("Webhook").field("agreement", agreement).field("id", id).finish_non_exhaustive()
    }
}

/// Takes webhooks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hooks {
    options: Options,
    pipeline: Pipeline,
}

impl Hooks {
    /// Takes them for a pipeline.
    pub fn new(options: Options, pipeline: Pipeline) -> Self {
        Self { options, pipeline }
    }

    /// Takes a webhook, and answers it.
    pub async fn take(&self, webhook: &Webhook) -> Reply {
        let (agreement, result) = match self.authenticate(webhook).await {
            Ok(agreement) => (Some(agreement.uuid.clone()), self.read(&agreement, webhook).await),
            Err(refusal) => (None, Err(refusal)),
        };
        let done = |()| Reply { status: 200, body: "{}".to_owned() };
        let reply = result.map_or_else(Reply::from, done);
        metric::inbound(agreement.as_ref(), reply.status);
        tracing::debug!(agreement.uuid = webhook.agreement, status = reply.status, "webhook of a Jira");
        reply
    }

    /// Whether its body is read at all: of one that neither shows the secret nor could be signed with one it is not.
    ///
    /// # Errors
    /// The answer for whoever sent it.
    pub async fn admit(&self, webhook: &Webhook) -> Result<(), Reply> {
        let shown = Webhook { signature: None, body: Vec::new(), ..webhook.clone() };
        if webhook.signature.is_none() {
            return self.authenticate(&shown).await.map(drop).map_err(Reply::from);
        }
        if !is_uuid(&webhook.agreement) {
            return Err(stranger().into());
        }
        let keys = self.options.store.access_keys(&Uuid::new(webhook.agreement.as_str())).await;
        let keys = keys.map_err(away).map_err(Reply::from)?;
        let could_be = keys.is_some_and(|keys| JiraSecrets::unpacked(&keys.current).webhook.is_some());
        if could_be { Ok(()) } else { Err(stranger().into()) }
    }

    /// Who tells it: somebody who knows the agreement's webhook secret.
    async fn authenticate(&self, webhook: &Webhook) -> Result<Agreement, Refusal> {
        if !self.options.started.load(Ordering::Acquire) {
            return Err(Refusal::new(503, "this desk is starting; try again"));
        }
        if webhook.secret.is_none() && webhook.signature.is_none() {
            let reason = "the secret is missing: in the address as ?secret=…, or as the webhook's own, for X-Hub-Signature";
            return Err(Refusal::new(401, reason));
        }
        if !is_uuid(&webhook.agreement) {
            return Err(stranger());
        }
        let uuid = Uuid::new(webhook.agreement.as_str());
        let keys = self.options.store.access_keys(&uuid).await.map_err(away)?;
        let secret = keys.and_then(|keys| JiraSecrets::unpacked(&keys.current).webhook);
        // All is compared whatever is known, so that time tells nothing.
        let known = secret.as_ref().map_or("", |secret| secret.reveal());
        let by_secret = webhook.secret.as_deref().is_some_and(|given| same(given, known));
        let by_signature =
            webhook.signature.as_deref().is_some_and(|given| is_signed(given, known, &webhook.body));
        if secret.is_none() || !(by_secret || by_signature) {
            return Err(stranger());
        }
        let scope = Scope { agreements: vec![uuid.to_string()], ..Scope::default() };
        let mut snapshot = self.options.store.snapshot(&scope).await.map_err(away)?;
        let agreement = snapshot.agreements.remove(&uuid).filter(|agreement| agreement.kind == Kind::Jira);
        let agreement = agreement.ok_or_else(stranger)?;
        if agreement.status != AgreementStatus::Accepted {
            let reason = format!("agreement {uuid} is {}", agreement.status.as_str());
            return Err(Refusal::new(403, reason));
        }
        Ok(agreement)
    }

    async fn read(&self, agreement: &Agreement, webhook: &Webhook) -> Result<(), Refusal> {
        let hook = jira_hook::read(&webhook.body).map_err(|error| Refusal::new(422, error.reason))?;
        let Some(hook) = hook else { return Ok(()) };
        let key = webhook.id.as_ref().map(|id| format!("jira {} {id}", agreement.uuid));
        let ticket = self.options.store.counterpart(&agreement.uuid, &hook.issue).await.map_err(away)?;
        if let Some(ticket) = ticket {
            // What came before it and waited comes before it.
            self.release(agreement, &hook.issue).await?;
            return self.apply(agreement, &ticket, &hook, key).await;
        }
        if !self.shares_something(agreement).await? {
            // Not about a shared ticket; or it has become one just now.
            let ticket = self.options.store.counterpart(&agreement.uuid, &hook.issue).await.map_err(away)?;
            let Some(ticket) = ticket else { return Ok(()) };
            self.release(agreement, &hook.issue).await?;
            return self.apply(agreement, &ticket, &hook, key).await;
        }
        let body = String::from_utf8_lossy(&webhook.body);
        let row = format!("{}\n{body}", key.unwrap_or_default());
        self.pipeline.submit_one(Change::Hold(waiting(&agreement.uuid, &hook.issue), row)).await?;
        // It may have been written just before the row was.
        if self.options.store.counterpart(&agreement.uuid, &hook.issue).await.map_err(away)?.is_some() {
            self.release(agreement, &hook.issue).await?;
        }
        Ok(())
    }

    /// Whether a ticket is on its way to becoming an issue.
    async fn shares_something(&self, agreement: &Agreement) -> Result<bool, Refusal> {
        let creates = MessageFilter::Creates(agreement.uuid.clone());
        Ok(!self.options.store.messages(creates, 1).await.map_err(away)?.is_empty())
    }

    async fn apply(
        &self,
        agreement: &Agreement,
        ticket: &Uuid,
        hook: &Hook,
        key: Option<String>,
    ) -> Result<(), Refusal> {
        let names = Namespace::of(agreement.url.as_deref().unwrap_or_default());
        let named = hook.comments().into_iter().map(|id| names.comment(&id));
        let comments = named.map(|uuid| (TicketRef::Network(ticket.clone()), uuid, None)).collect();
        let scope = Scope { tickets: vec![ticket.clone()], comments, ..Scope::default() };
        let snapshot = self.options.store.snapshot(&scope).await.map_err(away)?;
        // As it is now that the ticket is known: who we are there may have been learnt with it.
        let agreement = snapshot.agreements.get(&agreement.uuid).unwrap_or(agreement);
        let configured = self.options.live.catalogue();
        let catalogue = snapshot.catalogue.as_ref().unwrap_or(&configured);
        let case = snapshot.cases.get(ticket);
        let local = &agreement.local;
        let action = hook.about(
            ticket,
            agreement,
            |title| {
                // By the partner's name for it, where it has one of its own.
                let ours = local.fields.iter().find(|rule| rule.partner_title.as_ref() == Some(title));
                catalogue.find(ours.map_or(title, |rule| &rule.title)).is_some()
                    || local.priority_field.as_ref() == Some(title)
            },
            |uuid| case.is_some_and(|case| case.comments.known.contains_key(uuid)),
        );
        let action = match action {
            Hooked::Nothing => return Ok(()),
            Hooked::Deleted => TicketAction::Unshare,
            Hooked::Changed(mut update) => {
                self.options.limits.admit(&update)?;
                if let Some(share) = case.and_then(|case| case.share(&agreement.uuid)) {
                    as_told(&mut update, agreement, share);
                }
                TicketAction::Update(update)
            }
        };
        let (agreement, ticket) = (agreement.uuid.clone(), ticket.clone());
        let change = Change::Ticket { agreement, ticket, action, trace: None };
        let change = match key {
            Some(key) => Change::Once(key, Box::new(change)),
            None => change,
        };
        match self.pipeline.submit_one(change).await {
            // Unshared meanwhile: nothing that is told of it matters any more.
            Err(refusal) if matches!(refusal.status, 404 | 410) => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Takes up what waited until it was known which issue stands for a ticket.
    ///
    /// # Errors
    /// 503: the rest is taken up later.
    pub(in crate::flow) async fn release(&self, agreement: &Agreement, issue: &str) -> Result<(), Refusal> {
        let row = waiting(&agreement.uuid, issue);
        let rows = self.options.store.waiting(&row).await.map_err(away)?;
        let ticket = self.options.store.counterpart(&agreement.uuid, issue).await.map_err(away)?;
        let Some(ticket) = ticket else { return Ok(()) };
        for held in rows {
            let (key, body) = held.split_once('\n').unwrap_or(("", &held));
            let key = Some(key.to_owned()).filter(|key| !key.is_empty());
            if let Ok(Some(hook)) = jira_hook::read(body.as_bytes())
                && let Err(refusal) = self.apply(agreement, &ticket, &hook, key).await
            {
                if refusal.status == 503 {
                    return Err(refusal);
                }
                tracing::warn!(
                    agreement.uuid = %agreement.uuid, ticket.uuid = %ticket, reason = refusal.reason,
                    "a webhook that waited could not be applied"
                );
            }
            self.pipeline.submit_one(Change::Release(row.clone(), held)).await?;
        }
        Ok(())
    }

    /// Takes up rows that wait although their issue is known by now: the daemon ended before it came to them. Goes on after a
    /// name, some at a time, and returns the last; none when it has seen all.
    ///
    /// # Errors
    /// The store is away.
    pub(in crate::flow) async fn catch_up(
        &self,
        before: Timestamp,
        after: &str,
        limit: i64,
    ) -> Result<Option<String>, StoreError> {
        let names = self.options.store.held(WAITING, before, after, limit).await?;
        for name in &names {
            self.release_named(name).await?;
        }
        Ok(names.last().map(|name| name.as_str().to_owned()))
    }

    /// Releases a row by its name, where its issue stands for a ticket; returns whether it does.
    async fn release_named(&self, row: &TicketId) -> Result<bool, StoreError> {
        let named = row.as_str().strip_prefix(WAITING).and_then(|rest| rest.split_once(' '));
        let Some((agreement, issue)) = named else { return Ok(false) };
        let uuid = Uuid::new(agreement);
        if self.options.store.counterpart(&uuid, issue).await?.is_none() {
            return Ok(false);
        }
        let scope = Scope { agreements: vec![agreement.to_owned()], ..Scope::default() };
        let mut snapshot = self.options.store.snapshot(&scope).await?;
        let Some(agreement) = snapshot.agreements.remove(&uuid) else { return Ok(false) };
        // What cannot be written now is taken up the next time.
        let _later = self.release(&agreement, issue).await;
        Ok(true)
    }

    /// Lets a row go that has waited in vain, of an issue that never stood for a ticket; returns whether it is one of these.
    ///
    /// # Errors
    /// The store is away.
    pub(in crate::flow) async fn give_up(&self, row: &TicketId, held: &str) -> Result<bool, StoreError> {
        let is_ours = row.as_str().starts_with(WAITING);
        if is_ours && !self.release_named(row).await? {
            let gone = Change::Release(row.clone(), held.to_owned());
            let _again_otherwise = self.pipeline.submit_one(gone).await;
        }
        Ok(is_ours)
    }
}

/// Leaves out what stands there as this side told it, in Jira's own form.
fn as_told(update: &mut TicketUpdate, agreement: &Agreement, share: &Share) {
    for (property, exchange) in &share.agreed.properties {
        let name = match property {
            Property::Field(title) => {
                let rule = agreement.local.field(title).and_then(|rule| rule.partner_title.clone());
                Property::Field(rule.unwrap_or_else(|| title.clone()))
            }
            other => other.clone(),
        };
        let shown = update.properties.get(&name);
        if shown.is_some_and(|shown| jira::is_as_told(&name, &exchange.wire.json(), &shown.json())) {
            update.properties.remove(&name);
        }
    }
}

fn stranger() -> Refusal {
    Refusal::new(403, "the secret is not that of an agreement with a Jira here")
}

/// The name of rows that wait for an issue.
fn waiting(agreement: &Uuid, issue: &str) -> TicketId {
    TicketId::new(format!("{WAITING}{agreement} {issue}"))
}

/// Whether a signature is that of a body.
fn is_signed(signature: &str, secret: &str, body: &[u8]) -> bool {
    let given = signature.strip_prefix("sha256=").and_then(|hex| hex::decode(hex).ok());
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(body);
    given.is_some_and(|given| mac.verify_slice(&given).is_ok())
}
