//! What a partner refuses, and what it may have taken without having said so: told to people, told again, and never lost in between.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{FakePartner, Pair, Sender, TestDaemon, until};

fn refusal() -> (u16, Vec<(&'static str, String)>, String) {
    (422, vec![], "not like this".into())
}

/// The requests for tickets that a partner got.
fn methods(partner: &FakePartner) -> Vec<String> {
    let about_tickets = partner.received().into_iter().filter(|request| request.path.contains("/tickets/"));
    about_tickets.map(|request| request.method).collect()
}

/// A daemon with a shared ticket that its partner has; the ticket's number and the partner's word for it.
async fn shared(daemon: &TestDaemon, partner: &FakePartner, agreement: &str) -> (String, String) {
    let id = daemon.open_and_share(agreement, "Lens stuck").await;
    let post = until("it is out", async || partner.tickets("POST").pop()).await;
    daemon.until_quiet().await;
    (id, post["uuid"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_share_that_is_refused_is_told_and_goes_out_again() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, agreement) = daemon.agreed().await;
    let (id, _) = shared(&daemon, &partner, &agreement).await;
    partner.answer_next([refusal()]);
    daemon.driver.ask(Method::DELETE, &format!("tickets/{id}/share"), None).await.unwrap();
    let dead = until("it is parked", async || daemon.get("dead-letters").await.get(0).cloned()).await;
    assert_eq!(dead["type"], "ticket.unshare");
    daemon
        .until_desk("the desk is told", |desk| {
            desk.notices.iter().find(|notice| notice["kind"] == "partner_refused").cloned()
        })
        .await;
    assert!(daemon.issues(&id).await.contains(&("share".to_owned(), "partner_refused".to_owned())));

    daemon.post(&format!("dead-letters/{}/replay", dead["id"].as_str().unwrap()), Value::Null).await;
    until("it is told again", async || partner.tickets("DELETE").get(1).cloned()).await;
    daemon.until_quiet().await;
    assert_eq!(daemon.get("dead-letters").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_partner_repeats_after_it_has_refused_a_change_is_no_change_of_its_own() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, agreement) = daemon.agreed().await;
    let (id, uuid) = shared(&daemon, &partner, &agreement).await;
    let field = json!([{"title": "Camera model", "type": "text"}]);
    let fields = json!({"specversion": "1.0", "id": "f", "source": "desk", "type": "helpdesk.fields.changed", "data": {"fields": field}});
    daemon.tell(&fields).await;
    let event = daemon.desk(|desk| desk.fill(&id, "Camera model", json!("X100")));
    daemon.tell(&event).await;
    until("it is told", async || (partner.tickets("PUT").len() == 1).then_some(())).await;
    daemon.until_quiet().await;

    partner.answer_next([refusal(), refusal()]);
    let parked = async |count: usize| {
        until("it is parked", async || {
            (daemon.get("dead-letters").await.as_array()?.len() == count).then_some(())
        })
        .await;
    };
    let event = daemon.desk(|desk| desk.fill(&id, "Camera model", Value::Null));
    daemon.tell(&event).await;
    parked(1).await;
    let event = daemon.desk(|desk| desk.set(&id, "status", "solved"));
    daemon.tell(&event).await;
    parked(2).await;
    // Some repeat all that they have with every change.
    let theirs = Sender::of(&daemon, &partner, &agreement).await;
    let said = json!({"status": "open", "custom_fields": {"Camera model": "X100"}, "comments": [{"uuid": "c2",
        "author": {"uuid": "kim", "name": "Kim", "role": "agent"}, "body": "Why?", "public": true}]});
    assert_eq!(theirs.ticket("PUT", &uuid, &said).await, 200);
    daemon
        .until_desk("their comment is here", |desk| {
            desk.tickets[&id].comments.iter().any(|comment| comment.body == "Why?").then_some(())
        })
        .await;
    let told = until("ours is told again", async || partner.tickets("PUT").get(3).cloned()).await;
    assert_eq!((&told["status"], &told["custom_fields"]), (&json!("solved"), &json!({"Camera model": null})));
    daemon.until_quiet().await;
    assert_eq!(daemon.ticket(&id).await["status"], "solved", "nobody here has opened it again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_the_partner_still_has_of_an_earlier_share_is_brought_up_to_date() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, agreement) = daemon.agreed().await;
    let (id, _) = shared(&daemon, &partner, &agreement).await;
    // It cannot end a share.
    partner.answer_next([(405, vec![], String::new())]);
    daemon.driver.ask(Method::DELETE, &format!("tickets/{id}/share"), None).await.unwrap();
    until("it is told", async || partner.tickets("DELETE").pop()).await;
    daemon.until_quiet().await;
    let event = daemon.desk(|desk| desk.set(&id, "status", "pending"));
    daemon.tell(&event).await;
    partner.answer_next([refusal()]);
    let event = daemon.desk(|desk| desk.share(&id, &agreement));
    daemon.tell(&event).await;
    let put = until("it is told as a change", async || partner.tickets("PUT").pop()).await;
    assert_eq!(put["status"], "pending");
    assert!(put["crossdesk"]["seq"].as_i64() > Some(1), "a number that it has not had: {put}");
    daemon.until_quiet().await;
    assert_eq!(methods(&partner), ["POST", "DELETE", "POST", "GET", "PUT"]);
    assert_eq!(daemon.get("dead-letters").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_has_no_time_for_a_question_is_asked_again() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, agreement) = daemon.agreed().await;
    let busy = || (429, vec![], "slowly".into());
    // The answer to the first is lost; whether it was taken, it says only the second time.
    partner.answer_next([(500, vec![], String::new()), refusal(), busy(), refusal()]);
    let id = daemon.open_and_share(&agreement, "Lens stuck").await;
    until("it is settled", async || {
        let story = daemon.get(&format!("tickets/{id}/explain")).await;
        (story["messages"][0]["state"] == "delivered").then_some(())
    })
    .await;
    assert_eq!(methods(&partner), ["POST", "POST", "GET", "POST", "GET"]);
    // One that tells nobody what it has is taken at its word that it has it.
    partner.answer_next([(500, vec![], String::new()), refusal(), (405, vec![], String::new())]);
    let other = daemon.open_and_share(&agreement, "Another").await;
    daemon.until_quiet().await;
    assert_eq!(daemon.ticket(&other).await["shares"][0]["state"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_that_a_partner_does_not_take_keeps_nothing_else_from_it() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, agreement) = daemon.agreed().await;
    let (id, _) = shared(&daemon, &partner, &agreement).await;
    let fine = || (200, vec![], String::new());
    partner.answer_next([refusal(), fine(), refusal()]);
    let event = daemon.desk(|desk| desk.comment(&id, "Smith", "Too long.", true));
    daemon.tell(&event).await;
    until("it is refused", async || daemon.get("dead-letters").await.get(0).cloned()).await;
    // The next change goes, and the comment once more behind it; refused again, it waits alone.
    for status in ["pending", "solved"] {
        let event = daemon.desk(|desk| desk.set(&id, "status", status));
        daemon.tell(&event).await;
        until("it is told", async || partner.tickets("PUT").into_iter().find(|put| put["status"] == status))
            .await;
        daemon.until_quiet().await;
    }
    let put = partner.tickets("PUT").pop().unwrap();
    assert_eq!((&put["status"], put.get("comments")), (&json!("solved"), None));
    let dead = daemon.get("dead-letters").await;
    assert_eq!(dead.as_array().unwrap().len(), 2);
    daemon.post(&format!("dead-letters/{}/replay", dead[0]["id"].as_str().unwrap()), Value::Null).await;
    until("a person has it sent again", async || {
        partner.tickets("PUT").pop().filter(|put| put["comments"][0]["body"] == "Too long.")
    })
    .await;

    // Refused twice more, and then forgotten: what comes after it is told again.
    let before = partner.tickets("PUT").len();
    partner.answer_next([refusal(), refusal()]);
    for body in ["One.", "Two."] {
        let event = daemon.desk(|desk| desk.comment(&id, "Smith", body, true));
        daemon.tell(&event).await;
        until("it is called", async || {
            partner.tickets("PUT").into_iter().skip(before).find(|put| put["comments"][0]["body"] == "One.")
        })
        .await;
        daemon.until_quiet().await;
    }
    until("it is held", async || (daemon.get("dead-letters").await.as_array()?.len() == 3).then_some(()))
        .await;
    daemon.driver.ask(Method::DELETE, "dead-letters?all=true", None).await.unwrap();
    let before = partner.tickets("PUT").len();
    // By themselves: what was refused before is seen for what it is.
    let event = daemon.desk(|desk| desk.set(&id, "status", "open"));
    daemon.tell(&event).await;
    until("all of them are told", async || {
        let mut puts = partner.tickets("PUT").into_iter().skip(before);
        puts.find(|put| put["comments"].as_array().is_some_and(|all| all.len() == 2))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_share_that_is_dropped_has_ended_and_can_be_begun_anew() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, uuid) = daemon.agreed().await;
    partner.answer_always(Some((404, vec![], "no such place".to_owned())));
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    let letter =
        until("it is a dead letter", async || daemon.get("dead-letters").await.as_array()?.first().cloned())
            .await;
    let path = format!("dead-letters/{}", letter["id"].as_str().unwrap());
    daemon.driver.ask(Method::DELETE, &path, None).await.unwrap();
    let ticket = daemon.get(&format!("tickets/{id}")).await;
    assert_eq!(
        (&ticket["shares"][0]["state"], &ticket["mergeable"]),
        (&json!("ended"), &json!(true)),
        "{ticket}"
    );
    partner.answer_always(None);
    daemon.post(&format!("tickets/{id}/share"), json!({"agreement": uuid})).await;
    until("it is out", async || (partner.tickets("POST").len() == 2).then_some(())).await;
}
