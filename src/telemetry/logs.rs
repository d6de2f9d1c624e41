//! Structured logs on stderr: for people on a terminal, JSON otherwise.

use std::{io::IsTerminal, sync::OnceLock};

use tracing_subscriber::{
    EnvFilter, Registry,
    layer::{Layer, SubscriberExt},
    reload,
    util::SubscriberInitExt,
};

use super::flood::Flood;

/// What changes the level while the process runs.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();
/// What keeps one kind of line from filling the disk.
static FLOOD: Flood = Flood::new();

fn filter(level: &str) -> Option<EnvFilter> {
    // What the AMQP library meets is told by whoever used it; a queue that is only asked for, and not there, is no error.
    EnvFilter::try_new(format!("{level},lapin=off,sqlx=error")).ok()
}

/// Starts logging at this level (`error` … `trace`, or a filter such as `crossdesk=debug`), so many lines of one kind a minute
/// (0: all). Only the first call counts.
pub fn start(level: &str, per_minute: u32) {
    FLOOD.set(per_minute);
    let (filter, handle) = reload::Layer::new(filter(level).unwrap_or_else(|| EnvFilter::new("info")));
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let logs = if std::io::stderr().is_terminal() {
        logs.with_target(false).boxed()
    } else {
        logs.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    };
    // A second daemon in the same process (the demo, the tests) shares the first one's logs.
    if tracing_subscriber::registry().with(filter).with(logs.with_filter(&FLOOD)).try_init().is_ok() {
        let _first = LEVEL.set(handle);
    }
}

/// Changes both; a level that cannot be read changes nothing, and is said.
pub fn change(level: &str, per_minute: u32) {
    FLOOD.set(per_minute);
    let Some(handle) = LEVEL.get() else { return };
    if let Some(filter) = filter(level) {
        let _the_subscriber_is_gone = handle.reload(filter);
    } else {
        tracing::error!(level, "log.level cannot be read; the present one stays");
    }
}

/// Says how many lines of which kind were left out in the minutes that are over; at the end, of the last one too.
pub fn tell_left_out(at_the_end: bool) {
    FLOOD.tell(at_the_end);
}
