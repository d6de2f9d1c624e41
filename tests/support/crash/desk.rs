//! The desk of the story: it says everything until somebody has taken it, and does every command at least once.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use crossdesk::{
    demo::{Habits, HelpDesk},
    domain::{Namespace, TicketId},
};
use futures_util::StreamExt;
use lapin::{BasicProperties, Connection, ConnectionProperties, options::*, types::FieldTable};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{super::wait::within, servers::Servers};

/// How soon something is asked for again.
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Debug)]
struct Inner {
    desk: HelpDesk,
    outbox: VecDeque<Value>,
    own: BTreeSet<String>,
    /// By uuid: the commands that make this user.
    users: BTreeMap<String, BTreeSet<String>>,
}

/// The desk.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    inner: Arc<Mutex<Inner>>,
    /// Woken when there is something to say.
    says: Arc<Notify>,
    broker: Option<String>,
    admin: String,
}

impl Desk {
    pub(crate) fn new(servers: &Servers) -> Self {
        let desk = HelpDesk::new("Crash", 1000, Habits::default());
        let inner = Inner { desk, outbox: VecDeque::new(), own: BTreeSet::new(), users: BTreeMap::new() };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            says: Arc::new(Notify::new()),
            broker: servers.broker_url.clone(),
            admin: servers.admin.clone(),
        }
    }

    /// Opens a ticket and shares it; returns its number.
    pub(crate) fn share(&self, agreement: &str, n: usize) -> String {
        let mut inner = self.inner.lock().unwrap();
        let (id, opened) = inner.desk.open(("77", "Joe"), &format!("Ticket {n}"), "It is stuck.", &[]);
        let shared = inner.desk.share(&id, agreement);
        inner.outbox.extend([opened, shared]);
        inner.own.insert(id.clone());
        self.says.notify_one();
        id
    }

    /// Somebody does something to a ticket.
    pub(crate) fn act(&self, id: &str, what: usize, n: usize) {
        let mut inner = self.inner.lock().unwrap();
        let event = match what % 6 {
            0 => inner.desk.set(id, "status", ["open", "pending", "hold", "solved"][what / 6 % 4]),
            1 => inner.desk.tag(id, [&[][..], &["a"], &["b"], &["a", "b"]][what / 6 % 4]),
            2 => inner.desk.fill(id, "Model", json!(format!("model {n}"))),
            _ => inner.desk.comment(id, "Smith", &format!("ours {n}"), (what / 6).is_multiple_of(2)),
        };
        inner.outbox.push_back(event);
        self.says.notify_one();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.inner.lock().unwrap().outbox.len()
    }

    /// Waits until no more than so many events wait, or for as long as a server may be away.
    pub(crate) async fn until_waiting(&self, count: usize) {
        within(Duration::from_secs(2), async || (self.waiting() <= count).then_some(())).await;
    }

    /// Its own tickets as their partners should have them.
    pub(crate) fn shared(&self, sharing_url: &str) -> BTreeMap<String, Value> {
        let inner = self.inner.lock().unwrap();
        let names = Namespace::of(sharing_url);
        let form = |id: &String| {
            let ticket = &inner.desk.tickets[id];
            let comments: Vec<_> = ticket.comments.iter().map(|c| json!([c.body, c.public])).collect();
            let value = json!({"status": ticket.values["status"], "tags": ticket.tags, "fields": ticket.fields, "comments": comments});
            (names.ticket(&TicketId::new(id.clone())).to_string(), value)
        };
        inner.own.iter().map(form).collect()
    }

    /// The tickets that it has made for one of a partner's: their comments.
    pub(crate) fn received(&self, uuid: &str) -> Vec<Vec<String>> {
        let inner = self.inner.lock().unwrap();
        let made = inner.desk.tickets.values().filter(|ticket| ticket.uuid.as_deref() == Some(uuid));
        made.map(|ticket| ticket.comments.iter().map(|comment| comment.body.clone()).collect()).collect()
    }

    /// How many commands make each user.
    pub(crate) fn users_made(&self) -> Vec<(String, usize)> {
        self.inner
            .lock()
            .unwrap()
            .users
            .iter()
            .map(|(uuid, commands)| (uuid.clone(), commands.len()))
            .collect()
    }

    fn obey(&self, command: &Value) {
        let mut inner = self.inner.lock().unwrap();
        if command["type"] == "crossdesk.user.create" {
            let key = format!(
                "{} {}",
                command["data"]["user"]["uuid"],
                command["id"].as_str().unwrap().rsplit_once('.').unwrap().0
            );
            inner.users.entry(key).or_default().insert(command["id"].to_string());
        }
        let events = inner.desk.obey(command);
        inner.outbox.extend(events);
    }

    pub(crate) fn start(&self) {
        let desk = self.clone();
        tokio::spawn(async move {
            // Whatever is away comes back: it is asked at this pace until it answers.
            let mut pace = tokio::time::interval(AGAIN);
            loop {
                pace.tick().await;
                let _away = match &desk.broker {
                    Some(url) => desk.over_amqp(url).await.map_err(|error| error.to_string()),
                    None => desk.over_http().await.map_err(|error| error.to_string()),
                };
            }
        });
    }

    /// The front of what it has to say; it stays there until somebody has taken it.
    fn front(&self) -> Option<Value> {
        self.inner.lock().unwrap().outbox.front().cloned()
    }

    fn taken(&self) {
        self.inner.lock().unwrap().outbox.pop_front();
    }

    async fn over_amqp(&self, url: &str) -> lapin::Result<()> {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let (publish, consume) = (connection.create_channel().await?, connection.create_channel().await?);
        publish.confirm_select(ConfirmSelectOptions::default()).await?;
        let mut commands = consume
            .basic_consume(
                "crossdesk.commands".into(),
                "desk".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await?;
        loop {
            while let Some(event) = self.front() {
                let properties = BasicProperties::default().with_delivery_mode(2);
                let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
                let body = event.to_string();
                let exchange = "helpdesk.events".into();
                let confirm = publish
                    .basic_publish(exchange, "ticket".into(), options, body.as_bytes(), properties)
                    .await?;
                match confirm.await? {
                    lapin::Confirmation::Ack(None) => self.taken(),
                    _ => return Ok(()),
                }
            }
            tokio::select! {
                () = self.says.notified() => {}
                next = commands.next() => {
                    let Some(delivery) = next else { return Ok(()) };
                    let delivery = delivery?;
                    self.obey(&serde_json::from_slice(&delivery.data).unwrap());
                    delivery.ack(BasicAckOptions::default()).await?;
                }
            }
        }
    }

    async fn over_http(&self) -> reqwest::Result<()> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
        let ask = |method: Method, path: &str| {
            client.request(method, format!("{}/api/v1/{path}", self.admin)).bearer_auth("crash")
        };
        loop {
            while let Some(event) = self.front() {
                let request = ask(Method::POST, "events").header("content-type", "application/json");
                request.body(event.to_string()).send().await?.error_for_status()?;
                self.taken();
            }
            let commands = ask(Method::GET, "commands").send().await?.error_for_status()?.text().await?;
            let commands: Vec<Value> = serde_json::from_str(&commands).unwrap_or_default();
            for command in &commands {
                self.obey(command);
            }
            if commands.is_empty() {
                // Something to say ends the wait; commands have to be asked for.
                tokio::time::timeout(AGAIN, self.says.notified()).await.ok();
            }
        }
    }
}
