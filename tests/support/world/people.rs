//! Those who bring the daemon something, and do what it asks: the desk, the partners, and the configuration.

use std::sync::Arc;

use crossdesk::{
    domain::{AccessKey, Agreement, AgreementStatus, Direction, Terms},
    flow::{Change, Collection, Inbound, Intake, Options, Pipeline, Request},
    ports::{Incoming, MessageFilter, Method},
};
use serde_json::Value;

use super::{PATIENCE, Running, World, faults::Fault, ours, partner, store::at_once, theirs};

impl World {
    /// What the desk has to say goes to the daemon, at least once.
    pub(super) async fn desk_talks(self: Arc<Self>) {
        loop {
            self.faults.wait(5).await;
            let Some(event) = self.desk.lock().unwrap().front() else { continue };
            let body = event.to_string().into_bytes();
            let fault = self.faults.fault(30);
            if fault == Fault::Before {
                continue;
            }
            let taken = if self.durable {
                self.queues.push("events", Incoming { body, ..Incoming::default() });
                true
            } else {
                self.over_http(&body).await
            };
            if taken && fault == Fault::None {
                self.desk.lock().unwrap().taken();
            }
        }
    }

    /// An event over the API; whether the daemon has taken it.
    async fn over_http(&self, body: &[u8]) -> bool {
        let Some(Running { options, pipeline, .. }) = self.daemon() else { return false };
        let changes = Intake::new(options, pipeline.clone()).read(body).await;
        let Ok(answers) = tokio::time::timeout(PATIENCE, pipeline.submit(changes)).await else {
            return false;
        };
        let answer = answers.into_iter().collect::<Result<Vec<_>, _>>();
        if let Err(refusal) = &answer {
            self.faults.note(format!("the desk is refused: {refusal:?}"));
        }
        if let Err(refusal) = &answer
            && refusal.status < 500
        {
            self.refused.lock().unwrap().push(format!("the desk: {refusal:?}"));
        }
        answer.is_ok()
    }

    fn daemon(&self) -> Option<Running> {
        self.running.lock().unwrap().clone()
    }

    /// The desk does its commands, at least once each, in order.
    pub(super) async fn desk_works(self: Arc<Self>) {
        loop {
            self.faults.wait(100).await;
            let mut commands = Vec::new();
            if self.durable {
                commands.extend(self.queues.pop("commands").map(|command| command.body));
            } else if self.desk.lock().unwrap().waiting() == 0
                && let Ok(waiting) = at_once(self.store.messages(MessageFilter::Commands(0), 100))
            {
                commands.extend(waiting.into_iter().map(|message| message.body.into_bytes()));
            }
            for command in commands {
                let command: Value = serde_json::from_slice(&command).unwrap();
                self.faults.note(format!("the desk does {} {}", command["type"], command["id"]));
                for _ in 0..=usize::from(self.faults.fault(20) == Fault::After) {
                    self.desk.lock().unwrap().obey(&command);
                }
            }
        }
    }

    /// A partner says what it has to say, one after the other, each until it has heard a yes.
    pub(super) async fn partner_talks(self: Arc<Self>, n: usize) {
        loop {
            self.faults.wait(20).await;
            let Some((method, uuid, body)) = self.partners[n].lock().unwrap().front() else { continue };
            let agreement = if self.partners[n].lock().unwrap().owns(&uuid) { theirs(n) } else { ours(n) };
            let Some(Running { options, pipeline, .. }) = self.daemon() else { continue };
            let request = Request {
                trace: None,
                method: if method == "POST" { Method::Post } else { Method::Put },
                collection: Collection::Tickets,
                uuid: uuid.clone(),
                token: Some(format!("{agreement}:{agreement}")),
                body: body.to_string().into_bytes(),
                id: None,
                over_http: true,
            };
            // Whoever waits for a dead daemon gives up.
            let reply = tokio::time::timeout(PATIENCE, Inbound::new(options, pipeline).handle(request)).await;
            let Ok(reply) = reply else { continue };
            self.faults.note(format!("partner {n} gets {} for {method} {uuid}", reply.status));
            if reply.status >= 300 && reply.status < 500 {
                self.refused.lock().unwrap().push(format!("partner {n}: {method} {uuid}: {reply:?}"));
            }
            if reply.status < 300 && self.faults.fault(10) == Fault::None {
                self.partners[n].lock().unwrap().taken();
            }
        }
    }
}

/// The agreements: with each partner one under which the desk shares, and one under which the partner does.
pub(super) async fn declare(options: &Options, pipeline: &Pipeline) {
    let now = options.clock.now();
    let mut changes = Vec::new();
    for n in 0..3 {
        for (uuid, direction) in [(ours(n), Direction::Outbound), (theirs(n), Direction::Inbound)] {
            let agreement = Agreement {
                name: uuid.to_string(),
                url: Some(partner::url(n)),
                direction,
                status: AgreementStatus::Accepted,
                terms: Terms { sync_tags: true, sync_custom_fields: true, ..Terms::default() },
                declared: true,
                uuid: uuid.clone(),
                ..Agreement::pending(now)
            };
            changes.push(Change::Declare(Box::new((agreement, AccessKey::new(uuid.to_string())))));
        }
    }
    for answer in pipeline.submit(changes).await {
        // A daemon that dies meanwhile does not answer.
        answer.map_err(|refusal| assert_eq!(refusal.status, 503, "{refusal:?}")).ok();
    }
}
