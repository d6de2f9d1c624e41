//! Structured logs on stderr: for people on a terminal, JSON otherwise.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging at this level (`error` … `trace`, or a filter such as `crossdesk=debug`). Only the first call counts.
pub fn start(level: &str) {
    let filter = EnvFilter::try_new(format!("{level},lapin=error,sqlx=error"))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second daemon in the same process (the demo, the tests) shares the first one's logs.
    let _already_started = if std::io::stderr().is_terminal() {
        logs.with_target(false).try_init()
    } else {
        logs.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
}
