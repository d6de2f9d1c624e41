//! A partner that fails in every way: it answers 503, hangs, closes the connection after reading, does what it is asked and
//! loses the answer. It also shares tickets of its own, and repeats every request until it has heard a yes.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::Dice;

/// A ticket as a partner has it.
#[derive(Clone, Debug, Default)]
struct Ticket {
    status: String,
    tags: BTreeSet<String>,
    fields: BTreeMap<String, Value>,
    comments: Vec<(String, String, bool)>,
    /// What came, in the order in which it was done.
    log: Vec<String>,
}

#[derive(Debug)]
struct Inner {
    dice: Mutex<Dice>,
    faulty: AtomicBool,
    tickets: Mutex<BTreeMap<String, Ticket>>,
    own: Mutex<BTreeMap<String, Vec<String>>>,
    outbox: Mutex<VecDeque<(String, String, Value)>>,
    reaches: Mutex<String>,
    url: Mutex<String>,
    /// Woken when there is something to say.
    says: Notify,
    requests: AtomicUsize,
    failures: AtomicUsize,
    begun: Instant,
}

/// A partner.
#[derive(Clone, Debug)]
pub(crate) struct Partner {
    /// The agreement under which the desk shares with it.
    pub(crate) ours: String,
    /// The one under which it shares with the desk.
    pub(crate) theirs: String,
    inner: Arc<Inner>,
}

impl Partner {
    pub(crate) fn new(seed: u64) -> Self {
        let inner = Inner {
            dice: Mutex::new(Dice::new(seed + 77)),
            faulty: AtomicBool::new(true),
            tickets: Mutex::default(),
            own: Mutex::default(),
            outbox: Mutex::default(),
            reaches: Mutex::default(),
            url: Mutex::default(),
            says: Notify::new(),
            requests: AtomicUsize::new(0),
            failures: AtomicUsize::new(0),
            begun: Instant::now(),
        };
        let (ours, theirs) = (format!("{:040x}", seed * 2 + 2), format!("{:040x}", (1 << 60) + seed * 2 + 3));
        Self { ours, theirs, inner: Arc::new(inner) }
    }

    pub(crate) fn url(&self) -> String {
        self.inner.url.lock().unwrap().clone()
    }

    pub(crate) fn reaches(&self, sharing_url: &str) {
        sharing_url.clone_into(&mut self.inner.reaches.lock().unwrap());
    }

    /// From now on it does everything right.
    pub(crate) fn behave(&self) {
        self.inner.faulty.store(false, Ordering::Relaxed);
    }

    pub(crate) fn requests(&self) -> usize {
        self.inner.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn failures(&self) -> usize {
        self.inner.failures.load(Ordering::Relaxed)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.inner.outbox.lock().unwrap().len()
    }

    /// What it was told: each ticket in the form in which the desk says what it has.
    pub(crate) fn tickets(&self) -> BTreeMap<String, Value> {
        let tickets = self.inner.tickets.lock().unwrap();
        let form = |ticket: &Ticket| {
            let comments: Vec<_> =
                ticket.comments.iter().map(|(_, body, public)| json!([body, public])).collect();
            json!({"status": ticket.status, "tags": ticket.tags, "fields": ticket.fields, "comments": comments})
        };
        tickets.iter().map(|(uuid, ticket)| (uuid.clone(), form(ticket))).collect()
    }

    /// What came for a ticket, in the order in which it was done.
    pub(crate) fn log(&self, uuid: &str) -> Vec<String> {
        self.inner.tickets.lock().unwrap().get(uuid).map(|ticket| ticket.log.clone()).unwrap_or_default()
    }

    /// What it has shared: each ticket with its comments, in order.
    pub(crate) fn shared(&self) -> BTreeMap<String, Vec<String>> {
        self.inner.own.lock().unwrap().clone()
    }

    /// Shares a ticket of its own, or writes a comment on one.
    pub(crate) fn act(&self, what: usize, n: usize, tickets: usize) {
        let uuid = format!("{}-{}", self.theirs, what % tickets);
        let body = format!("theirs {n}");
        let comment = json!({"uuid": format!("{uuid}-{n}"), "author": {"uuid": format!("kim-{}", n % 3), "name": "Kim", "role": "agent"},
            "body": body, "public": true});
        let mut own = self.inner.own.lock().unwrap();
        let is_new = !own.contains_key(&uuid);
        own.entry(uuid.clone()).or_default().push(body);
        let request = if is_new {
            json!({"uuid": uuid, "subject": "Theirs", "status": "open", "requester": {"uuid": "joe", "name": "Joe"}, "comments": [comment]})
        } else {
            json!({"comments": [comment]})
        };
        let method = if is_new { "POST" } else { "PUT" };
        self.inner.outbox.lock().unwrap().push_back((method.to_owned(), uuid, request));
        self.inner.says.notify_one();
    }

    pub(crate) async fn start(&self) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        *self.inner.url.lock().unwrap() = format!("http://{}/sharing", listener.local_addr().unwrap());
        let inner = self.inner.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let inner = inner.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| serve(inner.clone(), request));
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                        .ok();
                });
            }
        });
        tokio::spawn(send(self.clone()));
    }
}

