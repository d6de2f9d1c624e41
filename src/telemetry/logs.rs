//! Structured logs on stderr: for people on a terminal, JSON otherwise.

use std::{io::IsTerminal, sync::OnceLock};

use tracing_subscriber::{
    EnvFilter, Registry,
    layer::{Layer, SubscriberExt},
    reload,
    util::SubscriberInitExt,
};

/// What changes the level while the process runs.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

fn filter(level: &str) -> Option<EnvFilter> {
    EnvFilter::try_new(format!("{level},lapin=error,sqlx=error")).ok()
}

/// Starts logging at this level (`error` … `trace`, or a filter such as `crossdesk=debug`). Only the first call counts.
pub fn start(level: &str) {
    let (filter, handle) = reload::Layer::new(filter(level).unwrap_or_else(|| EnvFilter::new("info")));
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let logs = if std::io::stderr().is_terminal() {
        logs.with_target(false).boxed()
    } else {
        logs.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    };
    // A second daemon in the same process (the demo, the tests) shares the first one's logs.
    if tracing_subscriber::registry().with(filter).with(logs).try_init().is_ok() {
        let _first = LEVEL.set(handle);
    }
}

/// Changes the level; one that cannot be read changes nothing, and is said.
pub fn set_level(level: &str) {
    let Some(handle) = LEVEL.get() else { return };
    if let Some(filter) = filter(level) {
        let _the_subscriber_is_gone = handle.reload(filter);
    } else {
        tracing::error!(level, "log.level cannot be read; the present one stays");
    }
}
