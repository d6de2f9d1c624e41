//! Messages in the API: commands that wait for the desk, and dead letters.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{delete, get, post},
};
use serde_json::Value;

use super::{
    Shared,
    problem::{Problem, Result},
    view,
};
use crate::{
    domain::{Message, MessageId, MessageState, MessageType},
    flow::Change,
    ports::MessageFilter,
};

/// How many of a list come at once: the oldest.
const LIMIT: i64 = 1000;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/commands", get(commands))
        .route("/dead-letters", get(dead_letters))
        .route("/dead-letters/{id}", delete(drop_one))
        .route("/dead-letters/{id}/replay", post(replay))
}

async fn commands(State(context): State<Shared>) -> Result<Json<Vec<Value>>> {
    let messages = context.options.store.messages(MessageFilter::Commands, LIMIT).await?;
    Ok(Json(messages.iter().filter_map(|message| serde_json::from_str(&message.body).ok()).collect()))
}

async fn dead_letters(State(context): State<Shared>) -> Result<Json<Vec<Value>>> {
    let messages = context.options.store.messages(MessageFilter::Parked(0), LIMIT).await?;
    Ok(Json(messages.iter().map(view::message).collect()))
}

async fn parked(context: &Shared, id: &str) -> Result<Message> {
    let unknown = || Problem::unknown(format!("dead letter {id}"));
    let id = MessageId::parse(id).ok_or_else(unknown)?;
    let message =
        context.options.store.messages(MessageFilter::Ids(vec![id]), 1).await?.pop().ok_or_else(unknown)?;
    if message.state != MessageState::Parked {
        let state = message.state.as_str();
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("message {} is {state}, not parked", message.id),
        ));
    }
    Ok(message)
}

async fn replay(State(context): State<Shared>, Path(id): Path<String>) -> Result<StatusCode> {
    let message = parked(&context, &id).await?;
    if message.kind != MessageType::DeadEvent {
        context.pipeline.submit_one(Change::Replay(Box::new(message))).await?;
        return Ok(StatusCode::ACCEPTED);
    }
    match context.intake.read(message.body.as_bytes()) {
        Change::Dead { reason, .. } => Err(Problem::unusable(format!(
            "it still cannot be processed: {reason}; drop it, or send it corrected"
        ))),
        event => {
            context.pipeline.submit_one(event).await?;
            context.pipeline.submit_one(Change::Drop(Box::new(message))).await?;
            Ok(StatusCode::ACCEPTED)
        }
    }
}

async fn drop_one(State(context): State<Shared>, Path(id): Path<String>) -> Result<StatusCode> {
    let message = parked(&context, &id).await?;
    context.pipeline.submit_one(Change::Drop(Box::new(message))).await?;
    Ok(StatusCode::NO_CONTENT)
}
