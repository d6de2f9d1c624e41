//! The desk of the story: it says everything until somebody has taken it, and does every command at least once.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use crossdesk::demo::Habits;
use futures_util::StreamExt;
use lapin::{BasicProperties, Connection, ConnectionProperties, options::*, types::FieldTable};
use reqwest::Method;
use serde_json::Value;
use tokio::sync::Notify;

use super::{
    super::{books::DeskBooks, wait::within},
    servers::Servers,
};

/// How soon something is asked for again.
const AGAIN: Duration = Duration::from_millis(20);

/// The desk.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    books: Arc<Mutex<DeskBooks>>,
    /// Woken when there is something to say.
    says: Arc<Notify>,
    broker: Option<String>,
    admin: String,
}

impl Desk {
    pub(crate) fn new(servers: &Servers) -> Self {
        Self {
            books: Arc::new(Mutex::new(DeskBooks::new(Habits::default()))),
            says: Arc::new(Notify::new()),
            broker: servers.broker_url.clone(),
            admin: servers.admin.clone(),
        }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, DeskBooks> {
        self.books.lock().unwrap()
    }

    /// Opens a ticket and shares it; returns its number.
    pub(crate) fn share(&self, agreement: &str, n: usize) -> String {
        let id = self.books().share(agreement, n);
        self.says.notify_one();
        id
    }

    /// Somebody does something to a ticket.
    pub(crate) fn act(&self, id: &str, what: usize, n: usize) {
        self.books().act(id, what, n);
        self.says.notify_one();
    }

    /// Waits until no more than so many events wait, or for as long as a server may be away.
    pub(crate) async fn until_waiting(&self, count: usize) {
        within(Duration::from_secs(2), async || (self.books().waiting() <= count).then_some(())).await;
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

    fn front(&self) -> Option<Value> {
        self.books().front()
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
                    lapin::Confirmation::Ack(None) => self.books().taken(),
                    _ => return Ok(()),
                }
            }
            tokio::select! {
                () = self.says.notified() => {}
                next = commands.next() => {
                    let Some(delivery) = next else { return Ok(()) };
                    let delivery = delivery?;
                    self.books().obey(&serde_json::from_slice(&delivery.data).unwrap());
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
                self.books().taken();
            }
            let commands = ask(Method::GET, "commands").send().await?.error_for_status()?.text().await?;
            let commands: Vec<Value> = serde_json::from_str(&commands).unwrap_or_default();
            for command in &commands {
                self.books().obey(command);
            }
            if commands.is_empty() {
                // Something to say ends the wait; commands have to be asked for.
                tokio::time::timeout(AGAIN, self.says.notified()).await.ok();
            }
        }
    }
}
