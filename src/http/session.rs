//! Signing in to the pages: the admin token once, then a cookie that only this browser has and only this site gets.
//!
//! Sessions live in memory: a restart signs everybody out. Every form carries a word that only its own session knows, so no
//! other site can have a browser send one; a form from another origin is refused beside that.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use askama::Template;
use axum::{
    Form, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Redirect, Response},
    routing::post,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Shared, auth, problem::Problem};
use crate::domain::Timestamp;

/// How long a session lasts.
const LASTS: Duration = Duration::from_secs(12 * 3600);
/// How many there may be; the oldest ends for a new one.
const SESSIONS: usize = 100;
const COOKIE: &str = "crossdesk_session";
/// No script, nothing from elsewhere, forms to here alone.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
    base-uri 'none'";

/// Who is signed in.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

/// A browser that has given the token.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// What its forms carry.
    pub(super) csrf: String,
    until: Timestamp,
}

impl Sessions {
    /// Begins a session; returns what the cookie holds, of which only the digest is kept.
    fn begin(&self, now: Timestamp) -> Result<String, Problem> {
        let (id, csrf) = (random()?, random()?);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.until > now);
        if sessions.len() >= SESSIONS
            && let Some(oldest) =
                sessions.iter().min_by_key(|(_, session)| session.until).map(|(key, _)| *key)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(digest(&id), Session { csrf, until: now.plus(LASTS) });
        Ok(id)
    }

    fn of(&self, headers: &HeaderMap, now: Timestamp) -> Option<Session> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Found by its digest: how long that takes says nothing of the id.
        sessions.get(&digest(cookie(headers)?)).filter(|session| session.until > now).cloned()
    }

    fn end(&self, headers: &HeaderMap) {
        if let Some(id) = cookie(headers) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest(id));
        }
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn random() -> Result<String, Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        let detail = format!("the system gives no random numbers: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })?;
    Ok(hex::encode(bytes))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/login", post(login)).route("/logout", post(logout))
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "login.html")]
struct LoginPage<'a> {
    desk: &'a str,
    wrong: bool,
}

fn ask(context: &Shared, wrong: bool) -> Response {
    let page = LoginPage { desk: &context.options.desk.name, wrong };
    (StatusCode::UNAUTHORIZED, drawn(&page)).into_response()
}

/// A page, with what browsers may do with it.
pub(super) fn drawn(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => {
            let headers = [
                (header::CONTENT_SECURITY_POLICY, POLICY),
                (header::CACHE_CONTROL, "no-store"),
                (header::REFERRER_POLICY, "same-origin"),
            ];
            (headers, Html(html)).into_response()
        }
        Err(error) => {
            let detail = format!("the page cannot be drawn: {error}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
        }
    }
}

/// Lets those see pages who are signed in; asks others for the token. Whoever has no session may show the token itself.
pub(super) async fn guard(State(context): State<Shared>, mut request: Request, next: Next) -> Response {
    let now = context.options.clock.now();
    let session = context.sessions.of(request.headers(), now);
    let session = session.or_else(|| {
        let token = auth::bearer_token(request.headers())?;
        auth::matches(&context, token).then(|| Session { csrf: String::new(), until: now })
    });
    let Some(session) = session else { return ask(&context, false) };
    request.extensions_mut().insert(session);
    next.run(request).await
}

/// Whether a browser sends a form from this very site.
fn from_here(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, site)| site == host),
        (Some(_), None) => false,
    }
}

/// Whether a form of a session may be done.
///
/// # Errors
/// 403: another site sent it, or it is from before the session.
pub(super) fn check(session: &Session, headers: &HeaderMap, csrf: &str) -> Result<(), Problem> {
    if from_here(headers) && !csrf.is_empty() && auth::same(csrf, &session.csrf) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "the form is not from this session: load the page again"))
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

async fn login(State(context): State<Shared>, headers: HeaderMap, Form(form): Form<Login>) -> Response {
    if !from_here(&headers) || !auth::matches(&context, form.token.trim()) {
        tracing::warn!("somebody tried to sign in to the pages with a wrong token");
        return ask(&context, true);
    }
    match context.sessions.begin(context.options.clock.now()) {
        Ok(id) => {
            let cookie =
                format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}", LASTS.as_secs());
            ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

#[derive(Deserialize)]
struct Logout {
    csrf: String,
}

async fn logout(State(context): State<Shared>, headers: HeaderMap, Form(form): Form<Logout>) -> Response {
    let now = context.options.clock.now();
    let Some(session) = context.sessions.of(&headers, now) else { return Redirect::to("/").into_response() };
    if let Err(problem) = check(&session, &headers, &form.csrf) {
        return problem.into_response();
    }
    context.sessions.end(&headers);
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    ([(header::SET_COOKIE, gone)], Redirect::to("/")).into_response()
}
