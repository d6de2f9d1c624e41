//! Refusals that mean something else: an answer that was lost, or one that the other side has not had yet.

use serde_json::{Value, json};

use crate::support::{Pair, Sender, TestDaemon, new_ticket, until};

fn answer(status: u16, body: &str) -> (u16, Vec<(&'static str, String)>, String) {
    (status, vec![], body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_after_a_lost_answer_is_settled_by_asking() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, uuid) = daemon.agreed().await;
    // It takes the ticket, its answer is lost, and it has it already then: that is what it says when asked.
    partner.answer_next([answer(503, ""), answer(409, "already exists"), answer(200, "{}")]);
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    daemon.until_quiet().await;
    let event = daemon.desk(|d| d.comment(&id, "Smith", "goes on", true));
    daemon.tell(&event).await;
    until("it goes on", async || partner.tickets("PUT").pop()).await;
    assert_eq!(partner.tickets("POST").len(), 2);
    assert_eq!(daemon.get("dead-letters").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_does_not_know_yet_that_it_has_accepted_is_given_a_moment() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, uuid) = daemon.agreed().await;
    partner.answer_next([answer(403, "the agreement is pending"), answer(403, "the agreement is pending")]);
    daemon.open_and_share(&uuid, "Lens stuck").await;
    until("it is told once more", async || (partner.tickets("POST").len() == 3).then_some(())).await;
    daemon.until_quiet().await;
    assert_eq!(daemon.get("dead-letters").await, json!([]));
    // One that keeps refusing is believed.
    partner.answer_always(Some(answer(403, "no")));
    daemon.open_and_share(&uuid, "Lens stuck too").await;
    until("it is a dead letter", async || daemon.get("dead-letters").await.as_array()?.first().cloned())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_whose_answer_was_lost_is_found_out() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::invited(&daemon).await;
    sender.partner.answer_next([
        answer(503, ""),
        answer(422, "it is accepted already"),
        answer(200, &json!({"uuid": sender.uuid, "status": "accepted"}).to_string()),
    ]);
    daemon.post(&format!("agreements/{}/accept", sender.uuid), Value::Null).await;
    daemon.until_agreement(Some(&sender.uuid), "accepted").await;
    assert_eq!(daemon.get("dead-letters").await, json!([]));
    // Its end needs nobody over there who still knows of it.
    sender.partner.answer_always(Some(answer(404, "no such agreement")));
    daemon.post(&format!("agreements/{}/deactivate", sender.uuid), Value::Null).await;
    daemon.until_agreement(Some(&sender.uuid), "inactive").await;
    daemon.until_quiet().await;
    assert_eq!(daemon.get("dead-letters").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn our_numbers_go_on_when_a_partner_shares_a_ticket_anew() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    let shared = |seq: i64| {
        let mut ticket = new_ticket("t1");
        ticket["crossdesk"] = json!({"seq": seq, "seen": 0});
        ticket
    };
    let id = sender.share_as(&daemon, "t1", &shared(1)).await;
    let told = || -> Vec<i64> {
        sender.partner.tickets("PUT").iter().filter_map(|put| put["crossdesk"]["seq"].as_i64()).collect()
    };
    let edit = daemon.desk(|d| d.set(&id, "status", "pending"));
    daemon.tell(&edit).await;
    let before = until("it is told", async || told().into_iter().max()).await;
    daemon.until_quiet().await;
    assert_eq!(sender.send("DELETE", "tickets/t1", None, true).await.0, 200);
    assert_eq!(sender.ticket("POST", "t1", &shared(9)).await, 201);
    daemon.until_quiet().await;
    let count = told().len();
    let edit = daemon.desk(|d| d.set(&id, "status", "solved"));
    daemon.tell(&edit).await;
    let after = until("it is told", async || told().get(count).copied()).await;
    assert!(after > before, "{after} was had before: the partner would pass over it ({before})");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_may_be_a_partners_is_not_shared_as_our_own() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let (_, onward) = daemon.agreed().await;
    daemon.stop_desk();
    let sender = Sender::agreed(&daemon).await;
    assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
    // The desk has made it, and its answer is not here yet.
    let share = json!({"agreement": onward});
    let ask = async || daemon.driver.ask(reqwest::Method::POST, "tickets/B2/share", Some(&share)).await;
    let refused = ask().await.unwrap_err().to_string();
    assert!(refused.contains("409") && refused.contains("crossdesk.ticket.create"), "{refused}");
    let commands = daemon.get("commands").await;
    let create =
        commands.as_array().unwrap().iter().find(|c| c["type"] == "crossdesk.ticket.create").unwrap();
    let user = commands.as_array().unwrap().iter().find(|c| c["type"] == "crossdesk.user.create").unwrap();
    assert_eq!(user["data"]["agreement"]["uuid"], sender.uuid.as_str(), "whose user it is: {user}");
    let done = json!({"specversion": "1.0", "id": "e-done", "source": "desk", "type": "helpdesk.command.completed",
        "data": {"command_id": create["id"], "status": "done", "ticket_id": "B2"}});
    daemon.driver.tell(&done).await.unwrap();
    ask().await.unwrap();
    assert_eq!(daemon.get("tickets/B2").await["shares"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_two_agreements_have_shares_nothing() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (first, _) = (daemon.agreed().await.1, daemon.agreed().await.1);
    let name = daemon.get(&format!("agreements/{first}")).await["name"].as_str().unwrap().to_owned();
    let (id, opened) = daemon.desk(|d| d.open(("77", "Joe"), "Lens stuck", "It is stuck.", &[]));
    daemon.tell(&opened).await;
    let share = json!({"agreement": name});
    let path = format!("tickets/{id}/share");
    let refused =
        daemon.driver.ask(reqwest::Method::POST, &path, Some(&share)).await.unwrap_err().to_string();
    assert!(refused.contains("409") && refused.contains("uuid"), "{refused}");
    let own = json!({"kind": "third_party", "url": daemon.sharing_url(), "name": "Ourselves"});
    let refused =
        daemon.driver.ask(reqwest::Method::POST, "agreements", Some(&own)).await.unwrap_err().to_string();
    assert!(refused.contains("422") && refused.contains("own"), "{refused}");
}
