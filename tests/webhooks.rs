//! A desk that takes its commands over HTTP: signed, in order, retried, each done once; what it refuses is said.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

use crate::support::{Pair, Sender, TestDaemon, new_ticket, until};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The desk's endpoint: what it got, and what it answers next.
#[derive(Clone, Default)]
struct Endpoint {
    taken: Arc<Mutex<Vec<Value>>>,
    wrong: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Endpoint {
    async fn start() -> (Self, String) {
        let this = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/commands", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (this, url)
    }

    fn taken(&self) -> Vec<Value> {
        self.taken.lock().unwrap().clone()
    }

    fn kinds(&self) -> Vec<String> {
        self.taken().iter().map(|command| command["type"].as_str().unwrap().to_owned()).collect()
    }
}

async fn take(State(endpoint): State<Endpoint>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let key = BASE64.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(&body);
    let signature = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
    let command: Value = serde_json::from_slice(&body).unwrap();
    let age = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
        - at.parse::<u64>().unwrap();
    if signature != header("webhook-signature") || command["id"] != id.as_str() || age > 60 {
        endpoint.wrong.lock().unwrap().push(format!("{headers:?} {command}"));
    }
    let answer = endpoint.answers.lock().unwrap().pop_front().unwrap_or(204);
    if (200..300).contains(&answer) {
        endpoint.taken.lock().unwrap().push(command);
    }
    StatusCode::from_u16(answer).unwrap()
}

async fn hooked(pair: Pair, url: &str) -> TestDaemon {
    TestDaemon::with("Lens", pair, Default::default(), |config| {
        config.desk.command_url = url.to_owned();
        config.desk.command_secret = SECRET.to_owned();
    })
    .await
}

/// The desk does what it took, and says so over HTTP.
async fn obey(daemon: &TestDaemon, command: &Value) {
    for event in daemon.desk(|desk| desk.obey(command)) {
        daemon.post("events", event).await;
    }
}

async fn a_desk_is_brought_its_commands(pair: Pair) {
    let (endpoint, url) = Endpoint::start().await;
    let mut daemon = hooked(pair, &url).await;
    let sender = Sender::agreed(&daemon).await;
    // At first it cannot, and knows nobody: then all comes in order.
    endpoint.answers.lock().unwrap().extend([503, 401, 404]);
    assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
    let update = json!({"status": "pending"});
    assert_eq!(sender.ticket("PUT", "t1", &update).await, 200);
    until("all is there", async || {
        (endpoint.kinds().iter().filter(|k| *k == "crossdesk.ticket.update").count() == 1).then_some(())
    })
    .await;
    let ours: Vec<String> = endpoint.kinds().into_iter().filter(|kind| kind != "crossdesk.notice").collect();
    assert_eq!(ours, ["crossdesk.user.create", "crossdesk.ticket.create", "crossdesk.ticket.update"]);
    // Taken is not done: the daemon still waits for the answers, and brings nothing twice, even after a restart.
    daemon.stop().await;
    daemon.resume_without_waiting().await;
    until("it is ready", async || daemon.driver.ask(reqwest::Method::GET, "commands", None).await.ok()).await;
    let waiting = daemon.get("commands").await;
    assert!(waiting.as_array().unwrap().iter().any(|c| c["type"] == "crossdesk.ticket.create"), "{waiting}");
    for command in endpoint.taken() {
        obey(&daemon, &command).await;
    }
    until("nothing waits", async || (daemon.get("commands").await == json!([])).then_some(())).await;
    // What it calls unusable has failed, as if it had said so in an event.
    endpoint.answers.lock().unwrap().push_back(422);
    assert_eq!(sender.ticket("PUT", "t1", &json!({"status": "solved"})).await, 200);
    let number = daemon.desk(|desk| desk.find("t1").unwrap());
    let issues = until("the refusal is told", async || {
        let issues = daemon.ticket(&number).await["issues"].to_string();
        issues.contains("command_failed").then_some(issues)
    })
    .await;
    assert!(issues.contains("the desk answered 422"), "{issues}");
    let mut ids: Vec<Value> = endpoint.taken().iter().map(|command| command["id"].clone()).collect();
    let all = ids.len();
    ids.dedup();
    assert_eq!((ids.len(), endpoint.wrong.lock().unwrap().clone()), (all, Vec::<String>::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_is_brought_its_commands_without_a_broker() {
    a_desk_is_brought_its_commands(Pair::SQLITE_EMBEDDED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_is_brought_its_commands_from_their_queue() {
    a_desk_is_brought_its_commands(Pair::POSTGRES_AMQP).await;
}

#[test]
fn a_url_without_a_usable_secret_is_said_at_the_start() {
    for (secret, words) in [("", "desk.command_secret: is missing"), ("'short'", "whsec_")] {
        let secret = if secret.is_empty() { String::new() } else { format!("command_secret = {secret}") };
        let toml = format!("[desk]\ncommand_url = 'http://127.0.0.1:1/'\n{secret}\n");
        let error = crossdesk::config::load(&toml, "crossdesk.toml", &Default::default());
        let error = match error {
            Err(error) => error.to_string(),
            Ok(config) => format!("{:#}", crossdesk::app::options(&config).unwrap_err()),
        };
        assert!(error.contains(words) && !error.contains("short"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_the_desk_does_not_take_yet_does_not_count_as_done_and_one_that_it_had_does() {
    let (endpoint, url) = Endpoint::start().await;
    let daemon = TestDaemon::with("Lens", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.desk.command_url = url.clone();
        config.desk.command_secret = SECRET.to_owned();
        config.desk.command_timeout = "1s".to_owned();
    })
    .await;
    let sender = Sender::agreed(&daemon).await;
    assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
    until("the ticket is there", async || {
        endpoint.kinds().contains(&"crossdesk.ticket.create".to_owned()).then_some(())
    })
    .await;
    for command in endpoint.taken() {
        obey(&daemon, &command).await;
    }
    let number = until("the desk has it", async || daemon.desk(|desk| desk.find("t1"))).await;
    let open = async || daemon.ticket(&number).await["waiting_for_desk"]["commands"].clone();
    until("nothing waits", async || (open().await == json!([])).then_some(())).await;
    // Three seconds at least it is away: longer than its answer is waited for.
    endpoint.answers.lock().unwrap().extend([503, 503, 503, 409]);
    let asked = std::time::Instant::now();
    assert_eq!(sender.ticket("PUT", "t1", &json!({"status": "pending"})).await, 200);
    until("it is brought for the last time", async || {
        let left = endpoint.answers.lock().unwrap().len();
        if left > 0 {
            let open = open().await;
            assert_eq!(open[0]["on_its_way"], true, "{open}");
        }
        (left == 0).then_some(())
    })
    .await;
    // It says that it had it: from then on its answer is waited for, and without one it counts as done.
    until("it counts as done", async || (open().await == json!([])).then_some(())).await;
    assert!(asked.elapsed() > std::time::Duration::from_secs(1));
    assert_eq!(daemon.ticket(&number).await["status"], "pending");
    assert_eq!(*endpoint.wrong.lock().unwrap(), Vec::<String>::new());
}
