//! A partner that sends, under an agreement that is in force, what a test tells it to.

use serde_json::{Value, json};

use super::{FakePartner, TestDaemon};

/// A partner's side of an agreement that this daemon has accepted.
pub(crate) struct Sender {
    pub(crate) partner: FakePartner,
    pub(crate) uuid: String,
    pub(crate) key: String,
    pub(crate) base: String,
}

impl Sender {
    pub(crate) async fn agreed(daemon: &TestDaemon) -> Self {
        Self::agreed_on(
            daemon,
            json!({"allows_public_comments": true, "sync_tags": true, "sync_custom_fields": true}),
        )
        .await
    }

    pub(crate) async fn agreed_on(daemon: &TestDaemon, terms: Value) -> Self {
        let this = Self::inviting(daemon, terms).await;
        daemon.post(&format!("agreements/{}/accept", this.uuid), Value::Null).await;
        daemon.until_agreement(Some(&this.uuid), "accepted").await;
        this
    }

    /// A partner's side of an agreement that this daemon has not answered.
    pub(crate) async fn invited(daemon: &TestDaemon) -> Self {
        Self::inviting(daemon, json!({"allows_public_comments": true})).await
    }

    async fn inviting(daemon: &TestDaemon, terms: Value) -> Self {
        let partner = FakePartner::start().await;
        let number = crate::support::servers::unique().replace('-', "0");
        let (uuid, key) = (format!("{number:0>40}"), format!("{number:a>40}"));
        let mut invite = json!({"uuid": uuid, "name": "Sender", "access_key": key, "status": "pending",
            "sender_url": partner.url, "receiver_url": daemon.sharing_url()});
        for (name, value) in terms.as_object().unwrap() {
            invite[name] = value.clone();
        }
        let this = Self { partner, uuid, key, base: daemon.sharing_url() };
        assert_eq!(
            this.send("POST", &format!("agreements/{}", this.uuid), Some(&invite), false).await.0,
            201
        );
        this
    }

    /// A partner's side of an agreement that is there already.
    pub(crate) async fn of(daemon: &TestDaemon, partner: &FakePartner, uuid: &str) -> Self {
        let key = partner.key(uuid).await;
        Self { partner: partner.clone(), uuid: uuid.to_owned(), key, base: daemon.sharing_url() }
    }

    /// What it shows for every request.
    pub(crate) fn token(&self) -> String {
        format!("{}:{}", self.uuid, self.key)
    }

    /// Shares a ticket with the daemon; returns its number there once the desk and the daemon know it.
    pub(crate) async fn share(&self, daemon: &TestDaemon, uuid: &str) -> String {
        self.share_as(daemon, uuid, &new_ticket(uuid)).await
    }

    /// The same with a ticket that says more.
    pub(crate) async fn share_as(&self, daemon: &TestDaemon, uuid: &str, ticket: &Value) -> String {
        assert_eq!(self.ticket("POST", uuid, ticket).await, 201);
        let id = daemon.until_desk("the ticket is here", |d| d.find(uuid)).await;
        daemon.until_quiet().await;
        id
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        token: bool,
    ) -> (u16, String) {
        let token = if token { self.token() } else { String::new() };
        say(&self.base, &token, method, path, body).await
    }

    pub(crate) async fn ticket(&self, method: &str, uuid: &str, body: &Value) -> u16 {
        self.send(method, &format!("tickets/{uuid}"), Some(body), true).await.0
    }
}

pub(crate) fn new_ticket(uuid: &str) -> Value {
    json!({"uuid": uuid, "subject": "Lens stuck", "status": "open", "requester": {"uuid": "joe", "name": "Joe"},
        "comments": [{"uuid": format!("{uuid}-c1"), "author": {"uuid": "joe", "name": "Joe"}, "body": "It is stuck.", "public": true}]})
}

/// Anybody says something to a sharing endpoint; without a token if that is empty. Returns the status and the text.
pub(crate) async fn say(
    base: &str,
    token: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method.parse().unwrap(), format!("{base}/{path}"));
    if !token.is_empty() {
        request = request.header("X-Ticket-Sharing-Token", token);
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Anybody invites a daemon, in the name of `sender_url`; returns the status of the answer.
pub(crate) async fn forge(daemon: &TestDaemon, uuid: &str, sender_url: &str) -> u16 {
    let invite = json!({"uuid": uuid, "name": "Somebody", "access_key": "k", "status": "pending", "sender_url": sender_url});
    say(&daemon.sharing_url(), "", "POST", &format!("agreements/{uuid}"), Some(&invite)).await.0
}
