//! The daemons that share one database: who is alive, which queues of events are whose, and who publishes what one left.
//!
//! Each counts its beats in a row of its own; one whose count stands still is gone. Nobody's clock is compared with another's.
//! The queues go round by rank in the order of the names; each partner is the one daemon's whose name and the agreement's make the
//! largest hash, so that one that comes or goes moves few ([`Standing`]). Should two think for a moment that one queue is theirs, the broker
//! gives it to one of them (single active consumer), and what the other had taken is recognised by its ids.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{options::Options, pipeline::Pipeline};
use crate::ports::{Beat, Source, StoreError};

/// How often a daemon says that it is alive.
const EVERY: Duration = Duration::from_secs(1);
/// After how long without a beat it is gone.
const GONE: Duration = Duration::from_secs(8);

/// How long after somebody came or went it begins with what was another's: each has looked by then, and let go.
const SETTLED: Duration = Duration::from_secs(3);

/// After so many looks it takes over what nobody publishes, whoever may have left it.
const INHERIT: u32 = 10;

/// One daemon among those that share a database.
#[derive(Debug)]
pub struct Crew {
    options: Options,
    pipeline: Pipeline,
    sources: watch::Sender<Vec<Source>>,
    standing: watch::Sender<Standing>,
    finishing: watch::Receiver<Vec<String>>,
    /// The last beat of each, and since when it stands.
    beats: HashMap<String, (i64, Instant)>,
    /// How often it has looked since it last took over what nobody publishes.
    looks: u32,
    /// Since when the crew is as it is.
    since: Option<Instant>,
    /// Since when it has not been able to beat.
    unheard: Option<Instant>,
}

/// What is a daemon's own at any time.
#[derive(Debug)]
pub struct Own {
    /// Queues of events.
    pub sources: watch::Receiver<Vec<Source>>,
    /// Its place among the others, by which it knows its partners.
    pub standing: watch::Receiver<Standing>,
    /// Where it says which partners it still serves although they are another's by now.
    pub finishing: watch::Sender<Vec<String>>,
}

/// A daemon's place among those that are alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    me: String,
    /// All that are alive, this one too; nobody before the first look.
    crew: Vec<String>,
    /// Everybody has had the time to see that.
    settled: bool,
    /// What others still serve, whosever it is.
    held: BTreeSet<String>,
}

impl Standing {
    /// Whether what is called so is this daemon's to serve.
    pub(super) fn is_mine(&self, name: &str) -> bool {
        let weight = |daemon: &&String| Sha256::digest(format!("{daemon}\n{name}").as_bytes());
        self.crew.iter().max_by_key(weight).is_some_and(|daemon| *daemon == self.me)
    }

    /// Whether it may begin with what has become its own: whoever had it before has let go.
    pub(super) fn may_begin(&self, name: &str) -> bool {
        self.settled && !self.held.contains(name)
    }
}

impl Crew {
    /// A daemon that may have company, and what is its own at any time.
    pub fn new(options: Options, pipeline: Pipeline) -> (Self, Own) {
        let alone = !options.store.is_shared();
        let sources = if alone { sources(options.shards, 0, 1) } else { Vec::new() };
        let me = options.store.daemon().to_owned();
        let crew = if alone { vec![me.clone()] } else { Vec::new() };
        let (sources, of_events) = watch::channel(sources);
        let (standing, of_partners) =
            watch::channel(Standing { me, crew, settled: alone, held: BTreeSet::new() });
        let (finishing, of_others) = watch::channel(Vec::new());
        let beats = HashMap::new();
        let own = Own { sources: of_events, standing: of_partners, finishing };
        (
            Self {
                options,
                pipeline,
                sources,
                standing,
                finishing: of_others,
                beats,
                looks: INHERIT,
                since: None,
                unheard: None,
            },
            own,
        )
    }

