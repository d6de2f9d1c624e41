//! The admin page: how agreements and shared tickets are doing, at a glance.

use askama::Template;
use axum::{Extension, Router, extract::State, middleware, response::Response, routing::get};

use super::{
    Shared,
    problem::Problem,
    session::{self, Session},
};
use crate::{
    domain::{Agreement, Direction, Message, Property, ShareState},
    ports::{Counts, MessageFilter, TicketView},
};

/// How many tickets and dead letters the page shows.
const LIMIT: i64 = 50;

pub(super) fn routes(context: Shared) -> Router<Shared> {
    let guard = middleware::from_fn_with_state(context, session::guard);
    Router::new().route("/", get(overview)).layer(guard)
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "overview.html")]
struct Overview {
    desk: String,
    csrf: String,
    agreements: Vec<Agreement>,
    tickets: Vec<Row>,
    dead: Vec<Message>,
    counts: Counts,
}

/// A ticket as the page's table shows it.
struct Row {
    number: String,
    partner_number: String,
    subject: String,
    status: String,
    partner: String,
    role: &'static str,
    trouble: String,
}

impl Overview {
    fn side(agreement: &Agreement) -> &'static str {
        match agreement.direction {
            Direction::Outbound => "we share",
            Direction::Inbound => "they share",
        }
    }
}

fn row(view: &TicketView, agreements: &[Agreement]) -> Row {
    let text = |property| {
        view.ticket.effective(&property).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    };
    let share = view.shares.iter().find(|share| share.state != ShareState::Ended).or(view.shares.first());
    let partner =
        share.and_then(|share| agreements.iter().find(|agreement| agreement.uuid == share.agreement));
    let open = view.issues.iter().filter(|issue| issue.resolved_at.is_none());
    let trouble: Vec<String> = open
        .map(|issue| format!("{}: {}", issue.subject.trim_start_matches("field:"), issue.detail))
        .collect();
    Row {
        number: view.ticket.id.as_ref().map(ToString::to_string).unwrap_or_default(),
        partner_number: share.and_then(|share| share.partner.ticket_id.clone()).unwrap_or_default(),
        subject: text(Property::Subject),
        status: text(Property::Status),
        partner: partner.map(|agreement| agreement.name.clone()).unwrap_or_default(),
        role: match share.map(|share| share.state) {
            Some(ShareState::Active) => "in sync",
            Some(ShareState::Parked) => "refused",
            Some(ShareState::Ended) => "ended",
            None => "not shared",
        },
        trouble: trouble.join("; "),
    }
}

async fn overview(
    State(context): State<Shared>,
    Extension(session): Extension<Session>,
) -> Result<Response, Problem> {
    let store = &context.options.store;
    let agreements = store.agreements().await?;
    let tickets = store.tickets(None, None, LIMIT).await?;
    let page = Overview {
        desk: context.options.desk.name.clone(),
        csrf: session.csrf,
        tickets: tickets.iter().map(|view| row(view, &agreements)).collect(),
        agreements,
        dead: store.messages(MessageFilter::Parked(0, None), LIMIT).await?,
        counts: store.counts().await?,
    };
    Ok(session::drawn(&page))
}
