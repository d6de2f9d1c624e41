//! A worker for every partner whose queue this daemon drains, from the agreement's creation until its last message is out; and
//! one for a desk that is brought its commands. Each is one daemon's among those that share a database ([`Standing`]).

use std::{collections::HashMap, pin::Pin, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{consumer, crew::Standing, delivery::Worker, options::Options, pipeline::Pipeline};
use crate::{
    domain::{Agreement, Kind, Message, MessageState, Uuid},
    ports::MessageFilter,
};

/// How many queues are asked for at once.
const AT_ONCE: usize = 16;
/// How often agreements are looked at although nobody said that one changed: another daemon may have.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// How often while a worker finishes what has become another daemon's, which waits for it.
const LOOK_SOON: Duration = Duration::from_secs(1);

/// What the desk is called among those that are served; no agreement is.
const DESK: &str = "the desk";

/// Queues being made and removed; in the end those agreements whose queue is gone, as of their versions.
type Tending = Pin<Box<dyn Future<Output = Vec<(Uuid, i64)>> + Send>>;

/// The workers.
pub struct Roster {
    options: Options,
    pipeline: Pipeline,
    workers: HashMap<Uuid, (CancellationToken, JoinHandle<()>)>,
    /// Agreements that have ended and whose last message is out, as of this version.
    closed: HashMap<Uuid, i64>,
    /// Queues being made and removed.
    tending: Option<Tending>,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Roster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roster").field("workers", &self.workers).finish_non_exhaustive()
    }
}

impl Roster {
    /// A roster for a pipeline.
    pub fn new(options: Options, pipeline: Pipeline) -> Self {
        let (workers, closed) = (HashMap::new(), HashMap::new());
        Self { options, pipeline, workers, closed, tending: None, tasks: TaskTracker::new() }
    }

    /// Keeps the workers in line with the agreements until it is stopped; then waits for them to finish what they hold.
    /// It says what it is still finishing that has become another daemon's.
    pub async fn run(
        mut self,
        mut standing: watch::Receiver<Standing>,
        finishing: watch::Sender<Vec<String>>,
        stop: CancellationToken,
    ) {
        let changed = self.pipeline.agreements.clone();
        while !stop.is_cancelled() {
            let place = standing.borrow_and_update().clone();
            match self.align(&place, &stop).await {
                Ok(()) => self.options.outages.store.works(),
                Err(error) => self.options.outages.store.failed(&error),
            }
            let held = self.finishing(&place);
            let soon = if held.is_empty() { LOOK_AGAIN } else { LOOK_SOON };
            finishing.send_replace(held);
            let mut look = std::pin::pin!(tokio::time::sleep(soon));
            loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => break,
                    () = changed.notified() => break,
                    Ok(()) = standing.changed() => break,
                    closed = over(&mut self.tending) => self.closed.extend(closed),
                    () = &mut look => break,
                }
            }
        }
        // Half done, it may hold what a worker waits for.
        self.tending = None;
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// What is still served here although it is another's by now.
    fn finishing(&self, place: &Standing) -> Vec<String> {
        let running = self.workers.iter().filter(|(_, (_, task))| !task.is_finished());
        let others = running.filter(|(name, _)| !place.is_mine(name.as_str()));
        others.map(|(name, _)| name.as_str().to_owned()).collect()
    }

    async fn align(&mut self, place: &Standing, stop: &CancellationToken) -> Result<(), String> {
        if let Some(hook) = self.options.desk_hook.clone() {
            let worker = |options, pipeline| Worker::of_desk(options, pipeline, hook);
            self.serve(&Uuid::new(DESK), place.is_mine(DESK), place, stop, worker);
        }
        let agreements = self.options.store.agreements().await.map_err(|error| error.to_string())?;
        let (mut queues, mut over) = (Vec::new(), Vec::new());
        for agreement in agreements {
            let mine = place.is_mine(agreement.uuid.as_str());
            if self.closed.get(&agreement.uuid) == Some(&agreement.version) {
                continue;
            }
            if agreement.status.is_final() && !has_messages(&self.options, &agreement).await? {
                if let Some((token, _)) = self.workers.remove(&agreement.uuid) {
                    token.cancel();
                }
                if mine {
                    over.push((agreement.uuid, agreement.version));
                }
            } else if agreement.kind == Kind::Queue {
                queues.push(agreement.uuid);
            } else {
                let uuid = agreement.uuid.clone();
                let worker = |options, pipeline| Worker::new(options, pipeline, uuid);
                self.serve(&agreement.uuid, mine, place, stop, worker);
            }
        }
        // Beside all else: a queue that does not answer keeps nobody waiting.
        let options = &self.options;
        self.tending.get_or_insert_with(|| Box::pin(tend(options.clone(), queues, over)));
        Ok(())
    }

    /// Has a worker where this daemon is to have one, and none where it is not.
    fn serve(
        &mut self,
        name: &Uuid,
        mine: bool,
        place: &Standing,
        stop: &CancellationToken,
        worker: impl FnOnce(Options, Pipeline) -> Worker,
    ) {
        let running = self.workers.get(name).is_some_and(|(_, task)| !task.is_finished());
        if !mine {
            // What it is trying, it finishes; until then nobody of this daemon's begins anew.
            if let Some((token, _)) = self.workers.get(name) {
                token.cancel();
            }
            if !running {
                self.workers.remove(name);
            }
        } else if !running && place.may_begin(name.as_str()) {
            self.closed.remove(name);
            let token = stop.child_token();
            let worker = worker(self.options.clone(), self.pipeline.clone());
            let task = self.tasks.spawn(worker.run(token.clone()));
            self.workers.insert(name.clone(), (token, task));
        }
    }
}

/// Makes the queues of bridges, and removes those of agreements that are over. What cannot be done now is taken up at the next look.
async fn tend(options: Options, queues: Vec<Uuid>, over: Vec<(Uuid, i64)>) -> Vec<(Uuid, i64)> {
    let options = &options;
    let opening = queues.into_iter().map(|queue| async move {
        if let Err(error) = options.broker.open_bridge(&queue).await {
            consumer::failed(&options.outages, &error);
        }
    });
    stream::iter(opening).buffer_unordered(AT_ONCE).collect::<()>().await;
    let closing = over.into_iter().map(|(agreement, version)| async move {
        // A queue that a bridge has not emptied is left to it.
        options.broker.close_partner(&agreement).await.is_ok().then_some((agreement, version))
    });
    stream::iter(closing).buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await
}

/// Waits until queues have been made and removed; for ever where that is not being done.
async fn over(tending: &mut Option<Tending>) -> Vec<(Uuid, i64)> {
    let Some(being_done) = tending else { return std::future::pending().await };
    let closed = being_done.await;
    *tending = None;
    closed
}

/// Whether messages are on their way that this daemon has to bring out: to a bridge, as far as the broker.
async fn has_messages(options: &Options, agreement: &Agreement) -> Result<bool, String> {
    let open = options.store.messages(MessageFilter::Open(agreement.uuid.clone()), 1000).await;
    let ours = |message: &Message| agreement.kind != Kind::Queue || message.state == MessageState::Pending;
    open.map(|open| open.iter().any(ours)).map_err(|error| error.to_string())
}
