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
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Redirect, Response},
    routing::post,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::domain::Timestamp;
use crate::http::{Context, Shared, auth, problem::Problem};

/// How long a session lasts.
const LASTS: Duration = Duration::from_secs(12 * 3600);
/// How large a form is at most.
const FORM: usize = 4096;
/// How many there may be; the oldest ends for a new one.
const SESSIONS: usize = 100;
/// Script and style of this site alone, nothing from elsewhere, forms to here alone.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// How long a person's name may be.
const NAME: usize = 100;
/// How many wrong tokens are looked at in a minute.
const WRONG: u32 = 20;

/// Who is signed in.
#[derive(Debug, Default)]
pub struct Sessions {
    begun: Mutex<HashMap<[u8; 32], Session>>,
    /// Wrong tokens since a moment.
    wrong: Mutex<(u32, Timestamp)>,
}

/// A browser that has given the token.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// What its forms carry; empty for somebody who shows the token itself, and has no forms.
    pub(super) csrf: String,
    /// Who signed in, where they said so: partners see it with what they decide.
    pub(super) person: Option<String>,
    key: [u8; 32],
    until: Timestamp,
    /// What the next page says first: what came of the form before.
    said: Option<String>,
    /// The page is only drawn anew, by itself: what is to be said is not for it.
    is_refresh: bool,
}

impl Sessions {
    /// Begins a session; returns what the cookie holds, of which only the digest is kept.
    fn begin(&self, person: Option<String>, now: Timestamp) -> Result<String, Problem> {
        let (id, csrf) = (random()?, random()?);
        let key = digest(&id);
        let mut sessions = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.until > now);
        if sessions.len() >= SESSIONS
            && let Some(oldest) =
                sessions.iter().min_by_key(|(_, session)| session.until).map(|(key, _)| *key)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(
            key,
            Session { csrf, person, key, until: now.plus(LASTS), said: None, is_refresh: false },
        );
        Ok(id)
    }

    fn of(&self, id: &str, now: Timestamp) -> Option<Session> {
        let sessions = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        // Found by its digest: how long that takes says nothing of the id.
        sessions.get(&digest(id)).filter(|session| session.until > now).cloned()
    }

    /// Has the next page of a session say something.
    pub(super) fn say(&self, session: &Session, what: impl Into<String>) {
        let mut sessions = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get_mut(&session.key) {
            session.said = Some(what.into());
        }
    }

    /// What a session's page is to say first, once.
    pub(super) fn said(&self, session: &Session) -> Option<String> {
        if session.is_refresh {
            return None;
        }
        let mut sessions = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get_mut(&session.key)?.said.take()
    }

    /// Whether a token is looked at: not after many wrong ones in this minute.
    fn looks(&self, now: Timestamp) -> bool {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(wrong.1) > Duration::from_secs(60) {
            *wrong = (0, now);
        }
        wrong.0 < WRONG
    }

    fn was_wrong(&self) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
    }

    fn end(&self, id: &str) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest(id));
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

/// The cookie's name: cookies do not know ports, and two desks may be looked at on one machine.
fn cookie_name(context: &Context) -> String {
    let desk = digest(&format!("{} {}", context.options.desk.name, context.options.desk.sharing_url));
    format!("crossdesk_{}", hex::encode(desk.get(..4).unwrap_or_default()))
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(DefaultBodyLimit::max(FORM))
        .layer(axum::middleware::from_fn(crate::http::problem::in_time))
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
    let id = cookie(request.headers(), &cookie_name(&context));
    let session = id.and_then(|id| context.sessions.of(id, now));
    let session = session.or_else(|| {
        let token = auth::bearer_token(request.headers())?;
        auth::matches(&context, token).then(|| Session {
            csrf: String::new(),
            person: None,
            key: [0; 32],
            until: now,
            said: None,
            is_refresh: false,
        })
    });
    let Some(mut session) = session else { return ask(&context, false) };
    session.is_refresh = request.headers().contains_key("x-refresh");
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
    #[serde(default)]
    person: String,
}

async fn login(State(context): State<Shared>, headers: HeaderMap, Form(form): Form<Login>) -> Response {
    if !context.sessions.looks(context.options.clock.now()) {
        let detail = "too many wrong tokens were tried; wait a minute";
        return Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).into_response();
    }
    if !from_here(&headers) {
        let detail = "the form comes from another site, or a proxy has changed the Host header";
        return Problem::new(StatusCode::FORBIDDEN, detail).into_response();
    }
    if !auth::matches(&context, form.token.trim()) {
        context.sessions.was_wrong();
        tracing::warn!("somebody tried to sign in to the pages with a wrong token");
        return ask(&context, true);
    }
    let person = form.person.trim().chars().filter(|c| !c.is_control()).take(NAME).collect::<String>();
    let person = Some(person).filter(|person| !person.is_empty());
    match context.sessions.begin(person, context.options.clock.now()) {
        Ok(id) => {
            let name = cookie_name(&context);
            let cookie =
                format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}", LASTS.as_secs());
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
    let name = cookie_name(&context);
    let id = cookie(&headers, &name).unwrap_or_default();
    let Some(session) = context.sessions.of(id, now) else { return Redirect::to("/").into_response() };
    if let Err(problem) = check(&session, &headers, &form.csrf) {
        return problem.into_response();
    }
    context.sessions.end(id);
    let gone = format!("{name}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    ([(header::SET_COOKIE, gone)], Redirect::to("/")).into_response()
}
