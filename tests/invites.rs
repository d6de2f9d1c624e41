//! Invites from strangers: limited in number and rate, they lapse, and nobody learns or blocks anything by them.

use crossdesk::domain::{CustomField, FieldType, Title};
use serde_json::{Value, json};

use crate::support::{FakePartner, Pair, TestDaemon, forge, say, until};

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
    let acme = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let uuid = acme.invite(&brief.sharing_url()).await;
    let shown = brief.until_agreement(Some(&uuid), "declined").await;
    assert!(shown["reason"].as_str().unwrap().contains("expired"), "{shown}");
    acme.until_agreement(Some(&uuid), "declined").await;
}

/// What a partner says under an agreement of ours.
async fn says(daemon: &TestDaemon, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let (status, text) = say(&daemon.sharing_url(), token, method, path, Some(body)).await;
    (status, serde_json::from_str(&text).unwrap_or_default())
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
async fn an_invite_that_nobody_has_answered_bothers_nobody_and_leaves_nothing() {
    let daemon = TestDaemon::with("Lens", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.invites.max_waiting = 3;
        config.invites.per_minute = 40;
    })
    .await;
    let partner = FakePartner::start().await;
    assert_eq!(forge(&daemon, "fickle", &partner.url).await, 201);
    // Whoever invites has the key of his own invite.
    let mut statuses = Vec::new();
    for n in 0..60 {
        let terms = json!({"sync_tags": n % 2 == 0});
        statuses.push(says(&daemon, "fickle:k", "PUT", "agreements/fickle", &terms).await.0);
    }
    assert!(statuses.starts_with(&[200; 30]) && statuses.ends_with(&[503; 10]), "{statuses:?}");
    let told = daemon.desk(|d| d.notices.len());
    assert!(told <= 1, "{told} notices for one invite");
    let fields = json!({"crossdesk": {"fields": [{"title": "x".repeat(300_000), "type": "text"}]}});
    assert_eq!(says(&daemon, "fickle:k", "PUT", "agreements/fickle", &fields).await.0, 422);

    // Invites that are taken back count until they are forgotten.
    let other = TestDaemon::with("Other", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.invites.max_waiting = 3;
    })
    .await;
    let mut answers = Vec::new();
    for n in 0..5 {
        let uuid = format!("back{n}");
        answers.push(forge(&other, &uuid, &partner.url).await);
        let path = format!("agreements/{uuid}");
        says(&other, &format!("{uuid}:k"), "PUT", &path, &json!({"status": "inactive"})).await;
    }
    assert_eq!(answers, [201, 201, 201, 503, 503]);
    // Whether an agreement is known is not to be had for less than a whole invite.
    let probe = json!({"access_key": "guess"});
    let known = says(&other, "", "POST", "agreements/back0", &probe).await;
    let unknown = says(&other, "", "POST", "agreements/never", &probe).await;
    assert_eq!(known, unknown);
}
