//! The worker of one partner queue: takes messages, calls the partner, and notes what came of it before it acknowledges.
//!
//! What it has in hand and could not deliver is noted in the rows (with the time of the next try) and acknowledged, so
//! nothing stays unacknowledged in the broker while a partner is down, and the rest waits there, in order. Tickets go side
//! by side, the messages of one ticket one after the other.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio_util::sync::CancellationToken;

use super::{
    attempt::{Verdict, verdict},
    change::{AgreementAction, Attempted, Change},
    options::Options,
    pipeline::Pipeline,
};
use crate::{
    domain::{AccessKey, Agreement, Message, MessageId, MessageType, Profile, Timestamp, Uuid},
    ports::{Call, Deliveries, MessageFilter, Method, Scope, Source},
    retry::Policy,
    telemetry::{Outage, metric},
    wire::nhd,
};

/// How many messages are taken at once.
const TAKE: usize = 64;

/// The worker of one partner.
#[derive(Debug)]
pub struct Worker {
    options: Options,
    pipeline: Pipeline,
    agreement: Uuid,
    /// What was taken and is not done, by ticket, in order.
    hand: BTreeMap<Uuid, VecDeque<Message>>,
    deliveries: Option<Box<dyn Deliveries>>,
    /// The partner fails: nothing is tried before this.
    leave_alone_until: Option<Timestamp>,
    outage: Outage,
}

/// What one attempt needs to know.
#[derive(Clone)]
struct Who {
    agreement: Agreement,
    key: Option<AccessKey>,
}

impl Worker {
    /// The worker of an agreement.
    pub fn new(options: Options, pipeline: Pipeline, agreement: Uuid) -> Self {
        let outage = Outage::of("a partner queue");
        Self {
            options,
            pipeline,
            agreement,
            hand: BTreeMap::new(),
            deliveries: None,
            leave_alone_until: None,
            outage,
        }
    }

