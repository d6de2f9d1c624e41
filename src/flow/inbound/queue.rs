//! What bridges send on the inbound queue: the same requests, the same checks, the same answers as over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{
    request::{Collection, Reply, Request},
    sharing::Inbound,
};
use crate::{
    domain::MessageType,
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

    async fn process(&self, incoming: &Incoming) -> Reply {
        let (method, collection) = match incoming.kind.as_deref() {
            Some("agreement.invite") => (Method::Post, Collection::Agreements),
            Some("agreement.update") => (Method::Put, Collection::Agreements),
            Some("ticket.create") => (Method::Post, Collection::Tickets),
            Some("ticket.update") => (Method::Put, Collection::Tickets),
            Some("ticket.unshare") => (Method::Delete, Collection::Tickets),
            other => {
                let other = other.unwrap_or("none");
                let reason =
                    format!("the property `type` is {other}; it must be one of the partner messages'");
                return crate::engine::Refusal::new(422, reason).into();
            }
        };
        // A shovel that adds the token takes every other header away; the body names the object too.
        let named = || serde_json::from_slice::<Named>(&incoming.body).ok().map(|named| named.uuid);
        let uuid = incoming.subject.clone().or_else(named).unwrap_or_default();
        let (token, body) = (incoming.token.clone(), incoming.body.clone());
        let (id, trace) = (incoming.id.clone(), incoming.trace.clone());
        let request = Request { method, collection, uuid, token, body, id, over_http: false, trace };
        self.inbound.handle(request).await
    }

    /// Answers where an answer is wanted, and keeps what was refused as a dead letter.
    async fn settle(&self, incoming: &Incoming, reply: Reply) -> Result<(), BrokerError> {
        if reply.status >= 400 {
            let body = without_key(&incoming.body);
            let kind = MessageType::DeadInbound;
            let reason = format!("{}: {}", reply.status, reply.body);
            // It is written before the message is acknowledged; a store that is away is waited for inside.
            let written = self.pipeline.submit_one(Change::Dead { kind, body, reason }).await;
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

/// A refused body as it may be kept: an invite's key is taken out.
fn without_key(body: &[u8]) -> String {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(serde_json::Value::Object(mut object)) => {
            object.remove("access_key");
            serde_json::Value::Object(object).to_string()
        }
        // What is no JSON object may hold anything, a key too.
        _ => format!("{} bytes that are no JSON object", body.len()),
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
                    let reply = self.process(&incoming).await;
                    // It waits in the queue: as long as the database is away; a minute, where more came than one takes.
                    let waits = reply.status == 503 || (reply.status == 429 && minute.next().is_some());
                    if !waits {
                        self.settle(&incoming, reply).await?;
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
