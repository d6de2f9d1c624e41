//! One ticket: both sides next to each other, what happened to it, and what can be done.

use askama::Template;
use axum::{
    Extension, Router,
    extract::{Query, State, rejection::QueryRejection},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    form::Sent,
    session::{self, Session},
    shell::{Shell, go},
    side::{self, Side},
    timeline::{self, Show},
};
use crate::{
    domain::{Direction, Property, ShareState},
    flow::Change,
    http::{
        Shared,
        name::Name,
        problem::Problem,
        tickets::{find, try_again},
        timeline as story,
    },
    ports::MessageFilter,
};

/// How many messages, and how many lines of history, are looked through.
const TOLD: i64 = 200;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/tickets/{id}", get(show))
        .route("/tickets/{id}/share", post(share))
        .route("/tickets/{id}/unshare", post(unshare))
        .route("/tickets/{id}/retry", post(retry))
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "ticket.html")]
struct TicketPage {
    shell: Shell,
    uuid: String,
    number: String,
    url: String,
    subject: String,
    sides: Vec<Side>,
    /// Commands that the desk has not answered.
    asked: usize,
    /// What the desk could not do.
    undone: usize,
    lines: Vec<timeline::Line>,
    cut: bool,
    shows: Vec<(&'static str, &'static str, bool)>,
    /// Agreements that it can be shared under.
    choices: Vec<(String, String)>,
    is_shared: bool,
}

#[derive(Default, Deserialize)]
struct Look {
    #[serde(default)]
    show: Show,
}

async fn show(
    State(context): State<Shared>,
    Extension(session): Extension<Session>,
    Name(id): Name,
    look: Result<Query<Look>, QueryRejection>,
) -> Result<Response, Problem> {
    let found = find(&context, &id).await?;
    let store = &context.options.store;
    let uuid = &found.ticket.uuid;
    let messages = store.messages(MessageFilter::Of(uuid.clone()), TOLD).await?;
    let history = store.history(uuid, TOLD).await?;
    let agreements = store.agreements().await?;
    let names = super::words::by_uuid(&agreements);
    let show = look.map(|Query(look)| look.show).unwrap_or_default();
    let told = story::of(&history, &messages, &agreements);
    let ticket = &found.ticket;
    let side =
        |share| Side::of(ticket, share, names.get(&share.agreement).copied(), &found.issues, &messages);
    let number = ticket.id.as_ref().map(ToString::to_string).unwrap_or_default();
    let link = context.options.desk.ticket_url.as_ref().zip(ticket.id.as_ref()).map(|(url, id)| id.link(url));
    let offered = agreements.iter().filter(|agreement| {
        let running = found
            .shares
            .iter()
            .any(|share| share.agreement == agreement.uuid && share.state != ShareState::Ended);
        agreement.is_accepted() && agreement.direction == Direction::Outbound && !running
    });
    let full = |count: usize| i64::try_from(count).is_ok_and(|count| count >= TOLD);
    let page = TicketPage {
        shell: Shell::of(&context, &session, "tickets").await?,
        uuid: uuid.to_string(),
        url: link.unwrap_or_default(),
        number,
        subject: ticket
            .effective(&Property::Subject)
            .map(|value| side::text(&value.json()))
            .unwrap_or_default(),
        sides: found.shares.iter().map(side).collect(),
        asked: ticket.open.len(),
        undone: ticket.undone.len(),
        lines: timeline::lines(&told, show),
        cut: full(messages.len()) || full(history.len()),
        shows: Show::ALL.iter().map(|(one, name, words)| (*name, *words, *one == show)).collect(),
        choices: offered.map(|agreement| (agreement.uuid.to_string(), agreement.name.clone())).collect(),
        is_shared: found.shares.iter().any(|share| share.state != ShareState::Ended),
    };
    Ok(session::drawn(&page))
}

/// The desk's own number of a ticket, by which it is shared and unshared.
async fn number(context: &Shared, id: &str) -> Result<crate::domain::TicketId, Problem> {
    let known = find(context, id).await?;
    known
        .ticket
        .id
        .ok_or_else(|| Problem::unusable("the desk has not made this ticket yet: it has no number here"))
}

async fn share(State(context): State<Shared>, Name(id): Name, sent: Sent) -> Result<Response, Problem> {
    let number = number(&context, &id).await?;
    context.pipeline.submit_one(Change::Share(number, sent.text("agreement").to_owned())).await?;
    Ok(go(
        &context,
        &sent.session,
        &format!("/tickets/{id}"),
        "The ticket is shared; its message is on its way.",
    ))
}

async fn unshare(State(context): State<Shared>, Name(id): Name, sent: Sent) -> Result<Response, Problem> {
    let number = number(&context, &id).await?;
    context.pipeline.submit_one(Change::Unshare(number)).await?;
    let said = "The ticket is not shared any more: both sides keep what they have.";
    Ok(go(&context, &sent.session, &format!("/tickets/{id}"), said))
}

async fn retry(State(context): State<Shared>, Name(id): Name, sent: Sent) -> Result<Response, Problem> {
    let replayed = try_again(&context, &find(&context, &id).await?).await?;
    let said = match replayed {
        0 => "What the desk could not do is being tried again.".to_owned(),
        count => format!("What the desk could not do is being tried again, and {count} refused messages."),
    };
    Ok(go(&context, &sent.session, &format!("/tickets/{id}"), said))
}
