//! Everything that needs a person: each with its reason, its remedy, and the button for it.

use askama::Template;
use axum::{
    Extension, Router,
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    LINES,
    agreements::Line,
    form::Sent,
    session::{self, Session},
    shell::{Shell, go},
    tickets::{Row, page},
    words::{self, When},
    work::Task,
};
use crate::{
    domain::{Message, Reason, Timestamp, Uuid},
    flow::Change,
    http::{
        Shared,
        messages::{parked, replay_one},
        problem::Problem,
    },
    ports::{MessageFilter, Trouble, TroubleKey},
};

/// How many kinds of trouble are shown.
const TROUBLES: i64 = 50;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/attention", get(show))
        .route("/attention/messages", post(settle))
        .route("/attention/trouble", get(of_kind).post(retry))
}

/// A message that waits for a person.
struct Dead {
    id: String,
    kind: &'static str,
    ticket: Option<String>,
    partner: String,
    reason: String,
    remedy: &'static str,
    when: When,
}

/// Something that does not sync, on as many tickets as that.
struct Kind {
    partner: String,
    part: String,
    reason: &'static str,
    detail: String,
    remedy: &'static str,
    count: i64,
    since: When,
    link: String,
}

impl Kind {
    fn of(trouble: &Trouble, partner: String, now: Timestamp) -> Self {
        let key = &trouble.key;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("agreement", key.agreement.as_str()).append_pair("subject", &key.subject);
        query.append_pair("reason", key.reason.as_str());
        Self {
            partner,
            part: words::part(&key.subject),
            reason: words::reason(key.reason),
            detail: trouble.detail.clone(),
            remedy: words::remedy(key.reason),
            count: trouble.count,
            since: When::of(trouble.since, now),
            link: format!("/attention/trouble?{}", query.finish()),
        }
    }
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "attention.html")]
struct AttentionPage {
    shell: Shell,
    invites: Vec<Line>,
    failing: Vec<Line>,
    dead: Vec<Dead>,
    parked: i64,
    next: Option<i64>,
    refused: Vec<Kind>,
    unfit: Vec<Kind>,
}

#[derive(Default, Deserialize)]
struct From {
    #[serde(default)]
    after: i64,
}

async fn show(
    State(context): State<Shared>,
    Extension(session): Extension<Session>,
    from: Result<Query<From>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(from) = from.map_err(|error| Problem::unusable(error.body_text()))?;
    let store = &context.options.store;
    let now = context.options.clock.now();
    let agreements = store.agreements().await?;
    let names = words::by_uuid(&agreements);
    let name =
        |uuid: &Uuid| names.get(uuid).map_or_else(|| uuid.to_string(), |agreement| agreement.name.clone());
    let limit = i64::try_from(LINES).unwrap_or_default();
    let mut dead = store.messages(MessageFilter::Parked(from.after, None), limit + 1).await?;
    let more = dead.len() > LINES;
    dead.truncate(LINES);
    let next = dead.last().map(|message| message.seq).filter(|_| more);
    let backlog = store.backlog().await?;
    let lines = |has: &dyn Fn(&Line) -> bool| -> Vec<Line> {
        let all = agreements.iter().filter(|agreement| !agreement.status.is_final());
        all.map(|agreement| Line::of(agreement, &backlog, &[], now))
            .filter(|line| has(line))
            .take(LINES)
            .collect()
    };
    let troubles = store.troubles(TROUBLES).await?;
    let (refused, unfit): (Vec<&Trouble>, Vec<&Trouble>) = troubles
        .iter()
        // What is meant so needs nobody, and messages that were refused stand above.
        .filter(|trouble| trouble.key.reason != Reason::NotShared && trouble.key.subject != "message")
        .partition(|trouble| trouble.key.reason == Reason::CommandFailed);
    let kinds = |troubles: Vec<&Trouble>| {
        troubles.into_iter().map(|trouble| Kind::of(trouble, name(&trouble.key.agreement), now)).collect()
    };
    let page = AttentionPage {
        shell: Shell::of(&context, &session, "attention").await?,
        invites: lines(&|line| line.is_invite),
        failing: lines(&|line| !line.is_well),
        parked: store.counts().await?.parked,
        dead: dead.iter().map(|message| shown(message, &name, now)).collect(),
        next,
        refused: kinds(refused),
        unfit: kinds(unfit),
    };
    Ok(session::drawn(&page))
}

fn shown(message: &Message, name: &dyn Fn(&Uuid) -> String, now: Timestamp) -> Dead {
    let of_ticket =
        message.kind.channel() == crate::domain::Channel::Partner && !message.kind.is_about_agreement();
    Dead {
        id: message.id.to_string(),
        kind: words::message(message.kind),
        ticket: of_ticket.then(|| message.id.owner.to_string()),
        partner: message.agreement.as_ref().map(name).unwrap_or_default(),
        reason: message.error.clone().unwrap_or_default(),
        remedy: words::message_remedy(message.kind),
        when: When::of(message.updated_at, now),
    }
}

