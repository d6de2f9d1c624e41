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
    /// With how many messages it is tried.
    size: usize,
}

/// With how many messages a partner is tried at most: there are more the longer it goes well.
pub(super) const MOST: usize = 256;

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
            Rest { until: Some(Instant::now() + waits.next_wait()), waits, size: 1 }
        });
    }

    /// It was tried for nothing: it rests on, longer each time unless its queue took something.
    pub(super) fn rests_on(&mut self, partner: &Uuid, took_any: bool) {
        if let Some(rest) = self.partners.get_mut(partner) {
            if took_any {
                rest.waits = self.policy.waits();
            }
            rest.until = Some(Instant::now() + rest.waits.next_wait());
            rest.size = 1;
        }
    }

    /// Its queue took what it was tried with, and more waits for it: it is tried with more.
    pub(super) fn goes_on(&mut self, partner: &Uuid) {
        if let Some(rest) = self.partners.get_mut(partner) {
            rest.waits = self.policy.waits();
            rest.until = Some(Instant::now());
            rest.size = (rest.size * 2).min(MOST);
        }
    }

    /// Its queue has taken all that waited for it.
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

    /// Up to so many of those that have rested enough, each with how many messages it is tried: from now on.
    pub(super) fn rested(&mut self, most: usize) -> Vec<(Uuid, usize)> {
        let now = Instant::now();
        let over = |(partner, rest): (&Uuid, &Rest)| {
            rest.until.filter(|until| *until <= now).map(|until| (until, partner.clone()))
        };
        let mut over: Vec<_> = self.partners.iter().filter_map(over).collect();
        // Who has waited longest comes first.
        over.sort_unstable();
        over.truncate(most);
        let tried = |(_, partner): (Instant, Uuid)| {
            let rest = self.partners.get_mut(&partner)?;
            rest.until = None;
            Some((partner, rest.size))
        };
        over.into_iter().filter_map(tried).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_partner_rests_longer_each_time_until_its_queue_takes_something_and_is_tried_with_more_while_it_does()
     {
        let policy = Policy { initial: Duration::from_secs(1), max: Duration::from_secs(8), jitter: 0 };
        let (mut resting, partner) = (Resting::new(policy), Uuid::new("a"));
        let error = BrokerError::Refused("it said no".to_owned());
        let tried_with = |size| vec![(partner.clone(), size)];
        resting.refused(&partner, &error);
        for seconds in [1, 2, 4, 8, 8] {
            assert_eq!(resting.ends(), Some(Instant::now() + Duration::from_secs(seconds)));
            resting.refused(&partner, &error);
            assert_eq!(resting.rested(9), []);
            tokio::time::advance(Duration::from_secs(seconds)).await;
            assert_eq!((resting.rested(0), resting.rested(9)), (Vec::new(), tried_with(1)));
            assert_eq!((resting.ends(), resting.rested(9)), (None, Vec::new()));
            assert_eq!(resting.all(), std::slice::from_ref(&partner));
            resting.rests_on(&partner, false);
        }
        for size in [2, 4, 8] {
            resting.goes_on(&partner);
            assert_eq!(resting.rested(9), tried_with(size));
        }
        resting.rests_on(&partner, true);
        assert_eq!(resting.ends(), Some(Instant::now() + Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(resting.rested(9), tried_with(1));
        resting.takes(&partner);
        assert_eq!(resting.all(), []);
    }
}
