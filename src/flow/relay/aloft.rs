//! What the relay has given to the broker and has no word of yet: several flights at once, and of what keeps its order no more than
//! one message in any of them. Should the broker refuse that one, nothing has overtaken it.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
};

use futures_util::stream::FuturesUnordered;

use crate::{
    domain::{Channel, Message, MessageId, MessageType, QuickSet, Uuid},
    flow::options::Options,
    ports::{BrokerError, Destination, Outgoing},
    telemetry::{Span, Step},
};

/// A message that is with the broker, who has not confirmed it yet.
pub(super) struct Kept {
    pub(super) seq: i64,
    pub(super) id: MessageId,
    pub(super) kind: MessageType,
    pub(super) lane: Lane,
    pub(super) span: Span,
}

/// Messages as the broker takes them, and what is to be remembered of each.
pub(super) fn packed(messages: impl Iterator<Item = Message>) -> (Vec<Kept>, Vec<Outgoing>) {
    let (mut kept, mut batch) = (Vec::new(), Vec::new());
    for message in messages {
        let (seq, id, kind, lane) = (message.seq, message.id.clone(), message.kind, Lane::of(&message));
        if let Some(mut outgoing) = outgoing(message) {
            let mut span = Span::follow("publish", Step::Published, outgoing.trace.as_ref());
            span.set("messaging.message.id", &outgoing.id);
            span.set("crossdesk.message.type", outgoing.kind);
            outgoing.trace = span.place();
            kept.push(Kept { seq, id, kind, lane, span });
            batch.push(outgoing);
        }
    }
    (kept, batch)
}

/// What came of a flight: what was in it, and the broker's word on each.
pub(super) type Landed = (Vec<Kept>, Vec<Result<(), BrokerError>>);

/// Some messages on their way to the broker.
pub(super) type Flight = Pin<Box<dyn Future<Output = Landed> + Send>>;

/// What is with the broker, in several flights at once, and what waits until it may follow.
#[derive(Default)]
pub(super) struct Aloft {
    pub(super) flights: FuturesUnordered<Flight>,
    pub(super) lanes: QuickSet<Lane>,
    pub(super) waiting: VecDeque<Message>,
    pub(super) held: Held,
}

impl Aloft {
    /// How many messages are with the broker or wait to be.
    pub(super) fn count(&self) -> usize {
        self.lanes.len() + self.waiting.len()
    }

    /// The next flight: the first of each lane that nothing is aloft of.
    pub(super) fn next(&mut self, options: &Options) -> Option<Flight> {
        let (mut ready, mut stays) = (Vec::new(), VecDeque::new());
        let mut behind = QuickSet::default();
        // A partner's message under no agreement goes nowhere.
        for message in self.waiting.drain(..).filter(goes_somewhere) {
            let lane = Lane::of(&message);
            if behind.contains(&lane) || !self.lanes.insert(lane.clone()) {
                behind.insert(lane);
                stays.push_back(message);
            } else {
                ready.push(message);
            }
        }
        self.waiting = stays;
        let (kept, batch) = packed(ready.into_iter());
        if batch.is_empty() {
            return None;
        }
        let broker = options.broker.clone();
        Some(Box::pin(async move {
            let results = broker.publish(batch).await;
            (kept, results)
        }))
    }
}

/// What keeps its order: messages to one place about one ticket or agreement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane(Uuid, Option<Uuid>, Channel);

impl Lane {
    pub(super) fn of(message: &Message) -> Self {
        let channel = message.kind.channel();
        // The desk has one queue for all its commands, whatever agreement they come from.
        let agreement = message.agreement.clone().filter(|_| channel == Channel::Partner);
        Self(message.id.owner.clone(), agreement, channel)
    }
}

impl Lane {
    /// The partner that it leads to.
    pub(super) fn partner(&self) -> Option<&Uuid> {
        self.1.as_ref()
    }
}

/// What the broker has not taken, and so may not be overtaken.
#[derive(Default)]
pub(super) struct Held {
    pub(super) behind: QuickSet<Lane>,
    pub(super) error: Option<BrokerError>,
    /// Some were left for the next time, so that one busy ticket does not keep all others waiting.
    pub(super) left: bool,
}

impl Held {
    /// Holds what follows a message that was not taken. That the broker is away says more than that it refused something.
    pub(super) fn hold(&mut self, lane: Lane, error: BrokerError) {
        self.behind.insert(lane);
        if !matches!(self.error, Some(BrokerError::Away(_))) {
            self.error = Some(error);
        }
    }
}

/// The first message of each lane, then the second of each, and so on.
pub(super) fn rounds(messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut rounds: Vec<Vec<Message>> = Vec::new();
    let mut turns: HashMap<Lane, usize> = HashMap::new();
    for message in messages {
        let turn = turns.entry(Lane::of(&message)).or_default();
        match rounds.get_mut(*turn) {
            Some(round) => round.push(message),
            None => rounds.push(vec![message]),
        }
        *turn += 1;
    }
    rounds
}

fn goes_somewhere(message: &Message) -> bool {
    message.kind.channel() != Channel::Partner || message.agreement.is_some()
}

pub(super) fn outgoing(message: Message) -> Option<Outgoing> {
    let destination = match (message.kind.channel(), message.agreement) {
        (Channel::Partner, Some(agreement)) if message.bridged => Destination::Bridge(agreement),
        (Channel::Partner, Some(agreement)) => Destination::Partner(agreement),
        (Channel::Partner, None) => return None,
        (Channel::Command, _) => Destination::Commands,
        (Channel::Dead, _) => Destination::Dead(message.error.unwrap_or_default()),
    };
    Some(Outgoing {
        destination,
        id: message.id.to_string(),
        kind: message.kind.as_str(),
        subject: message.id.owner.to_string(),
        body: message.body,
        trace: message.contents.trace,
    })
}
