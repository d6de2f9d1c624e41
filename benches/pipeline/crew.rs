//! Several daemons on one database and one broker: the events are spread over as many queues.

use std::path::Path;

use crate::{
    broker::Rig,
    daemon::{Daemon, end},
    events::{self, TICKETS},
    measured::{Measured, Usage},
};

/// Daemons that share the work.
pub(crate) struct Crew {
    members: Vec<Daemon>,
}

impl Crew {
    /// So many daemons on one database.
    pub(crate) fn new(folder: &Path, name: &str, count: usize, store: &str, broker: &str) -> Self {
        let first = Daemon::new(folder, name, store, broker, "classic");
        let members = (0..count).map(|number| first.member(folder, name, number, count)).collect();
        Self { members }
    }

    fn queue(&self, shard: usize) -> String {
        format!("{}.{shard}", self.members[0].events)
    }

    async fn preload(&self, rig: &Rig, numbers: std::ops::Range<usize>, make: fn(usize) -> (usize, String)) {
        for shard in 0..self.members.len() {
            let own =
                |(ticket, body): (usize, String)| (ticket % self.members.len() == shard).then_some(body);
            rig.preload(&self.queue(shard), numbers.clone().map(make).filter_map(own)).await;
        }
    }

    /// Shares all tickets, so that what follows are changes.
    pub(crate) async fn share_tickets(&self, rig: &Rig) {
        let mut children: Vec<_> = self.members.iter().map(Daemon::start).collect();
        for member in &self.members {
            member.until_ready().await;
        }
        let shards: Vec<String> = (0..self.members.len()).map(|shard| self.queue(shard)).collect();
        rig.until_there(&shards).await;
        rig.until_there(&self.members[0].queues()).await;
        self.preload(rig, 0..TICKETS, |number| (number, events::shared(number))).await;
        rig.rate_until(&self.members[0].queues(), TICKETS).await;
        children.iter_mut().for_each(end);
        rig.purge(&self.members[0].queues()).await;
    }

    /// Events on shared tickets, from queues that are filled first. CPU is that of all, memory that of the largest.
    pub(crate) async fn measure(&self, rig: &Rig, first: usize, count: usize) -> Measured {
        let queues = self.members[0].queues();
        rig.purge(&queues).await;
        let changed = |number| (events::ticket_of(number), events::changed(number, ""));
        self.preload(rig, first..first + count, changed).await;
        let before = rig.usage();
        let mut children: Vec<_> = self.members.iter().map(Daemon::start).collect();
        let rate = rig.rate_until(&queues, count).await;
        let used = children.iter().map(|child| Usage::of(child.id()));
        let (all, after) = (used.reduce(Usage::and).unwrap(), rig.usage());
        children.iter_mut().for_each(end);
        rig.purge(&queues).await;
        all.measured(rate, count, &before, &after)
    }
}
