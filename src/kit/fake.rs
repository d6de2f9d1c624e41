//! A partner to develop against: takes invites and tickets, says what it gets, and answers as the protocol has it.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    ledger::{Asked, Ledger},
    name,
    sent::{Sender, TOKEN},
};

/// What the partner does by itself.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// It accepts every invite.
    pub accepts: bool,
    /// It answers every ticket that it is given with a comment.
    pub replies: bool,
}

/// A partner that keeps everything in memory.
#[derive(Clone, Debug)]
pub struct FakePartner(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    habits: Habits,
    ledger: Mutex<Ledger>,
    sender: Sender,
    told: Box<dyn Tell>,
}

/// Where it says what it gets.
trait Tell: std::fmt::Debug + Send + Sync {
    fn tell(&self, line: &str);
}

struct Told<F>(F);

impl<F> std::fmt::Debug for Told<F> {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Told")
    }
}

impl<F: Fn(&str) + Send + Sync> Tell for Told<F> {
    fn tell(&self, line: &str) {
        self.0(line);
    }
}

impl FakePartner {
    /// A partner; each thing that happens is told in a line.
    ///
    /// # Errors
    /// No TLS on this machine.
    pub fn new(habits: Habits, told: impl Fn(&str) + Send + Sync + 'static) -> io::Result<Self> {
        let (ledger, sender) = (Mutex::default(), Sender::new()?);
        Ok(Self(Arc::new(Inner { habits, ledger, sender, told: Box::new(Told(told)) })))
    }

    /// Answers until the listener ends.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        axum::serve(listener, Router::new().fallback(answer).with_state(self)).await
    }

    fn ledger<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T {
        act(&mut self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What it does by itself after it has answered.
    async fn go_on(self, method: Method, kind: String, uuid: String, token: Option<String>) {
        let Habits { accepts, replies } = self.0.habits;
        if method == Method::POST && kind == "agreements" && accepts {
            let Some(kept) = self.ledger(|ledger| ledger.agreement(&uuid).cloned()) else { return };
            let body = json!({"status": "accepted"});
            let (path, token) = (format!("agreements/{uuid}"), format!("{uuid}:{}", kept.key));
            match self.0.sender.put(&kept.sender_url, &path, &token, &body).await {
                Ok(said) if said.is_success() => {
                    self.ledger(|ledger| ledger.accept(&uuid));
                    self.0.told.tell(&format!("→ accepted agreement {uuid}"));
                }
                Ok(said) => {
                    self.0.told.tell(&format!("→ could not accept {uuid}: {} {}", said.status, said.text));
                }
                Err(error) => self.0.told.tell(&format!("→ could not accept {uuid}: {error}")),
            }
        }
        if method == Method::POST && kind == "tickets" && replies {
            let agreement =
                token.as_deref().and_then(|token| token.split_once(':')).map(|(uuid, _)| uuid.to_owned());
            let kept = agreement.and_then(|uuid| self.ledger(|ledger| ledger.agreement(&uuid).cloned()));
            if let (Some(kept), Some(token), Ok(comment), Ok(author)) = (kept, token, name(), name()) {
                let body = json!({"comments": [{"uuid": comment, "body": "Thank you, we look into it.", "public": true,
                    "author": {"uuid": author, "name": "Fake Agent", "role": "agent"}}]});
                let said =
                    self.0.sender.put(&kept.sender_url, &format!("tickets/{uuid}"), &token, &body).await;
                let said = said.map_or_else(|error| error.to_string(), |said| said.status.to_string());
                self.0.told.tell(&format!("→ replied to ticket {uuid}: {said}"));
            }
        }
    }
}

async fn answer(
    State(partner): State<FakePartner>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let token = headers.get(TOKEN).and_then(|token| token.to_str().ok()).map(str::to_owned);
    let mut parts = uri.path().trim_end_matches('/').rsplit('/');
    let (uuid, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let asked = Asked { method: method.as_str(), kind, uuid, token: token.as_deref(), body: &body };
    let (status, said) = partner.ledger(|ledger| ledger.answer(&asked));
    let shown: Value =
        serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
    partner.0.told.tell(&format!(
        "← {method} {} {} → {status} {}",
        uri.path(),
        without_key(shown),
        short(&said)
    ));
    let mut response = match said {
        Value::Null => StatusCode::OK.into_response(),
        Value::String(reason) => axum::Json(json!({"error": reason})).into_response(),
        other => axum::Json(other).into_response(),
    };
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == 401 {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("X-Ticket-Sharing"));
    }
    if status == 201 {
        tokio::spawn(partner.go_on(method, kind.to_owned(), uuid.to_owned(), token));
    }
    response
}

/// A body as it may be shown: a key is a secret even here.
fn without_key(mut body: Value) -> Value {
    if let Some(key) = body.get_mut("access_key") {
        *key = Value::from("…");
    }
    body
}

fn short(said: &Value) -> String {
    match said {
        Value::Null => String::new(),
        Value::String(reason) => format!("({reason})"),
        _ => "(the object)".to_owned(),
    }
}
