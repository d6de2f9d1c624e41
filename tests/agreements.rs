//! An agreement's life, between two daemons and towards partners of every dialect.

use crossdesk::domain::AgreementStatus;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{FakePartner, Pair, Sender, TestDaemon, until};

#[tokio::test(flavor = "multi_thread")]
async fn either_side_ends_it_and_the_other_is_told() {
    let (acme, lens) = (
        TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await,
        TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await,
    );
    let declined = acme.invite(&lens.sharing_url()).await;
    lens.until_agreement(Some(&declined), "pending").await;
    lens.post(&format!("agreements/{declined}/decline"), Value::Null).await;
    acme.until_agreement(Some(&declined), "declined").await;

    let cancelled = acme.invite(&lens.sharing_url()).await;
    lens.until_agreement(Some(&cancelled), "pending").await;
    let refused = acme.driver.ask(Method::POST, &format!("agreements/{cancelled}/accept"), None).await;
    assert!(refused.unwrap_err().to_string().contains("409"), "the sender cannot accept its own invite");
    acme.post(&format!("agreements/{cancelled}/deactivate"), Value::Null).await;
    assert_eq!(lens.until_agreement(Some(&cancelled), "inactive").await["deactivated_by"], "sender");

    let agreement = acme.agree_with(&lens).await;
    let id = acme.open_and_share(&agreement, "Lens stuck").await;
    let there = lens.until_desk("the ticket is there", |d| d.tickets.keys().next().cloned()).await;
    acme.until_quiet().await;
    lens.until_quiet().await;
    lens.post(&format!("agreements/{agreement}/deactivate"), Value::Null).await;
    assert_eq!(acme.until_agreement(Some(&agreement), "inactive").await["deactivated_by"], "receiver");
    lens.post(&format!("agreements/{agreement}/deactivate"), Value::Null).await;
    for (from, ticket) in [(&acme, &id), (&lens, &there)] {
        let event = from.desk(|d| d.comment(ticket, "Somebody", "too late", true));
        from.tell(&event).await;
        from.until_quiet().await;
    }
    assert_eq!(acme.desk(|d| d.tickets[&id].comments.len()), 2);
    assert_eq!(lens.desk(|d| d.tickets[&there].comments.len()), 2);
    let kinds: Vec<_> =
        lens.desk(|d| d.notices.iter().map(|n| n["kind"].as_str().unwrap().to_owned()).collect());
    assert!(kinds.contains(&"agreement_invited".to_owned()), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invites_are_declined_at_once_where_that_is_wanted() {
    let (acme, lens) = (
        TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await,
        TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await,
    );
    lens.driver.ask(Method::PUT, "settings", Some(&json!({"decline_all_invites": true}))).await.unwrap();
    let uuid = acme.invite(&lens.sharing_url()).await;
    acme.until_agreement(Some(&uuid), "declined").await;
    lens.until_quiet().await;
    assert_eq!(lens.desk(|d| d.notices.len()), 0, "nobody is bothered");
    assert_eq!(lens.get("settings").await, json!({"decline_all_invites": true}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_in_somebody_elses_name_comes_to_nothing() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let victim = FakePartner::start().await;
    victim.answer_always(Some((404, vec![], String::new())));
    let (uuid, key) = ("b".repeat(40), "c".repeat(40));
    let forged = json!({"uuid": uuid, "name": "Bank", "access_key": key, "status": "pending", "sender_url": victim.url});
    let url = format!("{}/agreements/{uuid}", daemon.sharing_url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(client.post(url).body(forged.to_string()).send().await.unwrap().status(), 201);
    daemon.post(&format!("agreements/{uuid}/accept"), Value::Null).await;
    let shown = until("the refusal is kept", async || {
        let shown = daemon.get(&format!("agreements/{uuid}")).await;
        (shown["reason"].is_string() && shown["accepting"] == false).then_some(shown)
    })
    .await;
    assert_eq!(shown["status"], "pending");
    assert!(shown["reason"].as_str().unwrap().contains("404"), "{shown}");
    let ticket = client
        .post(format!("{}/tickets/t1", daemon.sharing_url()))
        .header("X-Ticket-Sharing-Token", format!("{uuid}:{key}"))
        .body("{\"subject\":\"x\"}");
    assert_eq!(ticket.send().await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_tracker_is_recognised_by_its_412() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let rt = FakePartner::start().await;
    rt.answer_next([(412, vec![], String::new())]);
    let uuid = daemon.invite(&rt.url).await;
    until("the dialect is kept", async || {
        let shown = daemon.get(&format!("agreements/{uuid}")).await;
        (shown["profile"] == "request-tracker").then_some(())
    })
    .await;
    let [first, second]: [_; 2] = rt.received().try_into().unwrap();
    assert_eq!(first.headers["content-type"], "application/json");
    assert!(first.headers.get("x-ticket-sharing-token").is_none());
    assert!(first.headers.get("x-ticket-sharing-version").is_none(), "with it, it would not answer 412");
    assert_eq!(second.headers["content-type"], "text/x-json; charset=\"UTF-8\"");
    assert_eq!(second.headers["x-ticket-sharing-version"], "1");
    assert!(second.headers.contains_key("x-ticket-sharing-token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_is_not_allowed_is_refused_and_an_unreachable_one_is_retried_and_says_so() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let closed = format!("http://127.0.0.1:{}/sharing", crate::support::servers::free_port());
    let uuid = daemon.invite(&closed).await;
    until("it says so", async || {
        let shown = daemon.get(&format!("agreements/{uuid}")).await;
        (shown["status"] == "pending" && shown["reason"].as_str()?.contains("tried again")).then_some(())
    })
    .await;
    let strict = TestDaemon::with("Strict", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.delivery.allow_private_partners = false;
    })
    .await;
    for url in ["http://lens.example/sharing", "https://127.0.0.1/sharing", "https://10.0.0.1/", "nonsense"] {
        let invite = json!({"kind": "third_party", "url": url, "name": "X"});
        let refused = strict.driver.ask(Method::POST, "agreements", Some(&invite)).await;
        assert!(refused.unwrap_err().to_string().contains("422"), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_shows_once_and_for_bridges_alone() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let bridge = daemon.post("agreements", json!({"kind": "queue", "name": "Bridge"})).await;
    let key = bridge["access_key"].as_str().unwrap().to_owned();
    assert_eq!(key.len(), 40);
    let partner = FakePartner::start().await;
    let shown =
        daemon.post("agreements", json!({"kind": "third_party", "url": partner.url, "name": "P"})).await;
    assert_eq!(shown.get("access_key"), None);
    let other = partner.key(shown["uuid"].as_str().unwrap()).await;
    let uuid = bridge["uuid"].as_str().unwrap();
    for path in
        ["agreements".to_owned(), format!("agreements/{uuid}"), "dead-letters".into(), "commands".into()]
    {
        let text = daemon.get(&path).await.to_string();
        assert!(!text.contains(&key) && !text.contains(&other), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_agreement_is_there_from_the_start() {
    let (uuid, key) = ("d".repeat(40), "e".repeat(40));
    let partner = FakePartner::start().await;
    let declared = crossdesk::config::DeclaredAgreement {
        uuid: crossdesk::domain::Uuid::new(uuid.clone()),
        name: "Lens Partner".into(),
        direction: crossdesk::domain::Direction::Outbound,
        kind: crossdesk::domain::Kind::ThirdParty,
        url: Some(partner.url.clone()),
        access_key: key.clone(),
        status: AgreementStatus::Accepted,
        terms: Default::default(),
        profile: Default::default(),
        local: Default::default(),
        jira: None,
    };
    let rule = crossdesk::config::Rule {
        name: "Urgent".into(),
        when: "ticket.priority == 'urgent' && 'lens' in ticket.tags".into(),
        share_with: "Lens Partner".into(),
    };
    let mut daemon = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.agreements = vec![declared];
        config.rules = vec![rule];
    })
    .await;
    assert_eq!(daemon.until_agreement(Some(&uuid), "accepted").await["declared"], true);
    // A rule shares what it is meant to, and nothing else.
    let (id, opened) = daemon.desk(|d| d.open(("77", "Joe"), "Lens stuck", "It is stuck.", &[]));
    daemon.tell(&opened).await;
    let event = daemon.desk(|d| d.tag(&id, &["lens"]));
    daemon.tell(&event).await;
    assert_eq!(daemon.get("tickets").await, json!([]));
    let event = daemon.desk(|d| d.set(&id, "priority", "urgent"));
    let preview = daemon.post("preview", event.clone()).await;
    assert_eq!(preview["would_send"][0]["type"], "ticket.create", "{preview}");
    assert_eq!(daemon.get("tickets").await, json!([]), "a preview changes nothing");
    daemon.tell(&event).await;
    let created = until("it is shared", async || partner.tickets("POST").pop()).await;
    assert_eq!(created["subject"], "Lens stuck");
    // The rest of its comments is fetched from the desk.
    let put = until("the comment follows", async || partner.tickets("PUT").pop()).await;
    assert_eq!(put["comments"][0]["body"], "It is stuck.");
    let sent = partner.received().pop().unwrap();
    assert_eq!(sent.headers["x-ticket-sharing-token"], format!("{uuid}:{key}"));
    daemon.stop().await;
    daemon.resume().await;
    assert_eq!(daemon.get("agreements").await.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_travels_on_and_never_home() {
    let start = async |name| TestDaemon::start(name, Pair::SQLITE_EMBEDDED).await;
    let (a, b, c) = (start("A").await, start("B").await, start("C").await);
    let (ab, bc, ca) = (a.agree_with(&b).await, b.agree_with(&c).await, c.agree_with(&a).await);
    let at_a = a.open_and_share(&ab, "Lens stuck").await;
    let at_b = b.until_desk("it is at B", |d| d.tickets.keys().next().cloned()).await;
    b.until_quiet().await;
    let shared = b.desk(|d| d.share(&at_b, &bc));
    b.tell(&shared).await;
    let at_c = c.until_desk("it is at C", |d| d.tickets.keys().next().cloned()).await;
    c.until_desk("with what was written before it was shared on", |d| {
        d.tickets[&at_c].comments.iter().any(|c| c.body == "It is stuck.").then_some(())
    })
    .await;
    let event = c.desk(|d| d.comment(&at_c, "Cem", "Found it.", true));
    c.tell(&event).await;
    let event = c.desk(|d| d.set(&at_c, "status", "solved"));
    c.tell(&event).await;
    a.until_desk("the change has come all the way", |d| {
        let ticket = &d.tickets[&at_a];
        (ticket.values["status"] == "solved" && ticket.comments.iter().any(|c| c.body == "Found it."))
            .then_some(())
    })
    .await;
    for side in [&a, &b, &c] {
        side.until_quiet().await;
    }
    let shared = c.desk(|d| d.share(&at_c, &ca));
    c.tell(&shared).await;
    let refused = until("it is refused", async || c.get("dead-letters").await.get(0).cloned()).await;
    assert!(refused["reason"].as_str().unwrap().contains("422"), "{refused}");
    assert_eq!(a.desk(|d| d.tickets.len()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_shares_nothing_under_the_senders_agreement() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    let (id, opened) = daemon.desk(|d| d.open(("1", "Ann"), "Ours", "Hello.", &[]));
    daemon.tell(&opened).await;
    let shared = daemon.desk(|d| d.share(&id, &sender.uuid));
    daemon.tell(&shared).await;
    let notice = daemon
        .until_desk("the desk is told", |d| d.notices.iter().find(|n| n["kind"] == "share_refused").cloned());
    assert!(notice.await["text"].as_str().unwrap().contains("the partner shares its tickets"));
    assert_eq!(sender.partner.tickets("POST").len(), 0);
    let refused = daemon
        .driver
        .ask(Method::POST, &format!("tickets/{id}/share"), Some(&json!({"agreement": "nobody"})))
        .await;
    assert!(refused.unwrap_err().to_string().contains("404"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_changes_the_terms_and_the_receiver_is_told() {
    let (acme, lens) = (
        TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await,
        TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await,
    );
    let uuid = acme.agree_with(&lens).await;
    let edit = json!({"terms": {"comments": "private_only"}});
    let path = format!("agreements/{uuid}");
    let edited = acme.driver.ask(Method::PATCH, &path, Some(&edit)).await.unwrap();
    let wanted = json!({"comments": "private_only", "sync_tags": true, "sync_custom_fields": true});
    assert_eq!(edited["terms"], wanted, "what is not named stays");
    until("the receiver has them", async || (lens.get(&path).await["terms"] == wanted).then_some(())).await;
    let refused = lens.driver.ask(Method::PATCH, &path, Some(&edit)).await;
    assert!(refused.unwrap_err().to_string().contains("409"), "the receiver does not set terms");
    let renamed = lens.driver.ask(Method::PATCH, &path, Some(&json!({"name": "Acme, Leeds"}))).await.unwrap();
    assert_eq!(renamed["name"], "Acme, Leeds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_shared_anew_takes_what_was_written_meanwhile() {
    let (acme, lens) = (
        TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await,
        TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await,
    );
    let uuid = acme.agree_with(&lens).await;
    let id = acme.open_and_share(&uuid, "Lens stuck").await;
    let there = lens.until_desk("the ticket is there", |d| d.tickets.keys().next().cloned()).await;
    acme.until_quiet().await;
    lens.until_quiet().await;
    let event = acme.desk(|d| d.share(&id, "somebody else"));
    acme.tell(&event).await;
    acme.driver.ask(Method::DELETE, &format!("tickets/{id}/share"), None).await.unwrap();
    until("the share has ended there", async || {
        (lens.ticket(&there).await["shares"][0]["state"] == "ended").then_some(())
    })
    .await;
    let event = acme.desk(|d| d.comment(&id, "Smith", "In between.", true));
    acme.tell(&event).await;
    acme.post(&format!("tickets/{id}/share"), json!({"agreement": uuid})).await;
    lens.until_desk("it is the same ticket, with what was written meanwhile", |d| {
        let bodies: Vec<_> = d.tickets[&there].comments.iter().map(|c| c.body.as_str()).collect();
        (bodies == ["It is stuck.", "In between."]).then_some(())
    })
    .await;
    assert_eq!(lens.desk(|d| d.tickets.len()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_of_an_ended_agreement_is_free_for_a_new_one() {
    let (acme, lens) = (
        TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await,
        TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await,
    );
    let first = acme.agree_with(&lens).await;
    let id = acme.open_and_share(&first, "Lens stuck").await;
    lens.until_desk("the ticket is there", |d| d.tickets.keys().next().cloned()).await;
    acme.until_quiet().await;
    lens.until_quiet().await;
    acme.post(&format!("agreements/{first}/deactivate"), Value::Null).await;
    lens.until_agreement(Some(&first), "inactive").await;
    let second = acme.agree_with(&lens).await;
    acme.post(&format!("tickets/{id}/share"), json!({"agreement": second})).await;
    until("it is shared under the new one, there too", async || {
        let list = lens.get("tickets").await;
        let shares = list[0]["shares"].as_array()?.clone();
        shares
            .iter()
            .any(|share| share["agreement"] == second.as_str() && share["state"] == "active")
            .then_some(())
    })
    .await;
    assert_eq!(acme.get("dead-letters").await, json!([]));
    assert_eq!(lens.desk(|d| d.tickets.len()), 1);
}
