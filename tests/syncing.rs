//! What else syncs and what does not: numbers, links, people, HTML, rules, merges; on both databases.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Pair, Sender, TestDaemon, new_ticket, until};

crate::on_both!(
    both_sides_know_each_others_number_and_link_and_what_further_terms_allow,
    html_is_cleaned_on_the_way_in,
    numbers_in_comments_become_the_partners_where_that_is_wanted,
    a_rule_shares_a_received_ticket_on_and_nothing_that_people_unshared,
    a_ticket_that_is_merged_or_deleted_ends_its_share_and_both_sides_are_told,
);

async fn both_sides_know_each_others_number_and_link_and_what_further_terms_allow(pair: Pair) {
    let (acme, lens) = (TestDaemon::start("Acme", pair).await, TestDaemon::start("Lens", pair).await);
    let uuid = acme.agree_with(&lens).await;
    acme.edit(
        &uuid,
        json!({"terms": {"priority": true, "assignee": true, "requester_email": true, "ccs": true}}),
    )
    .await;
    until("the receiver knows the terms", async || {
        (lens.get(&format!("agreements/{uuid}")).await["terms"]["ccs"] == true).then_some(())
    })
    .await;
    let (id, mut opened) = acme.desk(|d| d.open(("77", "Joe User"), "Lens stuck", "It is stuck.", &[]));
    let more = json!({"priority": "high", "assignee": {"id": "9", "name": "Smith"},
        "requester": {"id": "77", "name": "Joe User", "email": "joe@example.com"},
        "ccs": [{"id": "78", "name": "Ann", "email": "ann@example.com"}]});
    for (key, value) in more.as_object().unwrap() {
        opened["data"]["ticket"][key] = value.clone();
    }
    opened["type"] = json!("helpdesk.ticket.shared");
    opened["data"]["agreement"] = json!(uuid);
    opened["data"]["comments_complete"] = json!(true);
    acme.tell(&opened).await;
    let there = lens.until_desk("the ticket is there", |d| d.tickets.keys().next().cloned()).await;
    assert_eq!(lens.desk(|d| d.tickets[&there].values["priority"].clone()), "high");
    let told = json!({"assignee": "Smith", "requester_email": "joe@example.com", "ccs": [{"name": "Ann", "email": "ann@example.com"}]});
    // Its number is known here once the desk has answered.
    let share = async |daemon: &TestDaemon, id: &str| {
        until("the number is known", async || {
            let shown = daemon.driver.ask(Method::GET, &format!("tickets/{id}"), None).await.ok()?;
            Some(shown["shares"][0].clone())
        })
        .await
    };
    assert_eq!(share(&lens, &there).await["partner_told"], told);
    until("the sender has the receiver's number and link", async || {
        let share = share(&acme, &id).await;
        (share["partner_ticket_id"] == there.as_str() && share["partner_url"].as_str()?.ends_with(&there))
            .then_some(())
    })
    .await;
    assert_eq!(share(&lens, &there).await["partner_ticket_id"], id.as_str());
    // The priority goes both ways; without the term nothing of it does.
    let event = lens.desk(|d| d.set(&there, "priority", "urgent"));
    lens.tell(&event).await;
    acme.until_desk("the priority has come back", |d| {
        (d.tickets[&id].values.get("priority") == Some(&json!("urgent"))).then_some(())
    })
    .await;
    let plain = acme.agree_with(&lens).await;
    let (other, mut opened) = acme.desk(|d| d.open(("77", "Joe User"), "Another", "Hello.", &[]));
    opened["data"]["ticket"]["priority"] = json!("low");
    opened["data"]["ticket"]["requester"]["email"] = json!("joe@example.com");
    opened["type"] = json!("helpdesk.ticket.shared");
    opened["data"]["agreement"] = json!(plain);
    acme.tell(&opened).await;
    let plain_there =
        lens.until_desk("it is there", |d| d.tickets.keys().find(|number| **number != there).cloned()).await;
    acme.until_quiet().await;
    lens.until_quiet().await;
    let shown = lens.ticket(&plain_there).await;
    assert!(shown["priority"].is_null() && shown["shares"][0]["partner_told"] == json!({}), "{shown}");
    until("its number is known here", async || {
        (share(&acme, &other).await["partner_ticket_id"] == plain_there.as_str()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partners_person_who_writes_on_this_desk_is_the_same_over_there() {
    for pair in Pair::STORES {
        let daemon = TestDaemon::start("Lens", pair).await;
        let sender = Sender::agreed(&daemon).await;
        let id = sender.share(&daemon, "t1").await;
        let event = daemon.desk(|d| d.comment_as_dummy(&id, "joe", "I am here too."));
        daemon.tell(&event).await;
        let put = until("it goes out", async || sender.partner.tickets("PUT").pop()).await;
        let author = &put["comments"][0]["author"];
        assert_eq!((author["uuid"].as_str(), author["name"].as_str()), (Some("joe"), Some("Joe")), "{put}");
    }
}

async fn html_is_cleaned_on_the_way_in(pair: Pair) {
    let daemon = TestDaemon::start("Lens", pair).await;
    daemon.stop_desk();
    let sender = Sender::agreed(&daemon).await;
    let mut ticket = new_ticket("t1");
    ticket["comments"][0]["html_body"] = json!(
        "<p onclick=\"x()\">Hi <script>alert(1)</script><img src=x onerror=alert(1)><a href=\"javascript:x()\">here</a></p>"
    );
    let file =
        |url: &str| json!({"url": url, "filename": "../../etc/photo.png", "content_type": "image/png"});
    ticket["comments"][0]["attachments"] =
        json!([file("javascript:x()"), file("https://a.example/1"), file("file:///etc/passwd")]);
    ticket["comments"].as_array_mut().unwrap().push(json!({"uuid": "c2", "author": {"uuid": "joe", "name": "Joe"}, "html_body": "<p>a &lt; b</p>", "public": true}));
    assert_eq!(sender.ticket("POST", "t1", &ticket).await, 201);
    let create = until("the command waits", async || {
        let commands = daemon.get("commands").await;
        commands.as_array()?.iter().find(|c| c["type"] == "crossdesk.ticket.create").cloned()
    })
    .await;
    let comments = &create.get("body").unwrap_or(&create)["data"]["comments"];
    let html = comments[0]["html_body"].as_str().unwrap();
    assert!(
        !html.contains("script")
            && !html.contains("onclick")
            && !html.contains("onerror")
            && html.contains("<p>Hi"),
        "{html}"
    );
    assert_eq!(comments[1]["body"], "a < b");
    let files = comments[0]["attachments"].as_array().unwrap();
    assert_eq!((files.len(), &files[0]["filename"]), (1, &json!("photo.png")), "{files:?}");
}

async fn numbers_in_comments_become_the_partners_where_that_is_wanted(pair: Pair) {
    let (acme, lens) = (TestDaemon::start("Acme", pair).await, TestDaemon::start("Lens", pair).await);
    let uuid = acme.agree_with(&lens).await;
    let first = acme.open_and_share(&uuid, "First").await;
    let there = lens.until_desk("the first is there", |d| d.tickets.keys().next().cloned()).await;
    let second = acme.open_and_share(&uuid, "Second").await;
    until("its number is known", async || {
        (acme.ticket(&first).await["shares"][0]["partner_ticket_id"] == there.as_str()).then_some(())
    })
    .await;
    let say = async |body: &str| {
        let event = acme.desk(|d| d.comment(&second, "Smith", body, true));
        acme.tell(&event).await;
        lens.until_desk("the comment is there", |d| {
            let last =
                d.tickets.values().find(|t| t.values["subject"] == "Second")?.comments.last()?.body.clone();
            (last != "It is stuck." && last.starts_with(&body[..4])).then_some(last)
        })
        .await
    };
    let body = format!("A) see #{first} and #999999");
    assert_eq!(say(&body).await, body, "as it is, unless it is wanted");
    acme.edit(&uuid, json!({"local": {"rewrite_references": true}})).await;
    assert_eq!(say(&format!("B) see #{first} and #999999")).await, format!("B) see #{there} and #999999"));
}

async fn a_rule_shares_a_received_ticket_on_and_nothing_that_people_unshared(pair: Pair) {
    let (a, c) = (TestDaemon::start("A", pair).await, TestDaemon::start("C", pair).await);
    let rule = |with: &str| crossdesk::config::Rule {
        name: "On".into(),
        when: "ticket.subject.contains('Lens')".into(),
        share_with: with.into(),
    };
    let mut b = TestDaemon::start("B", pair).await;
    let ab = a.agree_with(&b).await;
    let bc = b.agree_with(&c).await;
    b.stop().await;
    b.config.rules = vec![rule(&ab), rule(&bc)];
    b.resume().await;
    // The first rule that holds wins; it would go back the way that it came, so nothing happens.
    a.open_and_share(&ab, "Lens stuck").await;
    let at_b = b.until_desk("it is at B", |d| d.tickets.keys().next().cloned()).await;
    a.until_quiet().await;
    b.until_quiet().await;
    assert_eq!(c.desk(|d| d.tickets.len()), 0);
    b.stop().await;
    b.config.rules = vec![rule(&bc)];
    b.resume().await;
    let event = b.desk(|d| d.comment(&at_b, "Bo", "Going on.", true));
    b.tell(&event).await;
    c.until_desk("it is at C, with all comments", |d| {
        d.tickets.values().next().filter(|t| t.comments.len() == 2).map(drop)
    })
    .await;
    let story = b.get(&format!("tickets/{at_b}/explain")).await;
    assert!(story["timeline"].as_array().unwrap().iter().any(|line| line["rule"] == "On"), "{story}");
    b.driver.ask(Method::DELETE, &format!("tickets/{at_b}/share"), None).await.unwrap();
    let event = b.desk(|d| d.comment(&at_b, "Bo", "Not any more.", true));
    b.tell(&event).await;
    b.until_quiet().await;
    let shares = b.ticket(&at_b).await["shares"].clone();
    let ended = shares.as_array().unwrap().iter().find(|share| share["agreement"] == bc.as_str()).unwrap();
    assert_eq!(ended["state"], "ended", "what people unshared no rule shares again");
}

async fn a_ticket_that_is_merged_or_deleted_ends_its_share_and_both_sides_are_told(pair: Pair) {
    for (kind, data) in [("merged", json!({"into": {"id": "1"}})), ("deleted", json!({}))] {
        let (acme, lens) = (TestDaemon::start("Acme", pair).await, TestDaemon::start("Lens", pair).await);
        let uuid = acme.agree_with(&lens).await;
        let id = acme.open_and_share(&uuid, "Lens stuck").await;
        let there = lens.until_desk("the ticket is there", |d| d.tickets.keys().next().cloned()).await;
        assert_eq!(acme.ticket(&id).await["mergeable"], false);
        let mut data = data.clone();
        data["ticket"] = json!({"id": id});
        let event = json!({"specversion": "1.0", "id": "m-1", "source": "desk", "type": format!("helpdesk.ticket.{kind}"), "data": data});
        acme.tell(&event).await;
        acme.until_desk("the desk is told", |d| {
            d.notices.iter().find(|n| n["kind"] == "ticket_unshared").cloned()
        })
        .await;
        until("the share has ended there", async || {
            (lens.ticket(&there).await["shares"][0]["state"] == "ended").then_some(())
        })
        .await;
        assert_eq!(acme.ticket(&id).await["mergeable"], true);
        assert_eq!(lens.desk(|d| d.tickets.len()), 1, "the partner keeps its ticket");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_comments_go_out_a_message_at_a_time_each_once_and_in_order() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, agreement) = daemon.agreed().await;
    let comment = |n: usize| {
        json!({"id": n.to_string(), "body": format!("{n}"), "public": true,
            "author": {"id": "9", "name": "Smith", "role": "agent"}})
    };
    let event = json!({"specversion": "1.0", "id": "s", "source": "desk", "type": "helpdesk.ticket.shared", "data": {
        "agreement": agreement, "ticket": {"id": "1", "revision": 1, "subject": "Lens stuck", "status": "open"},
        "comments": (0..450).map(comment).collect::<Vec<_>>(), "comments_complete": true}});
    daemon.tell(&event).await;
    until("all is told", async || (partner.tickets("PUT").len() == 2).then_some(())).await;
    daemon.until_quiet().await;
    let messages = [partner.tickets("POST"), partner.tickets("PUT")].concat();
    let told: Vec<Vec<Value>> =
        messages.iter().map(|message| message["comments"].as_array().unwrap().clone()).collect();
    assert_eq!(told.iter().map(Vec::len).collect::<Vec<_>>(), [200, 200, 50]);
    let bodies: Vec<_> = told.iter().flatten().map(|one| one["body"].as_str().unwrap().to_owned()).collect();
    assert_eq!(bodies, (0..450).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_the_desk_has_deleted_is_not_taken_for_one_that_could_be_shared_anew() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    let id = sender.share(&daemon, "t1").await;
    let event = json!({"specversion": "1.0", "id": "d", "source": "desk", "type": "helpdesk.ticket.deleted",
        "data": {"ticket": {"id": id}}});
    daemon.tell(&event).await;
    until("the sender is told", async || sender.partner.tickets("DELETE").pop()).await;
    daemon.until_quiet().await;
    let (status, text) = sender.send("POST", "tickets/t1", Some(&new_ticket("t1")), true).await;
    assert!(status == 422 && text.contains("deleted"), "{status} {text}");
    // It was a mistake: the desk has it again.
    let event = json!({"specversion": "1.0", "id": "r", "source": "desk", "type": "helpdesk.ticket.changed",
        "data": {"ticket": {"id": id, "status": "open"}}});
    daemon.tell(&event).await;
    assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_people_of_the_desk_are_told_once_of_a_field_that_does_not_fit() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    let id = sender.share(&daemon, "t1").await;
    for value in [7, 8] {
        assert_eq!(sender.ticket("PUT", "t1", &json!({"custom_fields": {"Serial": value}})).await, 200);
    }
    daemon.until_quiet().await;
    let told = daemon.desk(|desk| desk.notices.clone());
    let told: Vec<&Value> = told.iter().filter(|notice| notice["kind"] == "field_failed").collect();
    let text = told[0]["text"].as_str().unwrap();
    assert!(told.len() == 1 && text.contains(&id) && text.contains("\"Serial\""), "{told:?}");
}
