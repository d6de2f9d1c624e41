//! The rest of the API: events over HTTP, previews, settings.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, State,
        rejection::{BytesRejection, JsonRejection},
    },
    http::{HeaderMap, StatusCode, header},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    BODY, Shared,
    agreements::body,
    problem::{Problem, Result},
    view,
};
use crate::{
    domain::DeskEvent,
    engine::Outcome,
    flow::{Change, preview, scope_of},
    ports::Scope,
    telemetry::metric,
};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/events", post(event))
        .route("/preview", post(look_ahead))
        .route("/settings", get(settings).put(set))
        .layer(DefaultBodyLimit::max(BODY))
}

/// The event in a request.
fn read(context: &Shared, headers: &HeaderMap, bytes: &[u8]) -> Result<(Box<DeskEvent>, String)> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !matches!(kind, "application/cloudevents+json" | "application/json") {
        let wanted = "send the event as application/cloudevents+json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, wanted));
    }
    match context.intake.read(bytes) {
        Change::Event { event, raw } => Ok((event, raw)),
        Change::Dead { reason, .. } => Err(Problem::unusable(reason)),
        _ => Err(Problem::unusable("not an event")),
    }
}

async fn event(
    State(context): State<Shared>,
    headers: HeaderMap,
    bytes: std::result::Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>)> {
    let bytes = bytes.map_err(|error| Problem::unusable(error.body_text()))?;
    // Whoever sends an unusable event is told so here; there is nobody else to tell, and no dead letter is needed.
    let (event, raw) = read(&context, &headers, &bytes).inspect_err(|_| metric::event(Outcome::Rejected))?;
    let done = context.pipeline.submit_one(Change::Event { event, raw }).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"outcome": done.outcome.as_str()}))))
}

async fn look_ahead(State(context): State<Shared>, headers: HeaderMap, bytes: Bytes) -> Result<Json<Value>> {
    let (event, raw) = read(&context, &headers, &bytes)?;
    let scope = scope_of(&Change::Event { event: event.clone(), raw }, &context.options);
    let snapshot = context.options.store.snapshot(&scope).await?;
    let (outcome, messages) = preview(&context.options, snapshot, &event);
    let would_send: Vec<Value> = messages.iter().map(view::message).collect();
    Ok(Json(json!({"outcome": outcome.as_str(), "would_send": would_send})))
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    decline_all_invites: bool,
}

async fn settings(State(context): State<Shared>) -> Result<Json<Settings>> {
    let snapshot = context.options.store.snapshot(&Scope::default()).await?;
    let configured = context.options.decline_all_invites;
    Ok(Json(Settings { decline_all_invites: snapshot.decline_all_invites.unwrap_or(configured) }))
}

async fn set(
    State(context): State<Shared>,
    form: std::result::Result<Json<Settings>, JsonRejection>,
) -> Result<Json<Settings>> {
    let form = body(form)?;
    context.pipeline.submit_one(Change::DeclineAll(form.decline_all_invites)).await?;
    Ok(Json(form))
}
