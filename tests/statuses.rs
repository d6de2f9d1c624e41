//! Statuses: translated, nearest ones, those that the desk refuses, and tickets that are closed.

use serde_json::json;

use crate::support::{Pair, Sender, TestDaemon, new_ticket, until};

crate::on_both!(
    what_an_agent_decides_meanwhile_stands,
    statuses_are_translated_both_ways_and_a_nearest_one_is_said,
);

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_the_desk_cannot_set_is_kept_with_its_words_and_tried_again() {
    for pair in Pair::STORES {
        let daemon = TestDaemon::start("Lens", pair).await;
        daemon.desk(|d| d.required_to_solve = Some("Cause".into()));
        let sender = Sender::agreed(&daemon).await;
        let id = sender.share(&daemon, "t1").await;
        assert_eq!(sender.ticket("PUT", "t1", &json!({"status": "solved"})).await, 200);
        until("the desk's words are kept", async || {
            let story = daemon.get(&format!("tickets/{id}/explain")).await;
            let issue = story["ticket"]["issues"]
                .as_array()?
                .iter()
                .find(|issue| issue["reason"] == "command_failed")?
                .clone();
            issue["detail"].as_str()?.contains("field Cause is required to solve").then_some(())
        })
        .await;
        let shown = daemon.ticket(&id).await;
        assert_eq!(shown["undone"][0]["values"]["status"], "solved", "{shown}");
        // The old value is not sent back.
        assert!(sender.partner.tickets("PUT").iter().all(|put| put.get("status").is_none()));
        let event = daemon.desk(|d| d.fill(&id, "Cause", json!("dust")));
        daemon.tell(&event).await;
        daemon
            .until_desk("it is solved now", |d| (d.tickets[&id].values["status"] == "solved").then_some(()))
            .await;
        until("and nothing is left of it", async || daemon.issues(&id).await.is_empty().then_some(())).await;
        daemon.until_quiet().await;
        assert!(sender.partner.tickets("PUT").iter().all(|put| put.get("status").is_none()));
        let resolved = daemon.get(&format!("tickets/{id}/explain")).await;
        assert!(resolved["ticket"]["issues"][0]["resolved_at"].is_string(), "{resolved}");
    }
}

