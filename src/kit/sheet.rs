//! One point after the other: asks a server, and notes whether the answer is as the protocol has it.

use std::io;

use reqwest::Method;
use serde_json::Value;

use super::{
    paper::{Paper, Point, Verdict},
    sent::{Request, Said, Sender},
};

/// What a server may refuse with besides 5xx: the gem raises an error at anything else.
const SURVIVED: [u16; 7] = [401, 403, 404, 405, 408, 410, 422];

/// The points so far, and how to ask for more.
pub(super) struct Sheet<'a> {
    sender: Sender,
    base: &'a str,
    token: String,
    told: &'a (dyn Fn(&Point) + Send + Sync),
    pub(super) paper: Paper,
}

/// What is wanted of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// 2xx.
    Done,
    /// 2xx; some answer this instead, and a partner can live with it.
    DoneOr(u16),
    /// One of these; another refusal that clients survive will do.
    Refused(&'static [u16]),
}

impl<'a> Sheet<'a> {
    pub(super) fn new(
        base: &'a str,
        token: String,
        told: &'a (dyn Fn(&Point) + Send + Sync),
    ) -> io::Result<Self> {
        Ok(Self { sender: Sender::new()?, base, token, told, paper: Paper::default() })
    }

    /// A request in the plainest dialect, under the agreement.
    pub(super) fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Request {
        Request {
            method,
            url: format!("{}/{path}", self.base),
            token: Some(self.token.clone()),
            kind: Some("application/json"),
            version: true,
            body: body.map(Value::to_string),
        }
    }

    /// Notes a point, and tells it.
    pub(super) fn note(
        &mut self,
        dialect: &'static str,
        wanted: &'static str,
        verdict: Verdict,
        answered: String,
    ) {
        let point = Point { dialect, wanted, verdict, answered };
        (self.told)(&point);
        self.paper.points.push(point);
    }

    /// Asks, and notes whether the answer is as wanted.
    ///
    /// # Errors
    /// No answer came.
    pub(super) async fn point(
        &mut self,
        dialect: &'static str,
        what: &'static str,
        request: Request,
        wanted: Wanted,
    ) -> io::Result<Said> {
        let said = self.answer(what, request).await?;
        self.judge(dialect, what, &said, wanted);
        Ok(said)
    }

    /// Asks, and notes nothing.
    ///
    /// # Errors
    /// No answer came.
    pub(super) async fn answer(&self, what: &str, request: Request) -> io::Result<Said> {
        self.sender.send(request).await.map_err(|error| io::Error::other(format!("{what}: {error}")))
    }

    /// Notes whether an answer is as wanted.
    pub(super) fn judge(&mut self, dialect: &'static str, what: &'static str, said: &Said, wanted: Wanted) {
        let status = said.status.as_u16();
        let is_page = said.text.trim_start().starts_with('<');
        let verdict = match wanted {
            // Request Tracker says 200 with a page of text when it has failed.
            Wanted::Done | Wanted::DoneOr(_) if said.is_success() && !is_page => Verdict::Kept,
            Wanted::DoneOr(other) if other == status => Verdict::Lacking,
            Wanted::Refused(how) if how.contains(&status) => Verdict::Kept,
            Wanted::Refused(_) if SURVIVED.contains(&status) => Verdict::Lacking,
            _ => Verdict::Broken,
        };
        let words: String =
            said.text.chars().take(160).map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.note(dialect, what, verdict, format!("{status} {}", words.trim()).trim().to_owned());
    }
}
