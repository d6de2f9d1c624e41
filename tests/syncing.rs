//! What syncs and what does not: status, fields, comments, people, numbers; each from the outside, on both databases where
//! rows are concerned.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    echoes::{Sender, new_ticket},
    support::{Pair, TestDaemon, until},
};

const STORES: [Pair; 2] = [Pair::SQLITE_EMBEDDED, Pair::POSTGRES_EMBEDDED];

async fn edit(daemon: &TestDaemon, uuid: &str, edit: Value) -> Value {
    daemon.driver.ask(Method::PATCH, &format!("agreements/{uuid}"), Some(&edit)).await.unwrap()
}

/// The open issues of a ticket: subject and reason.
async fn issues(daemon: &TestDaemon, id: &str) -> Vec<(String, String)> {
    let shown = daemon.ticket(id).await;
    let text = |issue: &Value, key: &str| issue[key].as_str().unwrap().to_owned();
    shown["issues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| (text(issue, "subject"), text(issue, "reason")))
        .collect()
}

/// A test for each database, each with the broker that is mostly beside it.
macro_rules! on_both {
    ($($story:ident),* $(,)?) => {$(
        mod $story {
            use crate::support::Pair;
            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite_over_http() { super::$story(Pair::SQLITE_EMBEDDED).await; }
            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres_over_rabbitmq() { super::$story(Pair::POSTGRES_AMQP).await; }
        }
    )*};
}

on_both!(
    what_an_agent_decides_meanwhile_stands,
    statuses_are_translated_both_ways_and_a_nearest_one_is_said,
    fields_follow_the_rules_of_the_agreement,
    both_sides_know_each_others_number_and_link_and_what_further_terms_allow,
    html_is_cleaned_on_the_way_in,
    numbers_in_comments_become_the_partners_where_that_is_wanted,
    a_rule_shares_a_received_ticket_on_and_nothing_that_people_unshared,
    a_ticket_that_is_merged_or_deleted_ends_its_share_and_both_sides_are_told,
);

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_the_desk_cannot_set_is_kept_with_its_words_and_tried_again() {
    for pair in STORES {
        let daemon = TestDaemon::start("Lens", pair).await;
        daemon.desk(|d| d.required_to_solve = Some("Cause".into()));
        let sender = Sender::agreed(&daemon).await;
        assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
        let id = daemon.until_desk("the ticket is here", |d| d.find("t1")).await;
        daemon.until_quiet().await;
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
        until("and nothing is left of it", async || issues(&daemon, &id).await.is_empty().then_some(()))
            .await;
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
    until("it failed", async || (!issues(&daemon, &id).await.is_empty()).then_some(())).await;
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
    assert!(issues(&daemon, &id).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_ticket_takes_no_comment_and_none_is_lost() {
    for pair in STORES {
        let daemon = TestDaemon::start("Lens", pair).await;
        let sender = Sender::agreed(&daemon).await;
        assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
        let id = daemon.until_desk("the ticket is here", |d| d.find("t1")).await;
        daemon.until_quiet().await;
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
        assert_eq!(issues(&daemon, &id).await, [("comment:late".to_owned(), "ticket_closed".to_owned())]);
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
        until("and nothing is left of it", async || issues(&daemon, &id).await.is_empty().then_some(()))
            .await;
    }
}

async fn statuses_are_translated_both_ways_and_a_nearest_one_is_said(pair: Pair) {
    let daemon = TestDaemon::start("Acme", pair).await;
    let (partner, uuid) = daemon.agreed().await;
    let map = json!({"to_partner": {"pending": "Waiting"}, "from_partner": {"Waiting for parts": "hold"}});
    edit(&daemon, &uuid, json!({"local": {"status": map}})).await;
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    until("it is out", async || partner.tickets("POST").pop()).await;
    let event = daemon.desk(|d| d.set(&id, "status", "pending"));
    daemon.tell(&event).await;
    until("in the partner's words", async || {
        partner.tickets("PUT").into_iter().find(|put| put["status"] == "Waiting")
    })
    .await;
    let theirs = Sender {
        key: partner.key(&uuid).await,
        partner: partner.clone(),
        uuid: uuid.clone(),
        base: daemon.sharing_url(),
    };
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
        (issues(&daemon, &id).await == [("status".to_owned(), "nearest_status".to_owned())]).then_some(())
    })
    .await;
    assert_eq!(daemon.desk(|d| d.tickets[&id].values["status"].clone()), "hold");
    assert_eq!(theirs.ticket("PUT", ticket.as_str(), &json!({"status": "open"})).await, 200);
    until("a known one settles it", async || issues(&daemon, &id).await.is_empty().then_some(())).await;

    daemon.until_quiet().await;
    // Request Tracker has no on-hold: it is told open, and the agents can see so.
    edit(&daemon, &uuid, json!({"profile": "request-tracker", "local": {"status": null}})).await;
    let event = daemon.desk(|d| d.set(&id, "status", "hold"));
    daemon.tell(&event).await;
    until("it is said", async || {
        (issues(&daemon, &id).await == [("status".to_owned(), "nearest_status".to_owned())]).then_some(())
    })
    .await;
    let event = daemon.desk(|d| d.set(&id, "status", "solved"));
    daemon.tell(&event).await;
    until("solved is solved", async || {
        partner.tickets("PUT").into_iter().find(|put| put["status"] == "solved")
    })
    .await;
    assert!(issues(&daemon, &id).await.is_empty());
    // A custom status travels as text.
    let event = daemon.desk(|d| d.set(&id, "custom_status", "Waiting for the lab"));
    daemon.tell(&event).await;
    until("as text", async || {
        partner.tickets("PUT").into_iter().find(|put| put["custom_status"] == "Waiting for the lab")
    })
    .await;
}

async fn fields_follow_the_rules_of_the_agreement(pair: Pair) {
    let daemon = TestDaemon::with("Acme", pair, Default::default(), |config| {
        let field = |title: &str| crossdesk::domain::CustomField {
            title: crossdesk::domain::Title::new(title),
            kind: crossdesk::domain::FieldType::Text,
            options: vec![],
        };
        config.desk.fields = ["Model", "Colour", "Secret", "Out", "In"].map(field).to_vec();
    })
    .await;
    let (partner, uuid) = daemon.agreed().await;
    let fields = json!([
        {"title": "Model", "partner_title": "Product", "values": {"X100": "cam-x100"}},
        {"title": "Secret", "direction": "never"},
        {"title": "Out", "direction": "to_partner"},
        {"title": "In", "direction": "from_partner"},
        {"title": "Source", "fixed": "Acme Support"},
    ]);
    edit(
        &daemon,
        &uuid,
        json!({"local": {"fields": fields, "reference_field": "Their number", "priority_field": "Urgency"}}),
    )
    .await;
    let values = [
        ("Model", json!("X100")),
        ("Colour", json!("red")),
        ("Secret", json!("s")),
        ("Out", json!("o")),
        ("In", json!("i")),
    ];
    let (id, opened) = daemon.desk(|d| d.open(("77", "Joe"), "Lens stuck", "It is stuck.", &values));
    daemon.tell(&opened).await;
    let event = daemon.desk(|d| {
        d.set(&id, "priority", "urgent");
        d.share(&id, &uuid)
    });
    daemon.tell(&event).await;
    let post = until("it is out", async || partner.tickets("POST").pop()).await;
    let expected = json!({"Product": "cam-x100", "Colour": "red", "Out": "o", "Source": "Acme Support",
        "Their number": id, "Urgency": "urgent"});
    assert_eq!(post["custom_fields"], expected);
    let theirs = Sender {
        key: partner.key(&uuid).await,
        partner: partner.clone(),
        uuid: uuid.clone(),
        base: daemon.sharing_url(),
    };
    let ticket = post["uuid"].as_str().unwrap().to_owned();
    let answer = json!({"custom_fields": {"product": "CAM-X100", "PRODUCT": "CAM-X100", "Colour": "blue", "Secret": "x", "Out": "x", "In": "y",
        "Source": "x", "Their number": 88, "urgency": "low", "Model": "not ours"}});
    assert_eq!(theirs.ticket("PUT", &ticket, &answer).await, 200);
    daemon
        .until_desk("what may come has come", |d| (d.tickets[&id].fields["Colour"] == "blue").then_some(()))
        .await;
    let seen = daemon.desk(|d| d.tickets[&id].clone());
    assert_eq!(seen.values["priority"], "low");
    let of = |title: &str| seen.fields[title].clone();
    assert_eq!(
        (of("Model"), of("Secret"), of("Out"), of("In")),
        (json!("X100"), json!("s"), json!("o"), json!("y"))
    );
    let mut left_out: Vec<String> = daemon
        .desk(|d| d.not_synced.iter().map(|field| field["title"].as_str().unwrap().to_owned()).collect());
    left_out.sort();
    assert_eq!(left_out, ["Model", "Out", "Secret", "Source"]);
    daemon.until_quiet().await;
    let shown = daemon.ticket(&id).await;
    assert_eq!(
        (shown["shares"][0]["partner_ticket_id"].as_str(), shown["url"].as_str().unwrap().ends_with(&id)),
        (Some("88"), true)
    );
    // The same again is nothing new, for either side.
    let before = daemon.desk(|d| d.not_synced.len());
    assert_eq!(theirs.ticket("PUT", &ticket, &answer).await, 200);
    daemon.until_quiet().await;
    assert_eq!(daemon.desk(|d| d.not_synced.len()), before);
    assert!(
        partner.tickets("PUT").iter().all(|put| put.get("custom_fields").is_none()),
        "{:?}",
        partner.tickets("PUT")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_fitted_no_field_is_set_when_the_catalogue_changes() {
    for pair in STORES {
        let daemon = TestDaemon::start("Lens", pair).await;
        let sender = Sender::agreed(&daemon).await;
        for n in 0..3 {
            let mut ticket = new_ticket(&format!("t{n}"));
            ticket["custom_fields"] = json!({"Model": "x100", "Serial": "abc"});
            assert_eq!(sender.ticket("POST", &format!("t{n}"), &ticket).await, 201);
        }
        let id = daemon
            .until_desk("the tickets are here", |d| d.find("t0").filter(|_| d.tickets.len() == 3))
            .await;
        daemon.until_quiet().await;
        let unknown =
            ["field:Model", "field:Serial"].map(|subject| (subject.to_owned(), "unknown_field".to_owned()));
        assert_eq!(issues(&daemon, &id).await, unknown);
        let fields = json!([{"title": "Model", "type": "dropdown", "options": ["X100"]}, {"title": "Serial", "type": "integer"}]);
        let event = json!({"specversion": "1.0", "id": "f-1", "source": "desk", "type": "helpdesk.fields.changed", "data": {"fields": fields}});
        daemon.tell(&event).await;
        daemon
            .until_desk("what fits now is set", |d| {
                d.tickets.values().all(|t| t.fields.get("Model") == Some(&json!("X100"))).then_some(())
            })
            .await;
        until("what still does not says why", async || {
            (issues(&daemon, &id).await == [("field:Serial".to_owned(), "incompatible_type".to_owned())])
                .then_some(())
        })
        .await;
        daemon.until_quiet().await;
        assert_eq!(sender.partner.tickets("PUT").len(), 0, "nothing of it is said back");
    }
}

async fn both_sides_know_each_others_number_and_link_and_what_further_terms_allow(pair: Pair) {
    let (acme, lens) = (TestDaemon::start("Acme", pair).await, TestDaemon::start("Lens", pair).await);
    let uuid = acme.agree_with(&lens).await;
    edit(
        &acme,
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
    assert_eq!(share(&acme, &other).await["partner_ticket_id"], plain_there.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partners_person_who_writes_on_this_desk_is_the_same_over_there() {
    for pair in STORES {
        let daemon = TestDaemon::start("Lens", pair).await;
        let sender = Sender::agreed(&daemon).await;
        assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
        let id = daemon.until_desk("the ticket is here", |d| d.find("t1")).await;
        daemon.until_quiet().await;
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
    edit(&acme, &uuid, json!({"local": {"rewrite_references": true}})).await;
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