/// Sends messages again, or drops them: those that are ticked, or all.
async fn settle(State(context): State<Shared>, sent: Sent) -> Result<Response, Problem> {
    let ids = sent.all("id");
    match sent.text("do") {
        "replay-all" => return Ok(begin(&context, Task::ReplayAll)),
        "drop-all" => return Ok(begin(&context, Task::DropAll)),
        "replay" | "drop" if !ids.is_empty() => {}
        _ => return Err(Problem::unusable("tick the messages that it is about first")),
    }
    let replays = sent.text("do") == "replay";
    let (mut done, mut refused) = (0, Vec::new());
    for id in ids {
        let settled = async {
            let message = parked(&context, id).await?;
            if replays {
                replay_one(&context, message).await
            } else {
                context
                    .pipeline
                    .submit_one(Change::Drop(Box::new(message)))
                    .await
                    .map(drop)
                    .map_err(Problem::from)
            }
        };
        match settled.await {
            Ok(()) => done += 1,
            Err(problem) => refused.push(problem.detail().to_owned()),
        }
    }
    let what = if replays { "sent again" } else { "dropped" };
    let messages = if done == 1 { "1 message is" } else { &format!("{done} messages are") };
    let said = match refused.first() {
        None => format!("{messages} {what}."),
        Some(first) => format!("{messages} {what}. {} could not be: {first}", refused.len()),
    };
    Ok(go(&context, &sent.session, "/attention", said))
}

fn begin(context: &Shared, task: Task) -> Response {
    let id = context.works.begin(context, task);
    Redirect::to(&format!("/work/{id}")).into_response()
}

/// Which kind of trouble.
#[derive(Deserialize)]
struct Which {
    agreement: String,
    subject: String,
    reason: String,
    #[serde(default)]
    after: String,
}

impl Which {
    fn key(&self) -> Result<TroubleKey, Problem> {
        let reason =
            Reason::parse(&self.reason).ok_or_else(|| Problem::unknown(format!("reason {}", self.reason)))?;
        Ok(TroubleKey {
            agreement: Uuid::new(self.agreement.as_str()),
            subject: self.subject.clone(),
            reason,
        })
    }
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "trouble.html")]
struct TroublePage {
    shell: Shell,
    kind: Kind,
    key: TroubleKey,
    rows: Vec<Row>,
    next: Option<String>,
}

/// The tickets that have one kind of trouble.
async fn of_kind(
    State(context): State<Shared>,
    Extension(session): Extension<Session>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(which) = which.map_err(|error| Problem::unusable(error.body_text()))?;
    let key = which.key()?;
    let store = &context.options.store;
    let after = Uuid::new(which.after.as_str());
    let limit = i64::try_from(LINES).unwrap_or_default() + 1;
    let (found, next) = page(store.troubled(&key, Some(&after), limit).await?);
    let agreements = store.agreements().await?;
    let name = words::by_uuid(&agreements).get(&key.agreement).map(|agreement| agreement.name.clone());
    let now = context.options.clock.now();
    let of_it = |issue: &&crate::domain::Issue| {
        let kind = issue.subject.split_once(':').map_or(issue.subject.as_str(), |(kind, _)| kind);
        let is_it = issue.subject == key.subject || (kind != "field" && kind == key.subject);
        issue.agreement == key.agreement && is_it && issue.resolved_at.is_none()
    };
    let one = found.first().and_then(|view| view.issues.iter().find(of_it));
    let trouble = Trouble {
        key: key.clone(),
        count: 0,
        detail: one.map(|issue| issue.detail.clone()).unwrap_or_default(),
        since: one.map_or(now, |issue| issue.opened_at),
    };
    let kind = Kind::of(&trouble, name.unwrap_or_else(|| key.agreement.to_string()), now);
    let next = next.map(|after| format!("{}&after={after}", kind.link));
    let rows = found.iter().map(|view| Row::of(view, &agreements)).collect();
    let shell = Shell::of(&context, &session, "attention").await?;
    Ok(session::drawn(&TroublePage { shell, kind, key, rows, next }))
}

/// Tries everything again that the desk could not do on these tickets.
async fn retry(State(context): State<Shared>, sent: Sent) -> Result<Response, Problem> {
    let text = |name| sent.text(name).to_owned();
    let which = Which {
        agreement: text("agreement"),
        subject: text("subject"),
        reason: text("reason"),
        after: String::new(),
    };
    Ok(begin(&context, Task::Retry(which.key()?)))
}
