//! `run`.

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

use super::{Global, supervisor};
use crate::{app::Daemon, config, telemetry};

/// More threads than this serve nobody.
const MOST_THREADS: usize = 256;

/// Runs the daemon until it is told to stop.
pub(super) async fn run(global: &Global, prune: bool) -> Result<()> {
    let config = config::from_file(global.config.as_deref(), &config::environment())?;
    telemetry::start_logs(&config.log.level, config.log.per_minute);
    let mut hangup = signal(SignalKind::hangup())?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut daemon = Daemon::start(&config, prune).await?;
    let watchdog = supervisor::ready();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = supervisor::beat(watchdog) => {}
            _ = hangup.recv() => match config::from_file(global.config.as_deref(), &config::environment()) {
                Ok(config) => daemon.reload(&config).await,
                Err(error) => tracing::error!(error = %error, "the configuration in use stays"),
            },
        }
    }
    supervisor::stopping();
    daemon.stop().await;
    Ok(())
}

/// How many threads the daemon's runtime has; a configuration that cannot be used is told of by whoever runs it.
pub(super) fn threads(global: &Global) -> usize {
    let config = config::from_file(global.config.as_deref(), &config::environment());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let wanted = config.map(|config| config.runtime.threads).unwrap_or_default();
    if wanted == 0 { cores.div_ceil(2) } else { wanted.min(MOST_THREADS) }
}
