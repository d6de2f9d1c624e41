//! Agreements as their administrators meet them: checks, keys, notices, mail, limits, declared ones.

use crossdesk::{
    config::DeclaredAgreement,
    domain::{AgreementStatus, CustomField, Direction, FieldType, Kind, Title, Uuid},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    echoes::{Sender, new_ticket},
    support::{FakePartner, Pair, TestDaemon, mail::MailServer, servers, until},
};

async fn start(name: &str) -> TestDaemon {
    TestDaemon::start(name, Pair::SQLITE_EMBEDDED).await
}

/// Invites a daemon as anybody can; returns the status of the answer.
async fn forge(daemon: &TestDaemon, uuid: &str, sender_url: &str) -> u16 {
    let invite = json!({"uuid": uuid, "name": "Somebody", "access_key": "k", "status": "pending", "sender_url": sender_url});
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/agreements/{uuid}", daemon.sharing_url());
    client.post(url).body(invite.to_string()).send().await.unwrap().status().as_u16()
}

fn notices(daemon: &TestDaemon, kind: &str) -> Vec<Value> {
    daemon.desk(|d| d.notices.iter().filter(|notice| notice["kind"] == kind).cloned().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_desks_are_told_what_became_of_an_agreement_and_who_did_it() {
    let (acme, lens) = (start("Acme").await, start("Lens").await);
    let invite = json!({"kind": "third_party", "url": lens.sharing_url(), "name": "Lens", "by": "Ann"});
    let uuid = acme.post("agreements", invite).await["uuid"].as_str().unwrap().to_owned();
    lens.until_agreement(Some(&uuid), "pending").await;
    lens.post(&format!("agreements/{uuid}/accept"), json!({"by": "Lina"})).await;
    acme.until_agreement(Some(&uuid), "accepted").await;
    lens.until_agreement(Some(&uuid), "accepted").await;
    let shown = acme.get(&format!("agreements/{uuid}")).await;
    assert_eq!(shown["changed_by"], json!({"party": "receiver", "desk": "Lens", "person": "Lina"}));
    acme.post(&format!("agreements/{uuid}/deactivate"), json!({"by": "Bob"})).await;
    lens.until_agreement(Some(&uuid), "inactive").await;
    let by = |party: &str, desk: &str, person: &str| json!({"party": party, "desk": desk, "person": person});
    for (daemon, kind, who) in [
        (&lens, "agreement_invited", by("sender", "Acme", "Ann")),
        (&lens, "agreement_accepted", by("receiver", "Lens", "Lina")),
        (&acme, "agreement_accepted", by("receiver", "Lens", "Lina")),
        (&acme, "agreement_deactivated", by("sender", "Acme", "Bob")),
        (&lens, "agreement_deactivated", by("sender", "Acme", "Bob")),
    ] {
        until(&format!("{kind} is told"), async || {
            let told = notices(daemon, kind);
            (told.len() == 1 && told[0]["by"] == who && told[0]["agreement"]["uuid"] == uuid.as_str())
                .then_some(())
        })
        .await;
    }
    // Another one is declined, and both know by whom.
    let declined = acme.invite(&lens.sharing_url()).await;
    lens.until_agreement(Some(&declined), "pending").await;
    lens.post(&format!("agreements/{declined}/decline"), Value::Null).await;
    for daemon in [&acme, &lens] {
        daemon
            .until_desk("it is told", |d| {
                d.notices.iter().find(|n| n["kind"] == "agreement_declined").cloned()
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_go_by_mail_and_a_mail_server_that_is_down_holds_nothing_up() {
    let server = MailServer::start().await;
    let lens = TestDaemon::with("Lens", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.desk.admin_email = "Ops <ops@lens.example>".into();
        config.mail.url = server.url.clone();
    })
    .await;
    let sender = Sender::agreed(&lens).await;
    let letters =
        until("two letters have come", async || Some(server.letters()).filter(|l| l.len() == 2)).await;
    assert!(
        letters[0].contains("To: Ops <ops@lens.example>") || letters[0].contains("ops@lens.example"),
        "{}",
        letters[0]
    );
    assert!(
        letters[0].contains("Subject: [Lens] a partner invites this desk to share tickets"),
        "{}",
        letters[0]
    );
    assert!(letters[1].contains("a sharing agreement is in force") && letters[1].contains(&sender.uuid));
    assert!(letters.iter().all(|letter| !letter.contains(&sender.key)));
    let down = format!("smtp://127.0.0.1:{}", servers::free_port());
    let other = TestDaemon::with("Other", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.desk.admin_email = "ops@other.example".into();
        config.mail.url = down;
    })
    .await;
    let sender = Sender::agreed(&other).await;
    assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
    other.until_desk("the ticket is here", |d| d.find("t1")).await;
    // An invite that is declined because all are bothers nobody by mail either.
    lens.driver.ask(Method::PUT, "settings", Some(&json!({"decline_all_invites": true}))).await.unwrap();
    assert_eq!(forge(&lens, "forged", &sender.partner.url).await, 201);
    lens.until_agreement(Some("forged"), "declined").await;
    assert_eq!(server.letters().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn invites_are_limited_in_number_and_rate_and_lapse() {
    let partner = FakePartner::start().await;
    let few = TestDaemon::with("Few", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.invites.max_waiting = 2;
    })
    .await;
    let answers = [forge(&few, "a1", &partner.url).await, forge(&few, "a2", &partner.url).await];
    assert_eq!(answers, [201, 201]);
    assert_eq!(forge(&few, "a3", &partner.url).await, 503);
    assert_eq!(forge(&few, "a2", &partner.url).await, 200, "a repeated one is no new one");
    few.post("agreements/a1/decline", Value::Null).await;
    assert_eq!(forge(&few, "a3", &partner.url).await, 201, "an answer makes room");

    let slow = TestDaemon::with("Slow", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.invites.per_minute = 1;
        config.desk.decline_all_invites = true;
    })
    .await;
    assert_eq!([forge(&slow, "b1", &partner.url).await, forge(&slow, "b2", &partner.url).await], [201, 503]);

    let brief = TestDaemon::with("Brief", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.invites.expire_after = "1s".into();
    })
    .await;
    let acme = start("Acme").await;
    let uuid = acme.invite(&brief.sharing_url()).await;
    let shown = brief.until_agreement(Some(&uuid), "declined").await;
    assert!(shown["reason"].as_str().unwrap().contains("expired"), "{shown}");
    acme.until_agreement(Some(&uuid), "declined").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_lists_every_field_that_will_sync_or_not_and_why() {
    let field = |title: &str, kind, options: &[&str]| CustomField {
        title: Title::new(title),
        kind,
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    };
    let with = async |name: &str, fields: Vec<CustomField>| {
        TestDaemon::with(name, Pair::SQLITE_EMBEDDED, Default::default(), |config| {
            config.desk.fields = fields;
        })
        .await
    };
    let acme = with(
        "Acme",
        vec![
            field("Camera model", FieldType::Dropdown, &["X100", "X200"]),
            field("Serial", FieldType::Integer, &[]),
            field("Bought", FieldType::Date, &[]),
            field("Ours alone", FieldType::Text, &[]),
        ],
    )
    .await;
    let lens = with(
        "Lens",
        vec![
            field("camera MODEL", FieldType::Dropdown, &["x200", "X300"]),
            field("serial", FieldType::Text, &[]),
            field("Bought", FieldType::Checkbox, &[]),
            field("Theirs alone", FieldType::Text, &[]),
        ],
    )
    .await;
    let uuid = acme.invite(&lens.sharing_url()).await;
    lens.until_agreement(Some(&uuid), "pending").await;
    // Before it is accepted.
    let checked = lens.get(&format!("agreements/{uuid}/check")).await;
    assert_eq!(
        (checked["partner"]["state"].as_str(), checked["partner_fields_known"].as_bool()),
        (Some("ok"), Some(true))
    );
    let fields = checked["fields"].clone();
    insta::assert_json_snapshot!(fields);
    assert_eq!(checked["lacking_here"], json!(["Ours alone"]));
    // The sender sees the receiver's once it has them; and what it was told, when the partner is away.
    lens.post(&format!("agreements/{uuid}/accept"), Value::Null).await;
    acme.until_agreement(Some(&uuid), "accepted").await;
    let mut lens = lens;
    lens.stop().await;
    let checked = acme.get(&format!("agreements/{uuid}/check")).await;
    assert_eq!(checked["partner"]["state"], "unreachable", "{checked}");
    assert_eq!(checked["lacking_here"], json!(["Theirs alone"]));
    // A partner that is no crossdesk tells none.
    let (_partner, uuid) = acme.agreed().await;
    let checked = acme.get(&format!("agreements/{uuid}/check")).await;
    assert_eq!(checked["partner_fields_known"], false);
    assert!(
        checked["fields"].as_array().unwrap().iter().all(|field| field["arriving"]["syncs"] == "unknown")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_takes_over_without_a_gap() {
    let (acme, lens) = (start("Acme").await, start("Lens").await);
    let uuid = acme.agree_with(&lens).await;
    let id = acme.open_and_share(&uuid, "Lens stuck").await;
    let there = lens.until_desk("the ticket is there", |d| d.tickets.keys().next().cloned()).await;
    let answer = acme.post(&format!("agreements/{uuid}/rotate-key"), Value::Null).await;
    assert_eq!(answer.get("access_key"), None);
    for (n, (from, ticket, to, at)) in
        [(&acme, &id, &lens, &there), (&lens, &there, &acme, &id)].into_iter().enumerate()
    {
        let body = format!("with the new key {n}");
        let event = from.desk(|d| d.comment(ticket, "Somebody", &body, true));
        from.tell(&event).await;
        to.until_desk("it has come", |d| d.tickets[at].comments.iter().any(|c| c.body == body).then_some(()))
            .await;
    }
    let refused = lens.driver.ask(Method::POST, &format!("agreements/{uuid}/rotate-key"), None).await;
    assert!(refused.unwrap_err().to_string().contains("409"), "the receiver does not");
    assert_eq!(acme.get("dead-letters").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_used_though_the_answer_that_the_partner_has_it_was_lost() {
    let acme = start("Acme").await;
    let (partner, uuid) = acme.agreed().await;
    let old = partner.key(&uuid).await;
    // It takes the key, and its answer is lost; from then on it refuses the old one.
    partner.answer_next([(503, vec![], String::new()), (403, vec![], String::new())]);
    acme.post(&format!("agreements/{uuid}/rotate-key"), Value::Null).await;
    let put = until("the partner got the new key again", async || {
        let received = partner.received().into_iter();
        let puts: Vec<_> =
            received.filter(|r| r.method == "PUT" && r.path.contains("/agreements/")).collect();
        puts.get(2).cloned()
    })
    .await;
    let new = put.body["access_key"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    assert_eq!(put.headers["x-ticket-sharing-token"], format!("{uuid}:{new}"));
    until("no key is on its way", async || {
        acme.driver.ask(Method::POST, &format!("agreements/{uuid}/rotate-key"), None).await.ok()
    })
    .await;
    acme.open_and_share(&uuid, "Lens stuck").await;
    until("the ticket goes out with a key that is in force", async || partner.tickets("POST").pop()).await;
    // A bridge's new key is shown once.
    let bridge = acme.post("agreements", json!({"kind": "queue", "name": "Bridge"})).await;
    let refused = format!("agreements/{}/rotate-key", bridge["uuid"].as_str().unwrap());
    let refused = acme.driver.ask(Method::POST, &refused, None).await.unwrap_err().to_string();
    assert!(refused.contains("pending"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn access_keys_are_encrypted_at_rest_where_there_is_a_key_for_it() {
    for postgres in [false, true] {
        let pair = Pair { postgres, amqp: false };
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let (partner, uuid) = daemon.agreed().await;
        let key = partner.key(&uuid).await;
        assert!(daemon.stored_keys().await.contains(&key), "without store.key it is kept as it is");
        // A key given later seals what is there.
        daemon.stop().await;
        daemon.config.store.key = "1f".repeat(32);
        daemon.resume().await;
        assert!(!daemon.stored_keys().await.contains(&key));
        let second = daemon.agreed().await;
        assert!(!daemon.stored_keys().await.contains(&second.0.key(&second.1).await));
        daemon.open_and_share(&uuid, "Lens stuck").await;
        until("it goes out", async || partner.tickets("POST").pop()).await;
        assert_eq!(
            partner.received().pop().unwrap().headers["x-ticket-sharing-token"],
            format!("{uuid}:{key}")
        );
        // Without it, or with another one, the daemon says what is missing, and does nothing.
        daemon.stop().await;
        daemon.config.store.key = "2f".repeat(32);
        daemon.resume_without_waiting().await;
        until("it says why it is not ready", async || {
            let ready = reqwest::get(format!("http://{}/readyz", daemon.config.admin.listen)).await.ok()?;
            (ready.status() == 503 && ready.text().await.ok()?.contains("store.key")).then_some(())
        })
        .await;
        daemon.stop().await;
    }
}

fn declared(uuid: &str, url: &str, status: AgreementStatus) -> DeclaredAgreement {
    DeclaredAgreement {
        uuid: Uuid::new(uuid),
        name: "Lens Partner".into(),
        direction: Direction::Outbound,
        kind: Kind::ThirdParty,
        url: Some(url.to_owned()),
        access_key: "e".repeat(40),
        status,
        terms: Default::default(),
        profile: Default::default(),
        local: Default::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_agreement_that_is_gone_from_the_file_ends_only_when_that_is_wanted() {
    let (uuid, partner) = ("d".repeat(40), FakePartner::start().await);
    let mut daemon = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.agreements = vec![declared(&uuid, &partner.url, AgreementStatus::Accepted)];
    })
    .await;
    daemon.until_agreement(Some(&uuid), "accepted").await;
    daemon.stop().await;
    daemon.config.agreements.clear();
    daemon.resume().await;
    assert_eq!(daemon.get(&format!("agreements/{uuid}")).await["status"], "accepted");
    daemon.stop().await;
    daemon.prune = true;
    daemon.resume().await;
    daemon.until_agreement(Some(&uuid), "inactive").await;
    let put = until("the partner is told", async || partner.received().pop()).await;
    assert_eq!((put.method.as_str(), put.body["status"].as_str()), ("PUT", Some("inactive")));
    assert_eq!(put.body["deactivated_by"], "sender");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_any_state_loses_nothing() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::POSTGRES_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let partner = FakePartner::start().await;
        partner.answer_always(Some((503, vec![], String::new())));
        let states = ["pending", "accepted", "declined", "inactive"];
        let mut ours = Vec::new();
        partner.answer_always(None);
        for state in states {
            let uuid = daemon.invite(&partner.url).await;
            let key = partner.key(&uuid).await;
            let put = async |status: &str| {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                let url = format!("{}/agreements/{uuid}", daemon.sharing_url());
                let token = format!("{uuid}:{key}");
                let body = json!({"status": status}).to_string();
                client
                    .put(url)
                    .header("X-Ticket-Sharing-Token", token)
                    .body(body)
                    .send()
                    .await
                    .unwrap()
                    .status()
            };
            match state {
                "accepted" | "declined" => assert_eq!(put(state).await, 200),
                "inactive" => {
                    assert_eq!(put("accepted").await, 200);
                    assert_eq!(put("inactive").await, 200);
                }
                _ => {}
            }
            ours.push(uuid);
        }
        // Invites that could not be delivered, an acceptance and an end that could not be told.
        partner.answer_always(Some((503, vec![], String::new())));
        let waiting = daemon.invite(&partner.url).await;
        assert_eq!(forge(&daemon, "invited", &partner.url).await, 201);
        assert_eq!(forge(&daemon, "accepting", &partner.url).await, 201);
        daemon.post("agreements/accepting/accept", Value::Null).await;
        daemon.post(&format!("agreements/{}/deactivate", ours[1]), Value::Null).await;
        let before = daemon.get("agreements").await;
        daemon.stop().await;
        daemon.resume().await;
        let after = daemon.get("agreements").await;
        let stand = |list: &Value| -> Vec<_> {
            let rows = list.as_array().unwrap().iter();
            rows.map(|a| (a["uuid"].clone(), a["status"].clone(), a["accepting"].clone(), a["terms"].clone()))
                .collect()
        };
        assert_eq!(stand(&before), stand(&after));
        partner.answer_always(None);
        daemon.until_agreement(Some("accepting"), "accepted").await;
        until("what waited is out", async || {
            let received = partner.received();
            let has = |method: &str, uuid: &str, status: &str| {
                received
                    .iter()
                    .any(|r| r.method == method && r.path.ends_with(uuid) && r.body["status"] == status)
            };
            (has("POST", &waiting, "pending")
                && has("PUT", &ours[1], "inactive")
                && has("PUT", "accepting", "accepted"))
            .then_some(())
        })
        .await;
        daemon.post("agreements/invited/decline", Value::Null).await;
        until("the answer is out", async || {
            partner
                .received()
                .into_iter()
                .find(|r| r.path.ends_with("invited") && r.body["status"] == "declined")
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_partner_that_marks_no_comment_is_taken_as_this_side_has_settled() {
    let daemon = start("Lens").await;
    let sender = Sender::agreed(&daemon).await;
    let edit = json!({"local": {"unmarked_comments": "public"}});
    let path = format!("agreements/{}", sender.uuid);
    let edited = daemon.driver.ask(Method::PATCH, &path, Some(&edit)).await.unwrap();
    assert_eq!(edited["local"]["unmarked_comments"], "public");
    let mut ticket = new_ticket("t1");
    let comment = |uuid: &str, public: Value| json!({"uuid": uuid, "author": {"uuid": "joe", "name": "Joe"}, "body": uuid, "public": public});
    ticket["comments"] = json!([
        comment("unmarked", Value::Null),
        comment("private", json!(false)),
        comment("public", json!(true))
    ]);
    assert_eq!(sender.ticket("POST", "t1", &ticket).await, 201);
    let id = daemon.until_desk("the ticket is here", |d| d.find("t1")).await;
    let seen: Vec<_> =
        daemon.desk(|d| d.tickets[&id].comments.iter().map(|c| (c.body.clone(), c.public)).collect());
    assert_eq!(seen, [("unmarked".into(), true), ("private".into(), false), ("public".into(), true)]);
    assert_eq!(
        sender
            .partner
            .received()
            .iter()
            .filter(|r| r.method == "PUT" && r.body.get("local").is_some())
            .count(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_can_be_run_from_the_command_line() {
    let (acme, lens) = (start("Acme").await, start("Lens").await);
    let run = async |daemon: &TestDaemon, args: &[&str]| {
        let url = format!("http://{}", daemon.config.admin.listen);
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_crossdesk"))
            .arg("agreement")
            .args(args)
            .args(["--url", &url, "--token", "test-token"])
            .output()
            .await
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), text)
    };
    let partner = lens.sharing_url();
    let invite =
        ["invite", "--partner-url", &partner, "--name", "Lens", "--sync-tags", "--by", "Ann", "--json"];
    let (code, out) = run(&acme, &invite).await;
    assert_eq!(code, 0, "{out}");
    let uuid = serde_json::from_str::<Value>(&out).unwrap()["uuid"].as_str().unwrap().to_owned();
    lens.until_agreement(Some(&uuid), "pending").await;
    let (code, out) = run(&lens, &["check", &uuid]).await;
    assert!(code == 0 && out.contains("the partner knows the agreement"), "{out}");
    assert_eq!(run(&lens, &["accept", &uuid, "--by", "Lina"]).await.0, 0);
    acme.until_agreement(Some(&uuid), "accepted").await;
    let (code, out) = run(
        &acme,
        &[
            "edit",
            &uuid,
            "--comments",
            "private_only",
            "--name",
            "Lens GmbH",
            "--unmarked-comments",
            "public",
        ],
    )
    .await;
    assert!(code == 0 && out.contains("Lens GmbH") && out.contains("private_only"), "{out}");
    let (code, out) = run(&lens, &["edit", &uuid, "--sync-tags", "false"]).await;
    assert!(code == 1 && out.contains("only the sender"), "{out}");
    assert_eq!(run(&acme, &["rotate-key", &uuid]).await.0, 0);
    let (code, out) = run(&acme, &["list"]).await;
    assert!(code == 0 && out.contains("Lens GmbH") && out.contains("accepted"), "{out}");
    assert_eq!(run(&acme, &["deactivate", &uuid]).await.0, 0);
    lens.until_agreement(Some(&uuid), "inactive").await;
    let (code, out) = run(&acme, &["accept", &uuid]).await;
    assert!(code == 1 && out.contains("inactive"), "{out}");
}

/// What a partner says under an agreement of ours.
async fn says(daemon: &TestDaemon, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method.parse().unwrap(), format!("{}/{path}", daemon.sharing_url()));
    let answer = request.header("X-Ticket-Sharing-Token", token).body(body.to_string()).send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_refuses_a_new_key_keeps_the_old_one_and_hears_the_rest() {
    for refusal in [
        vec![(422, vec![], "no".to_owned())],
        vec![(200, vec![], "{}".to_owned()), (403, vec![], String::new())],
    ] {
        let acme = start("Acme").await;
        let (partner, uuid) = acme.agreed().await;
        let old = partner.key(&uuid).await;
        // Refused, or taken and passed over: the new key opens nothing there.
        partner.answer_next(refusal);
        acme.post(&format!("agreements/{uuid}/rotate-key"), Value::Null).await;
        let dead = until("it is parked", async || acme.get("dead-letters").await.get(0).cloned()).await;
        assert!(!dead.to_string().contains(
            partner.received().last().unwrap().headers["x-ticket-sharing-token"].to_str().unwrap()
        ));
        acme.open_and_share(&uuid, "Lens stuck").await;
        until("tickets go on under the old key", async || {
            let post = partner
                .received()
                .into_iter()
                .find(|r| r.method == "POST" && r.path.contains("/tickets/"))?;
            (post.headers["x-ticket-sharing-token"] == format!("{uuid}:{old}")).then_some(())
        })
        .await;
        acme.post(&format!("agreements/{uuid}/rotate-key"), Value::Null).await;
        acme.post(&format!("agreements/{uuid}/deactivate"), Value::Null).await;
        let end = until("and the end is told", async || {
            partner.received().into_iter().find(|r| r.body["status"] == "inactive")
        })
        .await;
        assert_eq!(end.body.get("access_key"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_ticket_goes_out_once_its_agreement_has_ended() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::SQLITE_AMQP] {
        let acme = TestDaemon::start("Acme", pair).await;
        let (partner, uuid) = acme.agreed().await;
        let ids = [acme.open_and_share(&uuid, "One").await, acme.open_and_share(&uuid, "Two").await];
        until("both are out", async || (partner.tickets("POST").len() == 2).then_some(())).await;
        partner.answer_always(Some((503, vec![], String::new())));
        for id in &ids {
            let event = acme.desk(|d| d.comment(id, "Smith", "between us", false));
            acme.tell(&event).await;
        }
        until("one was tried", async || (!partner.tickets("PUT").is_empty()).then_some(())).await;
        acme.post(&format!("agreements/{uuid}/deactivate"), Value::Null).await;
        let before = partner.tickets("PUT").len();
        partner.answer_always(None);
        until("the end is told", async || {
            partner.received().into_iter().find(|r| r.body["status"] == "inactive")
        })
        .await;
        acme.until_quiet().await;
        // One may have been under way at that very moment.
        assert!(partner.tickets("PUT").len() <= before + 1, "{:?}", partner.tickets("PUT"));
        let story = acme.get(&format!("tickets/{}/explain", ids[0])).await;
        assert!(story["messages"].as_array().unwrap().iter().any(|m| m["state"] == "withdrawn"), "{story}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_learn_nothing_and_block_nothing() {
    let daemon = TestDaemon::with("Lens", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.desk.fields =
            vec![CustomField { title: Title::new("Secret project"), kind: FieldType::Text, options: vec![] }];
    })
    .await;
    let partner = FakePartner::start().await;
    // Anybody can compute the uuid of the desk's next ticket, and name an invite so.
    let next = crossdesk::domain::Namespace::of(&daemon.sharing_url())
        .ticket(&crossdesk::domain::TicketId::new("1001"));
    let invite = json!({"uuid": next, "name": "x".repeat(5000), "access_key": "k", "status": "pending", "sender_url": partner.url,
        "sync_custom_fields": true});
    let (status, _) = says(&daemon, "", "POST", &format!("agreements/{next}"), &invite).await;
    assert_eq!(status, 201);
    let token = format!("{next}:k");
    let (status, read) = says(&daemon, &token, "GET", &format!("agreements/{next}"), &Value::Null).await;
    assert_eq!((status, read.to_string().contains("Secret project")), (200, false), "{read}");
    assert!(daemon.get(&format!("agreements/{next}")).await["name"].as_str().unwrap().len() <= 200);
    let (other, uuid) = daemon.agreed().await;
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    assert_eq!(id, "1001");
    until("the ticket is shared all the same", async || other.tickets("POST").pop()).await;
    let large =
        json!({"uuid": "large", "name": "x".repeat(300_000), "access_key": "k", "sender_url": partner.url});
    assert_eq!(says(&daemon, "", "POST", "agreements/large", &large).await.0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_agreement_follows_its_file_and_not_back_behind_what_was_agreed_since() {
    let (uuid, partner) = ("d".repeat(40), FakePartner::start().await);
    let mut daemon = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.agreements = vec![declared(&uuid, &partner.url, AgreementStatus::Accepted)];
    })
    .await;
    daemon.until_agreement(Some(&uuid), "accepted").await;
    daemon.post(&format!("agreements/{uuid}/rotate-key"), Value::Null).await;
    let new = until("the partner has the new key", async || {
        partner.received().into_iter().find_map(|r| Some(r.body["access_key"].as_str()?.to_owned()))
    })
    .await;
    daemon.until_quiet().await;
    // The file says something new: the terms are told, and the key that was changed since stays.
    daemon.stop().await;
    daemon.config.agreements[0].terms.sync_tags = true;
    daemon.config.agreements[0].name = "Renamed".into();
    daemon.resume().await;
    let told = until("the partner is told", async || {
        partner.received().into_iter().find(|r| r.body["sync_tags"] == true)
    })
    .await;
    assert_eq!(told.headers["x-ticket-sharing-token"], format!("{uuid}:{new}"));
    let shown = daemon.get(&format!("agreements/{uuid}")).await;
    assert_eq!(
        (shown["name"].as_str(), shown["terms"]["sync_tags"].as_bool()),
        (Some("Renamed"), Some(true))
    );
    // What was changed by the API since is not undone by the same file.
    daemon
        .driver
        .ask(Method::PATCH, &format!("agreements/{uuid}"), Some(&json!({"terms": {"sync_tags": false}})))
        .await
        .unwrap();
    daemon.stop().await;
    daemon.resume().await;
    assert_eq!(daemon.get(&format!("agreements/{uuid}")).await["terms"]["sync_tags"], false);
    // A key that the file changes is in force.
    daemon.stop().await;
    daemon.config.agreements[0].access_key = "f".repeat(40);
    daemon.resume().await;
    let token = format!("{uuid}:{}", "f".repeat(40));
    assert_eq!(says(&daemon, &token, "GET", &format!("agreements/{uuid}"), &Value::Null).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_senders_terms_hold_towards_a_receiver_that_breaks_them() {
    let acme = start("Acme").await;
    let (partner, uuid) = acme.agreed().await;
    let strict =
        json!({"terms": {"comments": "private_only", "sync_tags": false, "sync_custom_fields": false}});
    acme.driver.ask(Method::PATCH, &format!("agreements/{uuid}"), Some(&strict)).await.unwrap();
    let id = acme.open_and_share(&uuid, "Lens stuck").await;
    let post = until("it is out", async || partner.tickets("POST").pop()).await;
    let (ticket, token) =
        (post["uuid"].as_str().unwrap().to_owned(), format!("{uuid}:{}", partner.key(&uuid).await));
    let breaks = json!({"status": "solved", "tags": ["x"], "custom_fields": {"Model": "X100"}, "subject": "Changed",
        "comments": [{"uuid": "c", "author": {"uuid": "u", "name": "Kim", "role": "agent"}, "body": "for all to see", "public": true}]});
    assert_eq!(says(&acme, &token, "PUT", &format!("tickets/{ticket}"), &breaks).await.0, 200);
    let seen = acme
        .until_desk("the comment is here", |d| Some(d.tickets[&id].clone()).filter(|t| t.comments.len() == 2))
        .await;
    assert!(!seen.comments[1].public, "what the receiver writes arrives private");
    assert_eq!((seen.values["status"].as_str(), seen.tags.len(), seen.fields.len()), (Some("open"), 0, 0));
    assert_eq!(seen.values["subject"], "Changed");
    // The other way nothing of it goes out either.
    let event = acme.desk(|d| d.set(&id, "status", "pending"));
    acme.tell(&event).await;
    let event = acme.desk(|d| d.tag(&id, &["ours"]));
    acme.tell(&event).await;
    let event = acme.desk(|d| d.comment(&id, "Smith", "Thanks.", true));
    acme.tell(&event).await;
    let put = until("the comment is out", async || {
        partner.tickets("PUT").pop().filter(|put| put.get("comments").is_some())
    })
    .await;
    assert_eq!(put["comments"][0]["public"], true, "the sender's own comments keep their privacy");
    assert!(
        partner.tickets("PUT").iter().all(|put| put.get("status").is_none() && put.get("tags").is_none())
    );
}
