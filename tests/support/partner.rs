//! A partner that speaks the protocol and does as it is told: keeps what it was sent, and answers what the test wants.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::sync::Semaphore;

/// A request that the partner got.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

/// What it answers: a status, headers, a body.
pub(crate) type Scripted = (u16, Vec<(&'static str, String)>, String);

#[derive(Default)]
struct Inner {
    received: Vec<Received>,
    answers: VecDeque<Scripted>,
    always: Option<Scripted>,
    gate: Option<Arc<Semaphore>>,
    retort: Option<Retort>,
    fails_on: Vec<String>,
}

/// What it says of a ticket of its own accord: to whom, with what token, and what.
#[derive(Clone)]
struct Retort {
    base: String,
    token: String,
    says: Value,
}

/// A partner.
#[derive(Clone)]
pub(crate) struct FakePartner {
    pub(crate) url: String,
    inner: Arc<Mutex<Inner>>,
}

impl FakePartner {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/sharing", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner::default()));
        let router = Router::new().fallback(answer).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner }
    }

    /// The next requests are answered so, one after the other.
    pub(crate) fn answer_next(&self, answers: impl IntoIterator<Item = Scripted>) {
        self.inner.lock().unwrap().answers.extend(answers);
    }

    /// Every request is answered so from now on; `None`: 200 and 201 again.
    pub(crate) fn answer_always(&self, answer: Option<Scripted>) {
        self.inner.lock().unwrap().always = answer;
    }

    /// It fails on whatever is about these tickets.
    pub(crate) fn fail_on(&self, tickets: &[String]) {
        self.inner.lock().unwrap().fails_on = tickets.to_vec();
    }

    /// Before it answers an update of a ticket it says something of that ticket itself.
    pub(crate) fn retort(&self, base: String, token: String, says: Value) {
        self.inner.lock().unwrap().retort = Some(Retort { base, token, says });
    }

    /// Requests are taken, and answered only when the gate is opened.
    pub(crate) fn hold(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        self.inner.lock().unwrap().gate = Some(gate.clone());
        gate
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.inner.lock().unwrap().received.clone()
    }

    /// What it got for tickets, by method.
    pub(crate) fn tickets(&self, method: &str) -> Vec<Value> {
        let received = self.received();
        let wanted = received.into_iter().filter(|r| r.method == method && r.path.contains("/tickets/"));
        wanted.map(|r| r.body).collect()
    }

    /// The access key that it was invited with.
    pub(crate) async fn key(&self, uuid: &str) -> String {
        super::until("the partner is invited", async || {
            let mut received = self.received().into_iter();
            let invite = received.find(|r| r.method == "POST" && r.path.ends_with(uuid))?;
            Some(invite.body["access_key"].as_str()?.to_owned())
        })
        .await
    }
}

async fn answer(
    State(inner): State<Arc<Mutex<Inner>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let received = Received {
        method: method.to_string(),
        path: uri.path().to_owned(),
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
        at: Instant::now(),
    };
    let (gate, retort) = {
        let mut inner = inner.lock().unwrap();
        inner.received.push(received);
        (inner.gate.clone(), inner.retort.clone())
    };
    if let (Some(Retort { base, token, says }), Some((_, uuid))) =
        (retort, uri.path().split_once("/tickets/"))
        && method == Method::PUT
    {
        super::say(&base, &token, "PUT", &format!("tickets/{uuid}"), Some(&says)).await;
    }
    if let Some(gate) = gate {
        drop(gate.acquire().await);
    }
    let mut inner = inner.lock().unwrap();
    if inner.fails_on.iter().any(|ticket| uri.path().ends_with(ticket)) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let usual = || (if method == Method::POST { 201 } else { 200 }, Vec::new(), String::new());
    let scripted = inner.answers.pop_front().or_else(|| inner.always.clone()).unwrap_or_else(usual);
    let mut response = (StatusCode::from_u16(scripted.0).unwrap(), scripted.2).into_response();
    for (name, value) in scripted.1 {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
