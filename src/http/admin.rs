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
    Shared,
    agreements::body,
    problem::{Problem, Result},
    view,
};
use crate::{
    domain::DeskEvent,
    engine::Outcome,
    flow::{Change, preview},
    ports::Scope,
    telemetry::metric,
};

pub(super) fn routes(body: usize) -> Router<Shared> {
    Router::new()
        .route("/events", post(event))
        .route("/preview", post(look_ahead))
        .route("/settings", get(settings).put(set))
        .layer(DefaultBodyLimit::max(body))
}

/// The event in a request; as many as the desk's filter makes of it, where it has one.
async fn read(context: &Shared, headers: &HeaderMap, bytes: &[u8]) -> Result<Vec<(Box<DeskEvent>, String)>> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !matches!(kind, "application/cloudevents+json" | "application/json") {
        let wanted = "send the event as application/cloudevents+json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, wanted));
    }
    let event = |change| match change {
        Change::Event { event, raw } => Ok((event, raw)),
        Change::Dead { reason, .. } => Err(Problem::unusable(reason)),
        _ => Err(Problem::unusable("not an event")),
    };
    context.intake.read(bytes).await.into_iter().map(event).collect()
}

async fn event(
    State(context): State<Shared>,
    headers: HeaderMap,
    bytes: std::result::Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>)> {
    let bytes = bytes.map_err(|error| Problem::unusable(error.body_text()))?;
    // Whoever sends an unusable event is told so here; there is nobody else to tell, and no dead letter is needed.
    let events = read(&context, &headers, &bytes).await.inspect_err(|_| metric::event(Outcome::Rejected))?;
    let changes = events.into_iter().map(|(event, raw)| Change::Event { event, raw }).collect();
    let mut outcome = Outcome::Unshared;
    for (at, answer) in context.pipeline.submit(changes).await.into_iter().enumerate() {
        let done = answer?;
        // Of several, what became of the one that changed something.
        if at == 0 || done.outcome == Outcome::Applied {
            outcome = done.outcome;
        }
    }
    Ok((StatusCode::ACCEPTED, Json(json!({"outcome": outcome.as_str()}))))
}

async fn look_ahead(State(context): State<Shared>, headers: HeaderMap, bytes: Bytes) -> Result<Json<Value>> {
    let events = read(&context, &headers, &bytes).await?;
    let Some((event, _)) = events.first() else {
        return Ok(Json(
            json!({"outcome": Outcome::Unshared.as_str(), "reason": "desk.event_filter makes no event of it",
            "decided": [], "would_send": []}),
        ));
    };
    let preview = preview(&context.options, event).await?;
    let would_send: Vec<Value> = preview.messages.iter().map(view::message).collect();
    let decided: Vec<Value> =
        preview.decided.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok(Json(json!({
        "outcome": preview.outcome.as_str(), "reason": preview.refused, "decided": decided, "would_send": would_send,
    })))
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