    /// Beats until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        if !self.options.store.is_shared() {
            return;
        }
        while !stop.is_cancelled() {
            if let Err(error) = self.muster().await {
                // What is its own stays its own for a while: nobody else can write either. Nor can anybody be seen to beat, so
                // that nobody is taken for gone because of it.
                self.options.outages.store.failed(&error);
                self.beats.clear();
                self.stand_down();
            } else {
                self.unheard = None;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Beats once, and looks who else does.
    async fn muster(&mut self) -> Result<(), StoreError> {
        let finishing = self.finishing.borrow().clone();
        let beats = self.options.store.beat(&finishing).await?;
        self.options.outages.store.works();
        let now = Instant::now();
        let left = self.beats.len();
        self.beats.retain(|name, _| beats.iter().any(|beating| beating.name == *name));
        if self.beats.len() < left {
            self.looks = INHERIT;
        }
        let me = self.options.store.daemon();
        for Beat { name, count: beat, .. } in &beats {
            let known = self.beats.entry(name.clone()).or_insert((*beat, now));
            if name == me && *beat > known.0 + 1 {
                tracing::error!(
                    daemon = me,
                    "another daemon has the same name: give each its own store.daemon"
                );
            }
            if known.0 != *beat {
                *known = (*beat, now);
            }
        }
        let is_gone =
            |name: &String| name != me && self.beats.get(name).is_some_and(|(_, at)| now - *at > GONE);
        let (gone, alive): (Vec<Beat>, Vec<Beat>) = beats.into_iter().partition(|beat| is_gone(&beat.name));
        let others = alive.iter().filter(|beat| beat.name != me);
        let held = others.flat_map(|beat| beat.holding.iter().cloned()).collect();
        let names = |beats: Vec<Beat>| beats.into_iter().map(|beat| beat.name).collect::<Vec<_>>();
        let (gone, alive) = (names(gone), names(alive));
        for name in &gone {
            tracing::warn!(daemon = name, "a daemon is not heard of any more; its work is taken over");
        }
        self.looks += 1;
        if self.looks > INHERIT || !gone.is_empty() {
            let taken = self.options.store.inherit(&gone).await?;
            self.looks = 0;
            if taken > 0 {
                tracing::info!(messages = taken, "taken over to be published");
                self.pipeline.outbox.hand_over(Vec::new(), true);
            }
        }
        let rank = alive.iter().position(|name| name == me).unwrap_or_default();
        let ours = sources(self.options.shards, rank, alive.len());
        self.stand(&alive, held, now);
        // What is another's now is let go at once. What becomes its own waits until all have seen it: by then whoever takes over
        // what one left unpublished has published it, and nothing of a ticket overtakes it.
        let settled = self.standing.borrow().settled;
        self.sources.send_if_modified(|now| {
            let ours: Vec<Source> =
                ours.iter().filter(|source| settled || now.contains(source)).cloned().collect();
            let other = *now != ours;
            if other {
                tracing::info!(
                    daemons = alive.len(),
                    queues = ours.len(),
                    "queues of events are shared out anew"
                );
                *now = ours;
            }
            other
        });
        Ok(())
    }

    /// Serves no partner any more once the others may have taken it for gone: it may be this daemon alone that cannot write.
    fn stand_down(&mut self) {
        let now = Instant::now();
        if now - *self.unheard.get_or_insert(now) < GONE {
            return;
        }
        self.standing.send_if_modified(|standing| {
            let had = !standing.crew.is_empty();
            (standing.crew, standing.settled) = (Vec::new(), false);
            had
        });
    }

    /// Keeps its place among those that are alive.
    fn stand(&mut self, alive: &[String], held: BTreeSet<String>, now: Instant) {
        let same = self.standing.borrow().crew == alive;
        if !same && alive.len() > 1 && !self.options.broker.is_durable() {
            tracing::error!(
                daemons = alive.join(", "),
                "several daemons work on one database, and the embedded broker of each knows nothing of the others: messages may wait; give \
                 them a RabbitMQ (broker.url), or end all but one"
            );
        }
        let since = *self.since.get_or_insert(now);
        if !same {
            self.since = Some(now);
        }
        // One that finds itself alone at its start takes nothing from anybody.
        let first = self.standing.borrow().crew.is_empty() && alive.len() == 1;
        let settled = first || (same && (self.standing.borrow().settled || now - since >= SETTLED));
        self.standing.send_if_modified(|standing| {
            let changed = !same || standing.settled != settled || standing.held != held;
            if changed {
                alive.clone_into(&mut standing.crew);
                (standing.settled, standing.held) = (settled, held);
            }
            changed
        });
    }
}

/// The queues of the daemon of this rank among so many. What is left in the one queue from before they were spread, the
/// first takes.
fn sources(shards: u16, rank: usize, daemons: usize) -> Vec<Source> {
    if shards <= 1 {
        // The others stand by, and do not begin before what one that is gone left has been taken over.
        return (rank == 0).then_some(Source::Events).into_iter().collect();
    }
    let ours = (0..shards).filter(|shard| usize::from(*shard) % daemons.max(1) == rank).map(Source::Shard);
    (rank == 0).then_some(Source::Events).into_iter().chain(ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_is_somebodys_and_nobody_elses() {
        for (shards, daemons) in [(1_u16, 1), (1, 3), (4, 1), (4, 2), (4, 3), (3, 5)] {
            let mut all: Vec<Source> = (0..daemons).flat_map(|rank| sources(shards, rank, daemons)).collect();
            let count = all.len();
            all.sort_by_key(|source| format!("{source:?}"));
            all.dedup();
            assert_eq!(all.len(), count, "{shards} queues, {daemons} daemons");
            assert_eq!(count, if shards == 1 { 1 } else { usize::from(shards) + 1 });
        }
    }

    #[test]
    fn every_partner_is_one_daemons_and_few_move_when_one_goes() {
        let crew = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let whose = |names: &[&str], partner: &str| {
            let crew = crew(names);
            let mine = |me: &&String| {
                Standing { me: (*me).clone(), crew: crew.clone(), settled: true, held: BTreeSet::new() }
                    .is_mine(partner)
            };
            let owners: Vec<String> = crew.iter().filter(mine).cloned().collect();
            assert_eq!(owners.len(), 1, "{partner} has one owner");
            owners.into_iter().next()
        };
        for partner in (0..50).map(|n| format!("agreement {n}")) {
            let before = whose(&["a", "b", "c"], &partner);
            let after = whose(&["a", "b"], &partner);
            assert!(before == after || before.as_deref() == Some("c"), "{partner} moved without need");
        }
        let nobody = Standing { me: "a".to_owned(), crew: Vec::new(), settled: false, held: BTreeSet::new() };
        assert!(!nobody.is_mine("agreement 1"));
        let held = BTreeSet::from(["agreement 1".to_owned()]);
        let waits = Standing { me: "a".to_owned(), crew: crew(&["a", "b"]), settled: true, held };
        assert!(!waits.may_begin("agreement 1") && waits.may_begin("agreement 2"));
    }
}
