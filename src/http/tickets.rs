//! Tickets in the API: list, show, share, unshare, explain.

use axum::{
    Json, Router,
    extract::{
        Path, Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Shared,
    agreements::body,
    messages::replay_one,
    problem::{Problem, Result},
    timeline, view,
};
use crate::{
    domain::{Channel, MessageState, TicketId, Uuid},
    flow::Change,
    ports::{MessageFilter, TicketView},
};

/// How many events, and how many messages, of a ticket are told.
const EXPLAINED: i64 = 1000;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/tickets", get(list))
        .route("/tickets/{id}", get(show))
        .route("/tickets/{id}/share", post(share).delete(unshare))
        .route("/tickets/{id}/retry", post(retry))
        .route("/tickets/{id}/explain", get(explain))
}

#[derive(Deserialize)]
struct Page {
    /// The uuid of the last ticket of the page before.
    after: Option<String>,
    /// Only those shared under this agreement.
    agreement: Option<String>,
    /// How many; 100 unless said, 1000 at most.
    limit: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShareForm {
    agreement: String,
}

async fn list(
    State(context): State<Shared>,
    page: std::result::Result<Query<Page>, QueryRejection>,
) -> Result<Json<Vec<Value>>> {
    let Query(page) = page.map_err(|error| Problem::unusable(error.body_text()))?;
    let limit = page.limit.unwrap_or(100).clamp(1, 1000);
    let (after, agreement) = (page.after.map(Uuid::new), page.agreement.map(Uuid::new));
    let tickets = context.options.store.tickets(after.as_ref(), agreement.as_ref(), limit).await?;
    let url = context.options.desk.ticket_url.as_deref();
    Ok(Json(tickets.iter().map(|view| view::ticket(view, false, url)).collect()))
}

pub(super) async fn find(context: &Shared, id: &str) -> Result<TicketView> {
    let found = context.options.store.ticket(id).await?;
    found.ok_or_else(|| Problem::unknown(format!("shared ticket {id}")))
}

fn shown(context: &Shared, found: &TicketView) -> Value {
    view::ticket(found, false, context.options.desk.ticket_url.as_deref())
}

async fn show(State(context): State<Shared>, Path(id): Path<String>) -> Result<Json<Value>> {
    Ok(Json(shown(&context, &find(&context, &id).await?)))
}

async fn share(
    State(context): State<Shared>,
    Path(id): Path<String>,
    form: std::result::Result<Json<ShareForm>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>)> {
    let form = body(form)?;
    context.pipeline.submit_one(Change::Share(TicketId::new(id.as_str()), form.agreement)).await?;
    Ok((StatusCode::ACCEPTED, Json(shown(&context, &find(&context, &id).await?))))
}

async fn unshare(State(context): State<Shared>, Path(id): Path<String>) -> Result<(StatusCode, Json<Value>)> {
    let known = find(&context, &id).await?;
    let id =
        known.ticket.id.clone().ok_or_else(|| Problem::unknown(format!("ticket {id} on the desk yet")))?;
    context.pipeline.submit_one(Change::Unshare(id.clone())).await?;
    Ok((StatusCode::ACCEPTED, Json(shown(&context, &find(&context, id.as_str()).await?))))
}

async fn retry(State(context): State<Shared>, Path(id): Path<String>) -> Result<(StatusCode, Json<Value>)> {
    let replayed = try_again(&context, &find(&context, &id).await?).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"replayed": replayed}))))
}

/// Tries everything of a ticket again: what the desk could not do, and messages that were refused; returns how many of these.
pub(super) async fn try_again(context: &Shared, found: &TicketView) -> Result<usize> {
    let uuid = found.ticket.uuid.clone();
    context.pipeline.submit_one(Change::Retry(uuid.clone())).await?;
    let messages = context.options.store.messages(MessageFilter::Of(uuid), EXPLAINED).await?;
    let parked = messages.into_iter().filter(|message| message.state == MessageState::Parked);
    let mut replayed = 0;
    for message in parked.filter(|message| message.kind.channel() == Channel::Partner) {
        replay_one(context, message).await?;
        replayed += 1;
    }
    Ok(replayed)
}

async fn explain(State(context): State<Shared>, Path(id): Path<String>) -> Result<Json<Value>> {
    let found = find(&context, &id).await?;
    let uuid = &found.ticket.uuid;
    let messages = context.options.store.messages(MessageFilter::Of(uuid.clone()), EXPLAINED).await?;
    let history = context.options.store.history(uuid, EXPLAINED).await?;
    let agreements = context.options.store.agreements().await?;
    let timeline = timeline::of(&history, &messages, &agreements);
    let messages: Vec<Value> = messages.iter().map(view::message).collect();
    let ticket = view::ticket(&found, true, context.options.desk.ticket_url.as_deref());
    Ok(Json(json!({"ticket": ticket, "timeline": timeline, "messages": messages})))
}
