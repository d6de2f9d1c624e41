//! A real daemon on free ports, with a desk beside it.

use std::sync::{Arc, Mutex};

use crossdesk::{
    app::Daemon,
    config::Config,
    demo::{Driver, Habits, HelpDesk},
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    AmqpDesk, FakePartner, Sender,
    on_its_way::on_its_way,
    servers, until,
    wait::{LIMIT, within},
};

/// A store and a broker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) postgres: bool,
    pub(crate) amqp: bool,
}

impl Pair {
    pub(crate) const SQLITE_EMBEDDED: Self = Self { postgres: false, amqp: false };
    pub(crate) const SQLITE_AMQP: Self = Self { postgres: false, amqp: true };
    pub(crate) const POSTGRES_EMBEDDED: Self = Self { postgres: true, amqp: false };
    pub(crate) const POSTGRES_AMQP: Self = Self { postgres: true, amqp: true };
    /// Both databases, where the broker does not matter.
    pub(crate) const STORES: [Self; 2] = [Self::SQLITE_EMBEDDED, Self::POSTGRES_EMBEDDED];
}

/// A daemon and its desk.
pub(crate) struct TestDaemon {
    pub(crate) config: Config,
    pub(crate) driver: Driver,
    desk: Arc<Mutex<HelpDesk>>,
    amqp: Option<AmqpDesk>,
    daemon: Option<Daemon>,
    stop_desk: CancellationToken,
    /// Whether the next start ends declared agreements that are gone from the configuration.
    pub(crate) prune: bool,
    _folder: tempfile::TempDir,
}

impl TestDaemon {
    /// A daemon whose desk has the usual habits.
    pub(crate) async fn start(name: &str, pair: Pair) -> Self {
        Self::with(name, pair, Habits::default(), |_| {}).await
    }

