//! Access keys: changed without a gap, and sealed at rest.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Pair, TestDaemon, until};

async fn start(name: &str) -> TestDaemon {
    TestDaemon::start(name, Pair::SQLITE_EMBEDDED).await
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
