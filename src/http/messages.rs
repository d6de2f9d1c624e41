//! Messages in the API: commands that wait for the desk, and dead letters.

#![expect(unused_qualifications, reason = "utoipa names the parameters by their full path")]

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared,
    name::Name,
    problem::{Problem, Result},
    view::{ManyDone, MessageView, Refused, json},
};
use crate::{
    domain::{Message, MessageId, MessageState, MessageType, Uuid},
    flow::Change,
    ports::MessageFilter,
};

/// How many of a list come at once: the oldest.
const LIMIT: i64 = 1000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::default()
        .routes(routes!(commands))
        .routes(routes!(dead_letters, drop_many))
        .routes(routes!(replay_many))
        .routes(routes!(show, drop_one))
        .routes(routes!(replay))
}

/// Where a page of commands begins.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct After {
    /// The id of the last command of the page before.
    after: Option<String>,
}

/// Commands that the desk has not answered, oldest first, a thousand at most: for desks without a broker, which answer by `helpdesk.command.completed`.
#[utoipa::path(
    get,
    path = "/commands",
    tag = "commands",
    params(After),
    responses((status = 200, description = "the commands", body = ref("#/components/schemas/Commands")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn commands(
    State(context): State<Shared>,
    page: std::result::Result<Query<After>, QueryRejection>,
) -> Result<Json<Vec<Value>>> {
    let Query(page) = page.map_err(|error| Problem::unusable(error.body_text()))?;
    let after = match page.after {
        Some(id) => named(&context, &id, "command").await?.seq,
        None => 0,
    };
    let messages = context.options.store.messages(MessageFilter::Commands(after), LIMIT).await?;
    Ok(Json(messages.iter().filter_map(|message| serde_json::from_str(&message.body).ok()).collect()))
}

/// Which dead letters.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those under this agreement.
    #[param(value_type = Option<String>)]
    agreement: Option<Uuid>,
    /// All of them; one of the two must be said where something is done to many.
    #[serde(default)]
    all: bool,
    /// Those after this place: `place` of the last one of the page before, or `next` of what was done.
    #[serde(default)]
    after: i64,
}

impl Which {
    /// The next of them, and the place after the last that was looked at.
    async fn next(&self, context: &Shared) -> Result<(Vec<Message>, Option<i64>)> {
        let filter = MessageFilter::Parked(self.after, self.agreement.clone());
        let page = context.options.store.messages(filter, LIMIT).await?;
        let full = i64::try_from(page.len()).is_ok_and(|count| count == LIMIT);
        let next = page.last().map(|message| message.seq).filter(|_| full);
        Ok((page, next))
    }
}

/// What somebody asked for, which may not be readable.
type Asked = std::result::Result<Query<Which>, QueryRejection>;

/// Those that something is to be done to: somebody has to say that it is all of them.
async fn chosen(context: &Shared, which: Asked) -> Result<(Vec<Message>, Option<i64>)> {
    let Query(which) = which.map_err(|error| Problem::unusable(error.body_text()))?;
    if !which.all && which.agreement.is_none() {
        return Err(Problem::unusable("say which: ?agreement=UUID, or ?all=true"));
    }
    which.next(context).await
}

/// What could not be processed, oldest first, a thousand at most.
#[utoipa::path(
    get,
    path = "/dead-letters",
    tag = "dead letters",
    params(Which),
    responses((status = 200, description = "dead letters", body = ref("#/components/schemas/Messages")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn dead_letters(State(context): State<Shared>, which: Asked) -> Result<Json<Value>> {
    let Query(which) = which.map_err(|error| Problem::unusable(error.body_text()))?;
    let (messages, _) = which.next(&context).await?;
    Ok(json(messages.iter().map(MessageView::of).collect::<Vec<_>>()))
}

/// Replays up to a thousand, in order; says how many, which could not be, and where to go on.
#[utoipa::path(
    post,
    path = "/dead-letters/replay",
    tag = "dead letters",
    params(Which),
    responses((status = 200, description = "what became of them", body = ref("#/components/schemas/Done")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn replay_many(State(context): State<Shared>, which: Asked) -> Result<Json<Value>> {
    let (messages, next) = chosen(&context, which).await?;
    let (mut done, mut refused) = (0, Vec::new());
    for message in messages {
        let id = message.id.clone();
        match replay_one(&context, message).await {
            Ok(()) => done += 1,
            Err(problem) => {
                refused.push(Refused { id: id.to_string(), reason: problem.detail().to_owned() });
            }
        }
    }
    Ok(json(ManyDone { done, refused, next }))
}

/// Drops up to a thousand; says how many, and where to go on.
#[utoipa::path(
    delete,
    path = "/dead-letters",
    tag = "dead letters",
    params(Which),
    responses((status = 200, description = "what became of them", body = ref("#/components/schemas/Done")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn drop_many(State(context): State<Shared>, which: Asked) -> Result<Json<Value>> {
    let (messages, next) = chosen(&context, which).await?;
    let changes: Vec<Change> = messages.into_iter().map(|message| Change::Drop(Box::new(message))).collect();
    let done = changes.len();
    for answer in context.pipeline.submit(changes).await {
        answer?;
    }
    Ok(json(ManyDone { done, refused: Vec::new(), next }))
}

/// The message of this id; `what` it is called where there is none.
async fn named(context: &Shared, id: &str, what: &str) -> Result<Message> {
    let unknown = || Problem::unknown(format!("{what} {id}"));
    let id = MessageId::parse(id).ok_or_else(unknown)?;
    let store = &context.options.store;
    let mut found = store.messages(MessageFilter::Ids(vec![id.clone()]), 1).await?;
    if found.is_empty() {
        // One that is over is found by its ticket alone.
        found = store.messages(MessageFilter::Of(id.owner.clone()), LIMIT).await?;
        found.retain(|message| message.id == id);
    }
    found.pop().ok_or_else(unknown)
}

pub(super) async fn parked(context: &Shared, id: &str) -> Result<Message> {
    let message = named(context, id, "dead letter").await?;
    if message.state != MessageState::Parked {
        let state = message.state.as_str();
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("message {} is {state}, not parked", message.id),
        ));
    }
    Ok(message)
}

/// Replays a dead letter: what it would have changed is worked out anew.
#[utoipa::path(
    post,
    path = "/dead-letters/{id}/replay",
    tag = "dead letters",
    params(("id" = String, Path, description = "The message's id")),
    responses((status = 202, description = "it is tried again"), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn replay(State(context): State<Shared>, Name(id): Name) -> Result<StatusCode> {
    let message = parked(&context, &id).await?;
    replay_one(&context, message).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn replay_one(context: &Shared, message: Message) -> Result<()> {
    if message.kind != MessageType::DeadEvent {
        context.pipeline.submit_one(Change::Replay(Box::new(message))).await?;
        return Ok(());
    }
    let changes = context.intake.read_again(message.body.as_bytes()).await;
    let unusable = changes.iter().find_map(|change| match change {
        Change::Dead { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    if let Some(reason) = unusable {
        return Err(Problem::unusable(format!(
            "it still cannot be processed: {reason}; drop it, or send it corrected"
        )));
    }
    if changes.is_empty() {
        return Err(Problem::unusable(
            "desk.event_filter makes no event of it; drop it, or send it corrected",
        ));
    }
    for answer in context.pipeline.submit(changes).await {
        answer?;
    }
    context.pipeline.submit_one(Change::Drop(Box::new(message))).await?;
    Ok(())
}

/// A dead letter.
#[utoipa::path(
    get,
    path = "/dead-letters/{id}",
    tag = "dead letters",
    params(("id" = String, Path, description = "The message's id")),
    responses((status = 200, description = "the dead letter", body = ref("#/components/schemas/Message")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")))
)]
async fn show(State(context): State<Shared>, Name(id): Name) -> Result<Json<Value>> {
    Ok(json(MessageView::of(&parked(&context, &id).await?)))
}

/// Drops a dead letter.
#[utoipa::path(
    delete,
    path = "/dead-letters/{id}",
    tag = "dead letters",
    params(("id" = String, Path, description = "The message's id")),
    responses((status = 204, description = "it is gone"), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")))
)]
async fn drop_one(State(context): State<Shared>, Name(id): Name) -> Result<StatusCode> {
    let message = parked(&context, &id).await?;
    context.pipeline.submit_one(Change::Drop(Box::new(message))).await?;
    Ok(StatusCode::NO_CONTENT)
}
