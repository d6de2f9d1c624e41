//! A worker for every partner whose queue this daemon drains, from the agreement's creation until its last message is out.

use std::{collections::HashMap, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{delivery::Worker, options::Options, pipeline::Pipeline};
use crate::{
    domain::{Agreement, Kind, Message, MessageState, Uuid},
    ports::MessageFilter,
};

/// How often agreements are looked at although nobody said that one changed: another daemon may have.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// The workers.
#[derive(Debug)]
pub struct Roster {
    options: Options,
    pipeline: Pipeline,
    workers: HashMap<Uuid, (CancellationToken, JoinHandle<()>)>,
    /// Agreements that have ended and whose last message is out, as of this version.
    closed: HashMap<Uuid, i64>,
    tasks: TaskTracker,
}

impl Roster {
    /// A roster for a pipeline.
    pub fn new(options: Options, pipeline: Pipeline) -> Self {
        let (workers, closed) = (HashMap::new(), HashMap::new());
        Self { options, pipeline, workers, closed, tasks: TaskTracker::new() }
    }

    /// Keeps the workers in line with the agreements until it is stopped; then waits for them to finish what they hold.
    pub async fn run(mut self, stop: CancellationToken) {
        let changed = self.pipeline.agreements.clone();
        while !stop.is_cancelled() {
            match self.align(&stop).await {
                Ok(()) => self.options.outages.store.works(),
                Err(error) => self.options.outages.store.failed(&error),
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = changed.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn align(&mut self, stop: &CancellationToken) -> Result<(), String> {
        let agreements = self.options.store.agreements().await.map_err(|error| error.to_string())?;
        for agreement in agreements {
            let drained = agreement.kind != Kind::Queue;
            let running = self.workers.get(&agreement.uuid).is_some_and(|(_, task)| !task.is_finished());
            if self.closed.get(&agreement.uuid) == Some(&agreement.version) {
                continue;
            }
            if agreement.status.is_final() && !self.has_messages(&agreement).await? {
                if let Some((token, _)) = self.workers.remove(&agreement.uuid) {
                    token.cancel();
                }
                // A queue that a bridge has not emptied is left to it.
                if self.options.broker.close_partner(&agreement.uuid).await.is_ok() {
                    self.closed.insert(agreement.uuid.clone(), agreement.version);
                }
            } else if drained && !running {
                self.closed.remove(&agreement.uuid);
                let token = stop.child_token();
                let worker = Worker::new(self.options.clone(), self.pipeline.clone(), agreement.uuid.clone());
                let task = self.tasks.spawn(worker.run(token.clone()));
                self.workers.insert(agreement.uuid.clone(), (token, task));
            } else if !drained {
                self.options.broker.open_partner(&agreement.uuid).await.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    /// Whether messages are on their way that this daemon has to bring out: to a bridge, as far as the broker.
    async fn has_messages(&self, agreement: &Agreement) -> Result<bool, String> {
        let open = self.options.store.messages(MessageFilter::Open(agreement.uuid.clone()), 1000).await;
        let ours =
            |message: &Message| agreement.kind != Kind::Queue || message.state == MessageState::Pending;
        open.map(|open| open.iter().any(ours)).map_err(|error| error.to_string())
    }
}
