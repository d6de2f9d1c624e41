//! Publishing with confirms: mandatory, persistent, and only a bare ack counts.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use lapin::{
    BasicProperties, Channel, Confirmation, PublisherConfirm,
    options::BasicPublishOptions,
    types::{AMQPValue, FieldTable, LongString, ShortString},
};
use tokio::time::{Sleep, sleep};

use super::{away, topology::Topology};
use crate::ports::{BrokerError, Destination, Outgoing};

/// The longest short text of AMQP, in bytes.
const SHORT: usize = 255;
/// How much of the reason stands on a dead letter, in bytes.
const REASON: usize = 4000;

/// The broker's word on a message.
pub(super) enum Answer {
    /// It has it.
    Taken,
    /// It said no: the queue has as much as it may, or has just stopped.
    Nacked,
    /// The connection is gone, or there is no queue.
    Lost(BrokerError),
}

/// A message on its way.
pub(super) type Publishing = Pin<Box<dyn Future<Output = lapin::Result<PublisherConfirm>> + Send>>;

/// Queues the frames of a whole batch: each publish is polled once, which hands it to the I/O thread. Waiting for each in
/// turn would wait for the socket each time. All are made before the first is polled: the closer they come together, the more of
/// them travel in one piece, which spares the broker more than us.
/// What AMQP or this daemon does not let through is refused here.
pub(super) fn start(
    channel: &Channel,
    topology: &Topology,
    batch: Vec<Outgoing>,
) -> Vec<Result<Publishing, BrokerError>> {
    let made = batch.into_iter().map(|outgoing| prepared(channel.clone(), topology, outgoing));
    let mut batch: Vec<Result<Publishing, BrokerError>> = made.collect();
    for publishing in batch.iter_mut().flatten() {
        if let Poll::Ready(done) = publishing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            *publishing = Box::pin(std::future::ready(done));
        }
    }
    batch
}

fn prepared(channel: Channel, topology: &Topology, outgoing: Outgoing) -> Result<Publishing, BrokerError> {
    let (exchange, key): (ShortString, ShortString) = match &outgoing.destination {
        Destination::Partner(agreement) | Destination::Bridge(agreement) => {
            (topology.partners_exchange.as_str().into(), agreement.as_str().into())
        }
        Destination::Commands => (topology.commands_exchange.as_str().into(), outgoing.kind.into()),
        Destination::Dead(_) => ("".into(), topology.dead_letter_queue.as_str().into()),
        Destination::Reply(queue, ..) => ("".into(), queue.as_str().into()),
    };
    let texts = [exchange.as_str().len(), key.as_str().len(), outgoing.id.len()];
    if texts.into_iter().any(|length| length > SHORT) {
        return Err(BrokerError::Refused("an id or a name is longer than AMQP allows".to_owned()));
    }
    if let Destination::Reply(queue, ..) = &outgoing.destination
        && topology.is_ours(queue)
    {
        // Whoever may write to the inbound queue may not have us write into the others.
        return Err(BrokerError::Refused("an answer cannot go to a queue of this daemon's own".to_owned()));
    }
    // Nobody may be left to hear an answer; everything else must find a queue.
    let mandatory = !matches!(outgoing.destination, Destination::Reply(..));
    let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
    let (properties, body) = taken_apart(outgoing);
    Ok(Box::pin(
        async move { channel.basic_publish(exchange, key, options, body.as_bytes(), properties).await },
    ))
}

/// Headers travel in one frame: of a reason that repeats what came, only the beginning. The row has all of it.
fn beginning(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(REASON)).unwrap_or_default()
}

/// A message's properties, and its body.
fn taken_apart(outgoing: Outgoing) -> (BasicProperties, String) {
    let Outgoing { destination, id, kind, subject, body, trace } = outgoing;
    let mut headers = FieldTable::default();
    let mut header = |name: &str, value: LongString| {
        headers.insert(name.into(), AMQPValue::LongString(value));
    };
    if let Some(trace) = &trace {
        header("traceparent", trace.as_str().into());
    }
    let mut content_type = "application/json";
    let mut correlation = None;
    match destination {
        Destination::Partner(agreement) | Destination::Bridge(agreement) => {
            header("x-ticket-sharing-uuid", subject.into());
            header("x-ticket-sharing-agreement", agreement.as_str().into());
        }
        Destination::Commands => content_type = "application/cloudevents+json",
        Destination::Dead(reason) => header("x-reason", beginning(&reason).into()),
        Destination::Reply(_, id, status) => {
            headers.insert("status".into(), AMQPValue::LongInt(i32::from(status)));
            correlation = id;
        }
    }
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type(content_type.into())
        .with_message_id(id.into())
        .with_type(kind.into())
        .with_headers(headers);
    let properties = match correlation {
        Some(id) => properties.with_correlation_id(id.into()),
        None => properties,
    };
    (properties, body)
}

/// Waits for the broker's word on every message: the last first, since writes are in order, so that one wake-up covers the
/// batch. `None` where it says nothing in that time.
pub(super) async fn settle(batch: Vec<Publishing>, patience: Duration) -> Vec<Option<Answer>> {
    let mut over = pin!(sleep(patience));
    let mut confirms = Vec::with_capacity(batch.len());
    for publishing in batch.into_iter().rev() {
        confirms.push(before(over.as_mut(), publishing).await);
    }
    let mut results = Vec::with_capacity(confirms.len());
    for confirm in confirms.into_iter().rev() {
        results.push(match confirm {
            Some(Ok(confirm)) => before(over.as_mut(), confirm).await.map(judged),
            Some(Err(error)) => Some(Answer::Lost(away(error))),
            None => None,
        });
    }
    results
}

/// What comes before the time is over; what is there already counts even then.
async fn before<T>(over: Pin<&mut Sleep>, what: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = what => Some(done),
        () = over => None,
    }
}

fn judged(said: lapin::Result<Confirmation>) -> Answer {
    match said {
        Ok(Confirmation::Ack(None)) => Answer::Taken,
        Ok(Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned))) => {
            Answer::Lost(BrokerError::Refused(format!("returned: {}", returned.reply_text)))
        }
        Ok(Confirmation::Nack(None)) => Answer::Nacked,
        Ok(Confirmation::NotRequested) => Answer::Lost(away("confirms are off on this channel")),
        Err(error) => Answer::Lost(away(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_reason_the_beginning_stands_in_the_header() {
        assert_eq!(beginning("no such type"), "no such type");
        let long = format!("{}é{}", "x".repeat(REASON - 1), "y".repeat(20_000));
        assert_eq!(beginning(&long), "x".repeat(REASON - 1));
    }
}
