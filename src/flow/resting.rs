//! Partners whose queue the broker refuses messages for: theirs stay in their rows for a while, and nobody else's wait for them.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::{
    domain::{Channel, Message, Uuid},
    ports::BrokerError,
    retry::{Policy, Waits},
};

/// The partners that rest.
#[derive(Debug)]
pub(super) struct Resting {
    policy: Policy,
    partners: BTreeMap<Uuid, Rest>,
}

#[derive(Debug)]
struct Rest {
    waits: Waits,
    /// Nothing is published before; `None`: it is being tried.
    until: Option<Instant>,
}

/// The partner that a message goes to.
fn partner_of(message: &Message) -> Option<&Uuid> {
    message.agreement.as_ref().filter(|_| message.kind.channel() == Channel::Partner)
}

impl Resting {
    /// Nobody rests.
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, partners: BTreeMap::new() }
    }

    /// Nobody rests, or is being tried again.
    pub(super) fn is_empty(&self) -> bool {
        self.partners.is_empty()
    }

    /// Messages were refused: their partner rests, longer each time unless others of the same batch were taken. What has been told of
    /// it once is not told again.
    pub(super) fn refused(&mut self, partner: &Uuid, error: &BrokerError, others_taken: bool) {
        let begin = || {
            tracing::warn!(agreement.uuid = %partner, %error, "nothing goes to this partner's queue; what waits for it is published later");
            Rest { waits: self.policy.waits(), until: None }
        };
        let rest = self.partners.entry(partner.clone()).or_insert_with(begin);
        if others_taken {
            rest.waits = self.policy.waits();
        }
        rest.until = Some(Instant::now() + rest.waits.next_wait());
    }

    /// A message was taken, and none refused beside it.
    pub(super) fn taken(&mut self, partner: &Uuid) {
        if self.partners.get(partner).is_some_and(|rest| rest.until.is_none()) {
            self.partners.remove(partner);
            tracing::info!(agreement.uuid = %partner, "this partner's queue takes messages again");
        }
    }

    /// Whether a message stays in its row.
    pub(super) fn keeps(&self, message: &Message) -> bool {
        !self.partners.is_empty()
            && partner_of(message)
                .and_then(|partner| self.partners.get(partner))
                .is_some_and(|rest| rest.until.is_some())
    }

    /// When the first has rested enough.
    pub(super) fn ends(&self) -> Option<Instant> {
        self.partners.values().filter_map(|rest| rest.until).min()
    }

    /// Whether somebody has rested enough: then the rows have messages that nobody hands over.
    pub(super) fn is_over(&self) -> bool {
        self.ends().is_some_and(|ends| ends <= Instant::now())
    }

    /// Tries those that have rested enough.
    pub(super) fn wake(&mut self) {
        let now = Instant::now();
        for rest in self.partners.values_mut() {
            rest.until = rest.until.filter(|until| *until > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_partner_rests_longer_each_time_until_a_message_is_taken() {
        let policy = Policy { initial: Duration::from_secs(1), max: Duration::from_secs(8), jitter: 0 };
        let (mut resting, partner) = (Resting::new(policy), Uuid::new("a"));
        let error = BrokerError::Refused("it said no".to_owned());
        for seconds in [1, 2, 4, 8, 8] {
            resting.refused(&partner, &error, false);
            assert_eq!(resting.ends(), Some(Instant::now() + Duration::from_secs(seconds)));
            tokio::time::advance(Duration::from_secs(seconds)).await;
            assert!(resting.is_over());
            resting.wake();
            assert!(!resting.is_over());
        }
        resting.taken(&partner);
        resting.refused(&partner, &error, false);
        assert_eq!(resting.ends(), Some(Instant::now() + Duration::from_secs(1)));
    }
}
