//! Talking to a running daemon's admin API.

use anyhow::{Context, Result, anyhow};
use reqwest::Method;
use serde_json::Value;

use super::Global;
use crate::{app, config};

/// A running daemon.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    /// The daemon that the options, or else the configuration, name.
    pub(super) fn new(global: &Global) -> Result<Self> {
        let config = config::from_file(global.config.as_deref(), &config::environment())?;
        let url = global.url.clone().unwrap_or_else(|| format!("http://{}", config.admin.listen));
        let token = match &global.token {
            Some(token) => token.clone(),
            None if !config.admin.token.is_empty() => config.admin.token.clone(),
            None => {
                let path = app::token_path(&config);
                std::fs::read_to_string(&path)
                    .with_context(|| format!("no --token, and none in {}", path.display()))?
                    .trim()
                    .to_owned()
            }
        };
        let http = reqwest::Client::builder()
            .timeout(std::time::Duration::from_secs(30))
            .no_proxy()
            .build()
            .context("no HTTP client")?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), token })
    }

    /// Asks, and gives back the JSON of the answer, or null.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Result<Value> {
        let mut request =
            self.http.request(method, format!("{}/api/v1/{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let unreachable = || format!("no daemon answers at {}; is it running? (--url)", self.url);
        let response = request.send().await.map_err(reqwest::Error::without_url).with_context(unreachable)?;
        let status = response.status();
        let text = response.text().await.with_context(unreachable)?;
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        let detail = value.get("detail").and_then(Value::as_str).unwrap_or("no reason was given");
        Err(anyhow!("{detail} ({status})"))
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Option<Value>) -> Result<Value> {
        self.ask(Method::POST, path, body.map(|body| body.to_string())).await
    }
}

/// A name as a part of a path.
pub(super) fn part(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(["%", &hex::encode_upper([byte])]);
        }
    }
    encoded
}
