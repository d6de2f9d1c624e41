//! Ticket sharing: all agreements, in force, waiting for an answer, and over; and whether invites are let in at all.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Extension, Router,
    extract::{Query, State, rejection::QueryRejection},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    LINES,
    form::Sent,
    session::{self, Session},
    shell::{Shell, go},
    words::{self, When},
};
use crate::{
    domain::{Agreement, AgreementStatus, Direction, Timestamp, Uuid},
    flow::Change,
    http::{Shared, problem::Problem},
    ports::{Scope, Trouble},
};

/// How many kinds of trouble are counted.
const TROUBLES: i64 = 1000;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/agreements", get(list)).route("/settings", post(settings))
}

/// An agreement as a list shows it.
pub(super) struct Line {
    pub(super) uuid: Uuid,
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) direction: &'static str,
    pub(super) status: &'static str,
    /// It waits for this desk's answer.
    pub(super) is_invite: bool,
    pub(super) terms: String,
    pub(super) when: When,
    pub(super) by: String,
    /// How it is doing, in words.
    pub(super) health: String,
    pub(super) is_well: bool,
    pub(super) waiting: i64,
    /// Parts of tickets that do not sync under it.
    pub(super) not_synced: i64,
}

impl Line {
    pub(super) fn of(
        agreement: &Agreement,
        backlog: &HashMap<Uuid, i64>,
        troubles: &[Trouble],
        now: Timestamp,
    ) -> Self {
        let since = |at| When::of(at, now).words;
        let (is_well, health) = match (&agreement.failing, &agreement.reason) {
            (Some(failing), _) => (false, format!("Failing, first {}", since(failing.since))),
            (None, Some(reason)) if !agreement.status.is_final() => (false, reason.clone()),
            (None, reason) if agreement.status.is_final() => (true, reason.clone().unwrap_or_default()),
            _ if agreement.accepting => (true, "Accepted here; the partner is being told".to_owned()),
            _ if agreement.is_accepted() => (true, "Up".to_owned()),
            _ => (true, "Waiting for an answer".to_owned()),
        };
        let of_it = troubles.iter().filter(|trouble| trouble.key.agreement == agreement.uuid);
        Self {
            uuid: agreement.uuid.clone(),
            name: agreement.name.clone(),
            kind: words::kind(agreement.kind),
            direction: words::direction(agreement),
            status: agreement.status.as_str(),
            is_invite: is_invite(agreement),
            terms: words::terms_in_short(agreement),
            when: When::of(agreement.updated_at, now),
            by: words::by_whom(agreement),
            health,
            is_well,
            waiting: backlog.get(&agreement.uuid).copied().unwrap_or_default(),
            not_synced: of_it.map(|trouble| trouble.count).sum(),
        }
    }
}

/// Whether an agreement waits for this desk's decision.
pub(super) fn is_invite(agreement: &Agreement) -> bool {
    agreement.status == AgreementStatus::Pending
        && agreement.direction == Direction::Inbound
        && !agreement.accepting
}

/// One of the three lists, a page of it.
struct List {
    title: &'static str,
    empty: &'static str,
    lines: Vec<Line>,
    total: usize,
    previous: Option<String>,
    next: Option<String>,
}

/// Which page of each list.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Pages {
    accepted: usize,
    pending: usize,
    over: usize,
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "agreements.html")]
struct AgreementsPage {
    shell: Shell,
    lists: Vec<List>,
    decline_all: bool,
}

async fn list(
    State(context): State<Shared>,
    Extension(session): Extension<Session>,
    pages: Result<Query<Pages>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(pages) = pages.map_err(|error| Problem::unusable(error.body_text()))?;
    let store = &context.options.store;
    let now = context.options.clock.now();
    let (backlog, troubles) = (store.backlog().await?, store.troubles(TROUBLES).await?);
    let agreements = store.agreements().await?;
    let list = |title, empty, at: usize, has: fn(AgreementStatus) -> bool, link: &dyn Fn(usize) -> String| {
        let of_it: Vec<&Agreement> = agreements.iter().filter(|agreement| has(agreement.status)).collect();
        let shown = of_it.iter().skip(at * LINES).take(LINES);
        List {
            title,
            empty,
            lines: shown.map(|agreement| Line::of(agreement, &backlog, &troubles, now)).collect(),
            total: of_it.len(),
            previous: at.checked_sub(1).map(link),
            next: (of_it.len() > (at + 1) * LINES).then(|| link(at + 1)),
        }
    };
    let link = |pages: Pages| {
        let Pages { accepted, pending, over } = pages;
        format!("/agreements?accepted={accepted}&pending={pending}&over={over}")
    };
    let lists = vec![
        list(
            "Pending",
            "Nobody waits for an answer.",
            pages.pending,
            |status| status == AgreementStatus::Pending,
            &|pending| link(Pages { pending, ..pages }),
        ),
        list(
            "Accepted",
            "No agreement is in force yet.",
            pages.accepted,
            |status| status == AgreementStatus::Accepted,
            &|accepted| link(Pages { accepted, ..pages }),
        ),
        list("Declined and inactive", "None has ended.", pages.over, AgreementStatus::is_final, &|over| {
            link(Pages { over, ..pages })
        }),
    ];
    let snapshot = store.snapshot(&Scope::default()).await?;
    let decline_all = snapshot.decline_all_invites.unwrap_or(context.options.decline_all_invites);
    let page =
        AgreementsPage { shell: Shell::of(&context, &session, "agreements").await?, lists, decline_all };
    Ok(session::drawn(&page))
}

async fn settings(State(context): State<Shared>, sent: Sent) -> Result<Response, Problem> {
    let decline = sent.ticked("decline_all_invites");
    context.pipeline.submit_one(Change::DeclineAll(decline)).await?;
    let said = if decline {
        "From now on every invite is declined without anybody being asked."
    } else {
        "From now on invites wait here for an answer."
    };
    Ok(go(&context, &sent.session, "/agreements", said))
}
