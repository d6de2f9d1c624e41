//! Shared tickets: found by either side's number, by uuid, by agreement; or the ones that something happened to last.

use askama::Template;
use axum::{
    Extension, Router,
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use serde::Deserialize;

use super::{
    LINES,
    session::{self, Session},
    shell::Shell,
    side, words,
};
use crate::{
    domain::{Agreement, Property, ShareState, Uuid},
    http::{Shared, problem::Problem},
    ports::TicketView,
};

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/tickets", get(list))
}

/// A ticket as a list shows it.
pub(super) struct Row {
    pub(super) uuid: String,
    pub(super) number: String,
    pub(super) there: String,
    pub(super) subject: String,
    pub(super) status: String,
    pub(super) partners: String,
    pub(super) state: &'static str,
    pub(super) issues: usize,
}

impl Row {
    pub(super) fn of(view: &TicketView, agreements: &[Agreement]) -> Self {
        let names = words::by_uuid(agreements);
        let text = |property| {
            view.ticket.effective(&property).map(|value| side::text(&value.json())).unwrap_or_default()
        };
        let running = |share: &&crate::domain::Share| share.state != ShareState::Ended;
        let mut shares: Vec<_> = view.shares.iter().filter(running).collect();
        if shares.is_empty() {
            shares.extend(view.shares.first());
        }
        let state =
            match shares.iter().map(|share| share.state).max_by_key(|state| *state == ShareState::Parked) {
                Some(ShareState::Active) => "shared",
                Some(ShareState::Parked) => "refused",
                Some(ShareState::Ended) => "ended",
                None => "not shared",
            };
        let partner = |share: &&crate::domain::Share| {
            names
                .get(&share.agreement)
                .map_or_else(|| share.agreement.to_string(), |agreement| agreement.name.clone())
        };
        Self {
            uuid: view.ticket.uuid.to_string(),
            number: view.ticket.id.as_ref().map(ToString::to_string).unwrap_or_default(),
            there: shares
                .iter()
                .filter_map(|share| share.partner.ticket_id.clone())
                .collect::<Vec<_>>()
                .join(", "),
            subject: text(Property::Subject),
            status: text(Property::Status),
            partners: shares.iter().map(partner).collect::<Vec<_>>().join(", "),
            state,
            issues: view.issues.iter().filter(|issue| issue.resolved_at.is_none()).count(),
        }
    }
}

/// What is looked for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Search {
    q: String,
    agreement: String,
    /// The place that the next page begins after.
    after: String,
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "tickets.html")]
struct TicketsPage {
    shell: Shell,
    q: String,
    agreement: String,
    agreements: Vec<(String, String)>,
    rows: Vec<Row>,
    next: Option<String>,
    title: &'static str,
}

async fn list(
    State(context): State<Shared>,
    Extension(session): Extension<Session>,
    search: Result<Query<Search>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(search) = search.map_err(|error| Problem::unusable(error.body_text()))?;
    let store = &context.options.store;
    let limit = i64::try_from(LINES).unwrap_or_default();
    let q = search.q.trim().trim_start_matches('#');
    let agreements = store.agreements().await?;
    let link = |name: &str, value: &str, after: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair(name, value).append_pair("after", after);
        format!("/tickets?{}", query.finish())
    };
    let (title, found, next) = if !q.is_empty() {
        let found = store.numbered(q, limit).await?;
        if let [only] = found.as_slice() {
            return Ok(Redirect::to(&format!("/tickets/{}", only.ticket.uuid)).into_response());
        }
        ("Found", found, None)
    } else if !search.agreement.is_empty() {
        let (after, agreement) = (Uuid::new(search.after.as_str()), Uuid::new(search.agreement.as_str()));
        let found = store.tickets(Some(&after), Some(&agreement), limit + 1).await?;
        let (found, next) = page(found);
        ("Under this agreement", found, next.map(|after| link("agreement", &search.agreement, &after)))
    } else {
        let before = search.after.parse().unwrap_or(i64::MAX);
        let (found, next) = store.recent(before, limit).await?;
        ("Active lately", found, next.map(|after| link("q", "", &after.to_string())))
    };
    let mut named: Vec<(String, String)> =
        agreements.iter().map(|agreement| (agreement.uuid.to_string(), agreement.name.clone())).collect();
    named.sort_by(|one, other| one.1.cmp(&other.1));
    let page = TicketsPage {
        shell: Shell::of(&context, &session, "tickets").await?,
        q: search.q.clone(),
        agreement: search.agreement,
        rows: found.iter().map(|view| Row::of(view, &agreements)).collect(),
        agreements: named,
        next,
        title,
    };
    Ok(session::drawn(&page))
}

/// A page of tickets of which one more was asked for, and the uuid that the next one begins after.
pub(super) fn page(mut found: Vec<TicketView>) -> (Vec<TicketView>, Option<String>) {
    let more = found.len() > LINES;
    found.truncate(LINES);
    let next = found.last().map(|view| view.ticket.uuid.to_string()).filter(|_| more);
    (found, next)
}
