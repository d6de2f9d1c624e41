//! Why a worker could not go on.

use crate::{
    flow::consumer,
    ports::{BrokerError, StoreError},
    telemetry::Outages,
};

/// Why it could not go on.
#[derive(Debug)]
pub enum Failure {
    /// The broker.
    Broker(BrokerError),
    /// The store.
    Store(StoreError),
}

impl Failure {
    pub(super) fn report(&self, outages: &Outages) {
        match self {
            Self::Broker(error) => consumer::failed(outages, error),
            Self::Store(error) => outages.store.failed(error),
        }
    }
}
