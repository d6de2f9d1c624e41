//! One agreement: its terms in plain words, which fields will sync, and what can be decided about it.

use askama::Template;
use axum::{
    Extension, Router,
    extract::{Query, State, rejection::QueryRejection},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    agreements::{Line, is_invite},
    form::Sent,
    session::{self, Session},
    shell::{Shell, go},
    words,
};
use crate::{
    domain::{AgreementStatus, Direction, FieldType},
    engine::field_check::{FieldCheck, Forecast, compare},
    flow::{self, AgreementAction},
    http::{
        Shared,
        agreements::{act, find},
        name::Name,
        problem::Problem,
    },
    ports::{Point, Scope},
};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/agreements/{uuid}", get(show))
        .route("/agreements/{uuid}/accept", post(accept))
        .route("/agreements/{uuid}/decline", post(decline))
        .route("/agreements/{uuid}/later", post(later))
        .route("/agreements/{uuid}/deactivate", get(ask).post(deactivate))
}

/// A custom field, on both sides.
struct Field {
    title: String,
    here: String,
    there: String,
    arriving: String,
    leaving: String,
    /// `good`, `bad`, or `plain` where it is not known.
    mark: &'static str,
}

/// What a partner said when it was asked.
struct Asked {
    state: &'static str,
    detail: String,
    points: Vec<Point>,
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "agreement.html")]
#[expect(clippy::struct_excessive_bools, reason = "a template asks one question at a time")]
struct AgreementPage {
    shell: Shell,
    line: Line,
    url: String,
    terms: Vec<String>,
    sync_fields: bool,
    fields: Vec<Field>,
    fields_known: bool,
    asked: Option<Asked>,
    is_over: bool,
    may_cancel: bool,
}

#[derive(Default, Deserialize)]
struct Look {
    /// Ask the partner now.
    #[serde(default)]
    ask: bool,
}

async fn show(
    State(context): State<Shared>,
    Extension(session): Extension<Session>,
    Name(uuid): Name,
    look: Result<Query<Look>, QueryRejection>,
) -> Result<Response, Problem> {
    let agreement = find(&context, &uuid).await?;
    let store = &context.options.store;
    let (backlog, troubles) = (store.backlog().await?, store.troubles(1000).await?);
    let ask = look.is_ok_and(|Query(look)| look.ask);
    let (checks, fields_known, asked) = if ask {
        let checked = flow::check(&context.options, &agreement).await?;
        let asked =
            Asked { state: checked.partner.state, detail: checked.partner.detail, points: checked.points };
        (checked.fields, checked.partner_fields_known, Some(asked))
    } else {
        let there = store.partner_fields(&agreement.uuid).await?;
        let snapshot = store.snapshot(&Scope::default()).await?;
        let configured = context.options.live.catalogue();
        let here = snapshot.catalogue.as_ref().unwrap_or(&configured);
        (compare(here, there.as_ref(), &agreement), there.is_some(), None)
    };
    let page = AgreementPage {
        shell: Shell::of(&context, &session, "agreements").await?,
        line: Line::of(&agreement, &backlog, &troubles, context.options.clock.now()),
        url: agreement.url.clone().unwrap_or_default(),
        terms: words::terms(&agreement),
        sync_fields: agreement.terms.sync_custom_fields,
        fields: checks.iter().map(field).collect(),
        fields_known,
        asked,
        is_over: agreement.status.is_final(),
        may_cancel: agreement.is_accepted()
            || (agreement.status == AgreementStatus::Pending && agreement.direction == Direction::Outbound),
    };
    Ok(session::drawn(&page))
}

fn field(check: &FieldCheck) -> Field {
    let kind = |kind: Option<FieldType>| {
        let word = kind.and_then(|kind| serde_json::to_value(kind).ok());
        word.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_else(|| "–".to_owned())
    };
    let words = |forecast: &Forecast| match forecast {
        Forecast::Yes => "syncs".to_owned(),
        Forecast::Partly { detail } => format!("partly: {detail}"),
        Forecast::No { detail, .. } => format!("no: {detail}"),
        Forecast::Unknown => "not known".to_owned(),
    };
    let bad = |forecast: &Forecast| matches!(forecast, Forecast::Partly { .. } | Forecast::No { .. });
    Field {
        title: check.title.as_str().to_owned(),
        here: kind(check.here),
        there: kind(check.there),
        arriving: words(&check.arriving),
        leaving: words(&check.leaving),
        mark: match (&check.arriving, &check.leaving) {
            (one, other) if bad(one) || bad(other) => "bad",
            (Forecast::Unknown, _) | (_, Forecast::Unknown) => "plain",
            _ => "good",
        },
    }
}

async fn accept(State(context): State<Shared>, Name(uuid): Name, sent: Sent) -> Result<Response, Problem> {
    let person = sent.session.person.clone();
    let agreement = act(&context, uuid.clone(), AgreementAction::Accept(person)).await?;
    let said = format!(
        "Accepted. {} is being told; the agreement is in force when it has taken that.",
        agreement.name
    );
    Ok(go(&context, &sent.session, &format!("/agreements/{uuid}"), said))
}

async fn decline(State(context): State<Shared>, Name(uuid): Name, sent: Sent) -> Result<Response, Problem> {
    let action = AgreementAction::End(AgreementStatus::Declined, sent.session.person.clone());
    let agreement = act(&context, uuid, action).await?;
    Ok(go(&context, &sent.session, "/agreements", format!("The invite of {} is declined.", agreement.name)))
}

/// Nothing changes: the invite waits.
async fn later(State(context): State<Shared>, Name(uuid): Name, sent: Sent) -> Result<Response, Problem> {
    let agreement = find(&context, &uuid).await?;
    let days = context.options.invites.expire_after.as_secs() / 86_400;
    let said = if is_invite(&agreement) {
        format!("The invite of {} waits; after {days} days without an answer it is declined.", agreement.name)
    } else {
        format!("{} waits for no answer any more.", agreement.name)
    };
    Ok(go(&context, &sent.session, "/agreements", said))
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "deactivate.html")]
struct DeactivatePage {
    shell: Shell,
    line: Line,
    is_invite: bool,
}

/// Asks once, and says what will stop.
async fn ask(
    State(context): State<Shared>,
    Extension(session): Extension<Session>,
    Name(uuid): Name,
) -> Result<Response, Problem> {
    let agreement = find(&context, &uuid).await?;
    let backlog = context.options.store.backlog().await?;
    let page = DeactivatePage {
        shell: Shell::of(&context, &session, "agreements").await?,
        line: Line::of(&agreement, &backlog, &[], context.options.clock.now()),
        is_invite: agreement.status == AgreementStatus::Pending,
    };
    Ok(session::drawn(&page))
}

async fn deactivate(
    State(context): State<Shared>,
    Name(uuid): Name,
    sent: Sent,
) -> Result<Response, Problem> {
    let action = AgreementAction::End(AgreementStatus::Inactive, sent.session.person.clone());
    let agreement = act(&context, uuid, action).await?;
    let said = format!(
        "The agreement with {} has ended. What was shared stays on both sides, and syncs no more.",
        agreement.name
    );
    Ok(go(&context, &sent.session, "/agreements", said))
}
