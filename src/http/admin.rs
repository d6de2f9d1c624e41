//! The rest of the API: events over HTTP, previews, settings.

use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared,
    agreements::{Sent, body},
    problem::{Problem, Result},
    view::{self, MessageView, Previewed, json},
};
use crate::{
    engine::Outcome,
    flow::{Change, preview, traced},
    ports::Scope,
    telemetry::{Step, metric},
};

pub(super) fn routes(body: usize) -> OpenApiRouter<Shared> {
    OpenApiRouter::default()
        .routes(routes!(event))
        .routes(routes!(look_ahead))
        .routes(routes!(settings, set))
        .layer(DefaultBodyLimit::max(body))
}

/// The event in a request; as many as the desk's filter makes of it, where it has one.
async fn read(context: &Shared, headers: &HeaderMap, bytes: &[u8]) -> Result<Vec<Change>> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !matches!(kind, "application/cloudevents+json" | "application/json") {
        let wanted = "send the event as application/cloudevents+json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, wanted));
    }
    let event = |change| match change {
        Change::Event { .. } => Ok(change),
        Change::Dead { reason, .. } => Err(Problem::unusable(reason)),
        _ => Err(Problem::unusable("not an event")),
    };
    context.intake.read(bytes).await.into_iter().map(event).collect()
}

/// Takes an event of the desk, as the queue of events does.
#[utoipa::path(
    post,
    path = "/events",
    tag = "events",
    request_body(description = "A CloudEvent 1.0; with `desk.event_filter`, whatever the desk says", content(
        (ref("#/components/schemas/Event") = "application/cloudevents+json"),
        (ref("#/components/schemas/Event") = "application/json"),
    )),
    responses((status = 202, description = "it is safe; what became of it", body = ref("#/components/schemas/Outcome")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")), (status = 415, description = "the body is not said to be an event", body = ref("#/components/schemas/Problem")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn event(
    State(context): State<Shared>,
    headers: HeaderMap,
    bytes: std::result::Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>)> {
    let bytes = bytes.map_err(|error| Problem::unusable(error.body_text()))?;
    // Whoever sends an unusable event is told so here; there is nobody else to tell, and no dead letter is needed.
    let mut changes =
        read(&context, &headers, &bytes).await.inspect_err(|_| metric::events(Outcome::Rejected, 1))?;
    let mut span = traced(&mut changes, Step::Answered, super::traceparent(&headers).as_ref());
    let mut outcome = Outcome::Unshared;
    for (at, answer) in context.pipeline.submit(changes).await.into_iter().enumerate() {
        let done = answer.inspect_err(|_| metric::events(Outcome::Rejected, 1))?;
        // Of several, what became of the one that changed something.
        if at == 0 || done.outcome == Outcome::Applied {
            outcome = done.outcome;
        }
    }
    span.set("crossdesk.outcome", outcome.as_str());
    Ok((StatusCode::ACCEPTED, json(view::Outcome { outcome: outcome.as_str() })))
}

/// What an event would send, to whom and why; sends nothing.
#[utoipa::path(
    post,
    path = "/preview",
    tag = "events",
    request_body(description = "A CloudEvent 1.0; with `desk.event_filter`, whatever the desk says", content(
        (ref("#/components/schemas/Event") = "application/cloudevents+json"),
        (ref("#/components/schemas/Event") = "application/json"),
    )),
    responses((status = 200, description = "what it would do", body = ref("#/components/schemas/Preview")), (status = 415, description = "the body is not said to be an event", body = ref("#/components/schemas/Problem")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn look_ahead(
    State(context): State<Shared>,
    headers: HeaderMap,
    bytes: std::result::Result<Bytes, BytesRejection>,
) -> Result<Json<Value>> {
    let bytes = bytes.map_err(|error| Problem::unusable(error.body_text()))?;
    let changes = read(&context, &headers, &bytes).await?;
    let Some(Change::Event { event, .. }) = changes.first() else {
        return Ok(json(Previewed {
            outcome: Outcome::Unshared.as_str(),
            reason: Some("desk.event_filter makes no event of it".to_owned()),
            decided: Vec::new(),
            would_send: Vec::new(),
        }));
    };
    let preview = preview(&context.options, event).await?;
    Ok(json(Previewed {
        outcome: preview.outcome.as_str(),
        reason: preview.refused,
        decided: preview.decided.iter().filter_map(|line| serde_json::from_str(line).ok()).collect(),
        would_send: preview.messages.iter().map(MessageView::of).collect(),
    }))
}

/// What is settled for the whole desk.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Every invite is declined when it comes.
    decline_all_invites: bool,
}

/// What is settled for the whole desk.
#[utoipa::path(
    get,
    path = "/settings",
    tag = "settings",
    responses((status = 200, description = "the settings", body = ref("#/components/schemas/Settings")))
)]
async fn settings(State(context): State<Shared>) -> Result<Json<Settings>> {
    let snapshot = context.options.store.snapshot(&Scope::default()).await?;
    let configured = context.options.decline_all_invites;
    Ok(Json(Settings { decline_all_invites: snapshot.decline_all_invites.unwrap_or(configured) }))
}

/// Settles it.
#[utoipa::path(
    put,
    path = "/settings",
    tag = "settings",
    request_body(content = ref("#/components/schemas/Settings")),
    responses((status = 200, description = "the settings", body = ref("#/components/schemas/Settings")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn set(State(context): State<Shared>, form: Sent) -> Result<Json<Settings>> {
    let form: Settings = body(form)?;
    context.pipeline.submit_one(Change::DeclineAll(form.decline_all_invites)).await?;
    Ok(Json(form))
}
