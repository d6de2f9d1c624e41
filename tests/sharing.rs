//! The requests of the protocol (`src/docs/protocol.md`), and the code that answers each; what goes out, byte by byte.

use serde_json::{Value, json};

use crate::support::{Pair, Sender, TestDaemon, new_ticket, until};

async fn raw(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, Value, reqwest::header::HeaderMap) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    // Who is told in the middle of a body that it is too large may lose the answer with the connection, and asks again.
    let response = until("an answer comes", async || {
        let mut request = client.request(method.parse().unwrap(), url).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.ok()
    })
    .await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default(), headers)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_that_cannot_be_done_gets_its_code_and_a_reason_and_changes_nothing() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    let other = Sender::agreed(&daemon).await;
    assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
    daemon.until_desk("the ticket is here", |d| d.tickets.keys().next().cloned()).await;
    daemon.until_quiet().await;
    let base = daemon.sharing_url();
    let good = format!("{}:{}", sender.uuid, sender.key);
    let wrong = format!("{}:{}", sender.uuid, "0".repeat(40));
    let nobody = format!("{}:{}", "9".repeat(40), sender.key);
    let others = format!("{}:{}", other.uuid, other.key);
    let ticket = new_ticket("t9").to_string();
    let agreement = format!("agreements/{}", sender.uuid);
    let invite = |changes: Value| {
        let mut body = json!({"uuid": "i1", "name": "X", "access_key": "k", "status": "pending",
            "sender_url": "http://127.0.0.1:9/sharing", "receiver_url": daemon.sharing_url()});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body.to_string()
    };
    let cases: Vec<(&str, String, Option<&str>, String, u16)> = vec![
        // tickets: who may
        ("POST", "tickets/t9".into(), None, ticket.clone(), 401),
        ("PUT", "tickets/t1".into(), None, "{}".into(), 401),
        ("GET", "tickets/t1".into(), None, String::new(), 401),
        ("DELETE", "tickets/t1".into(), None, String::new(), 401),
        ("POST", "tickets/t9".into(), Some(&wrong), ticket.clone(), 403),
        ("POST", "tickets/t9".into(), Some(&nobody), ticket.clone(), 403),
        ("POST", "tickets/t9".into(), Some("nonsense"), ticket.clone(), 403),
        ("GET", "tickets/t1".into(), Some(&others), String::new(), 404),
        ("PUT", "tickets/t1".into(), Some(&others), "{\"status\":\"solved\"}".into(), 404),
        ("DELETE", "tickets/t1".into(), Some(&others), String::new(), 404),
        ("PUT", "tickets/unknown".into(), Some(&good), "{}".into(), 404),
        ("POST", "tickets/t1".into(), Some(&others), new_ticket("t1").to_string(), 422),
        // tickets: what they say
        ("POST", "tickets/t9".into(), Some(&good), "{".into(), 422),
        ("POST", "tickets/t9".into(), Some(&good), "[]".into(), 422),
        ("POST", "tickets/t9".into(), Some(&good), new_ticket("t8").to_string(), 422),
        ("PUT", "tickets/t1".into(), Some(&good), "{\"comments\":[{\"body\":\"no uuid\"}]}".into(), 422),
        ("PUT", "tickets/t1".into(), Some(&good), "{\"comments\":\"none\"}".into(), 422),
        ("PUT", "tickets/t1".into(), Some(&good), "{\"uuid\":\"t2\"}".into(), 404),
        ("PUT", "tickets/t1".into(), Some(&good), "[]".into(), 422),
        ("POST", format!("tickets/{}", "x".repeat(201)), Some(&good), "{}".into(), 422),
        ("PATCH", "tickets/t1".into(), Some(&good), "{}".into(), 405),
        ("POST", "tickets".into(), Some(&good), ticket.clone(), 422),
        ("GET", "elsewhere/t1".into(), Some(&good), String::new(), 404),
        // agreements
        ("GET", agreement.clone(), None, String::new(), 401),
        ("GET", agreement.clone(), Some(&wrong), String::new(), 403),
        ("GET", agreement.clone(), Some(&others), String::new(), 403),
        ("PUT", agreement.clone(), None, "{\"status\":\"inactive\"}".into(), 401),
        ("PUT", agreement.clone(), Some(&wrong), "{\"status\":\"inactive\"}".into(), 403),
        ("PUT", agreement.clone(), Some(&good), "{\"status\":\"pending\"}".into(), 422),
        ("PUT", agreement.clone(), Some(&good), "{\"status\":\"failed\"}".into(), 422),
        ("PUT", agreement.clone(), Some(&good), "{".into(), 422),
        ("DELETE", agreement.clone(), Some(&good), String::new(), 405),
        (
            "POST",
            agreement.clone(),
            None,
            invite(json!({"uuid": sender.uuid, "access_key": "0".repeat(40)})),
            422,
        ),
        ("POST", "agreements/i1".into(), None, "{".into(), 422),
        ("POST", "agreements/i1".into(), None, invite(json!({"uuid": "i2"})), 422),
        ("POST", "agreements/i1".into(), None, invite(json!({"access_key": null})), 422),
        ("POST", "agreements/i1".into(), None, invite(json!({"sender_url": null})), 422),
        ("POST", "agreements/i1".into(), None, invite(json!({"sender_url": "ftp://x/"})), 422),
        (
            "POST",
            "agreements/i1".into(),
            None,
            invite(json!({"receiver_url": "http://other.example/sharing"})),
            422,
        ),
        ("POST", "agreements/i1".into(), None, invite(json!({"status": "accepted"})), 422),
    ];
    for (method, path, token, body, expected) in cases {
        let mut headers = vec![("content-type", "application/json")];
        if let Some(token) = token {
            headers.push(("X-Ticket-Sharing-Token", token));
        }
        let (status, answer, got) = raw(method, &format!("{base}/{path}"), &headers, &body).await;
        assert_eq!(status, expected, "{method} {path} {body} -> {answer}");
        assert!(answer["error"].as_str().is_some_and(|reason| reason.len() > 5), "{method} {path}: {answer}");
        if status == 401 {
            assert_eq!(got["www-authenticate"], "X-Ticket-Sharing");
        }
    }
    let large = format!("{{\"subject\":\"{}\"}}", "x".repeat(6 * 1024 * 1024));
    let (status, ..) =
        raw("PUT", &format!("{base}/tickets/t1"), &[("X-Ticket-Sharing-Token", &good)], &large).await;
    assert_eq!(status, 422);
    daemon.until_quiet().await;
    assert_eq!(daemon.desk(|d| d.tickets.len()), 1);
    assert_eq!(daemon.desk(|d| d.tickets.values().next().unwrap().comments.len()), 1);
    assert_eq!(daemon.get("agreements").await.as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_dialect_that_is_known_is_taken() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    let base = daemon.sharing_url();
    let token = format!("{}:{}", sender.uuid, sender.key);
    // As the gem writes: every member, null where unset, no version header; as RT writes: its content type, in its zone.
    let gem = json!({"uuid": "g1", "subject": "From the gem", "requested_at": "2010-11-24 14:13:54 -0800", "status": "new",
        "requester": {"uuid": "u1", "name": "Joe", "role": null}, "current_actor": null, "comments": [], "tags": null,
        "original_id": 77, "custom_fields": null, "custom_status": null, "unknown": {"member": 1}});
    let rt = json!({"uuid": "r1", "subject": "From RT", "status": "open", "requester": {"uuid": "u2"},
        "comments": null, "custom_fields": ["any", "thing"], "requested_at": "garbage"});
    let url = |path: &str| format!("{base}/{path}");
    let headers = [("content-type", "application/json"), ("X-Ticket-Sharing-Token", token.as_str())];
    assert_eq!(raw("POST", &url("tickets/g1"), &headers, &gem.to_string()).await.0, 201);
    let headers = [
        ("content-type", "text/x-json; charset=\"UTF-8\""),
        ("x-ticket-sharing-version", "1"),
        ("x-ticket-sharing-token", token.as_str()),
    ];
    assert_eq!(raw("POST", &url("/tickets/r1/"), &headers, &rt.to_string()).await.0, 201);
    daemon.until_desk("both are here", |d| (d.tickets.len() == 2).then_some(())).await;
    daemon.until_quiet().await;
    // Again: an answer may have been lost.
    assert_eq!(raw("POST", &url("tickets/g1"), &headers, &gem.to_string()).await.0, 200);
    // null and absent are no change; a repeated comment is not doubled; what is not marked public is private.
    let update = json!({"uuid": "g1", "status": null, "subject": null, "tags": ["lost", null], "comments": [
        {"uuid": "x1", "author": {"uuid": "u1", "name": "Joe"}, "body": "not marked"},
        {"uuid": "x2", "author": {"uuid": "u1", "name": "Joe"}, "body": "null", "public": null, "attachments": null},
        {"uuid": "x3", "author": {"uuid": "u1", "name": "Joe"}, "body": "public", "public": true,
         "html_body": "<b>public</b>", "authored_at": "2010-11-24T14:13:54Z",
         "attachments": [{"url": "https://x.example/a", "filename": "a\r\nb", "display_filename": "b"}, {"url": "https://x.example/b", "filename": null}]}]});
    for _ in 0..2 {
        assert_eq!(raw("PUT", &url("tickets/g1"), &headers, &update.to_string()).await.0, 200);
    }
    let id = daemon.desk(|d| d.find("g1").unwrap());
    let seen = daemon.until_desk("the comments are here", |d| {
        let comments: Vec<_> = d.tickets[&id].comments.iter().map(|c| (c.body.clone(), c.public)).collect();
        (comments.len() == 3).then_some(comments)
    });
    assert_eq!(seen.await, [("not marked".into(), false), ("null".into(), false), ("public".into(), true)]);
    assert_eq!(daemon.desk(|d| d.tickets[&id].values["status"].clone()), "new");
    // Read it back, end it, with Content-Length 0 and a content type, and once more.
    let (status, body, got) = raw("GET", &url("tickets/g1"), &headers, "").await;
    assert_eq!(
        (status, body["uuid"].as_str(), body["subject"].as_str()),
        (200, Some("g1"), Some("From the gem"))
    );
    assert_eq!(got["content-type"], "application/json");
    let (status, body, _) = raw("GET", &url(&format!("agreements/{}", sender.uuid)), &headers, "").await;
    assert_eq!((status, body["status"].as_str(), body.get("access_key")), (200, Some("accepted"), None));
    for expected in [200, 200] {
        assert_eq!(raw("DELETE", &url("tickets/g1"), &headers, "").await.0, expected);
    }
    assert_eq!(raw("PUT", &url("tickets/g1"), &headers, "{}").await.0, 410);
    // A full object without a key, as the walkthrough's receiver sends; then the end, as RT sends it.
    let full = json!({"uuid": sender.uuid, "name": "Sender", "status": "accepted", "access_key": null, "deactivated_by": null});
    assert_eq!(
        raw("PUT", &url(&format!("agreements/{}", sender.uuid)), &headers, &full.to_string()).await.0,
        200
    );
    let end = json!({"status": "inactive", "deactivated_by": "sender"}).to_string();
    for _ in 0..2 {
        assert_eq!(raw("PUT", &url(&format!("agreements/{}", sender.uuid)), &headers, &end).await.0, 200);
    }
    let shown = daemon.until_agreement(Some(&sender.uuid), "inactive").await;
    assert_eq!(shown["deactivated_by"], "sender");
    assert_eq!(raw("PUT", &url("tickets/r1"), &headers, "{\"status\":\"solved\"}").await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_out_is_what_changed_and_no_more() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, uuid) = daemon.agreed().await;
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    until("the ticket is out", async || partner.tickets("POST").pop()).await;
    for event in [
        daemon.desk(|d| d.set(&id, "status", "pending")),
        daemon.desk(|d| d.set(&id, "priority", "urgent")),
        daemon.desk(|d| d.comment(&id, "Smith", "A note.", false)),
        daemon.desk(|d| d.tag(&id, &["lens"])),
        daemon.desk(|d| d.set(&id, "subject", "Lens stuck again")),
    ] {
        daemon.tell(&event).await;
    }
    until("all is out", async || partner.tickets("PUT").pop().filter(|put| put.get("subject").is_some()))
        .await;
    let hide = |mut value: Value| {
        let text =
            value.to_string().replace(&daemon.sharing_url(), "<sharing-url>").replace(&uuid, "<agreement>");
        value = serde_json::from_str(&text).unwrap();
        redact(&mut value);
        value
    };
    let bodies: Vec<Value> = partner
        .received()
        .into_iter()
        .map(|r| {
            let path = r.path.split('/').nth(2).unwrap().to_owned();
            let mut body = hide(r.body);
            if let Some(url) = body.get_mut("receiver_url") {
                *url = json!("<partner>");
            }
            json!({"request": format!("{} {path}", r.method), "token": r.headers.contains_key("x-ticket-sharing-token"),
                "type": r.headers["content-type"].to_str().unwrap(), "body": body})
        })
        .collect();
    insta::assert_json_snapshot!(bodies);
    // The ticket's uuid is the one that anybody can compute.
    let sent = partner.tickets("POST").pop().unwrap();
    let ours = crossdesk::domain::Namespace::of(&daemon.sharing_url());
    assert_eq!(sent["uuid"], ours.ticket(&crossdesk::domain::TicketId::new(id)).as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_hold_at_both_ends() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    // null and absent: the stricter.
    let sender = Sender::agreed_on(&daemon, json!({"allows_public_comments": null})).await;
    let mut ticket = new_ticket("t1");
    ticket["tags"] = json!(["secret"]);
    ticket["custom_fields"] = json!({"Serial": 7});
    assert_eq!(sender.ticket("POST", "t1", &ticket).await, 201);
    let id = daemon.until_desk("the ticket is here", |d| d.find("t1")).await;
    daemon.until_quiet().await;
    assert!(daemon.desk(|d| d.tickets[&id].tags.is_empty() && d.tickets[&id].fields.is_empty()));
    assert_eq!(daemon.desk(|d| d.not_synced[0]["reason"].clone()), "not_shared");
    sender.ticket("PUT", "t1", &json!({"status": "solved", "tags": ["more"]})).await;
    for event in [
        daemon.desk(|d| d.set(&id, "status", "pending")),
        daemon.desk(|d| d.tag(&id, &["ours"])),
        daemon.desk(|d| d.comment(&id, "Lina", "public here", true)),
    ] {
        daemon.tell(&event).await;
    }
    let put = until("the comment is out", async || sender.partner.tickets("PUT").pop()).await;
    assert_eq!(put["comments"][0]["public"], false, "what the receiver writes is private");
    daemon.until_quiet().await;
    assert!(
        sender
            .partner
            .tickets("PUT")
            .iter()
            .all(|put| put.get("status").is_none() && put.get("tags").is_none())
    );
    assert_eq!(daemon.desk(|d| d.tickets[&id].values["status"].clone()), "pending", "no status crosses");
}

/// Takes out what differs from run to run.
fn redact(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, member) in object.iter_mut() {
                match name.as_str() {
                    "uuid" | "access_key" if member.as_str().is_some_and(|text| text.len() == 40) => {
                        *member = json!("<40 hex>");
                    }
                    _ => redact(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_a_ticket_that_the_desk_does_not_tell_is_an_issue_until_it_does() {
    let acme = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.desk.command_timeout = "1s".to_owned();
    })
    .await;
    let (partner, uuid) = acme.agreed().await;
    acme.stop_desk();
    let (id, opened) = acme.desk(|d| d.open(("77", "Joe"), "Lens stuck", "It is stuck.", &[]));
    acme.post(&format!("tickets/{id}/share"), json!({"agreement": uuid})).await;
    // That it has done so is no answer: the ticket is.
    let commands = acme.get("commands").await;
    let fetch = commands.as_array().unwrap().iter().find(|c| c["type"] == "crossdesk.ticket.fetch").unwrap();
    let done = json!({"specversion": "1.0", "id": "e-done", "source": "desk", "type": "helpdesk.command.completed",
        "data": {"command_id": fetch["id"], "status": "done"}});
    acme.driver.tell(&done).await.unwrap();
    let open = |of: Value| {
        of["issues"].as_array().unwrap().iter().find(|issue| issue["subject"] == "fetch").cloned()
    };
    let issue = until("it is an issue", async || open(acme.get(&format!("tickets/{id}")).await)).await;
    assert_eq!(issue["reason"], "command_failed", "{issue}");
    assert!(issue["detail"].as_str().unwrap().contains("helpdesk.ticket.changed"), "{issue}");
    assert!(partner.tickets("POST").is_empty());
    acme.driver.tell(&opened).await.unwrap();
    let told = until("it is out", async || partner.tickets("POST").pop()).await;
    assert_eq!(told["comments"][0]["body"], "It is stuck.");
    assert_eq!(open(acme.get(&format!("tickets/{id}")).await), None, "it is settled");
    // Refused, it is the same.
    let acme = TestDaemon::start("Acme too", Pair::SQLITE_EMBEDDED).await;
    let (_, uuid) = acme.agreed().await;
    acme.stop_desk();
    let other = acme.desk(|d| d.open(("77", "Joe"), "Another", "…", &[])).0;
    acme.post(&format!("tickets/{other}/share"), json!({"agreement": uuid})).await;
    let commands = acme.get("commands").await;
    let fetch =
        commands.as_array().unwrap().iter().find(|c| c["data"]["ticket"]["id"] == other.as_str()).unwrap();
    let refused = json!({"specversion": "1.0", "id": "e-refused", "source": "desk", "type": "helpdesk.command.completed",
        "data": {"command_id": fetch["id"], "status": "failed", "error": "no such ticket"}});
    acme.driver.tell(&refused).await.unwrap();
    let issue = until("it is an issue", async || open(acme.get(&format!("tickets/{other}")).await)).await;
    assert!(issue["detail"].as_str().unwrap().contains("no such ticket"), "{issue}");
}
