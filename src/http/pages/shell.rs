//! What is around every page: the desk's name, where one can go, what the form before came to.

use askama::Template;
use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::session::{self, Session};
use crate::http::{Shared, problem::Problem};

/// The frame of a page.
pub(super) struct Shell {
    pub(super) desk: String,
    /// The part of the site that it is in.
    pub(super) part: &'static str,
    pub(super) csrf: String,
    pub(super) person: Option<String>,
    /// What came of the form before.
    pub(super) said: Option<String>,
    /// How much waits for a person.
    pub(super) attention: i64,
}

impl Shell {
    /// The frame for whoever is signed in.
    pub(super) async fn of(context: &Shared, session: &Session, part: &'static str) -> Result<Self, Problem> {
        let store = &context.options.store;
        let (counts, invites) = (store.counts().await?, store.unanswered_invites(100).await?);
        Ok(Self {
            desk: context.options.desk.name.clone(),
            part,
            csrf: session.csrf.clone(),
            person: session.person.clone(),
            said: context.sessions.said(session),
            attention: counts.parked + invites,
        })
    }

    /// `page` where a link leads to the part that this page is in.
    pub(super) fn here(&self, part: &str) -> &'static str {
        if self.part == part { "page" } else { "false" }
    }
}

/// Goes on to a page, which says first what came of the form.
pub(super) fn go(context: &Shared, session: &Session, to: &str, said: impl Into<String>) -> Response {
    context.sessions.say(session, said);
    Redirect::to(to).into_response()
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "problem.html")]
struct ProblemPage<'a> {
    desk: &'a str,
    title: &'static str,
    detail: &'a str,
    back: String,
}

/// Draws what went wrong as a page: the API says it in JSON, which people need not read.
pub(super) async fn say_problems(State(context): State<Shared>, request: Request, next: Next) -> Response {
    let referer = request.headers().get(header::REFERER).and_then(|from| from.to_str().ok());
    // The page that one came from, on this site; whatever stands there, it leads nowhere else.
    let back = referer.and_then(|from| url::Url::parse(from).ok());
    let back = back.map_or_else(
        || "/".to_owned(),
        |from| match from.query() {
            Some(query) => format!("{}?{query}", from.path()),
            None => from.path().to_owned(),
        },
    );
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().cloned() else { return response };
    let title = match problem.status() {
        StatusCode::NOT_FOUND => "There is no such thing",
        StatusCode::FORBIDDEN => "That form is out of date",
        StatusCode::CONFLICT => "That cannot be done now",
        StatusCode::UNPROCESSABLE_ENTITY => "That cannot be used",
        StatusCode::SERVICE_UNAVAILABLE => "Not now",
        _ => "That did not work",
    };
    let back = if back.starts_with("//") { "/".to_owned() } else { back };
    let page = ProblemPage { desk: &context.options.desk.name, title, detail: problem.detail(), back };
    (problem.status(), session::drawn(&page)).into_response()
}
