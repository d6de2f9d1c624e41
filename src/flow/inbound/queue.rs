//! What bridges send on the inbound queue: the same requests, the same checks, the same answers as over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    request::{Collection, Reply, Request},
    sharing::Inbound,
};
use crate::{
    domain::{AccessKey, MessageType, Uuid},
    flow::{
        change::Change,
        consumer::{self, Consumer},
        options::Options,
        pipeline::Pipeline,
    },
    ports::{BrokerError, Deliveries, Destination, Incoming, Method, Outgoing, Source},
};

/// How long a message waits that this desk cannot take now, before it is tried again.
const PAUSE: Duration = Duration::from_secs(2);

/// The inbound queue.
#[derive(Debug)]
pub struct InboundQueue {
    options: Options,
    pipeline: Pipeline,
    inbound: Inbound,
}

impl InboundQueue {
    /// The queue's consumer for a pipeline.
    pub fn new(options: Options, pipeline: Pipeline, inbound: Inbound) -> Self {
        Self { options, pipeline, inbound }
    }

    /// Takes messages until it is stopped.
    pub async fn run(self, stop: CancellationToken) {
        consumer::run(&self.options, Source::Inbound, &self, &stop).await;
    }

    /// The answer, and the agreement under which it was asked, where it is one that is known.
    async fn process(&self, incoming: &Incoming) -> (Option<Uuid>, Reply) {
        let (method, collection) = match incoming.kind.as_deref() {
            Some("agreement.invite") => (Method::Post, Collection::Agreements),
            Some("agreement.update") => (Method::Put, Collection::Agreements),
            Some("ticket.create") => (Method::Post, Collection::Tickets),
            Some("ticket.update") => (Method::Put, Collection::Tickets),
            Some("ticket.unshare") => (Method::Delete, Collection::Tickets),
            other => {
                let other = other.unwrap_or("none");
                let reason = format!(
                    "the property `type` is {other}; it must be one of agreement.invite, agreement.update, ticket.create, ticket.update, ticket.unshare"
                );
                return (None, crate::engine::Refusal::new(422, reason).into());
            }
        };
        // A shovel that adds the token takes every other header away; the body names the object too.
        let named = || serde_json::from_slice::<Named>(&incoming.body).ok().map(|named| named.uuid);
        let uuid = incoming.subject.clone().or_else(named).unwrap_or_default();
        let (token, body) = (incoming.token.clone(), incoming.body.clone());
        let (id, trace) = (incoming.id.clone(), incoming.trace.clone());
        let request = Request { method, collection, uuid, token, body, id, over_http: false, trace };
        self.inbound.answered(request).await
    }

    /// Answers where an answer is wanted, and keeps what was refused as a dead letter.
    async fn settle(
        &self,
        incoming: &Incoming,
        agreement: Option<Uuid>,
        reply: Reply,
    ) -> Result<(), BrokerError> {
        if reply.status >= 400 {
            let body = without_keys(&incoming.body, incoming.token.as_deref());
            let kind = MessageType::DeadInbound;
            let reason = hidden(format!("{}: {}", reply.status, reply.body), incoming.token.as_deref());
            // It is written before the message is acknowledged; a store that is away is waited for inside.
            let written = self.pipeline.submit_one(Change::Dead { agreement, kind, body, reason }).await;
            written.map_err(|refusal| BrokerError::Away(refusal.reason))?;
        }
        if let Some((queue, correlation)) = &incoming.reply_to {
            let answer = Outgoing {
                destination: Destination::Reply(queue.clone(), correlation.clone(), reply.status),
                id: incoming.id.clone().unwrap_or_default(),
                kind: "reply",
                subject: incoming.subject.clone().unwrap_or_default(),
                body: reply.body,
                trace: incoming.trace.clone(),
            };
            self.options.broker.publish(vec![answer]).await;
        }
        Ok(())
    }
}

/// The object that a body is about.
#[derive(serde::Deserialize)]
struct Named {
    uuid: String,
}

/// The member in which an agreement's key travels.
const KEY: &str = "access_key";

/// A refused body as it may be kept: no key of an agreement is in it, neither the one that was shown nor one that is told. Of what cannot
/// be searched for keys only the length is kept.
fn without_keys(body: &[u8], token: Option<&str>) -> String {
    let text = match (str::from_utf8(body), serde_json::from_slice::<Value>(body)) {
        (Ok(_), Ok(mut told @ (Value::Object(_) | Value::Array(_)))) => {
            take_keys(&mut told);
            told.to_string()
        }
        // A text within it, or one that is written by numbers, may be anything.
        (Ok(text), Err(_)) if !text.contains("\\u") && !text.contains('\0') => cut(text),
        _ => format!("{} bytes that are no JSON object", body.len()),
    };
    hidden(text, token)
}

/// A text without the key of a token.
fn hidden(text: String, token: Option<&str>) -> String {
    match token.and_then(|token| token.trim().split_once(':')) {
        Some((_, key)) => AccessKey::new(key).hidden_in(text),
        None => text,
    }
}

/// What stands before a word behind which a key may stand.
fn cut(text: &str) -> String {
    match text.to_ascii_lowercase().find(KEY) {
        Some(at) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn take_keys(told: &mut Value) {
    match told {
        Value::Object(members) => {
            members.retain(|name, _| !name.to_ascii_lowercase().contains(KEY));
            members.values_mut().for_each(take_keys);
        }
        Value::Array(members) => members.iter_mut().for_each(take_keys),
        Value::String(text) => *text = cut(text),
        _ => {}
    }
}

#[async_trait]
impl Consumer for InboundQueue {
    async fn take(
        &self,
        deliveries: &mut dyn Deliveries,
        stop: &CancellationToken,
    ) -> Result<(), BrokerError> {
        loop {
            let batch = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                batch = deliveries.next(self.options.batch, Duration::ZERO) => batch?,
            };
            for incoming in batch {
                let tag = incoming.tag;
                let mut minute = (0..30).map(|_| PAUSE);
                loop {
                    let (agreement, reply) = self.process(&incoming).await;
                    // It waits in the queue: as long as the database is away; a minute, where more came than one takes.
                    let waits = reply.status == 503 || (reply.status == 429 && minute.next().is_some());
                    if !waits {
                        self.settle(&incoming, agreement, reply).await?;
                        break;
                    }
                    if stop.is_cancelled() {
                        return Ok(()); // What is not acknowledged comes again.
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                deliveries.ack(tag).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_stays_in_what_is_kept_however_it_is_written() {
        let token = Some("agreement:hidden");
        for body in [
            r#"{"access_key":"secret","note":"HIDDEN"}"#,
            r#"[{"a":{"ACCESS_KEY":"secret"}}]"#,
            r#"{"note":"{\"access_key\":\"secret\"}"}"#,
            r#""{\"access_key\":\"secret\"}""#,
            r#"{"access_key":"secret"#,
            r#"{"access\u005fkey":"secret"#,
            "{\"access_key\":\"secret\" hidden",
        ] {
            let kept = without_keys(body.as_bytes(), token).to_lowercase();
            assert!(!kept.contains("secret") && !kept.contains("hidden"), "{body}: {kept}");
        }
        let wide: Vec<u8> = "{\"access_key\":\"secret\"".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(without_keys(&wide, token).ends_with("bytes that are no JSON object"));
        assert_eq!(without_keys(br#"{"subject":"Lens"}"#, token), r#"{"subject":"Lens"}"#);
    }
}
