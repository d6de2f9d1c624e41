//! Notices by e-mail: a copy of what the desk is told, for an administrator who looks at mail more often than at the desk.
//!
//! The notice itself is safe in its row; its mail is an extra that may never hold anything up. So the letters wait in memory,
//! a limited number, are retried while the mail server is down, and are given up with a log line.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{domain::Notice, ports::Mailer, retry::Policy};

/// How many letters may wait; more are given up, since a mail server that is down that long has other troubles.
const WAITING: usize = 1000;
/// How a letter is retried.
const RETRY: Policy =
    Policy { initial: Duration::from_secs(1), max: Duration::from_secs(300), jitter: Policy::JITTER };
/// How often it is tried.
const TRIES: u32 = 30;

/// Where notices are posted. Cheap to clone; without a mailer it takes nothing.
#[derive(Clone, Debug, Default)]
pub struct Postbox(Option<mpsc::Sender<Notice>>);

/// Carries what is posted to the mail server.
#[derive(Debug)]
pub struct Post {
    notices: mpsc::Receiver<Notice>,
    mailer: Arc<dyn Mailer>,
    retry: Policy,
}

impl Post {
    /// A postbox, and the post that has to be run for it.
    pub fn new(mailer: Arc<dyn Mailer>) -> (Postbox, Self) {
        let (sender, notices) = mpsc::channel(WAITING);
        (Postbox(Some(sender)), Self { notices, mailer, retry: RETRY })
    }

    /// Carries letters, one after the other, until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let notice = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                notice = self.notices.recv() => notice,
            };
            let Some(notice) = notice else { return };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.carry(&notice) => {}
            }
        }
    }

    async fn carry(&self, notice: &Notice) {
        for attempt in 1..=TRIES {
            let Err(error) = self.mailer.send(notice).await else { return };
            tracing::warn!(kind = notice.kind, attempt, error, "a notice could not be mailed");
            tokio::time::sleep(self.retry.wait_after(attempt, None)).await;
        }
        tracing::error!(kind = notice.kind, text = notice.text, "given up: a notice was never mailed");
    }
}

impl Postbox {
    /// Takes a notice, if there is somebody to carry it.
    pub(super) fn take(&self, notice: Notice) {
        let Some(sender) = &self.0 else { return };
        if let Err(error) = sender.try_send(notice) {
            tracing::warn!(error = %error, "a notice is not mailed: too many wait for the mail server");
        }
    }
}
