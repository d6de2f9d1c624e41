//! One side of the demo: a desk, its daemon, and what drives them.

use std::{io::Write, path::Path, time::Duration};

use anyhow::{Result, anyhow};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    desk::{Habits, HelpDesk},
    driver::Driver,
};
use crate::{
    app::Daemon,
    config::Config,
    domain::{CustomField, FieldType, Title},
};

/// How long a line of the story may take to come true.
const LIMIT: Duration = Duration::from_secs(20);

/// One side of the demo.
pub(super) struct Side {
    pub(super) driver: Driver,
    pub(super) sharing_url: String,
    pub(super) admin_url: String,
    pub(super) token: String,
    daemon: Daemon,
    stop: CancellationToken,
}

/// Tells a line.
pub(super) fn say(line: &str) {
    // Nobody may be listening any more; the story goes on.
    let _said = writeln!(std::io::stdout(), "{line}");
}

fn field(title: &str, kind: FieldType, options: &[&str]) -> CustomField {
    CustomField { title: Title::new(title), kind, options: options.iter().map(|o| (*o).to_owned()).collect() }
}

impl Side {
    /// Acme Cameras, which shares.
    pub(super) async fn acme(folder: &Path) -> Result<Self> {
        let fields =
            vec![field("Camera model", FieldType::Text, &[]), field("Warranty until", FieldType::Text, &[])];
        Self::start("Acme Cameras", "acme", 1001, fields, folder).await
    }

    /// Lens Partner, which receives.
    pub(super) async fn lens(folder: &Path) -> Result<Self> {
        let fields = vec![
            field("Camera Model", FieldType::Dropdown, &["X100", "X200"]),
            field("Warranty until", FieldType::Date, &[]),
        ];
        Self::start("Lens Partner", "lens", 501, fields, folder).await
    }

    async fn start(
        name: &str,
        short: &str,
        first: u64,
        fields: Vec<CustomField>,
        folder: &Path,
    ) -> Result<Self> {
        let (partners, admins) =
            (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let mut config = Config::default();
        name.clone_into(&mut config.desk.name);
        config.desk.sharing_url = format!("http://{}/sharing", partners.local_addr()?);
        config.desk.ticket_url = format!("https://{short}.example/tickets/{{id}}");
        config.desk.fields = fields;
        config.store.url = format!("sqlite:{}", folder.join(format!("{short}.db")).display());
        config.admin.token = format!("demo-{short}");
        config.delivery.allow_private_partners = true;
        "200ms".clone_into(&mut config.delivery.retry.initial);
        let daemon = Daemon::start_on(&config, false, partners, admins)?;
        let admin_url = format!("http://{}", daemon.admins);
        let driver =
            Driver::new(HelpDesk::new(name, first, Habits::default()), &admin_url, &config.admin.token)?;
        let stop = CancellationToken::new();
        // The task ends with the token.
        let _task = tokio::spawn(driver.clone().run(stop.clone()));
        let (sharing_url, token) = (config.desk.sharing_url, config.admin.token);
        Ok(Self { driver, sharing_url, admin_url, token, daemon, stop })
    }

    /// Waits until something is so on this side.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&HelpDesk) -> bool) -> Result<()> {
        let begun = tokio::time::Instant::now();
        while !self.driver.desk(|desk| holds(desk)) {
            if begun.elapsed() > LIMIT {
                return Err(anyhow!("this did not come true: {what}"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        say(&format!("  ✓ {what}"));
        Ok(())
    }

    /// Waits until the one agreement of this side has a status; returns it.
    pub(super) async fn agreement(&self, what: &str, status: &str) -> Result<Value> {
        let begun = tokio::time::Instant::now();
        loop {
            let list = self.driver.ask(reqwest::Method::GET, "agreements", None).await.unwrap_or_default();
            if let Some(found) =
                list.get(0).filter(|a| a.get("status").and_then(Value::as_str) == Some(status))
            {
                say(&format!("  ✓ {what}"));
                return Ok(found.clone());
            }
            if begun.elapsed() > LIMIT {
                return Err(anyhow!("this did not come true: {what}"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.daemon.stop().await;
    }
}