async fn what_an_agent_decides_meanwhile_stands(pair: Pair) {
    let daemon = TestDaemon::start("Lens", pair).await;
    daemon.desk(|d| d.required_to_solve = Some("Cause".into()));
    let sender = Sender::agreed(&daemon).await;
    assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
    let id = daemon.until_desk("the ticket is here", |d| d.find("t1")).await;
    assert_eq!(sender.ticket("PUT", "t1", &json!({"status": "solved"})).await, 200);
    until("it failed", async || (!daemon.issues(&id).await.is_empty()).then_some(())).await;
    let event = daemon.desk(|d| d.set(&id, "status", "pending"));
    daemon.tell(&event).await;
    until("the partner has the agent's word", async || {
        sender.partner.tickets("PUT").into_iter().find(|put| put["status"] == "pending")
    })
    .await;
    let event = daemon.desk(|d| d.fill(&id, "Cause", json!("dust")));
    daemon.tell(&event).await;
    daemon.until_quiet().await;
    assert_eq!(daemon.desk(|d| d.tickets[&id].values["status"].clone()), "pending");
    assert!(daemon.issues(&id).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_ticket_takes_no_comment_and_none_is_lost() {
    for pair in Pair::STORES {
        let daemon = TestDaemon::start("Lens", pair).await;
        let sender = Sender::agreed(&daemon).await;
        let id = sender.share(&daemon, "t1").await;
        let event = daemon.desk(|d| d.set(&id, "status", "closed"));
        daemon.tell(&event).await;
        daemon.until_quiet().await;
        let late = json!({"comments": [{"uuid": "late", "author": {"uuid": "joe", "name": "Joe"}, "body": "One more thing.", "public": true}]});
        for _ in 0..2 {
            assert_eq!(sender.ticket("PUT", "t1", &late).await, 200);
        }
        let notice = daemon
            .until_desk("the desk is told", |d| {
                d.notices.iter().find(|n| n["kind"] == "comment_refused").cloned()
            })
            .await;
        assert!(notice["text"].as_str().unwrap().contains("Joe"), "{notice}");
        assert_eq!(daemon.issues(&id).await, [("comment:late".to_owned(), "ticket_closed".to_owned())]);
        assert_eq!(
            daemon.desk(|d| (
                d.tickets[&id].comments.len(),
                d.notices.iter().filter(|n| n["kind"] == "comment_refused").count()
            )),
            (1, 1)
        );
        // Should the desk open it again, the comment comes to it after all.
        let event = daemon.desk(|d| d.set(&id, "status", "open"));
        daemon.tell(&event).await;
        daemon
            .until_desk("the comment is there", |d| {
                d.tickets[&id].comments.iter().any(|c| c.body == "One more thing.").then_some(())
            })
            .await;
        until("and nothing is left of it", async || daemon.issues(&id).await.is_empty().then_some(())).await;
    }
}

async fn statuses_are_translated_both_ways_and_a_nearest_one_is_said(pair: Pair) {
    let daemon = TestDaemon::start("Acme", pair).await;
    let (partner, uuid) = daemon.agreed().await;
    let map = json!({"to_partner": {"pending": "Waiting"}, "from_partner": {"Waiting for parts": "hold"}});
    daemon.edit(&uuid, json!({"local": {"status": map}})).await;
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    until("it is out", async || partner.tickets("POST").pop()).await;
    let event = daemon.desk(|d| d.set(&id, "status", "pending"));
    daemon.tell(&event).await;
    until("in the partner's words", async || {
        partner.tickets("PUT").into_iter().find(|put| put["status"] == "Waiting")
    })
    .await;
    let theirs = Sender::of(&daemon, &partner, &uuid).await;
    let ticket = crossdesk::domain::Namespace::of(&daemon.sharing_url())
        .ticket(&crossdesk::domain::TicketId::new(id.clone()));
    assert_eq!(theirs.ticket("PUT", ticket.as_str(), &json!({"status": "waiting FOR parts"})).await, 200);
    daemon
        .until_desk("in this desk's words", |d| (d.tickets[&id].values["status"] == "hold").then_some(()))
        .await;
    daemon.until_quiet().await;
    // A word that nobody knows changes nothing, and is said.
    assert_eq!(theirs.ticket("PUT", ticket.as_str(), &json!({"status": "Escalated"})).await, 200);
    until("it is said", async || {
        (daemon.issues(&id).await == [("status".to_owned(), "nearest_status".to_owned())]).then_some(())
    })
    .await;
    assert_eq!(daemon.desk(|d| d.tickets[&id].values["status"].clone()), "hold");
    assert_eq!(theirs.ticket("PUT", ticket.as_str(), &json!({"status": "open"})).await, 200);
    until("a known one settles it", async || daemon.issues(&id).await.is_empty().then_some(())).await;

    daemon.until_quiet().await;
    // Request Tracker has no on-hold: it is told open, and the agents can see so.
    daemon.edit(&uuid, json!({"profile": "request-tracker", "local": {"status": null}})).await;
    let event = daemon.desk(|d| d.set(&id, "status", "hold"));
    daemon.tell(&event).await;
    until("it is said", async || {
        (daemon.issues(&id).await == [("status".to_owned(), "nearest_status".to_owned())]).then_some(())
    })
    .await;
    let event = daemon.desk(|d| d.set(&id, "status", "solved"));
    daemon.tell(&event).await;
    until("solved is solved", async || {
        partner.tickets("PUT").into_iter().find(|put| put["status"] == "solved")
    })
    .await;
    assert!(daemon.issues(&id).await.is_empty());
    // A custom status travels as text.
    let event = daemon.desk(|d| d.set(&id, "custom_status", "Waiting for the lab"));
    daemon.tell(&event).await;
    until("as text", async || {
        partner.tickets("PUT").into_iter().find(|put| put["custom_status"] == "Waiting for the lab")
    })
    .await;
}
