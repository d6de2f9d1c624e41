//! `run` and `check`.

use anyhow::{Context, Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};

use super::{Global, print};
use crate::{
    app::{self, Daemon},
    config, telemetry,
};

/// More threads than this serve nobody.
const MOST_THREADS: usize = 256;

/// Runs the daemon until it is told to stop.
pub(super) async fn run(global: &Global, prune: bool) -> Result<()> {
    let config = config::from_file(global.config.as_deref(), &config::environment())?;
    telemetry::start_logs(&config.log.level);
    let mut hangup = signal(SignalKind::hangup())?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let daemon = Daemon::start(&config, prune).await?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => daemon.reload(),
        }
    }
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

/// Says what is wrong, if anything is.
pub(super) async fn check(global: &Global) -> Result<()> {
    let config = config::from_file(global.config.as_deref(), &config::environment())?;
    print::line("configuration  ok")?;
    let options = app::options(&config)?;
    let (store, broker) = tokio::join!(options.store.ping(), options.broker.ping());
    let mut failures = Vec::new();
    for (name, result) in [
        ("store", store.map_err(|error| error.to_string())),
        ("broker", broker.map_err(|error| error.to_string())),
    ] {
        match result {
            Ok(()) => print::line(&format!("{name:<14} ok"))?,
            Err(error) => {
                print::line(&format!("{name:<14} {error}"))?;
                failures.push(format!("{name}: {error}"));
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(anyhow!(failures.join("; "))).context("check failed") }
}
