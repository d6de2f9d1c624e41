//! Bridges on queues: what they find in their partner queue, what they send on the inbound queue, what they are answered;
//! and how commands for the desk look on the broker.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer,
    message::Delivery,
    options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use serde_json::{Value, json};

use crate::support::{Pair, TestDaemon, until};

/// A bridge: it takes from its partner queue, and sends on the inbound queue.
pub(crate) struct Bridge {
    channel: Channel,
    queue: Consumer,
    answers: Consumer,
    reply_to: String,
    inbound: String,
    pub(crate) uuid: String,
    pub(crate) token: String,
}

async fn consume(channel: &Channel, queue: &str) -> Consumer {
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await.unwrap()
}

fn headers(delivery: &Delivery) -> BTreeMap<String, String> {
    let table = delivery.properties.headers().clone().unwrap_or_default();
    let text = |value: &AMQPValue| match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::LongInt(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    table.inner().iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

impl Bridge {
    pub(crate) async fn join(daemon: &TestDaemon) -> Self {
        let terms = json!({"comments": "public_and_private", "sync_tags": true, "sync_custom_fields": true});
        let made =
            daemon.post("agreements", json!({"kind": "queue", "name": "Bridge", "terms": terms})).await;
        let (uuid, key) = (made["uuid"].as_str().unwrap().to_owned(), made["access_key"].as_str().unwrap());
        let broker = &daemon.config.broker;
        let connection = Connection::connect(&broker.url, ConnectionProperties::default()).await.unwrap();
        let queue = format!("{}{uuid}", broker.partner_queue_prefix);
        until("its queue is there", async || {
            let channel = connection.create_channel().await.unwrap();
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
            channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await.ok().map(drop)
        })
        .await;
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let reply_to = channel
            .queue_declare("".into(), options, FieldTable::default())
            .await
            .unwrap()
            .name()
            .to_string();
        let (queue, answers) = (consume(&channel, &queue).await, consume(&channel, &reply_to).await);
        // The connection lives as long as its channel does.
        std::mem::forget(connection);
        let token = format!("{uuid}:{key}");
        Self { channel, queue, answers, reply_to, inbound: broker.inbound_queue.clone(), uuid, token }
    }

    pub(crate) async fn next(&mut self) -> (String, BTreeMap<String, String>, Value, Delivery) {
        let delivery = tokio::time::timeout(std::time::Duration::from_secs(40), self.queue.next());
        let delivery = delivery.await.expect("a message comes").unwrap().unwrap();
        let kind = delivery.properties.kind().as_ref().unwrap().to_string();
        (kind, headers(&delivery), serde_json::from_slice(&delivery.data).unwrap(), delivery)
    }

    /// Sends a message, and waits for the answer: its status and reason.
    pub(crate) async fn send(&mut self, kind: &str, uuid: &str, token: &str, body: &str) -> (String, Value) {
        self.send_as(None, kind, uuid, token, body).await
    }

    /// The same with a message that has an id.
    async fn send_as(
        &mut self,
        id: Option<&str>,
        kind: &str,
        uuid: &str,
        token: &str,
        body: &str,
    ) -> (String, Value) {
        let mut table = FieldTable::default();
        for (name, value) in [("x-ticket-sharing-uuid", uuid), ("x-ticket-sharing-token", token)] {
            table.insert(name.into(), AMQPValue::LongString(value.into()));
        }
        let mut properties = BasicProperties::default()
            .with_type(kind.into())
            .with_headers(table)
            .with_reply_to(self.reply_to.as_str().into())
            .with_correlation_id("c-1".into());
        if let Some(id) = id {
            properties = properties.with_message_id(id.into());
        }
        let (queue, options) = (self.inbound.as_str().into(), BasicPublishOptions::default());
        let confirm =
            self.channel.basic_publish("".into(), queue, options, body.as_bytes(), properties).await.unwrap();
        assert!(confirm.await.unwrap().is_ack());
        let answer = self.answers.next().await.unwrap().unwrap();
        assert_eq!(answer.properties.correlation_id().as_ref().unwrap().as_str(), "c-1");
        (headers(&answer)["status"].clone(), serde_json::from_slice(&answer.data).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_plays_the_whole_story_over_queues() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_AMQP).await;
    let mut bridge = Bridge::join(&daemon).await;
    let (uuid, token) = (bridge.uuid.clone(), bridge.token.clone());
    let (kind, headers, invite, delivery) = bridge.next().await;
    assert_eq!(
        (kind.as_str(), headers["x-ticket-sharing-uuid"].as_str()),
        ("agreement.invite", uuid.as_str())
    );
    assert_eq!(headers["x-ticket-sharing-agreement"], uuid);
    assert_eq!(invite.get("access_key"), None, "keys are in no message");
    assert_eq!(delivery.properties.content_type().as_ref().unwrap().as_str(), "application/json");
    assert_eq!(*delivery.properties.delivery_mode(), Some(2));
    assert!(delivery.properties.message_id().is_some());

    // Who has no key, or the wrong one, is told so, and it is kept as a dead letter without secrets.
    let wrong = format!("{uuid}:{}", "0".repeat(40));
    let accept = "{\"status\":\"accepted\",\"access_key\":\"secret-key\"}";
    assert_eq!(bridge.send("agreement.update", &uuid, "", accept).await.0, "401");
    assert_eq!(bridge.send("agreement.update", &uuid, &wrong, accept).await.0, "403");
    assert_eq!(bridge.send("ticket.dance", &uuid, &token, "{}").await.0, "422");
    let dead = until("they are kept", async || {
        let list = daemon.get("dead-letters").await;
        (list.as_array()?.len() == 3).then_some(list)
    })
    .await;
    let text = dead.to_string();
    assert!(
        text.contains("dead.inbound") && !text.contains("secret-key") && !text.contains(&"0".repeat(40)),
        "{text}"
    );

    assert_eq!(bridge.send("agreement.update", &uuid, &token, "{\"status\":\"accepted\"}").await.0, "200");
    daemon.until_agreement(Some(&uuid), "accepted").await;
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    let (kind, headers, ticket, first) = bridge.next().await;
    assert_eq!((kind.as_str(), ticket["subject"].as_str()), ("ticket.create", Some("Lens stuck")));
    let theirs = headers["x-ticket-sharing-uuid"].clone();
    assert_eq!(ticket["uuid"], theirs.as_str());

    let change = json!({"status": "solved", "comments": [{"uuid": "b1", "body": "Done.", "public": true,
        "author": {"uuid": "kim", "name": "Kim", "role": "agent"}}]});
    assert_eq!(bridge.send("ticket.update", &theirs, &token, &change.to_string()).await.0, "200");
    daemon
        .until_desk("the bridge's change is on the desk", |d| {
            let ticket = &d.tickets[&id];
            (ticket.values["status"] == "solved"
                && ticket.comments.iter().any(|c| c.body == "Done." && c.public))
            .then_some(())
        })
        .await;
    let event = daemon.desk(|d| d.comment(&id, "Smith", "Thanks.", true));
    daemon.tell(&event).await;
    let (kind, _, update, second) = bridge.next().await;
    assert_eq!((kind.as_str(), update["comments"][0]["body"].as_str()), ("ticket.update", Some("Thanks.")));
    assert_eq!(update.get("status"), None, "what the bridge said is not said back: {update}");
    let id_of = |delivery: &Delivery| delivery.properties.message_id().clone().unwrap().to_string();
    assert_ne!(id_of(&first), id_of(&second));
    assert_eq!(bridge.send("ticket.unshare", &theirs, &token, "").await.0, "200");
    until("the share has ended", async || {
        (daemon.ticket(&id).await["shares"][0]["state"] == "ended").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_look_as_desks_expect_them() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_AMQP).await;
    daemon.stop_desk();
    let broker = &daemon.config.broker;
    let connection = Connection::connect(&broker.url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let queue = channel
        .queue_declare("".into(), QueueDeclareOptions::default(), FieldTable::default())
        .await
        .unwrap();
    let name = queue.name().clone();
    let bind = channel.queue_bind(
        name.clone(),
        broker.commands_exchange.as_str().into(),
        "crossdesk.ticket.*".into(),
        Default::default(),
        FieldTable::default(),
    );
    bind.await.unwrap();
    let mut commands = consume(&channel, name.as_str()).await;
    let sender = crate::support::Sender::agreed(&daemon).await;
    assert_eq!(sender.ticket("POST", "t1", &crate::support::new_ticket("t1")).await, 201);
    let delivery = commands.next().await.unwrap().unwrap();
    assert_eq!(delivery.routing_key.as_str(), "crossdesk.ticket.create");
    let properties = &delivery.properties;
    assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/cloudevents+json");
    assert_eq!(properties.kind().as_ref().unwrap().as_str(), "crossdesk.ticket.create");
    assert_eq!(*properties.delivery_mode(), Some(2));
    let mut command: Value = serde_json::from_slice(&delivery.data).unwrap();
    assert_eq!(command["id"], properties.message_id().as_ref().unwrap().as_str());
    command["time"] = json!("<time>");
    command["source"] = json!("<sharing-url>");
    command["data"]["agreement"]["uuid"] = json!("<agreement>");
    insta::assert_json_snapshot!(command);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_somebody_deletes_is_made_again_and_what_it_gets_from_then_on_arrives() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_AMQP).await;
    let mut bridge = Bridge::join(&daemon).await;
    let (uuid, token) = (bridge.uuid.clone(), bridge.token.clone());
    bridge.next().await;
    assert_eq!(bridge.send("agreement.update", &uuid, &token, "{\"status\":\"accepted\"}").await.0, "200");
    let queue = format!("{}{uuid}", daemon.config.broker.partner_queue_prefix);
    bridge.channel.queue_delete(queue.as_str().into(), Default::default()).await.unwrap();
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    let connection =
        Connection::connect(&daemon.config.broker.url, ConnectionProperties::default()).await.unwrap();
    until("the queue is there again", async || {
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
        let queue =
            channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await.ok()?;
        (queue.message_count() == 1).then_some(())
    })
    .await;
    daemon.until_quiet().await;
    assert_eq!(daemon.ticket(&id).await["shares"][0]["state"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_too_many_stalls_no_bridge_and_no_answer_goes_to_our_own_queues() {
    let daemon = TestDaemon::with("Acme", Pair::SQLITE_AMQP, Default::default(), |config| {
        config.invites.max_waiting = 1;
    })
    .await;
    let mut bridge = Bridge::join(&daemon).await;
    let url = daemon.sharing_url();
    let invite =
        |uuid: &str| json!({"uuid": uuid, "name": "X", "access_key": "k", "sender_url": url}).to_string();
    assert_eq!(bridge.send("agreement.invite", "i1", "", &invite("i1")).await.0, "201");
    assert_eq!(bridge.send("agreement.invite", "i2", "", &invite("i2")).await.0, "429");
    // Whoever may write to the inbound queue may not have answers written into queues that are others' or the desk's.
    assert_eq!(bridge.next().await.0, "agreement.invite");
    let broker = &daemon.config.broker;
    let properties = BasicProperties::default()
        .with_type("ticket.dance".into())
        .with_reply_to(format!("{}{}", broker.partner_queue_prefix, bridge.uuid).into());
    let (queue, options) = (bridge.inbound.as_str().into(), BasicPublishOptions::default());
    let confirm = bridge.channel.basic_publish("".into(), queue, options, b"{}", properties).await.unwrap();
    assert!(confirm.await.unwrap().is_ack());
    let (uuid, token) = (bridge.uuid.clone(), bridge.token.clone());
    let accept = "{\"status\":\"accepted\"}";
    assert_eq!(bridge.send("agreement.update", &uuid, &token, accept).await.0, "200", "the queue goes on");
    daemon.until_agreement(Some(&uuid), "accepted").await;
    daemon.open_and_share(&uuid, "Lens stuck").await;
    assert_eq!(bridge.next().await.0, "ticket.create", "no answer stands before it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bridge_sends_twice_is_done_once_and_what_is_too_large_not_at_all() {
    let daemon = TestDaemon::with("Acme", Pair::SQLITE_AMQP, Default::default(), |config| {
        config.limits.body = 100_000;
    })
    .await;
    let mut bridge = Bridge::join(&daemon).await;
    let (uuid, token) = (bridge.uuid.clone(), bridge.token.clone());
    assert_eq!(bridge.send("agreement.update", &uuid, &token, "{\"status\":\"accepted\"}").await.0, "200");
    daemon.until_agreement(Some(&uuid), "accepted").await;
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    let ticket = until("it is told", async || {
        let (kind, headers, ..) = bridge.next().await;
        (kind == "ticket.create").then(|| headers["x-ticket-sharing-uuid"].clone())
    })
    .await;
    let status = async |wanted: &str| {
        daemon
            .until_desk("it is so on the desk", |d| (d.tickets[&id].values["status"] == wanted).then_some(()))
            .await;
    };
    let solved = r#"{"status":"solved"}"#;
    assert_eq!(bridge.send_as(Some("m-1"), "ticket.update", &ticket, &token, solved).await.0, "200");
    status("solved").await;
    daemon.until_quiet().await;
    let event = daemon.desk(|d| d.set(&id, "status", "open"));
    daemon.tell(&event).await;
    // It comes again when the desk has long gone on.
    assert_eq!(bridge.send_as(Some("m-1"), "ticket.update", &ticket, &token, solved).await.0, "200");
    assert_eq!(
        bridge.send_as(Some("m-2"), "ticket.update", &ticket, &token, r#"{"subject":"Lens"}"#).await.0,
        "200"
    );
    daemon
        .until_desk("the next is done", |d| (d.tickets[&id].values["subject"] == "Lens").then_some(()))
        .await;
    status("open").await;
    let large = json!({"subject": "x".repeat(200_000)}).to_string();
    let (status, why) = bridge.send("ticket.update", &ticket, &token, &large).await;
    assert!(status == "422" && why.to_string().contains("100000 bytes"), "{status} {why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bridge_sends_and_cannot_be_read_is_kept_whole_but_for_keys() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_AMQP).await;
    let mut bridge = Bridge::join(&daemon).await;
    let (uuid, token) = (bridge.uuid.clone(), bridge.token.clone());
    let key = token.split_once(':').unwrap().1.to_uppercase();
    assert_eq!(bridge.send("agreement.update", &uuid, &token, "{\"status\":\"accepted\"}").await.0, "200");
    let list = format!("[{{\"subject\":\"one\",\"access_key\":\"hidden\",\"body\":\"{key}\"}}]");
    let broken = format!("{{\"subject\":\"two\",\"note\":\"{key}\",\"access_key\":\"hidden");
    for body in [list.as_str(), broken.as_str()] {
        assert_eq!(bridge.send("ticket.update", "t1", &token, body).await.0, "422");
    }
    let dead = until("both are dead letters", async || {
        let dead = daemon.get(&format!("dead-letters?agreement={uuid}")).await;
        (dead.as_array().unwrap().len() == 2).then_some(dead)
    })
    .await;
    let whole = dead.to_string();
    let bodies: Vec<String> =
        dead.as_array().unwrap().iter().map(|letter| letter["body"].to_string()).collect();
    assert!(bodies.len() == 2 && bodies.iter().all(|body| body.contains("subject")), "{dead:#}");
    assert!(whole.contains("one") && whole.contains("two"), "{whole}");
    assert!(!whole.contains("hidden") && !whole.to_uppercase().contains(&key), "{whole}");
    // What comes over a queue is counted like what comes over HTTP.
    let metrics = format!("http://{}/metrics", daemon.config.admin.listen);
    let counted = reqwest::get(metrics).await.unwrap().text().await.unwrap();
    for outcome in ["applied", "refused"] {
        let line = format!("crossdesk_inbound_total{{agreement=\"{uuid}\",outcome=\"{outcome}\"}}");
        assert!(counted.contains(&line), "{line}");
    }
}
