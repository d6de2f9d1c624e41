//! Events and requests that cannot be used: a clear answer, nothing changed, nothing lost, nobody held up.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use lapin::{Connection, ConnectionProperties, options::*, types::FieldTable};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Pair, Sender, TestDaemon, new_ticket, until};

const UNUSABLE: [(&str, &str); 10] = [
    ("{", "not JSON"),
    ("[1]", "not a CloudEvent"),
    ("{\"type\":\"helpdesk.ticket.changed\"}", "not a CloudEvent"),
    (
        r#"{"specversion":"0.3","id":"1","source":"s","type":"helpdesk.ticket.changed","data":{"ticket":{"id":"1"}}}"#,
        "specversion",
    ),
    (r#"{"specversion":"1.0","id":"1","source":"s","type":"helpdesk.coffee","data":{}}"#, "unknown"),
    (
        r#"{"specversion":"1.0","id":"1","source":"s","type":"helpdesk.ticket.changed","data":{}}"#,
        "data.ticket.id",
    ),
    (
        r#"{"specversion":"1.0","id":"1","source":"s","type":"helpdesk.ticket.changed","data":{"ticket":{"id":"1","status":"lost"}}}"#,
        "none of",
    ),
    (
        r#"{"specversion":"1.0","id":"1","source":"s","type":"helpdesk.ticket.changed","data":{"ticket":{"id":"1","tags":"x"}}}"#,
        "data.ticket.tags",
    ),
    (
        r#"{"specversion":"1.0","id":"1","source":"s","type":"helpdesk.ticket.shared","data":{"ticket":{"id":"1"}}}"#,
        "data.agreement",
    ),
    (
        r#"{"specversion":"1.0","id":"1","source":"s","type":"helpdesk.ticket.merged","data":{"ticket":{"id":4},"into":{"id":"4"}}}"#,
        "into itself",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_event_is_a_dead_letter_with_its_reason_and_holds_nobody_up() {
    let daemon = TestDaemon::start("Acme", Pair::POSTGRES_AMQP).await;
    let lens = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let agreement = daemon.agree_with(&lens).await;
    for (body, _) in UNUSABLE {
        daemon.publish(body.as_bytes()).await;
    }
    daemon.publish(&[0xff, 0xfe, 0x00]).await;
    // A byte that is no text, in a member that nobody reads.
    let event = br#"{"specversion":"1.0","id":"1","source":"s","type":"helpdesk.ticket.changed","data":{"ticket":{"id":"1"},"x":"?"}}"#;
    daemon.publish(&event.map(|byte| if byte == b'?' { 0xff } else { byte })).await;
    daemon.open_and_share(&agreement, "Not held up").await;
    lens.until_desk("what came after is there", |d| d.tickets.keys().next().cloned()).await;

    let dead = until("they are before a person", async || {
        let list = daemon.get("dead-letters").await;
        (list.as_array()?.len() == UNUSABLE.len() + 2).then_some(list)
    })
    .await;
    let connection =
        Connection::connect(&daemon.config.broker.url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let queue = daemon.config.broker.dead_letter_queue.as_str();
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut consumer =
        channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await.unwrap();
    let mut copies = BTreeMap::new();
    for _ in 0..=UNUSABLE.len() {
        let delivery = consumer.next().await.unwrap().unwrap();
        let headers = delivery.properties.headers().clone().unwrap();
        let reason = match headers.inner().get("x-reason") {
            Some(lapin::types::AMQPValue::LongString(reason)) => reason.to_string(),
            other => panic!("no x-reason: {other:?}"),
        };
        copies.insert(String::from_utf8_lossy(&delivery.data).into_owned(), reason);
    }
    for (body, why) in UNUSABLE {
        assert!(copies[body].contains(why), "{body}: {}", copies[body]);
        let kept = dead.as_array().unwrap().iter().any(|one| one["reason"].as_str().unwrap().contains(why));
        assert!(kept, "{why}");
    }
    let metrics = reqwest::get(format!("http://{}/metrics", daemon.config.admin.listen))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let rejected =
        metrics.lines().find(|l| l.starts_with("crossdesk_events_total{outcome=\"rejected\"}")).unwrap();
    let count: f64 = rejected.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(count >= 10.0, "{rejected}");
    // Replayed, it is still unusable, and says so.
    let id = dead[0]["id"].as_str().unwrap();
    let refused = daemon.driver.ask(Method::POST, &format!("dead-letters/{id}/replay"), None).await;
    assert!(refused.unwrap_err().to_string().contains("422"));
    assert_eq!(daemon.get("dead-letters").await[0]["id"], id, "and it is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_the_sender_is_told() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let admin = format!("http://{}", daemon.config.admin.listen);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |body: &str, kind: &str, token: &str| {
        let request =
            client.post(format!("{admin}/api/v1/events")).header("content-type", kind).bearer_auth(token);
        let response = request.body(body.to_owned()).send().await.unwrap();
        let problem = response.headers()["content-type"] == "application/problem+json";
        (response.status().as_u16(), problem, response.text().await.unwrap())
    };
    for (body, why) in UNUSABLE {
        let (status, problem, text) = post(body, "application/cloudevents+json", "test-token").await;
        assert_eq!((status, problem), (422, true), "{body}");
        assert!(text.contains(why) || why.contains("none of"), "{body}: {text}");
    }
    let fine = json!({"specversion": "1.0", "id": "1", "source": "s", "type": "helpdesk.ticket.changed", "data": {"ticket": {"id": 1}}});
    assert_eq!(post(&fine.to_string(), "application/json", "test-token").await.0, 202);
    assert_eq!(post(&fine.to_string(), "text/plain", "test-token").await.0, 415);
    assert_eq!(post(&fine.to_string(), "application/json", "wrong").await.0, 401);
    for (method, path, status) in [
        ("GET", "/api/v1/agreements/unknown", 404),
        ("GET", "/api/v1/tickets/unknown", 404),
        ("POST", "/api/v1/agreements/unknown/accept", 404),
        ("POST", "/api/v1/dead-letters/unknown/replay", 404),
        ("DELETE", "/api/v1/tickets/unknown/share", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/sharing/tickets/t1", 404),
    ] {
        let request =
            client.request(method.parse().unwrap(), format!("{admin}{path}")).bearer_auth("test-token");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
    }
    assert_eq!(client.get(format!("{admin}/api/v1/agreements")).send().await.unwrap().status(), 401);
    for body in
        ["{", "{}", "{\"kind\":\"fax\"}", "{\"kind\":\"third_party\"}", "{\"kind\":\"queue\",\"colour\":1}"]
    {
        let request = client
            .post(format!("{admin}/api/v1/agreements"))
            .bearer_auth("test-token")
            .header("content-type", "application/json");
        let response = request.body(body).send().await.unwrap();
        assert_eq!(response.status(), 422, "{body}");
        let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert!(problem["detail"].as_str().unwrap().len() > 5, "{body}");
    }
    assert_eq!(daemon.get("agreements").await, json!([]));
    let partners = format!("http://{}", daemon.config.http.listen);
    for path in ["/api/v1/agreements", "/metrics", "/readyz", "/"] {
        assert_eq!(
            reqwest::get(format!("{partners}{path}")).await.unwrap().status(),
            404,
            "{path} is not for partners"
        );
    }
    assert_eq!(reqwest::get(format!("{partners}/healthz")).await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_on_a_ticket_that_nobody_names_is_not_kept_for_ever_in_silence() {
    let daemon = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.delivery.retry.give_up_after = "1s".to_owned();
    })
    .await;
    let event = json!({"specversion": "1.0", "id": "1", "source": "s", "type": "helpdesk.ticket.changed",
        "data": {"ticket": {"id": "4711", "via": "ticket_sharing"}}});
    daemon.tell(&event).await;
    assert_eq!(daemon.get("dead-letters").await, json!([]));
    let dead =
        until("it is before a person", async || daemon.get("dead-letters").await.get(0).cloned()).await;
    assert!(dead["reason"].as_str().unwrap().contains("4711"), "{dead}");
    assert_eq!(dead["body"], event);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_waits_for_its_ticket_is_not_given_up_with_an_older_one() {
    let daemon = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.delivery.retry.give_up_after = "3s".to_owned();
    })
    .await;
    let event = |id: &str| {
        json!({"specversion": "1.0", "id": id, "source": "s", "type": "helpdesk.ticket.changed",
            "data": {"ticket": {"id": "4711", "via": "ticket_sharing"}}})
    };
    daemon.tell(&event("1")).await;
    let dead = async |count: usize| {
        until("it is before a person", async || {
            let dead = daemon.get("dead-letters").await;
            (dead.as_array()?.len() == count).then_some(dead)
        })
        .await
    };
    // Whatever comes while the first is given up is given up after it, each as a letter of its own.
    let mut told = 1;
    until("the first is given up", async || {
        told += 1;
        daemon.tell(&event(&told.to_string())).await;
        (!daemon.get("dead-letters").await.as_array()?.is_empty()).then_some(())
    })
    .await;
    let all = dead(told).await;
    let mut ids: Vec<_> = all.as_array().unwrap().iter().map(|one| one["body"]["id"].to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), told);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_partner_writes_is_kept_to_the_letter_and_once() {
    let daemon = TestDaemon::start("Lens", Pair::POSTGRES_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    let mut ticket = new_ticket("t1");
    // A backslash and a u, which is no character U+0000, and one that is.
    ticket["comments"][0]["body"] = json!("write \\u0000, not \u{0}");
    let twin = ticket["comments"][0].clone();
    ticket["comments"].as_array_mut().unwrap().push(twin);
    let id = sender.share_as(&daemon, "t1", &ticket).await;
    let bodies = daemon.desk(|desk| {
        desk.tickets[&id].comments.iter().map(|comment| comment.body.clone()).collect::<Vec<_>>()
    });
    assert_eq!(bodies, ["write \\u0000, not \u{fffd}"]);
    // A name that no index of a database could hold.
    for (member, value) in [
        (
            "comments",
            json!([{"uuid": "c".repeat(3000), "author": {"uuid": "u", "name": "U"}, "body": "x", "public": true}]),
        ),
        ("custom_fields", json!({"T".repeat(3000): "x"})),
        ("original_id", json!("9".repeat(3000))),
    ] {
        let (status, text) = sender.send("PUT", "tickets/t1", Some(&json!({member: value})), true).await;
        assert!(status == 422 && text.contains("longer than"), "{member}: {status} {text}");
    }
    // A path that is no text.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let said = client.get(format!("{}/tickets/%FF", daemon.sharing_url())).send().await.unwrap();
    assert_eq!(said.status(), 422);
    let api = format!("http://{}/api/v1/tickets/%FF", daemon.config.admin.listen);
    let said = client.get(api).bearer_auth("test-token").send().await.unwrap();
    assert_eq!(
        (said.status().as_u16(), &said.headers()["content-type"]),
        (404, &"application/problem+json".parse().unwrap())
    );
}
