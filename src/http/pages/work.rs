//! Long work that a page began: it goes on by itself, and its own page shows how far it is.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use askama::Template;
use axum::{Extension, Router, extract::State, response::Response, routing::get};

use super::{
    session::{self, Session},
    shell::Shell,
};
use crate::{
    domain::{Reason, Uuid},
    flow::{Change, Reconcile},
    http::{Shared, agreements::find, messages::replay_one, name::Name, problem::Problem},
    ports::{MessageFilter, TroubleKey},
};

/// How many rows are looked at at once.
const STEP: i64 = 200;
/// How many tickets a partner is asked for at once.
const DRIFTING: i64 = 50;
/// How many works are remembered.
const KEPT: usize = 50;
/// How many refusals of one are.
const REFUSED: usize = 20;

/// What is to be done.
#[derive(Debug)]
pub(super) enum Task {
    /// Every message that waits for a person is sent again.
    ReplayAll,
    /// Every one is dropped.
    DropAll,
    /// Every ticket with this trouble is tried again; of those that differ, both sides are made one.
    Retry(TroubleKey),
}

/// How far one is.
#[derive(Clone, Debug, Default)]
struct Progress {
    title: String,
    done: usize,
    /// How many there were at the beginning, where that is known.
    of: Option<usize>,
    refused: usize,
    reasons: Vec<String>,
    ended: bool,
    /// What ended it early.
    failed: Option<String>,
}

/// Work that goes on, and work that ended lately. It lives in memory: what a restart interrupts is begun again by a person, and
/// what was done stays done.
#[derive(Debug, Default)]
pub struct Works {
    all: Mutex<BTreeMap<u64, Progress>>,
}

impl Works {
    /// Begins a task; returns what it is called.
    pub(super) fn begin(&self, context: &Shared, task: Task) -> u64 {
        let title = match &task {
            Task::ReplayAll => "Sending all messages again",
            Task::DropAll => "Dropping all messages",
            Task::Retry(_) => "Trying tickets again",
        };
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let id = all.last_key_value().map_or(1, |(last, _)| last + 1);
        all.insert(id, Progress { title: title.to_owned(), ..Progress::default() });
        while all.len() > KEPT {
            all.pop_first();
        }
        drop(all);
        let context = context.clone();
        tokio::spawn(async move {
            let stop = context.stop.clone();
            let ended = tokio::select! {
                ended = run(&context, id, &task) => ended,
                () = stop.cancelled() => Err(Problem::unusable("the daemon is stopping")),
            };
            context.works.note(id, |progress| {
                progress.ended = true;
                progress.failed = ended.err().map(|problem| problem.detail().to_owned());
            });
        });
        id
    }

    fn note(&self, id: u64, change: impl FnOnce(&mut Progress)) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = all.get_mut(&id) {
            change(progress);
        }
    }

    fn of(&self, id: u64) -> Option<Progress> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// One more is done, or was refused.
    fn count(&self, id: u64, result: Result<(), Problem>) {
        self.note(id, |progress| match result {
            Ok(()) => progress.done += 1,
            Err(problem) => {
                progress.refused += 1;
                if progress.reasons.len() < REFUSED {
                    progress.reasons.push(problem.detail().to_owned());
                }
            }
        });
    }
}

async fn run(context: &Shared, id: u64, task: &Task) -> Result<(), Problem> {
    let works = &context.works;
    match task {
        Task::ReplayAll | Task::DropAll => {
            let count = usize::try_from(context.options.store.counts().await?.parked).ok();
            works.note(id, |progress| progress.of = count);
            let mut after = 0;
            // What is parked again meanwhile has a later place, and would have no end: it is left for another time.
            let last = last_parked(context).await?;
            loop {
                let filter = MessageFilter::Parked(after, None);
                let messages = context.options.store.messages(filter, STEP).await?;
                let Some(end) = messages.last().map(|message| message.seq) else { return Ok(()) };
                for message in messages.into_iter().filter(|message| message.seq <= last) {
                    let settled = match task {
                        Task::DropAll => {
                            let dropped = context.pipeline.submit_one(Change::Drop(Box::new(message))).await;
                            dropped.map(drop).map_err(Problem::from)
                        }
                        _ => replay_one(context, message).await,
                    };
                    works.count(id, settled);
                }
                if end >= last {
                    return Ok(());
                }
                after = end;
            }
        }
        Task::Retry(key) if key.reason == Reason::Drift => repair(context, id, key).await,
        Task::Retry(key) => {
            let mut after: Option<Uuid> = None;
            loop {
                let tickets = context.options.store.troubled(key, after.as_ref(), STEP).await?;
                let Some(last) = tickets.last().map(|view| view.ticket.uuid.clone()) else { return Ok(()) };
                let changes = tickets.into_iter().map(|view| Change::Retry(view.ticket.uuid)).collect();
                for answer in context.pipeline.submit(changes).await {
                    works.count(id, answer.map(drop).map_err(Problem::from));
                }
                after = Some(last);
            }
        }
    }
}

/// Makes tickets that differ from the partner's one with them again.
async fn repair(context: &Shared, id: u64, key: &TroubleKey) -> Result<(), Problem> {
    let agreement = find(context, key.agreement.as_str()).await?;
    let reconcile = Reconcile::new(context.options.clone(), context.pipeline.clone());
    let mut after: Option<Uuid> = None;
    loop {
        let tickets = context.options.store.troubled(key, after.as_ref(), DRIFTING).await?;
        let Some(last) = tickets.last().map(|view| view.ticket.uuid.clone()) else { return Ok(()) };
        let count = tickets.len();
        let busy = reconcile.some(&agreement, tickets, true).await?.on_their_way;
        for n in 0..count {
            let waits = || Problem::unusable("something is on its way about a ticket: it is not judged now");
            context.works.count(id, if n < busy { Err(waits()) } else { Ok(()) });
        }
        after = Some(last);
    }
}

/// The place of the last message that waits now.
async fn last_parked(context: &Shared) -> Result<i64, Problem> {
    let mut after = 0;
    loop {
        let filter = MessageFilter::Parked(after, None);
        let messages = context.options.store.messages(filter, 10_000).await?;
        match messages.last() {
            Some(last) => after = last.seq,
            None => return Ok(after),
        }
    }
}

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/work/{id}", get(show))
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "work.html")]
struct WorkPage {
    shell: Shell,
    progress: Progress,
}

async fn show(
    State(context): State<Shared>,
    Extension(session): Extension<Session>,
    Name(id): Name,
) -> Result<Response, Problem> {
    let progress = id.parse().ok().and_then(|id| context.works.of(id));
    let progress =
        progress.ok_or_else(|| Problem::unknown("such work: it ended long ago, or before a restart"))?;
    let shell = Shell::of(&context, &session, "attention").await?;
    Ok(session::drawn(&WorkPage { shell, progress }))
}
