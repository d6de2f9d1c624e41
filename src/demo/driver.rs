//! Carries a desk's events to its daemon and the daemon's commands to the desk, over the admin API: the way of a desk
//! without a broker.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::desk::HelpDesk;

/// How often the desk asks for commands.
const EVERY: Duration = Duration::from_millis(20);

/// A desk and the way to its daemon.
#[derive(Clone, Debug)]
pub struct Driver {
    desk: Arc<Mutex<HelpDesk>>,
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Driver {
    /// A driver to the daemon whose admin listener is at `url`.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(desk: HelpDesk, url: &str, token: &str) -> Result<Self> {
        Self::shared(Arc::new(Mutex::new(desk)), url, token)
    }

    /// A driver of a desk that others look at too.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn shared(desk: Arc<Mutex<HelpDesk>>, url: &str, token: &str) -> Result<Self> {
        crate::app::install_tls();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build();
        Ok(Self { desk, http: http.context("no HTTP client")?, url: url.to_owned(), token: token.to_owned() })
    }

    /// Looks at the desk, or does something on it.
    pub fn desk<T>(&self, act: impl FnOnce(&mut HelpDesk) -> T) -> T {
        act(&mut self.desk.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the daemon's API.
    ///
    /// # Errors
    /// No answer, or one that is not a success.
    pub async fn ask(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request =
            self.http.request(method, format!("{}/api/v1/{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.with_context(|| format!("no answer to {path}"))?;
        let (status, text) = (response.status(), response.text().await?);
        if !status.is_success() {
            return Err(anyhow!("{path} answered {status}: {text}"));
        }
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Sends an event.
    ///
    /// # Errors
    /// The daemon did not take it.
    pub async fn tell(&self, event: &Value) -> Result<()> {
        self.ask(reqwest::Method::POST, "events", Some(event)).await.map(drop)
    }

    /// Fetches the commands that wait, does them, and tells what happened; returns how many there were.
    ///
    /// # Errors
    /// The daemon cannot be reached.
    pub async fn work(&self) -> Result<usize> {
        let commands = self.ask(reqwest::Method::GET, "commands", None).await?;
        let commands = commands.as_array().cloned().unwrap_or_default();
        for command in &commands {
            for event in self.desk(|desk| desk.obey(command)) {
                self.tell(&event).await?;
            }
        }
        Ok(commands.len())
    }

    /// Works until it is stopped.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            // A daemon that does not answer is asked again: that is all a desk can do.
            let _asked_again = self.work().await;
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}
