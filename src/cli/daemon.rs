//! `run` and `check`.

use anyhow::{Context, Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};

use super::{Global, print};
use crate::{
    app::{self, Daemon},
    config, telemetry,
};

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
