//! A channel for what RabbitMQ may not answer.

use std::ops::Deref;

use lapin::Channel;
use tokio::{runtime::Handle, time::timeout};

use super::line::PATIENCE;

/// What comes of a request, if it does in time. What comes later is let go of then, and what it was asked over closed: a channel that is
/// closed from both sides at once would cost its connection.
pub(super) async fn answered<T: Send + 'static>(
    request: impl Future<Output = lapin::Result<T>> + Send + 'static,
) -> Option<lapin::Result<T>> {
    match timeout(PATIENCE, tokio::spawn(request)).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Ok(Err(_)) | Err(_) => None,
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
