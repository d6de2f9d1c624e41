//! The [`Broker`] on RabbitMQ, and embedded in this process.

mod amqp;
mod apart;
mod consumer;
mod embedded;
mod flight;
mod line;
mod listening;
mod publish;
mod topology;

use std::{sync::Arc, time::Duration};

use crate::ports::{Broker, BrokerError};

pub use topology::{MOST_SHARDS, QueueType, Topology};

/// How long anything on RabbitMQ may take before it counts as away.
const PATIENCE: Duration = Duration::from_secs(10);

/// The broker of a URL: `embedded`, `amqp://…` or `amqps://…`, without touching it yet.
/// `authorities` are certificates, PEM, that the broker's may be signed by, beside the system's.
///
/// # Errors
/// What is wrong with the URL; no part of it that could hold a password is repeated.
pub fn open(url: &str, authorities: Option<String>, topology: Topology) -> Result<Arc<dyn Broker>, String> {
    if url == "embedded" {
        return Ok(Arc::new(embedded::Embedded::default()));
    }
    Ok(Arc::new(amqp::Amqp::new(url, authorities, topology)?))
}

/// The broker cannot be reached, or did what it should not.
fn away(error: impl std::fmt::Display) -> BrokerError {
    let why = error.to_string();
    if UNREADABLE.iter().any(|said| why.contains(said)) {
        return BrokerError::Unreadable(format!(
            "it stands first in the queue that gets no further; its id, its type or another short text is not UTF-8, or its headers are longer than \
             a frame (frame_max in broker.url); take it out with deploy/rabbitmq/take-first.py ({why})"
        ));
    }
    BrokerError::Away(why)
}

/// What the AMQP library says of frames that it cannot read.
const UNREADABLE: [&str; 2] = ["failed to parse", "frame too large"];
