//! Whether the daemon is alive, whether it can work, and what it counts.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use super::Shared;
use crate::telemetry::metric;

/// How long the broker and the store have to answer.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn alive() -> Router<Shared> {
    Router::new().route("/healthz", get(async || Json(json!({"status": "ok"}))))
}

pub(super) fn routes() -> Router<Shared> {
    let guard = axum::middleware::from_fn(not_for_scripts);
    Router::new().route("/readyz", get(ready)).route("/metrics", get(metrics)).layer(guard)
}

/// These need no token, so that monitors can read them; a page of another site, which could have a browser fetch them under
/// its own name (DNS rebinding), is no monitor. Browsers say when a script asks.
async fn not_for_scripts(request: Request, next: Next) -> Response {
    let mode = request.headers().get("sec-fetch-mode").and_then(|mode| mode.to_str().ok());
    if mode.is_some_and(|mode| mode != "navigate") {
        return StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}

async fn ready(State(context): State<Shared>) -> Response {
    let options = &context.options;
    let (store, broker) = tokio::join!(
        tokio::time::timeout(PATIENCE, options.store.counts()),
        tokio::time::timeout(PATIENCE, options.broker.ping()),
    );
    let late = || format!("no answer within {} s", PATIENCE.as_secs());
    let counts = store.map_err(|_| late()).and_then(|result| result.map_err(|error| error.to_string()));
    let unwritten = options.outages.unwritten();
    let broker = broker.map_err(|_| late()).and_then(|result| result.map_err(|error| error.to_string()));
    let started = options.started.load(std::sync::atomic::Ordering::Acquire);
    let fine = started && counts.is_ok() && unwritten.is_none() && broker.is_ok();
    let status = if fine { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // It works for all others: that is no reason to send it nothing.
    let unreadable = options.outages.unreadable();
    let said = |error: Option<&String>| error.map_or("ok", String::as_str).to_owned();
    let known = counts.as_ref().ok();
    let body = json!({
        "status": if fine { "ready" } else { "not ready" },
        "store": said(counts.as_ref().err().or(unwritten.as_ref())), "broker": said(broker.as_ref().err().or(unreadable.as_ref())),
        "outbox_pending": known.map(|counts| counts.pending), "dead_letters": known.map(|counts| counts.parked),
    });
    (status, Json(body)).into_response()
}

async fn metrics(State(context): State<Shared>) -> Response {
    if let Ok(counts) = context.options.store.counts().await {
        metric::waiting(counts.pending, counts.parked);
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, context.recorder.render()).into_response()
}
