//! One request to a Jira: who asks, how long it wants to be left alone, what its refusals say.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{
    Client, Method, Response,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap},
};
use serde_json::Value;
use url::Url;

use super::{answer::Answered, marks::Marks};
use crate::{
    partner::{client, http},
    ports::{Errand, Setback},
    wire::date,
};

/// How much of an answer is read.
const ANSWER: usize = 8 * 1024 * 1024;

/// Servers that want to be left alone, each until then.
pub(super) type Resting = Mutex<HashMap<String, Instant>>;

/// Requests for one errand.
pub(super) struct Session<'a> {
    pub(super) client: &'a Client,
    pub(super) resting: &'a Resting,
    pub(super) marks: &'a Marks,
    pub(super) errand: &'a Errand,
}

impl Session<'_> {
    /// The address of a part of the API. What comes from outside goes in as one part, whatever is in it.
    fn url(&self, parts: &[&str], query: &[(&str, &str)]) -> Result<Url, Setback> {
        let mut url = Url::parse(&self.errand.base).map_err(|error| Setback::Refused(error.to_string()))?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["rest", "api"]).extend(parts);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Makes a request; the first part is the version of the API.
    pub(super) async fn ask(
        &self,
        method: Method,
        parts: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answered, Setback> {
        self.rested()?;
        let url = self.url(parts, query)?;
        let token = self.errand.token.reveal();
        let mut request = self.client.request(method, url).header(ACCEPT, "application/json");
        request = match &self.errand.jira.email {
            Some(email) => request.basic_auth(email, Some(token)),
            None => request.bearer_auth(token),
        };
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let response = request
            .send()
            .await
            .map_err(|error| Setback::Later { why: client::words(error), after: None })?;
        self.answered(response).await
    }

    async fn answered(&self, response: Response) -> Result<Answered, Setback> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let wait = http::retry_after(&headers).or_else(|| reset(&headers));
        let spent = header(&headers, "x-ratelimit-remaining").is_some_and(|left| left.trim() == "0");
        if (status == 429 || spent)
            && let Some(wait) = wait
        {
            self.rest(wait);
        }
        let login = header(&headers, "x-seraph-loginreason").unwrap_or_default();
        let denied = login.contains("DENIED");
        // Jira Cloud answers many requests with an expired token as it answers nobody in particular: with nothing, or that it is not there.
        let nobody = login.contains("AUTHENTICATED_FAILED");
        let bytes = http::body(response, ANSWER).await;
        let read = serde_json::from_slice(&bytes);
        if (200..300).contains(&status) && !bytes.is_empty() && read.is_err() {
            // A body that breaks off, or a page that somebody in between has put there, says nothing of what is there.
            let why = "Jira's answer breaks off, or is no JSON".to_owned();
            return Err(Setback::Later { why, after: None });
        }
        let body: Value = read.unwrap_or_default();
        let answered = Answered { status, body };
        match status {
            _ if nobody => Err(Setback::Credentials(answered.words("Jira does not accept the credentials"))),
            401 => Err(Setback::Credentials(answered.words("Jira does not accept the credentials"))),
            403 if denied => {
                let what = "Jira denies the account, until somebody signs in with it in a browser";
                Err(Setback::Credentials(answered.words(what)))
            }
            408 | 425 | 429 | 500..=599 => {
                Err(Setback::Later { why: answered.words("Jira cannot now"), after: wait })
            }
            300..=399 => Err(Setback::Refused(
                "Jira is somewhere else: it answered with a redirect; give the address that it has now"
                    .to_owned(),
            )),
            _ => Ok(answered),
        }
    }

    /// Whether the server may be asked again.
    fn rested(&self) -> Result<(), Setback> {
        let resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let left =
            resting.get(&self.errand.base).map(|until| until.saturating_duration_since(Instant::now()));
        match left.filter(|left| !left.is_zero()) {
            Some(left) => {
                let why = "Jira's rate limit is spent; its next requests wait".to_owned();
                Err(Setback::Later { why, after: Some(left) })
            }
            None => Ok(()),
        }
    }

    fn rest(&self, wait: Duration) {
        let until = Instant::now() + wait.min(Duration::from_secs(3600));
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).insert(self.errand.base.clone(), until);
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// When a spent limit is filled again (`X-RateLimit-Reset`), by the server's own clock.
fn reset(headers: &HeaderMap) -> Option<Duration> {
    let at = |name| date::parse(header(headers, name)?);
    Some(at("x-ratelimit-reset")?.since(at("date")?))
}
