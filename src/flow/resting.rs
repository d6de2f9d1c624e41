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
    /// When it has rested enough; `None`: it is being tried.
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

    /// A message was refused: its partner rests. What is refused of what was on its way by then changes nothing.
    pub(super) fn refused(&mut self, partner: &Uuid, error: &BrokerError) {
        self.partners.entry(partner.clone()).or_insert_with(|| {
            tracing::warn!(agreement.uuid = %partner, %error, "nothing goes to this partner's queue; what waits for it is published later");
            let mut waits = self.policy.waits();
            Rest { until: Some(Instant::now() + waits.next_wait()), waits }
        });
    }

    /// It was tried for nothing: it rests on, longer each time.
    pub(super) fn rests_on(&mut self, partner: &Uuid) {
        if let Some(rest) = self.partners.get_mut(partner) {
            rest.until = Some(Instant::now() + rest.waits.next_wait());
        }
    }

    /// Its queue takes messages.
    pub(super) fn takes(&mut self, partner: &Uuid) {
        if self.partners.remove(partner).is_some() {
            tracing::info!(agreement.uuid = %partner, "this partner's queue takes messages again");
        }
    }

    /// Whether a message stays in its row.
    pub(super) fn keeps(&self, message: &Message) -> bool {
        !self.partners.is_empty()
            && partner_of(message).is_some_and(|partner| self.partners.contains_key(partner))
    }

    /// Those that rest, or are being tried.
    pub(super) fn all(&self) -> Vec<Uuid> {
        self.partners.keys().cloned().collect()
    }

    /// When the first has rested enough.
    pub(super) fn ends(&self) -> Option<Instant> {
        self.partners.values().filter_map(|rest| rest.until).min()
    }

    /// Those that have rested enough: they are tried from now on.
    pub(super) fn rested(&mut self) -> Vec<Uuid> {
        let now = Instant::now();
        let over = |(partner, rest): (&Uuid, &mut Rest)| {
            rest.until.take_if(|until| *until <= now).map(|_| partner.clone())
        };
        self.partners.iter_mut().filter_map(over).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_partner_is_tried_by_one_at_a_time_and_rests_longer_until_a_message_is_taken() {
        let policy = Policy { initial: Duration::from_secs(1), max: Duration::from_secs(8), jitter: 0 };
        let (mut resting, partner) = (Resting::new(policy), Uuid::new("a"));
        let error = BrokerError::Refused("it said no".to_owned());
        resting.refused(&partner, &error);
        for seconds in [1, 2, 4, 8, 8] {
            assert_eq!(resting.ends(), Some(Instant::now() + Duration::from_secs(seconds)));
            resting.refused(&partner, &error);
            assert_eq!(resting.rested(), []);
            tokio::time::advance(Duration::from_secs(seconds)).await;
            assert_eq!(resting.rested(), std::slice::from_ref(&partner));
            assert_eq!((resting.ends(), resting.rested()), (None, Vec::new()));
            assert_eq!(resting.all(), std::slice::from_ref(&partner));
            resting.rests_on(&partner);
        }
        resting.takes(&partner);
        assert_eq!(resting.all(), []);
        resting.refused(&partner, &error);
        assert_eq!(resting.ends(), Some(Instant::now() + Duration::from_secs(1)));
    }
}
