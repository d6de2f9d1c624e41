//! An agreement's terms hold whatever the partner does, and nothing goes out once it has ended.

use serde_json::{Value, json};

use crate::support::{Pair, Sender, TestDaemon, new_ticket, until};

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
async fn the_senders_terms_hold_towards_a_receiver_that_breaks_them() {
    let acme = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, uuid) = acme.agreed().await;
    let strict =
        json!({"terms": {"comments": "private_only", "sync_tags": false, "sync_custom_fields": false}});
    acme.edit(&uuid, strict).await;
    let id = acme.open_and_share(&uuid, "Lens stuck").await;
    let post = until("it is out", async || partner.tickets("POST").pop()).await;
    let (ticket, theirs) = (post["uuid"].as_str().unwrap(), Sender::of(&acme, &partner, &uuid).await);
    let breaks = json!({"status": "solved", "tags": ["x"], "custom_fields": {"Model": "X100"}, "subject": "Changed",
        "comments": [{"uuid": "c", "author": {"uuid": "u", "name": "Kim", "role": "agent"}, "body": "for all to see", "public": true}]});
    assert_eq!(theirs.ticket("PUT", ticket, &breaks).await, 200);
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

#[tokio::test(flavor = "multi_thread")]
async fn an_old_partner_that_marks_no_comment_is_taken_as_this_side_has_settled() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    let edit = json!({"local": {"unmarked_comments": "public"}});
    let edited = daemon.edit(&sender.uuid, edit).await;
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
async fn what_waits_is_told_under_the_terms_as_they_are_then() {
    let acme = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, uuid) = acme.agreed().await;
    let id = acme.open_and_share(&uuid, "Lens stuck").await;
    until("it is out", async || partner.tickets("POST").pop()).await;
    acme.until_quiet().await;
    partner.answer_always(Some((503, vec![], String::new())));
    let event = acme.desk(|d| d.comment(&id, "Smith", "Thanks.", true));
    acme.tell(&event).await;
    until("it was tried", async || partner.tickets("PUT").pop()).await;
    // Behind what was tried, and may have arrived.
    let event = acme.desk(|d| d.tag(&id, &["vip"]));
    acme.tell(&event).await;
    let event = acme.desk(|d| d.comment(&id, "Smith", "And thanks.", true));
    acme.tell(&event).await;
    acme.edit(&uuid, json!({"terms": {"sync_tags": false}})).await;
    partner.answer_always(None);
    acme.until_quiet().await;
    let puts = until("the last comment is there", async || {
        let puts = partner.tickets("PUT");
        (puts.last()?["comments"][0]["body"] == "And thanks.").then_some(puts)
    })
    .await;
    for put in &puts {
        assert!(put.get("tags").is_none() && put["crossdesk"].get("tags_added").is_none(), "{put}");
    }
    // They may cross again: the partner has never had them.
    acme.edit(&uuid, json!({"terms": {"sync_tags": true}})).await;
    let event = acme.desk(|d| d.comment(&id, "Smith", "Bye.", true));
    acme.tell(&event).await;
    until("the tag is told", async || {
        partner.tickets("PUT").pop().filter(|put| put["tags"] == json!(["vip"]))
    })
    .await;
}
