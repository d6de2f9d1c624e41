//! Tickets that are not the same on both sides, with nothing on its way about them: found, told, and made one again.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    on_both,
    support::{Pair, TestDaemon, until},
};

on_both!(what_another_implementation_shows_is_compared_as_far_as_it_goes);

/// `crossdesk reconcile`, as an operator calls it.
async fn reconcile(daemon: &TestDaemon, more: &[&str]) -> Result<Value, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossdesk"));
    let url = format!("http://{}", daemon.config.admin.listen);
    command.args(["--json", "--url", &url, "--token", "test-token", "reconcile"]).args(more);
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    if done.status.success() {
        Ok(serde_json::from_slice(&done.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }
}

/// The parts that differ, of all tickets.
fn parts(found: &Value) -> Vec<&str> {
    let tickets = found["differing"].as_array().unwrap().iter();
    let parts = tickets.flat_map(|one| one["ticket"]["differences"].as_array().unwrap());
    parts.map(|difference| difference["part"].as_str().unwrap()).collect()
}

async fn until_one(daemon: &TestDaemon) {
    until("both sides are one", async || {
        let found = reconcile(daemon, &[]).await.unwrap();
        (found["looked"] == 1 && found["on_their_way"] == 0 && parts(&found).is_empty()).then_some(())
    })
    .await;
}

/// Puts a copy of its store in its place.
async fn set_back(daemon: &mut TestDaemon, copy: &std::path::Path) {
    daemon.stop().await;
    let path = daemon.config.store.url.strip_prefix("sqlite:").unwrap().to_owned();
    // A file of its own: whoever still has the old one open shall not write into this.
    for more in ["", "-wal", "-shm"] {
        let _none = std::fs::remove_file(format!("{path}{more}"));
    }
    std::fs::copy(copy, path).unwrap();
    daemon.resume().await;
}

/// The button of the page Attention, pressed.
async fn press_make_one(daemon: &TestDaemon, agreement: &str) {
    let base = format!("http://{}", daemon.config.admin.listen);
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let urlencoded = ("content-type", "application/x-www-form-urlencoded");
    let login =
        client.post(format!("{base}/login")).header(urlencoded.0, urlencoded.1).body("token=test-token");
    let signed_in = login.send().await.unwrap();
    let cookie = signed_in.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let page = async |path: &str| {
        let got = client.get(format!("{base}{path}")).header("cookie", &cookie).send().await.unwrap();
        got.text().await.unwrap()
    };
    let attention = page("/attention").await;
    assert!(attention.contains("The two sides differ"), "{attention}");
    let which = format!("agreement={agreement}&subject=drift%3Asequence&reason=drift");
    let trouble = page(&format!("/attention/trouble?{which}")).await;
    assert!(trouble.contains("Make both sides one"), "{trouble}");
    let csrf = trouble.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let press = client.post(format!("{base}/attention/trouble")).header(urlencoded.0, urlencoded.1);
    let pressed = press.header("cookie", &cookie).body(format!("csrf={csrf}&{which}")).send().await.unwrap();
    let work = pressed.headers()["location"].to_str().unwrap().to_owned();
    until("it is through", async || page(&work).await.contains("All is through").then_some(())).await;
    assert!(page(&work).await.contains("1 done"));
}

fn said(daemon: &TestDaemon, id: &str, body: &str) -> bool {
    daemon.desk(|d| d.tickets[id].comments.iter().any(|comment| comment.body == body))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_whose_store_was_set_back_is_brought_up_to_date() {
    let acme = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let mut lens = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let agreement = acme.agree_with(&lens).await;
    let id = acme.open_and_share(&agreement, "Lens stuck").await;
    let there = lens.until_desk("the ticket is there", |d| d.tickets.keys().next().cloned()).await;
    acme.until_quiet().await;
    lens.until_quiet().await;
    until_one(&acme).await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    crossdesk::app::backup(&lens.config, &copy).await.unwrap();

    for event in acme.desk(|d| [d.comment(&id, "Smith", "Send it in.", true), d.set(&id, "status", "solved")])
    {
        acme.tell(&event).await;
    }
    acme.tell(&acme.desk(|d| d.tag(&id, &["lens"]))).await;
    lens.until_desk("it is there", |d| (d.tickets[&there].values["status"] == "solved").then_some(())).await;
    lens.tell(&lens.desk(|d| d.comment(&there, "Lina", "It came.", true))).await;
    until("the answer is here", async || said(&acme, &id, "It came.").then_some(())).await;
    acme.until_quiet().await;
    lens.until_quiet().await;
    until_one(&acme).await;
    set_back(&mut lens, &copy).await;

    let found = reconcile(&acme, &[&agreement]).await.unwrap();
    let mut differ = parts(&found);
    differ.sort_unstable();
    assert_eq!(differ, ["comments", "sequence", "status", "tags"], "{found:#}");
    let ticket = &found["differing"][0]["ticket"];
    assert_eq!(ticket["number"], id.as_str());
    let status =
        ticket["differences"].as_array().unwrap().iter().find(|one| one["part"] == "status").unwrap();
    assert_eq!((&status["here"], &status["there"]), (&json!("solved"), &json!("open")));
    let since = status["since"].clone();
    assert!(acme.issues(&id).await.contains(&("drift:status".to_owned(), "drift".to_owned())));
    let again = reconcile(&acme, &[]).await.unwrap();
    let known = again["differing"][0]["ticket"]["differences"].as_array().unwrap().clone();
    assert!(
        known.iter().any(|one| one["part"] == "status" && one["since"] == since),
        "its age grows: {again:#}"
    );

    reconcile(&acme, &["--repair"]).await.unwrap();
    until_one(&acme).await;
    assert_eq!(acme.issues(&id).await, []);
    // The number of its messages is right again too: what it says next counts.
    lens.tell(&lens.desk(|d| d.comment(&there, "Lina", "It works.", true))).await;
    until("what it says next is here", async || said(&acme, &id, "It works.").then_some(())).await;
    // Nothing of it came twice to anybody.
    for (side, ticket) in [(&acme, &id), (&lens, &there)] {
        let mut bodies =
            side.desk(|d| d.tickets[ticket].comments.iter().map(|one| one.body.clone()).collect::<Vec<_>>());
        bodies.sort_unstable();
        assert_eq!(bodies, ["It came.", "It is stuck.", "It works.", "Send it in."]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_whose_store_was_set_back_is_heard_again() {
    let mut acme = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let lens = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let agreement = acme.agree_with(&lens).await;
    let id = acme.open_and_share(&agreement, "Lens stuck").await;
    let there = lens.until_desk("the ticket is there", |d| d.tickets.keys().next().cloned()).await;
    acme.until_quiet().await;
    lens.until_quiet().await;
    until_one(&acme).await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    crossdesk::app::backup(&acme.config, &copy).await.unwrap();
    for body in ["One.", "Two.", "Three."] {
        acme.tell(&acme.desk(|d| d.comment(&id, "Smith", body, true))).await;
        until("it is there", async || said(&lens, &there, body).then_some(())).await;
    }
    acme.until_quiet().await;
    set_back(&mut acme, &copy).await;
    let found = reconcile(&acme, &[]).await.unwrap();
    assert!(parts(&found).contains(&"sequence"), "{found:#}");
    press_make_one(&acme, &agreement).await;
    until_one(&acme).await;
    acme.tell(&acme.desk(|d| d.set(&id, "status", "solved"))).await;
    lens.until_desk("what it says next counts", |d| {
        (d.tickets[&there].values["status"] == "solved").then_some(())
    })
    .await;
    let bodies = |side: &TestDaemon, id: &str| side.desk(|d| d.tickets[id].comments.len());
    assert_eq!((bodies(&acme, &id), bodies(&lens, &there)), (4, 4), "nothing came twice");
}

async fn what_another_implementation_shows_is_compared_as_far_as_it_goes(pair: Pair) {
    let mut daemon = TestDaemon::start("Acme", pair).await;
    let (partner, agreement) = daemon.agreed().await;
    let id = daemon.open_and_share(&agreement, "Lens stuck").await;
    let shared = until("it is shared", async || partner.tickets("POST").pop()).await;
    daemon.until_quiet().await;
    let uuid = shared["uuid"].as_str().unwrap();
    let shows = |more: Value| {
        let mut ticket = json!({"uuid": uuid, "subject": "Lens stuck", "status": "open"});
        ticket.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        partner.answer_always(Some((
            200,
            vec![("content-type", "application/json".into())],
            ticket.to_string(),
        )));
    };
    // What it does not show, and what never crossed, is no drift.
    shows(json!({"custom_fields": {"Their own": 7}}));
    let found = reconcile(&daemon, &[]).await.unwrap();
    assert_eq!((parts(&found).len(), &found["looked"]), (0, &json!(1)), "{found:#}");

    shows(
        json!({"status": "solved", "comments": [{"uuid": "c9", "author": {"uuid": "u9", "name": "Lina", "role": "agent"},
        "body": "Only here.", "public": true}]}),
    );
    let found = reconcile(&daemon, &[]).await.unwrap();
    assert_eq!(parts(&found), ["status", "comments"], "{found:#}");
    // Under a clock, nobody need ask: the drift is said, and the gauge counts it.
    daemon.stop().await;
    daemon.config.reconcile.every = "1h".into();
    daemon.resume().await;
    until("it is counted", async || {
        let url = format!("http://{}/metrics", daemon.config.admin.listen);
        let text = reqwest::get(url).await.ok()?.text().await.ok()?;
        text.contains(&format!("crossdesk_tickets_adrift{{agreement=\"{agreement}\"}} 1")).then_some(())
    })
    .await;
    // The sender's value is told anew, with the comment that they lack; theirs is taken.
    let before = partner.tickets("PUT").len();
    reconcile(&daemon, &["--repair"]).await.unwrap();
    let told = until("they are told", async || partner.tickets("PUT").get(before).cloned()).await;
    assert_eq!(told["status"], "open");
    assert_eq!(told["comments"][0]["body"], "It is stuck.");
    until("their comment is here", async || said(&daemon, &id, "Only here.").then_some(())).await;
    daemon.until_quiet().await;

    // A partner that has lost the ticket gets it again, whole.
    partner.answer_always(Some((404, vec![], String::new())));
    let found = reconcile(&daemon, &[]).await.unwrap();
    assert_eq!(parts(&found), ["ticket"], "{found:#}");
    partner.answer_always(None);
    partner.answer_next([(404, vec![], String::new()), (404, vec![], String::new())]);
    reconcile(&daemon, &["--repair"]).await.unwrap();
    let told = until("it is shared anew", async || partner.tickets("POST").get(1).cloned()).await;
    assert_eq!((&told["uuid"], &told["subject"]), (&shared["uuid"], &json!("Lens stuck")));
    assert_eq!(told["comments"].as_array().unwrap().len(), 1, "its own comment is not told to it: {told:#}");
    daemon.until_quiet().await;

    // What cannot be asked is said, and so is a key that is not taken.
    for (status, word) in [(405, "shows no tickets"), (403, "answered 403"), (503, "answered 503")] {
        partner.answer_always(Some((status, vec![], String::new())));
        let error = reconcile(&daemon, &[]).await.unwrap_err();
        assert!(error.contains(word), "{error}");
    }
    // It has ended the share, and the word of it was lost.
    partner.answer_always(Some((410, vec![], String::new())));
    reconcile(&daemon, &["--repair"]).await.unwrap();
    until("it has ended here too", async || {
        let shown = daemon.get(&format!("tickets/{id}")).await;
        (shown["shares"][0]["state"] == "ended").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_cannot_be_read_keeps_no_other_from_being_compared() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, agreement) = daemon.agreed().await;
    for subject in ["One", "Two"] {
        daemon.open_and_share(&agreement, subject).await;
    }
    until("both are out", async || (partner.tickets("POST").len() == 2).then_some(())).await;
    daemon.until_quiet().await;
    let json = || vec![("content-type", "application/json".to_owned())];
    partner.answer_next([(200, json(), "{\"subject\":".into())]);
    partner.answer_always(Some((200, json(), json!({"subject": "Three"}).to_string())));
    let found = reconcile(&daemon, &[]).await.unwrap();
    assert_eq!(
        (found["unclear"].as_array().unwrap().len(), parts(&found)),
        (1, vec!["subject"]),
        "{found:#}"
    );
}