/// Sends what it has to say, one after the other, each until it has heard a yes.
async fn send(partner: Partner) {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build().unwrap();
    loop {
        let next = partner.inner.outbox.lock().unwrap().front().cloned();
        let Some((method, uuid, body)) = next else {
            partner.inner.says.notified().await;
            continue;
        };
        let token = format!("{}:{}", partner.theirs, partner.theirs);
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        loop {
            pace.tick().await;
            let base = partner.inner.reaches.lock().unwrap().clone();
            let request = client.request(method.parse().unwrap(), format!("{base}/tickets/{uuid}"));
            let request = request.header("X-Ticket-Sharing-Token", &token).body(body.to_string());
            let Ok(answer) = request.send().await else { continue };
            let status = answer.status();
            assert!(status.is_success() || status.is_server_error(), "{method} {uuid}: {status}");
            if status.is_success() {
                break;
            }
        }
        partner.inner.outbox.lock().unwrap().pop_front();
    }
}

async fn serve(
    inner: Arc<Inner>,
    request: Request<hyper::body::Incoming>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    inner.requests.fetch_add(1, Ordering::Relaxed);
    let fault = if inner.faulty.load(Ordering::Relaxed) { inner.dice.lock().unwrap().roll(24) } else { 100 };
    let gone = || Err(std::io::Error::other("the partner closes the connection"));
    if fault <= 4 {
        inner.failures.fetch_add(1, Ordering::Relaxed);
    }
    let method = request.method().to_string();
    let path = request.uri().path().to_owned();
    let answer = |status: u16| Ok(Response::builder().status(status).body(Full::new(Bytes::new())).unwrap());
    if fault == 0 {
        return answer(503);
    }
    let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    match fault {
        1 => return gone(),
        2 => {
            tokio::time::sleep(Duration::from_secs(3)).await;
            return gone();
        }
        _ => {}
    }
    let (_, uuid) = path.rsplit_once('/').unwrap();
    let status = take(
        &inner,
        &method,
        uuid,
        &serde_json::from_slice(&body).unwrap_or_default(),
        path.contains("/tickets/"),
    );
    match fault {
        3 => gone(),
        4 => {
            tokio::time::sleep(Duration::from_secs(3)).await;
            gone()
        }
        _ => answer(status),
    }
}

/// Does what it is asked, as a partner should: a comment that it knows is passed over, a ticket that it has is a conflict.
fn take(inner: &Inner, method: &str, uuid: &str, body: &Value, about_ticket: bool) -> u16 {
    if !about_ticket {
        return 200;
    }
    let mut tickets = inner.tickets.lock().unwrap();
    // Its own tickets it has anyway; what the desk says of them is not part of this story.
    if inner.own.lock().unwrap().contains_key(uuid) {
        return 200;
    }
    let known = tickets.contains_key(uuid);
    match method {
        "GET" => return if known { 200 } else { 404 },
        "POST" if known => return 422,
        "PUT" if !known => return 404,
        _ => {}
    }
    let ticket = tickets.entry(uuid.to_owned()).or_default();
    let seq = &body["crossdesk"]["seq"];
    ticket.log.push(format!("{method} seq {seq} at {:?}", inner.begun.elapsed()));
    if let Some(status) = body["status"].as_str() {
        status.clone_into(&mut ticket.status);
    }
    if let Some(tags) = body["tags"].as_array() {
        ticket.tags = tags.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    for (title, value) in body["custom_fields"].as_object().into_iter().flatten() {
        ticket.fields.insert(title.clone(), value.clone());
    }
    for comment in body["comments"].as_array().into_iter().flatten() {
        let uuid = comment["uuid"].as_str().unwrap_or_default().to_owned();
        if ticket.comments.iter().all(|(known, ..)| *known != uuid) {
            let text = comment["body"].as_str().unwrap_or_default().to_owned();
            ticket.comments.push((uuid, text, comment["public"] == true));
        }
    }
    if method == "POST" { 201 } else { 200 }
}
