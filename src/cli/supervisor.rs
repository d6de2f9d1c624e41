//! What a service manager is told (systemd's `Type=notify`): that the daemon is up, that it is alive, that it stops. Where
//! there is none, nothing is said to nobody.

use std::time::Duration;

use sd_notify::NotifyState;

/// The daemon takes what comes. Whether its database and its broker answer is `/readyz`'s to say: it waits for both, so
/// nobody need start it anew because of them. Returns how often it has to say that it is alive.
pub(super) fn ready() -> Option<Duration> {
    tell(&[NotifyState::Ready]);
    sd_notify::watchdog_enabled().map(|limit| limit / 3)
}

/// Says, after a while, that it is alive: the runtime that would do the work does this too.
pub(super) async fn beat(every: Option<Duration>) {
    match every {
        Some(every) => {
            tokio::time::sleep(every).await;
            tell(&[NotifyState::Watchdog]);
        }
        None => std::future::pending().await,
    }
}

/// It stops.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(error = %error, "the service manager cannot be told");
    }
}