    /// A daemon with other settings, and a desk with other habits.
    pub(crate) async fn with(
        name: &str,
        pair: Pair,
        habits: Habits,
        settings: impl FnOnce(&mut Config),
    ) -> Self {
        // What the daemons of a test log, for whoever looks for why it fails.
        if let Ok(filter) = std::env::var("CROSSDESK_TEST_LOG") {
            let _set_already = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).try_init();
        }
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        name.clone_into(&mut config.desk.name);
        config.desk.ticket_url = "https://desk.example/tickets/{id}".to_owned();
        config.admin.token = "test-token".to_owned();
        config.delivery.allow_private_partners = true;
        config.delivery.retry.initial = "50ms".to_owned();
        config.delivery.retry.max = "500ms".to_owned();
        config.log.level = "crossdesk=debug".to_owned();
        config.store.url = if pair.postgres {
            servers::postgres_url().await
        } else {
            format!("sqlite:{}", folder.path().join("test.db").display())
        };
        if pair.amqp {
            let unique = servers::unique();
            config.broker.url = servers::amqp_url().await;
            config.broker.queue_type = crossdesk::broker::QueueType::Classic;
            for name in [
                &mut config.broker.events_exchange,
                &mut config.broker.events_queue,
                &mut config.broker.commands_exchange,
                &mut config.broker.commands_queue,
                &mut config.broker.partners_exchange,
                &mut config.broker.partner_queue_prefix,
                &mut config.broker.inbound_queue,
                &mut config.broker.dead_letter_queue,
            ] {
                *name = format!("{name}.{unique}");
            }
        }
        settings(&mut config);
        let desk = Arc::new(Mutex::new(HelpDesk::new(name, 1001, habits)));
        let driver = Driver::shared(desk.clone(), "", &config.admin.token).unwrap();
        let mut this = Self {
            config,
            driver,
            desk,
            amqp: None,
            daemon: None,
            stop_desk: CancellationToken::new(),
            prune: false,
            _folder: folder,
        };
        this.resume().await;
        this
    }

    /// Starts the daemon, anew after [`TestDaemon::stop`], and its desk.
    pub(crate) async fn resume(&mut self) {
        self.resume_without_waiting().await;
        let url = format!("http://{}/readyz", self.config.admin.listen);
        until("the daemon is ready", async || {
            reqwest::get(&url).await.ok().filter(|answer| answer.status().is_success()).map(drop)
        })
        .await;
        self.start_desk().await;
    }

    /// Starts the daemon, which may not become ready.
    pub(crate) async fn resume_without_waiting(&mut self) {
        let first = self.daemon.is_none() && self.config.http.listen.port() == 8085;
        if first {
            self.config.http.listen = "127.0.0.1:0".parse().unwrap();
            self.config.admin.listen = "127.0.0.1:0".parse().unwrap();
        }
        let partners = TcpListener::bind(self.config.http.listen).await.unwrap();
        let admins = TcpListener::bind(self.config.admin.listen).await.unwrap();
        self.config.http.listen = partners.local_addr().unwrap();
        self.config.admin.listen = admins.local_addr().unwrap();
        if first {
            self.config.desk.sharing_url = format!("http://{}/sharing", self.config.http.listen);
        }
        let daemon = Daemon::start_on(&self.config, self.prune, partners, admins).unwrap();
        let url = format!("http://{}", daemon.admins);
        self.driver = Driver::shared(self.desk.clone(), &url, &self.config.admin.token).unwrap();
        self.daemon = Some(daemon);
        self.stop_desk = CancellationToken::new();
    }

    /// All that the database keeps of access keys, as it keeps it.
    pub(crate) async fn stored_keys(&self) -> String {
        const SQL: &str = "select access_key, next_key from agreement";
        let url = &self.config.store.url;
        let rows: Vec<(String, String)> = if url.starts_with("sqlite") {
            let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
            sqlx::query_as(SQL).fetch_all(&mut connection).await.unwrap()
        } else {
            let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
            sqlx::query_as(SQL).fetch_all(&mut connection).await.unwrap()
        };
        format!("{rows:?}")
    }

    /// The desk does its commands (again).
    pub(crate) async fn start_desk(&mut self) {
        self.stop_desk = CancellationToken::new();
        if !self.config.desk.command_url.is_empty() {
            // It is brought its commands, somewhere else.
        } else if self.config.broker.url == "embedded" {
            tokio::spawn(self.driver.clone().run(self.stop_desk.clone()));
        } else {
            let broker = &self.config.broker;
            let (exchange, queue) = (&broker.events_exchange, &broker.commands_queue);
            let desk =
                AmqpDesk::start(&broker.url, exchange, queue, self.desk.clone(), self.stop_desk.clone())
                    .await;
            self.amqp = Some(desk);
        }
    }

    /// The desk leaves its commands alone.
    pub(crate) fn stop_desk(&self) {
        self.stop_desk.cancel();
    }

    /// The daemon reads its files again, as on SIGHUP.
    pub(crate) async fn reload(&mut self) {
        self.daemon.as_mut().unwrap().reload(&self.config).await;
    }

    /// Stops the daemon, as SIGTERM does.
    pub(crate) async fn stop(&mut self) -> bool {
        self.stop_desk.cancel();
        match self.daemon.take() {
            Some(daemon) => daemon.stop().await,
            None => true,
        }
    }

    pub(crate) fn sharing_url(&self) -> String {
        self.config.desk.sharing_url.clone()
    }

    /// Looks at the desk, or does something on it.
    pub(crate) fn desk<T>(&self, act: impl FnOnce(&mut HelpDesk) -> T) -> T {
        act(&mut self.desk.lock().unwrap())
    }

    /// The desk says something, over its broker where it has one.
    pub(crate) async fn tell(&self, event: &Value) {
        match &self.amqp {
            Some(desk) => desk.tell(event).await,
            None => self.driver.tell(event).await.unwrap(),
        }
    }

    /// The desk publishes bytes.
    pub(crate) async fn publish(&self, body: &[u8]) {
        self.amqp.as_ref().expect("a desk on RabbitMQ").publish(body).await;
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.driver.ask(Method::GET, path, None).await.unwrap()
    }

    /// A shared ticket, once the daemon knows it by this number: events over a broker take their time, and so does the
    /// answer that names a ticket.
    pub(crate) async fn ticket(&self, id: &str) -> Value {
        let path = format!("tickets/{id}");
        until("the ticket is known", async || self.driver.ask(Method::GET, &path, None).await.ok()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.driver.ask(Method::POST, path, Some(&body)).await.unwrap()
    }

    /// Waits until something is so on the desk; if it does not come, shows all that the desk has.
    pub(crate) async fn until_desk<T>(&self, what: &str, look: impl Fn(&HelpDesk) -> Option<T>) -> T {
        if let Some(seen) = within(LIMIT, async || self.desk(|desk| look(desk))).await {
            return seen;
        }
        let tickets = self.get("tickets").await;
        for ticket in tickets.as_array().into_iter().flatten() {
            let story = self.get(&format!("tickets/{}/explain", ticket["uuid"].as_str().unwrap())).await;
            eprintln!("{} {story:#}", self.config.desk.name);
        }
        let tickets = self.desk(|desk| desk.tickets.clone());
        panic!("this did not come true in {LIMIT:?}: {what}\n{tickets:#?}");
    }

    /// Waits until an agreement has a status; returns it.
    pub(crate) async fn until_agreement(&self, uuid: Option<&str>, status: &str) -> Value {
        until(&format!("{} has an agreement that is {status}", self.config.desk.name), async || {
            let list = self.get("agreements").await;
            let mut found = list.as_array().unwrap().iter();
            found.find(|a| a["status"] == status && uuid.is_none_or(|uuid| a["uuid"] == uuid)).cloned()
        })
        .await
    }

    /// Invites a partner under usual terms; returns the agreement's uuid.
    pub(crate) async fn invite(&self, url: &str) -> String {
        let terms = json!({"comments": "public_and_private", "sync_tags": true, "sync_custom_fields": true});
        let invite = json!({"kind": "third_party", "url": url, "name": "Partner", "terms": terms});
        self.post("agreements", invite).await["uuid"].as_str().unwrap().to_owned()
    }

    /// Makes an agreement with another daemon, in force on both sides; returns its uuid.
    pub(crate) async fn agree_with(&self, other: &Self) -> String {
        let uuid = self.invite(&other.sharing_url()).await;
        other.until_agreement(Some(&uuid), "pending").await;
        other.driver.ask(Method::POST, &format!("agreements/{uuid}/accept"), None).await.unwrap();
        other.until_agreement(Some(&uuid), "accepted").await;
        self.until_agreement(Some(&uuid), "accepted").await;
        uuid
    }

    /// Makes an agreement with a new partner that does as it is told, in force; returns it and the agreement's uuid.
    pub(crate) async fn agreed(&self) -> (FakePartner, String) {
        let partner = FakePartner::start().await;
        let uuid = self.invite(&partner.url).await;
        self.answered(&partner, &uuid, "accepted").await;
        self.until_agreement(Some(&uuid), "accepted").await;
        (partner, uuid)
    }

    /// A partner says what has become of an agreement that this daemon has invited it to.
    pub(crate) async fn answered(&self, partner: &FakePartner, uuid: &str, status: &str) {
        let said = Sender::of(self, partner, uuid).await;
        let path = format!("agreements/{uuid}");
        assert_eq!(said.send("PUT", &path, Some(&json!({"status": status})), true).await.0, 200);
    }

    /// Changes an agreement as an administrator does; returns it.
    pub(crate) async fn edit(&self, uuid: &str, edit: Value) -> Value {
        self.driver.ask(Method::PATCH, &format!("agreements/{uuid}"), Some(&edit)).await.unwrap()
    }

    /// The open issues of a ticket: subject and reason.
    pub(crate) async fn issues(&self, id: &str) -> Vec<(String, String)> {
        let shown = self.ticket(id).await;
        let text = |issue: &Value, key: &str| issue[key].as_str().unwrap().to_owned();
        let issues = shown["issues"].as_array().unwrap().iter();
        issues.map(|issue| (text(issue, "subject"), text(issue, "reason"))).collect()
    }

    /// Opens a ticket on the desk and shares it; returns its number.
    pub(crate) async fn open_and_share(&self, agreement: &str, subject: &str) -> String {
        let (id, opened) = self.desk(|desk| desk.open(("77", "Joe User"), subject, "It is stuck.", &[]));
        self.tell(&opened).await;
        let shared = self.desk(|desk| desk.share(&id, agreement));
        self.tell(&shared).await;
        id
    }

    /// Waits until nothing is on its way: every message is delivered, published to a bridge, or parked.
    pub(crate) async fn until_quiet(&self) {
        let quiet = within(LIMIT, async || {
            let commands = self.get("commands").await;
            let ready = reqwest::get(format!("http://{}/readyz", self.config.admin.listen)).await.ok()?;
            let ready: Value = serde_json::from_str(&ready.text().await.ok()?).ok()?;
            (commands.as_array()?.is_empty() && ready["outbox_pending"] == 0).then_some(())
        });
        if quiet.await.is_none() {
            let left = on_its_way(&self.config.store.url).await.join("\n");
            panic!("still on its way after {LIMIT:?}:\n{left}");
        }
    }
}
