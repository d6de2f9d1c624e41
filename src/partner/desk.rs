//! The desk's own webhook: a command as an HTTP request, signed after Standard Webhooks, so that the desk can tell ours from
//! anybody's.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, header::CONTENT_TYPE};
use sha2::Sha256;
use url::Url;

use super::{address::Allowed, client, http};
use crate::{
    domain::{AccessKey, Timestamp, Traceparent},
    ports::{Answer, CallError, DeskHook},
};

/// How much of an answer is read: enough for the reason of a refusal.
const WORDS: usize = 2048;

/// Sends commands to a URL of the desk's, signed.
#[derive(Debug)]
pub struct SignedHook {
    client: Client,
    url: Url,
    secret: AccessKey,
}

impl SignedHook {
    /// A hook with its secret: `whsec_` and base64, or base64 alone.
    ///
    /// # Errors
    /// The URL or the secret cannot be used, and what it must be.
    pub fn new(url: &str, secret: &AccessKey, timeout: Duration) -> Result<Self, String> {
        key(secret)?;
        // The desk's address comes from the configuration, not from the network: it may well be beside this daemon.
        let client = client::build(timeout, Allowed::Private)?;
        let url = Url::parse(url).map_err(|error| format!("not a URL: {error}"))?;
        Ok(Self { client, url, secret: secret.clone() })
    }
}

/// What shows that a body is ours.
fn signature(secret: &AccessKey, id: &str, at: i64, body: &str) -> Result<String, String> {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(&key(secret)?).map_err(|error| error.to_string())?;
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    Ok(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
}

/// The bytes of a secret.
fn key(secret: &AccessKey) -> Result<Vec<u8>, String> {
    let text = secret.reveal().trim();
    let bytes = BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).unwrap_or_default();
    if bytes.len() < 16 {
        return Err("must be whsec_ and base64 of at least 16 bytes; make one with: echo whsec_$(openssl rand -base64 32)"
            .to_owned());
    }
    Ok(bytes)
}

#[async_trait]
impl DeskHook for SignedHook {
    async fn send(
        &self,
        id: &str,
        now: Timestamp,
        body: &str,
        trace: Option<&Traceparent>,
    ) -> Result<Answer, CallError> {
        let at = now.millis() / 1000;
        let signature = signature(&self.secret, id, at, body).map_err(CallError::Forbidden)?;
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/cloudevents+json")
            .header("webhook-id", id)
            .header("webhook-timestamp", at.to_string())
            .header("webhook-signature", signature)
            .body(body.to_owned());
        if let Some(trace) = trace {
            request = request.header(http::TRACEPARENT, trace.as_str());
        }
        let response = request.send().await.map_err(|error| CallError::Unreachable(client::words(error)))?;
        Ok(http::answer(response, WORDS).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standards_own_example() {
        let secret = AccessKey::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed =
            signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signed.as_deref(), Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert!(key(&AccessKey::new("short")).is_err());
    }
}
