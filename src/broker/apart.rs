//! A channel for what RabbitMQ may not answer.

use std::{
    collections::HashMap,
    ops::Deref,
    pin::pin,
    sync::{Arc, PoisonError},
    time::Duration,
};

use lapin::Channel;
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMutexGuard},
    time::timeout,
};

use super::PATIENCE;

/// How long what is not answered keeps others from asking.
const LONGEST: Duration = Duration::from_secs(300);

/// What queues are asked for over a connection: one thing at a time of each. RabbitMQ may say nothing for one that has no leader, and
/// each request keeps a channel, of which a connection has 2,047.
#[derive(Default)]
pub(super) struct Asking(std::sync::Mutex<HashMap<String, Arc<Mutex<()>>>>);

/// A turn at asking a queue for something: until that is answered, or has taken too long.
pub(super) struct Turn {
    _until_answered: OwnedMutexGuard<()>,
}

impl Asking {
    /// A turn, unless what was asked before is not answered in time.
    pub(super) async fn turn(&self, queue: &str) -> Option<Turn> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Those that nobody has are let go of.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(queue.to_owned()).or_default().clone()
        };
        let turn = timeout(PATIENCE, turn.lock_owned()).await.ok()?;
        Some(Turn { _until_answered: turn })
    }
}

impl Turn {
    /// What comes of a request, if it does in time. What comes later is let go of then, and what it was asked over closed: a channel that
    /// is closed from both sides at once would cost its connection.
    pub(super) async fn ask<T: Send + 'static>(
        self,
        request: impl Future<Output = lapin::Result<T>> + Send + 'static,
    ) -> Option<lapin::Result<T>> {
        let asked = tokio::spawn(async move {
            let mut request = pin!(request);
            let answer = timeout(LONGEST, &mut request).await;
            // Should it never be answered on a connection that lives, others may try.
            drop(self);
            match answer {
                Ok(answer) => answer,
                Err(_) => request.await,
            }
        });
        match timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Ok(Err(_)) | Err(_) => None,
        }
    }
}

/// A channel of its own. lapin leaves one open on which an answer is still waited for when it is let go of, and whatever was asked for
/// is done all the same: a consumer that nobody has would keep a queue from all others. This one is closed.
pub(super) struct Apart(Channel);

impl Apart {
    pub(super) fn new(channel: Channel) -> Self {
        Self(channel)
    }
}

impl Deref for Apart {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.0
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if let Ok(runtime) = Handle::try_current() {
            let channel = self.0.clone();
            runtime.spawn(async move { timeout(PATIENCE, channel.close(200, "done".into())).await.is_ok() });
        }
    }
}
