//! Who is told what became of an agreement: on the desk, and by mail.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Pair, Sender, TestDaemon, forge, mail::MailServer, new_ticket, servers, until};

async fn start(name: &str) -> TestDaemon {
    TestDaemon::start(name, Pair::SQLITE_EMBEDDED).await
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
