//! A store that is slow, busy, away, or has written and does not say so.

use std::{
    sync::{Arc, LazyLock},
    task::{Context, Poll, Wake},
    thread::{self, Thread},
};

use async_trait::async_trait;
use crossdesk::{
    domain::{Agreement, Catalogue, Keys, Message, StoredComment, TicketId, Timestamp, Uuid},
    engine::{Snapshot, Stored},
    ports::{Counts, Happened, MessageFilter, Scope, Store, StoreError, TicketView, Writes},
};
use tokio::runtime::{Builder, Runtime};

use super::faults::{Fault, Life};

/// A store as one life of the daemon sees it.
#[derive(Debug)]
pub(crate) struct Shaky {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) life: Life,
}

/// Waits for a database as if it took no time: the world's clock, which jumps when all wait, stands still meanwhile.
pub(crate) fn at_once<T>(call: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    // What a database does in the background it does in a runtime of its own.
    static BESIDE: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_multi_thread().enable_all().build().unwrap());
    let _beside = BESIDE.enter();
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut call = std::pin::pin!(call);
    loop {
        if let Poll::Ready(answer) = call.as_mut().poll(&mut Context::from_waker(&waker)) {
            return answer;
        }
        thread::park();
    }
}

/// One call in so many fails.
const READS: usize = 60;
const WRITES: usize = 15;
/// How long a call takes.
const MILLIS: usize = 3;

impl Shaky {
    async fn read<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.life.passes(MILLIS).await;
        if self.life.faults.fault(READS) != Fault::None {
            return Err(StoreError::Away("the connection broke".to_owned()));
        }
        let read = at_once(call);
        self.life.passes(MILLIS).await;
        read
    }
}

#[async_trait]
impl Store for Shaky {
    async fn prepare(&self) -> Result<(), StoreError> {
        self.read(self.store.prepare()).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.read(self.store.ping()).await
    }

    async fn snapshot_knowing(&self, scope: &Scope, known: Vec<Arc<Stored>>) -> Result<Snapshot, StoreError> {
        self.read(self.store.snapshot_knowing(scope, known)).await
    }

    async fn places(&self, count: usize) -> Result<Vec<i64>, StoreError> {
        self.read(self.store.places(count)).await
    }

    async fn apply(&self, writes: Arc<Writes>) -> Result<(), StoreError> {
        self.life.passes(MILLIS).await;
        let fault = self.life.faults.fault(WRITES);
        if fault == Fault::Before {
            let busy = self.life.faults.roll(2) == 0;
            return Err(if busy { StoreError::Conflict } else { StoreError::Away("busy".to_owned()) });
        }
        let written = at_once(self.store.apply(writes));
        self.life.passes(MILLIS).await;
        if fault == Fault::After {
            return Err(StoreError::Away("the connection broke after the commit".to_owned()));
        }
        written
    }

    async fn messages(&self, filter: MessageFilter, limit: i64) -> Result<Vec<Message>, StoreError> {
        self.read(self.store.messages(filter, limit)).await
    }

    async fn due(&self, now: Timestamp, limit: i64) -> Result<Vec<Uuid>, StoreError> {
        self.read(self.store.due(now, limit)).await
    }

    async fn waiting(&self, ticket: &TicketId) -> Result<Vec<String>, StoreError> {
        self.read(self.store.waiting(ticket)).await
    }

    async fn waiting_since(
        &self,
        before: Timestamp,
        limit: i64,
    ) -> Result<Vec<(TicketId, String)>, StoreError> {
        self.read(self.store.waiting_since(before, limit)).await
    }

    async fn access_keys(&self, agreement: &Uuid) -> Result<Option<Keys>, StoreError> {
        self.read(self.store.access_keys(agreement)).await
    }

    async fn partner_fields(&self, agreement: &Uuid) -> Result<Option<Catalogue>, StoreError> {
        self.read(self.store.partner_fields(agreement)).await
    }

    async fn invites(&self, before: Timestamp, limit: i64) -> Result<Vec<Uuid>, StoreError> {
        self.read(self.store.invites(before, limit)).await
    }

    async fn agreements(&self) -> Result<Vec<Agreement>, StoreError> {
        self.read(self.store.agreements()).await
    }

    async fn tickets(
        &self,
        after: Option<&Uuid>,
        agreement: Option<&Uuid>,
        limit: i64,
    ) -> Result<Vec<TicketView>, StoreError> {
        self.read(self.store.tickets(after, agreement, limit)).await
    }

    async fn ticket(&self, id: &str) -> Result<Option<TicketView>, StoreError> {
        self.read(self.store.ticket(id)).await
    }

    async fn comments(&self, ticket: &Uuid) -> Result<Vec<StoredComment>, StoreError> {
        self.read(self.store.comments(ticket)).await
    }

    async fn unanswered_invites(&self, limit: i64) -> Result<i64, StoreError> {
        self.read(self.store.unanswered_invites(limit)).await
    }

    async fn history(&self, ticket: &Uuid, limit: i64) -> Result<Vec<Happened>, StoreError> {
        self.read(self.store.history(ticket, limit)).await
    }

    async fn refitting(&self) -> Result<Option<Uuid>, StoreError> {
        self.read(self.store.refitting()).await
    }

    async fn unfit(&self, after: &Uuid, limit: i64) -> Result<Vec<Uuid>, StoreError> {
        self.read(self.store.unfit(after, limit)).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.read(self.store.counts()).await
    }

    async fn prune(&self, now: Timestamp, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
        self.read(self.store.prune(now, before, limit)).await
    }
}
