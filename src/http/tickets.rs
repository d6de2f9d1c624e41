//! Tickets in the API: list, show, share, unshare, explain.

#![expect(unused_qualifications, reason = "utoipa names the parameters by their full path")]

use std::time::Duration;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared,
    agreements::{Sent, body},
    messages::replay_one,
    name::Name,
    problem::{Problem, Result},
    timeline,
    view::{Explained, MessageView, Replayed, TicketShape, json},
};
use crate::{
    domain::{Channel, Message, MessageState, MessageType, TicketId, Uuid},
    flow::Change,
    ports::{MessageFilter, TicketView},
};

/// How many events, and how many messages, of a ticket are told.
const EXPLAINED: i64 = 1000;
/// How many commands that the desk has not answered are looked at.
const LOOKED_AT: i64 = 1000;
/// A desk that has made a ticket and not named it by then has most likely lost the command.
const NAMED_BY_THEN: Duration = Duration::from_secs(300);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(share, unshare))
        .routes(routes!(retry))
        .routes(routes!(explain))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Page {
    /// The uuid of the last ticket of the page before.
    after: Option<String>,
    /// Only those shared under this agreement.
    agreement: Option<String>,
    /// How many; 100 unless said, 1000 at most.
    limit: Option<i64>,
}

/// Under which agreement a ticket is to be shared.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShareForm {
    /// Its uuid or name.
    agreement: String,
}

