//! Queues that do not answer, although the broker does: one of RabbitMQ's quorum queues may be without a leader, or without the
//! majority of its nodes. What goes elsewhere need not wait for them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::domain::Uuid;

/// How long nothing is asked of one.
const REST: Duration = Duration::from_secs(10);

/// The partner queues that did not answer.
#[derive(Debug, Default)]
pub(super) struct SilentQueues(Mutex<HashMap<Uuid, (Instant, String)>>);

impl SilentQueues {
    /// Notes that one did not, and what to say of it.
    pub(super) fn note(&self, partner: &Uuid, why: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (at, _)| at.elapsed() < REST);
        all.insert(partner.clone(), (Instant::now(), why));
    }

    /// Why nothing is asked of it now.
    pub(super) fn why(&self, partner: &Uuid) -> Option<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(partner).filter(|(at, _)| at.elapsed() < REST).map(|(_, why)| why.clone())
    }
}
