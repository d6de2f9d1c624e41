//! What the kit sends, and what came back.

use std::{io, time::Duration};

use reqwest::{Client, Method, StatusCode, header, redirect::Policy};
use serde_json::Value;

/// The header that shows under which agreement somebody speaks.
pub(super) const TOKEN: &str = "x-ticket-sharing-token";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends requests.
#[derive(Clone, Debug)]
pub(super) struct Sender(Client);

/// A request with all that dialects differ in.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) token: Option<String>,
    /// `Content-Type`; none is sent without.
    pub(super) kind: Option<&'static str>,
    /// `X-Ticket-Sharing-Version`; the gem never sends it.
    pub(super) version: bool,
    pub(super) body: Option<String>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) status: StatusCode,
    /// It names the way to authenticate.
    pub(super) challenge: Option<String>,
    pub(super) text: String,
}

impl Said {
    pub(super) fn is_success(&self) -> bool {
        self.status.is_success()
    }
}

impl Sender {
    pub(super) fn new() -> io::Result<Self> {
        let client = Client::builder().timeout(PATIENCE).redirect(Policy::none()).no_proxy().build();
        client.map(Self).map_err(io::Error::other)
    }

    pub(super) async fn send(&self, request: Request) -> Result<Said, reqwest::Error> {
        let mut sent = self.0.request(request.method, request.url).header(header::ACCEPT, "application/json");
        if let Some(kind) = request.kind {
            sent = sent.header(header::CONTENT_TYPE, kind);
        }
        if let Some(token) = request.token {
            sent = sent.header(TOKEN, token);
        }
        if request.version {
            sent = sent.header("x-ticket-sharing-version", "1");
        }
        if let Some(body) = request.body {
            sent = sent.body(body);
        }
        let answer = sent.send().await?;
        let challenge = answer.headers().get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let (status, challenge) = (answer.status(), challenge.map(str::to_owned));
        Ok(Said { status, challenge, text: answer.text().await? })
    }

    /// A change of what is at `path`, in the plainest dialect.
    pub(super) async fn put(
        &self,
        base: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> Result<Said, reqwest::Error> {
        let url = format!("{}/{path}", base.trim_end_matches('/'));
        let (method, kind, token) = (Method::PUT, Some("application/json"), Some(token.to_owned()));
        self.send(Request { method, url, token, kind, version: true, body: Some(body.to_string()) }).await
    }
}
