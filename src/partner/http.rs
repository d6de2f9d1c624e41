//! One request to a partner, in its dialect.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{
    Client, Response,
    header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER},
};
use url::Url;

use super::{address::Allowed, client};
use crate::{
    domain::Profile,
    ports::{Answer, Call, CallError, Method, Partner},
    wire::date,
};

/// How many redirects are followed.
const REDIRECTS: usize = 2;
/// How much of an answer is read: enough for the reason of a refusal.
const WORDS: usize = 2048;
/// How much of what was asked for is read.
const OBJECT: usize = 4 * 1024 * 1024;

/// Where W3C Trace Context has a request say what it is part of.
pub(super) const TRACEPARENT: &str = "traceparent";

/// Calls partners over HTTP.
#[derive(Clone, Debug)]
pub struct HttpPartner {
    client: Client,
    allowed: Allowed,
}

impl HttpPartner {
    /// A caller that gives every request this long.
    ///
    /// # Errors
    /// Where the system's certificates cannot be read.
    pub fn new(timeout: Duration, allowed: Allowed) -> Result<Self, String> {
        let client = client::build(timeout, allowed)?;
        Ok(Self { client, allowed })
    }

    async fn send(&self, call: &Call, url: Url) -> Result<Response, CallError> {
        let method = match call.method {
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
            Method::Get => reqwest::Method::GET,
        };
        let mut request = self.client.request(method, url).headers(headers(call)?);
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        request.send().await.map_err(|error| CallError::Unreachable(client::words(error)))
    }
}

fn headers(call: &Call) -> Result<HeaderMap, CallError> {
    let mut headers = HeaderMap::new();
    let content_type = match call.profile {
        // Request Tracker reads what is called so, and answers with a page where nothing is.
        Profile::RequestTracker if call.body.is_some() => "text/x-json; charset=\"UTF-8\"",
        _ => "application/json",
    };
    if call.body.is_some() || call.method == Method::Delete || call.profile == Profile::RequestTracker {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    // Request Tracker answers a request without it with 412, and that is how it is known; the others do not ask for it.
    if call.profile == Profile::RequestTracker {
        headers.insert("x-ticket-sharing-version", HeaderValue::from_static("1"));
    }
    if let Some(trace) = call.trace.as_ref().and_then(|trace| HeaderValue::from_str(trace.as_str()).ok()) {
        headers.insert(TRACEPARENT, trace);
    }
    if let Some((agreement, key)) = &call.token {
        let mut token = HeaderValue::from_str(&format!("{agreement}:{}", key.reveal())).map_err(|_| {
            CallError::Forbidden("the agreement's uuid or access key cannot stand in a header".to_owned())
        })?;
        token.set_sensitive(true);
        headers.insert("x-ticket-sharing-token", token);
    }
    Ok(headers)
}

/// Where a redirect may lead: the same host, or its https; anywhere else the token would be given away.
fn follow(from: &Url, response: &Response) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let to = from.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()?;
    let same_host = to.host() == from.host();
    let upgrade = from.scheme() == "http" && to.scheme() == "https";
    let same_place =
        to.scheme() == from.scheme() && to.port_or_known_default() == from.port_or_known_default();
    (same_host && (same_place || upgrade)).then_some(to)
}

pub(super) async fn answer(response: Response, limit: usize) -> Answer {
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_page = kind.is_some_and(|kind| kind.starts_with("text/html"));
    let bytes = body(response, limit).await;
    // It may end in a log line: one line it stays.
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = String::from_utf8_lossy(&bytes).chars().map(plain).collect();
    Answer { status, is_page: is_page && !text.trim().is_empty(), text, retry_after }
}

/// How long a server wants to be left alone: seconds, or a date; then its own clock says how far off that is.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let at = |name| text(name).and_then(date::parse);
    let seconds = text(RETRY_AFTER).and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    seconds.or_else(|| Some(at(RETRY_AFTER)?.since(at(DATE)?)))
}

/// As much of a body as is wanted. One that breaks off is one all the same: its status has come.
pub(super) async fn body(mut response: Response, limit: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= limit {
            bytes.truncate(limit);
            break;
        }
    }
    bytes
}

#[async_trait]
impl Partner for HttpPartner {
    async fn call(&self, call: &Call) -> Result<Answer, CallError> {
        let mut url = self.allowed.check(&call.base).map_err(CallError::Forbidden)?;
        // As parts of the path, whatever is in the uuid.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([call.collection, call.uuid.as_str()]);
        }
        let mut response = self.send(call, url.clone()).await?;
        for _ in 0..REDIRECTS {
            let Some(next) = follow(&url, &response) else { break };
            url = self.allowed.check(next.as_str()).map_err(CallError::Forbidden)?;
            response = self.send(call, url.clone()).await?;
        }
        let limit = if call.method == Method::Get { OBJECT } else { WORDS };
        Ok(answer(response, limit).await)
    }

    fn permits(&self, url: &str) -> Result<(), String> {
        self.allowed.check(url).map(drop)
    }
}
