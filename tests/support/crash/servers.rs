//! What the story kills: the daemon as a process, and the servers that it stands on.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;

use super::partner::Partner;
use crate::support::{
    rabbit::RabbitMq,
    servers::{Postgres, Process, free_port, new_database},
};

/// The servers of a story.
pub(crate) struct Servers {
    pub(crate) sharing_url: String,
    pub(crate) broker_url: Option<String>,
    pub(crate) admin: String,
    pub(crate) store: String,
    rabbit: Option<(RabbitMq, Process)>,
    postgres: Option<(Postgres, Process)>,
    daemon: Arc<Mutex<Child>>,
    config: std::path::PathBuf,
    pub(crate) daemon_kills: usize,
    pub(crate) broker_kills: usize,
    pub(crate) database_stops: usize,
    _folder: tempfile::TempDir,
}

fn spawn(config: &std::path::Path) -> Child {
    let log =
        std::fs::OpenOptions::new().create(true).append(true).open(config.with_extension("log")).unwrap();
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", env!("CARGO_BIN_EXE_crossdesk"), "run", "--config"])
        .arg(config)
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Servers {
    pub(crate) async fn start(real: bool, partners: &[Partner]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (partner_port, admin_port) = (free_port(), free_port());
        let sharing_url = format!("http://127.0.0.1:{partner_port}/sharing");
        let (rabbit, postgres, store) = if real {
            let (rabbit, postgres) = (RabbitMq::new(), Postgres::new());
            let (rabbit, postgres) = {
                let (running, running_too) = (rabbit.start(), postgres.start());
                ((rabbit, running), (postgres, running_too))
            };
            let url = new_database(&postgres.0.url, "crash").await;
            (Some(rabbit), Some(postgres), url)
        } else {
            (None, None, format!("sqlite:{}", folder.path().join("crash.db").display()))
        };
        let broker_url = rabbit.as_ref().map(|(rabbit, _)| rabbit.url.clone());
        let mut text = format!(
            "[desk]\nname = \"Crash\"\nsharing_url = \"{sharing_url}\"\ncommand_timeout = \"10m\"\n[store]\nurl = \"{store}\"\n\
             [broker]\nurl = \"{}\"\nqueue_type = \"classic\"\n[http]\nlisten = \"127.0.0.1:{partner_port}\"\n\
             [admin]\nlisten = \"127.0.0.1:{admin_port}\"\ntoken = \"crash\"\n\
             [delivery]\nallow_private_partners = true\ntimeout = \"1s\"\nretry = {{ initial = \"50ms\", max = \"1s\" }}\n\
             [log]\nlevel = \"info\"\n[[desk.fields]]\ntitle = \"Model\"\ntype = \"text\"\n",
            broker_url.as_deref().unwrap_or("embedded")
        );
        for partner in partners {
            partner.reaches(&sharing_url);
            for (uuid, direction) in [(&partner.ours, "outbound"), (&partner.theirs, "inbound")] {
                let url = partner.url();
                let _always = write!(
                    text,
                    "[[agreements]]\nuuid = \"{uuid}\"\nname = \"{uuid}\"\ndirection = \"{direction}\"\nkind = \"third_party\"\n\
                     url = \"{url}\"\naccess_key = \"{uuid}\"\nstatus = \"accepted\"\n[agreements.terms]\n\
                     sync_tags = true\nsync_custom_fields = true\n"
                );
            }
        }
        let config = folder.path().join("crash.toml");
        std::fs::File::create(&config).unwrap().write_all(text.as_bytes()).unwrap();
        let daemon = Arc::new(Mutex::new(spawn(&config)));
        let admin = format!("http://127.0.0.1:{admin_port}");
        let (daemon_kills, broker_kills, database_stops) = (0, 0, 0);
        let this = Self {
            sharing_url,
            broker_url,
            admin,
            store,
            rabbit,
            postgres,
            daemon,
            config,
            daemon_kills,
            broker_kills,
            database_stops,
            _folder: folder,
        };
        // A broker that is killed while it makes a queue for the first time may keep half of it.
        crate::support::until("the daemon is ready", async || this.waiting().await).await;
        this
    }

    /// SIGKILL, and a new process.
    pub(crate) fn kill_daemon(&mut self) {
        let mut daemon = self.daemon.lock().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        *daemon = spawn(&self.config);
        self.daemon_kills += 1;
    }

    pub(crate) async fn kill_broker(&mut self) {
        let Some((rabbit, process)) = self.rabbit.take() else { return };
        rabbit.settle().await;
        let again = move || {
            process.kill();
            let process = rabbit.start();
            (rabbit, process)
        };
        self.rabbit = Some(tokio::task::spawn_blocking(again).await.unwrap());
        self.broker_kills += 1;
    }

    /// PostgreSQL's immediate stop: no checkpoint, recovery at the next start.
    pub(crate) async fn stop_database(&mut self) {
        let Some((postgres, process)) = self.postgres.take() else { return };
        let again = move || {
            process.end("-QUIT");
            let process = postgres.start();
            (postgres, process)
        };
        self.postgres = Some(tokio::task::spawn_blocking(again).await.unwrap());
        self.database_stops += 1;
    }

    async fn ask(&self, path: &str) -> Option<Value> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        let answer = client.get(format!("{}{path}", self.admin)).bearer_auth("crash").send().await.ok()?;
        let answer = answer.error_for_status().ok()?;
        serde_json::from_str(&answer.text().await.ok()?).ok()
    }

    /// How many messages are on their way, as far as the daemon knows; `None` while it is not ready.
    pub(crate) async fn waiting(&self) -> Option<i64> {
        let pending = self.ask("/readyz").await?["outbox_pending"].as_i64()?;
        let commands = self.ask("/api/v1/commands").await?.as_array()?.len();
        Some(pending + i64::try_from(commands).ok()?)
    }

    /// What happened to a ticket, a line each.
    pub(crate) async fn explain(&self, uuid: &str) -> String {
        let story = self.ask(&format!("/api/v1/tickets/{uuid}/explain")).await.unwrap_or_default();
        let lines = story["timeline"].as_array().cloned().unwrap_or_default();
        let bodies = story["messages"].as_array().cloned().unwrap_or_default();
        lines.iter().chain(&bodies).map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    pub(crate) async fn dead_letters(&self) -> Value {
        self.ask("/api/v1/dead-letters").await.unwrap_or_default()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let mut daemon = self.daemon.lock().unwrap();
        daemon.kill().ok();
        daemon.wait().ok();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.config.with_extension("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the daemon's last words:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
}