/// Tickets that are shared or were, in the order of their uuids.
#[utoipa::path(
    get,
    path = "/tickets",
    tag = "tickets",
    params(Page),
    responses((status = 200, description = "a page of tickets", body = ref("#/components/schemas/Tickets")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn list(
    State(context): State<Shared>,
    page: std::result::Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>> {
    let Query(page) = page.map_err(|error| Problem::unusable(error.body_text()))?;
    let limit = page.limit.unwrap_or(100).clamp(1, 1000);
    let (after, agreement) = (page.after.map(Uuid::new), page.agreement.map(Uuid::new));
    let tickets = context.options.store.tickets(after.as_ref(), agreement.as_ref(), limit).await?;
    let url = context.options.desk.ticket_url.as_deref();
    Ok(json(tickets.iter().map(|view| TicketShape::of(view, false, url)).collect::<Vec<_>>()))
}

pub(super) async fn find(context: &Shared, id: &str) -> Result<TicketView> {
    let found = context.options.store.ticket(id).await?;
    found.ok_or_else(|| Problem::unknown(format!("shared ticket {id}")))
}

/// The desk's number of a ticket that somebody named so.
fn number(found: &TicketView, named: &str) -> Result<TicketId> {
    found.ticket.id.clone().ok_or_else(|| Problem::unknown(format!("ticket {named} on the desk yet")))
}

fn shown(context: &Shared, found: &TicketView) -> Json<Value> {
    json(TicketShape::of(found, false, context.options.desk.ticket_url.as_deref()))
}

/// A ticket: both sides' numbers, its shares, what did not sync.
#[utoipa::path(
    get,
    path = "/tickets/{id}",
    tag = "tickets",
    params(("id" = String, Path, description = "The desk's id of the ticket, or its uuid")),
    responses((status = 200, description = "the ticket", body = ref("#/components/schemas/Ticket")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")))
)]
async fn show(State(context): State<Shared>, Name(id): Name) -> Result<Json<Value>> {
    Ok(shown(&context, &find(&context, &id).await?))
}

/// Shares a ticket under an agreement.
#[utoipa::path(
    post,
    path = "/tickets/{id}/share",
    tag = "tickets",
    params(("id" = String, Path, description = "The desk's id of the ticket, or its uuid")),
    request_body(content = ref("#/components/schemas/ShareForm")),
    responses((status = 202, description = "the ticket; the partner is told after", body = ref("#/components/schemas/Ticket")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn share(
    State(context): State<Shared>,
    Name(id): Name,
    form: Sent,
) -> Result<(StatusCode, Json<Value>)> {
    let form: ShareForm = body(form)?;
    // One that was never shared is known by the desk's id alone.
    let number = if let Some(known) = context.options.store.ticket(&id).await? {
        number(&known, &id)?
    } else {
        may_be_a_partners(&context, &id).await?;
        TicketId::new(id.as_str())
    };
    context.pipeline.submit_one(Change::Share(number, form.agreement)).await?;
    Ok((StatusCode::ACCEPTED, shown(&context, &find(&context, &id).await?)))
}

/// A ticket that nobody has heard of may be one that a partner shares, and that the desk has made and not named yet: then it is not this
/// desk's own, to be shared under a name of its own.
async fn may_be_a_partners(context: &Shared, id: &str) -> Result<()> {
    let asked = context.options.store.messages(MessageFilter::Commands(0), LOOKED_AT).await?;
    let now = context.options.clock.now();
    let fresh = |command: &&Message| now.since(command.created_at) < NAMED_BY_THEN;
    let creates = |command: &&Message| command.kind == MessageType::CommandTicketCreate;
    let Some(create) = asked.iter().filter(creates).find(fresh) else { return Ok(()) };
    Err(Problem::conflict(format!(
        "ticket {id} is not known here, and may be one that a partner shares: the command crossdesk.ticket.create {} waits for the desk's \
         answer; share it once that is there",
        create.id
    )))
}

/// Ends a ticket's share, whoever began it.
#[utoipa::path(
    delete,
    path = "/tickets/{id}/share",
    tag = "tickets",
    params(("id" = String, Path, description = "The desk's id of the ticket, or its uuid")),
    responses((status = 202, description = "the ticket; the partner is told after", body = ref("#/components/schemas/Ticket")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")))
)]
async fn unshare(State(context): State<Shared>, Name(id): Name) -> Result<(StatusCode, Json<Value>)> {
    let id = number(&find(&context, &id).await?, &id)?;
    context.pipeline.submit_one(Change::Unshare(id.clone())).await?;
    Ok((StatusCode::ACCEPTED, shown(&context, &find(&context, id.as_str()).await?)))
}

/// Tries everything of a ticket again that the desk could not do or the partner refused.
#[utoipa::path(
    post,
    path = "/tickets/{id}/retry",
    tag = "tickets",
    params(("id" = String, Path, description = "The desk's id of the ticket, or its uuid")),
    responses((status = 202, description = "how many messages are sent again", body = ref("#/components/schemas/Replayed")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn retry(State(context): State<Shared>, Name(id): Name) -> Result<(StatusCode, Json<Value>)> {
    let replayed = try_again(&context, &find(&context, &id).await?).await?;
    Ok((StatusCode::ACCEPTED, json(Replayed { replayed })))
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

/// What happened to a ticket, what was sent, what was held back and why; resolved issues too.
#[utoipa::path(
    get,
    path = "/tickets/{id}/explain",
    tag = "tickets",
    params(("id" = String, Path, description = "The desk's id of the ticket, or its uuid")),
    responses((status = 200, description = "its story", body = ref("#/components/schemas/Explained")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")))
)]
async fn explain(State(context): State<Shared>, Name(id): Name) -> Result<Json<Value>> {
    let found = find(&context, &id).await?;
    let uuid = &found.ticket.uuid;
    let messages = context.options.store.messages(MessageFilter::Of(uuid.clone()), EXPLAINED).await?;
    let history = context.options.store.history(uuid, EXPLAINED).await?;
    let agreements = context.options.store.agreements().await?;
    let timeline = timeline::of(&history, &messages, &agreements);
    let messages = messages.iter().map(MessageView::of).collect();
    let ticket = TicketShape::of(&found, true, context.options.desk.ticket_url.as_deref());
    Ok(json(Explained { ticket, timeline, messages }))
}
