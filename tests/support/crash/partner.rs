//! A partner that fails in every way: it answers 503, hangs, closes the connection after reading, does what it is asked and
//! loses the answer. It also shares tickets of its own, and repeats every request until it has heard a yes.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;

use super::super::books::{Dice, PartnerBooks};

#[derive(Debug)]
struct Inner {
    dice: Mutex<Dice>,
    faulty: AtomicBool,
    books: Mutex<PartnerBooks>,
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
            books: Mutex::default(),
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

    pub(crate) fn books(&self) -> MutexGuard<'_, PartnerBooks> {
        self.inner.books.lock().unwrap()
    }

    /// Shares a ticket of its own, or writes a comment on one.
    pub(crate) fn act(&self, what: usize, n: usize, tickets: usize) {
        if what.is_multiple_of(3) {
            self.books().answer(what / 3, n);
        } else {
            self.books().act(&self.theirs, what / 3, n, tickets);
        }
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
        let next = partner.books().front();
        let Some((method, uuid, body)) = next else {
            partner.inner.says.notified().await;
            continue;
        };
        let under = if partner.books().owns(&uuid) { &partner.theirs } else { &partner.ours };
        let token = format!("{under}:{under}");
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
        partner.books().taken();
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
            // It hangs until nobody waits for it any more.
            return std::future::pending().await;
        }
        _ => {}
    }
    let (_, uuid) = path.rsplit_once('/').unwrap();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let at = format!("{:?}", inner.begun.elapsed());
    let status = if path.contains("/tickets/") {
        inner.books.lock().unwrap().take(&method, uuid, &body, &at)
    } else {
        200
    };
    match fault {
        3 => gone(),
        4 => std::future::pending().await,
        _ => answer(status),
    }
}