    /// Delivers until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut waits = Policy::RECONNECT.waits();
        while !stop.is_cancelled() {
            let step = tokio::select! {
                step = self.step(&stop) => step,
                () = stop.cancelled(), if self.is_idle() => return,
            };
            match step {
                Ok(()) => waits = Policy::RECONNECT.waits(),
                Err(error) => {
                    self.outage.failed(&error);
                    self.deliveries = None;
                    self.hand.clear();
                    tokio::select! {
                        () = tokio::time::sleep(waits.next_wait()) => {}
                        () = stop.cancelled() => return,
                    }
                }
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.hand.is_empty() || self.leave_alone_until.is_some()
    }

    /// One round: take what is there, or what was left for later; try it; note what came of it.
    ///
    /// # Errors
    /// The broker or the store is away.
    pub async fn step(&mut self, stop: &CancellationToken) -> Result<(), String> {
        let mut through = None;
        if self.hand.is_empty() && self.deliveries.is_none() {
            self.resume().await?;
        }
        self.wait_until_due().await;
        if self.hand.is_empty() {
            through = self.take().await?;
        } else {
            self.look_again().await?;
        }
        self.deliver(stop).await?;
        if stop.is_cancelled() && !self.hand.is_empty() {
            return Ok(()); // What is not acknowledged comes again.
        }
        self.set_aside().await;
        if let (Some(through), Some(deliveries)) = (through, self.deliveries.as_mut()) {
            deliveries.ack(through).await.map_err(|error| error.to_string())?;
        }
        if !self.hand.is_empty() {
            // The partner fails: its queue is not consumed until it answers again.
            self.deliveries = None;
        }
        self.outage.works();
        Ok(())
    }

    /// Takes up what an earlier round, or an earlier process, left for later.
    async fn resume(&mut self) -> Result<(), String> {
        let left = self.messages(MessageFilter::Retrying(self.agreement.clone())).await?;
        self.leave_alone_until = left.iter().filter_map(|message| message.due_at).max();
        self.put(left);
        Ok(())
    }

    async fn wait_until_due(&mut self) {
        if let Some(due) = self.leave_alone_until.take() {
            let wait = due.since(self.options.clock.now());
            if !wait.is_zero() {
                self.leave_alone_until = Some(due);
                tokio::time::sleep(wait).await;
                self.leave_alone_until = None;
            }
        }
    }

    async fn take(&mut self) -> Result<Option<u64>, String> {
        if self.deliveries.is_none() {
            let consume = self.options.broker.consume(Source::Partner(self.agreement.clone())).await;
            self.deliveries = Some(consume.map_err(|error| error.to_string())?);
        }
        let Some(deliveries) = self.deliveries.as_mut() else { return Ok(None) };
        let taken = deliveries.next(TAKE, Duration::ZERO).await.map_err(|error| error.to_string())?;
        let through = taken.last().map(|incoming| incoming.tag);
        let ids: Vec<MessageId> =
            taken.iter().filter_map(|incoming| MessageId::parse(incoming.id.as_deref()?)).collect();
        let messages = self.messages(MessageFilter::Ids(ids)).await?;
        self.put(messages);
        Ok(through)
    }

    /// The rows may have changed while the partner was left alone: withdrawn, or dropped by a person.
    async fn look_again(&mut self) -> Result<(), String> {
        let ids = self.hand.values().flatten().map(|message| message.id.clone()).collect();
        let messages = self.messages(MessageFilter::Ids(ids)).await?;
        self.hand.clear();
        self.put(messages);
        Ok(())
    }

    async fn messages(&self, filter: MessageFilter) -> Result<Vec<Message>, String> {
        self.options.store.messages(filter, 10_000).await.map_err(|error| error.to_string())
    }

    fn put(&mut self, messages: Vec<Message>) {
        for message in messages.into_iter().filter(|message| !message.state.is_final()) {
            let queue = self.hand.entry(message.id.owner.clone()).or_default();
            if queue.iter().all(|known| known.id != message.id) {
                queue.push_back(message);
            }
        }
    }

    async fn who(&self) -> Result<Option<Who>, String> {
        let scope = Scope { agreements: vec![self.agreement.to_string()], ..Scope::default() };
        let snapshot = self.options.store.snapshot(&scope).await.map_err(|error| error.to_string())?;
        let key = self.options.store.access_key(&self.agreement).await.map_err(|error| error.to_string())?;
        Ok(snapshot.agreements.get(&self.agreement).cloned().map(|agreement| Who { agreement, key }))
    }

    /// Tries everything in hand, a few tickets at a time, until all is done or the partner fails.
    async fn deliver(&mut self, stop: &CancellationToken) -> Result<(), String> {
        let Some(who) = self.who().await? else {
            self.hand.clear();
            return Ok(());
        };
        let mut flying = FuturesUnordered::new();
        let mut busy: HashSet<Uuid> = HashSet::new();
        loop {
            let healthy = self.leave_alone_until.is_none() && !stop.is_cancelled();
            while healthy && flying.len() < self.options.side_by_side {
                let free =
                    self.hand.iter_mut().find(|(owner, queue)| !busy.contains(*owner) && !queue.is_empty());
                let Some((owner, queue)) = free else { break };
                let Some(message) = queue.pop_front() else { break };
                busy.insert(owner.clone());
                flying.push(attempt(self.options.clone(), self.pipeline.clone(), who.clone(), message));
            }
            let Some((message, later)) = flying.next().await else { break };
            busy.remove(&message.id.owner);
            if let Some(due) = later {
                self.leave_alone_until = Some(self.leave_alone_until.map_or(due, |known| known.max(due)));
                self.hand.entry(message.id.owner.clone()).or_default().push_front(message);
            }
        }
        drop(flying);
        self.hand.retain(|_, queue| !queue.is_empty());
        Ok(())
    }

    /// Notes in the rows what was taken and not tried, so that it can be acknowledged.
    async fn set_aside(&mut self) {
        let Some(due_at) = self.leave_alone_until else { return };
        let untried = self.hand.values().flatten().filter(|message| message.due_at.is_none());
        let changes: Vec<Change> = untried
            .map(|message| {
                Change::Attempt(Box::new(message.clone()), Attempted::Later { due_at, error: None })
            })
            .collect();
        if !changes.is_empty() {
            self.pipeline.submit(changes).await;
        }
    }
}

/// Tries one message, in the other dialect too where the partner asks for it, and has what came of it written. Returns
/// when to try again, where it must be.
async fn attempt(
    options: Options,
    pipeline: Pipeline,
    mut who: Who,
    mut message: Message,
) -> (Message, Option<Timestamp>) {
    let begun = options.clock.now();
    let mut judged = call(&options, &who, &message).await;
    if let Verdict::Speak(profile) = judged {
        who.agreement.profile = profile;
        judged = call(&options, &who, &message).await;
        if judged == Verdict::Done {
            let speak = Change::Agreement(who.agreement.uuid.clone(), AgreementAction::Speak(profile));
            // Without the note it is found out again the next time.
            let _noted = pipeline.submit_one(speak).await;
        }
    }
    if let Verdict::Ask(why) = judged {
        judged = if partner_has(&options, &who, &message).await { Verdict::Done } else { Verdict::Park(why) };
    }
    let now = options.clock.now();
    message.attempts += 1;
    let too_old = now.since(message.created_at) > options.give_up_after;
    let (outcome, attempted, later) = match judged {
        Verdict::Done => ("delivered", Attempted::Delivered, None),
        Verdict::Later { why, .. } if too_old => {
            let days = options.give_up_after.as_secs() / 3600;
            ("parked", Attempted::Parked(format!("given up after {days} hours: {why}")), None)
        }
        Verdict::Later { why, after } => {
            let due_at = now.plus(options.retry.wait_after(message.attempts, after));
            message.due_at = Some(due_at);
            ("retry", Attempted::Later { due_at, error: Some(why) }, Some(due_at))
        }
        Verdict::Park(why) | Verdict::Ask(why) => ("parked", Attempted::Parked(why), None),
        Verdict::Speak(_) => {
            ("parked", Attempted::Parked("the partner speaks no known dialect".to_owned()), None)
        }
    };
    let lag = message.event_at.filter(|_| outcome == "delivered").map(|event| now.since(event));
    metric::delivery(&who.agreement.uuid, outcome, now.since(begun), lag);
    let error = match &attempted {
        Attempted::Later { error, .. } => error.clone(),
        Attempted::Parked(why) => Some(why.clone()),
        Attempted::Delivered => None,
    };
    match (outcome, &error) {
        ("delivered", _) => tracing::debug!(
            agreement.uuid = %who.agreement.uuid, ticket.uuid = %message.id.owner, message.id = %message.id, kind = message.kind.as_str(),
            attempts = message.attempts, "delivered"
        ),
        (outcome, error) => tracing::warn!(
            agreement.uuid = %who.agreement.uuid, ticket.uuid = %message.id.owner, message.id = %message.id, kind = message.kind.as_str(),
            attempts = message.attempts, outcome, error, "not delivered"
        ),
    }
    // Written before the queue is acknowledged; when the daemon is stopping it is tried again after the start.
    let _written = pipeline.submit_one(Change::Attempt(Box::new(message.clone()), attempted)).await;
    (message, later)
}

async fn call(options: &Options, who: &Who, message: &Message) -> Verdict {
    let Some(call) = request(who, message) else {
        return Verdict::Park("the agreement has no URL or no access key".to_owned());
    };
    let result = options.partner.call(&call).await;
    verdict(message.kind, who.agreement.profile, message.attempts > 0, &result)
}

fn request(who: &Who, message: &Message) -> Option<Call> {
    let (base, key) = (who.agreement.url.clone()?, who.key.clone()?);
    let (method, collection) = match message.kind {
        MessageType::AgreementInvite => (Method::Post, "agreements"),
        MessageType::AgreementUpdate => (Method::Put, "agreements"),
        MessageType::TicketCreate => (Method::Post, "tickets"),
        MessageType::TicketUpdate => (Method::Put, "tickets"),
        MessageType::TicketUnshare => (Method::Delete, "tickets"),
        _ => return None,
    };
    let invite = message.kind == MessageType::AgreementInvite;
    let body = match message.kind {
        MessageType::TicketUnshare => None,
        MessageType::AgreementInvite => Some(nhd::with_access_key(&message.body, key.reveal())),
        _ => Some(message.body.clone()),
    };
    // Request Tracker wants the token on the invite too (protocol: headers); others must not see one there.
    let token = (!invite || who.agreement.profile == Profile::RequestTracker)
        .then(|| (who.agreement.uuid.clone(), key));
    let uuid = message.id.owner.clone();
    Some(Call { method, base, collection, uuid, body, token, profile: who.agreement.profile })
}

/// Whether the partner already has what a refused creation would have made.
async fn partner_has(options: &Options, who: &Who, message: &Message) -> bool {
    let Some(create) = request(who, message) else { return false };
    let token = who.key.clone().map(|key| (who.agreement.uuid.clone(), key));
    let look = Call { method: Method::Get, body: None, token, ..create };
    matches!(options.partner.call(&look).await, Ok(answer) if (200..300).contains(&answer.status))
}
