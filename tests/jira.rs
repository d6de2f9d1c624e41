//! Tickets shared with a Jira, both ways, on Cloud and Data Center; every request held against Jira's own description.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Pair,
    jira::{ACCOUNT, FakeJira, TOKEN, Trick, agreed, camera_desk, delivered, settled, shared},
    until,
};

async fn the_whole_story(pair: Pair, jira: FakeJira) {
    let daemon = camera_desk("Acme", pair).await;
    let uuid = agreed(&daemon, &jira, jira.settings()).await;
    let id = shared(&daemon, &uuid).await;
    let issue = settled(&daemon, &jira, &id).await;
    let ticket = daemon.ticket(&id).await;
    let name = ticket["uuid"].as_str().unwrap();

    // Out: the issue, its link back, its property, the private comment for a role alone.
    assert_eq!(issue.fields["summary"], "Lens stuck");
    let description = issue.text("description");
    assert!(description.contains("https://desk.example/tickets/") && description.contains("Joe User wrote:"));
    assert!(description.contains("It is stuck.") && !description.contains("rude"), "{description}");
    assert_eq!(issue.fields["priority"], json!({"name": "Highest"}));
    assert_eq!(issue.fields["labels"], json!(["lens", "two_words"]));
    assert_eq!(issue.fields["customfield_10010"], json!({"value": "X100"}));
    assert_eq!(issue.links[0]["globalId"], name);
    assert_eq!(issue.properties["crossdesk"]["uuid"], name);
    assert_eq!(issue.properties["crossdesk"]["agreement"], uuid.as_str());
    assert_eq!(issue.comments.len(), 1);
    assert!(issue.said()[0].contains("Smith wrote:") && issue.said()[0].contains("rude"));
    assert_eq!(issue.comments[0]["visibility"], json!({"type": "role", "value": "Developers"}));
    // What has no field there is told, and the ticket says which issue it is.
    let issues = ticket["issues"].to_string();
    assert!(issues.contains("field:Shelf") && issues.contains("unknown_field"), "{issues}");
    assert_eq!(ticket["shares"][0]["partner_ticket_id"], issue.key.as_str());
    assert_eq!(ticket["shares"][0]["partner_url"], format!("{}/browse/{}", jira.url, issue.key));

    // Changes: a status by the transition that leads there, a comment, a label.
    for event in [
        daemon.desk(|desk| desk.set(&id, "status", "pending")),
        daemon.desk(|desk| desk.comment(&id, "Smith", "We look into it.", true)),
        daemon.desk(|desk| desk.tag(&id, &["two words", "x100"])),
    ] {
        daemon.tell(&event).await;
    }
    let labels = json!(["two_words", "x100"]);
    until("the last of it is there", async || (jira.issue().fields["labels"] == labels).then_some(())).await;
    delivered(&daemon, &id).await;
    let issue = jira.issue();
    assert_eq!(issue.status, "Waiting");
    assert!(issue.said()[1].contains("We look into it.") && issue.comments[1]["visibility"].is_null());

    // In: a comment, a private one, a status, a summary.
    let hook = jira.comment("Which firmware?", Value::Null);
    assert_eq!(jira.send(&hook, "h1").await, 200);
    assert_eq!(jira.send(&hook, "h1").await, 200, "twice is as good as once");
    let hook = jira.comment("Known bug.", json!({"type": "role", "value": "Developers"}));
    assert_eq!(jira.send(&hook, "h2").await, 200);
    let closed = jira.change(
        "u-kim",
        |issue| {
            issue.status = "Done".to_owned();
            issue.fields.insert("summary".to_owned(), json!("Lens stuck (X100)"));
            issue.fields.insert("customfield_10011".to_owned(), json!("S-1"));
        },
        json!([{"field": "status", "fieldId": "status", "fieldtype": "jira"}, {"field": "summary", "fieldId": "summary"},
            {"field": "Serial", "fieldId": "customfield_10011", "fieldtype": "custom"},
            {"field": "Story points", "fieldId": "customfield_10012", "fieldtype": "custom"}]),
    );
    assert_eq!(jira.send(&closed, "h3").await, 200);
    daemon
        .until_desk("what was done in Jira is on the desk", |desk| {
            let ticket = &desk.tickets[&id];
            let has = |words: &str, public: bool| {
                ticket.comments.iter().filter(|c| c.body == words && c.public == public).count() == 1
            };
            (ticket.values["status"] == "solved"
                && ticket.values["subject"] == "Lens stuck (X100)"
                && ticket.fields.get("Serial") == Some(&json!("S-1"))
                && has("Which firmware?", true)
                && has("Known bug.", false))
            .then_some(())
        })
        .await;
    daemon.until_quiet().await;
    delivered(&daemon, &id).await;
    let before = jira.with(|state| state.requests.len());

    // Our own doing comes back as webhooks, and changes nothing; nor does an older one that comes late.
    let ours = jira.change(ACCOUNT, |_| {}, json!([{"field": "labels", "fieldId": "labels"}]));
    assert_eq!(jira.send(&ours, "h4").await, 200);
    assert_eq!(jira.send(&jira.our_comment(), "h4b").await, 200);
    let mut late = closed.clone();
    late["timestamp"] = json!(closed["timestamp"].as_i64().unwrap() - 500);
    late["issue"]["fields"]["summary"] = json!("An older summary");
    assert_eq!(jira.send(&late, "h5").await, 200);
    daemon.until_quiet().await;
    delivered(&daemon, &id).await;
    let asked = jira.with(|state| state.requests.split_off(before));
    assert!(asked.iter().all(|request| request.starts_with("GET")), "{asked:?}");
    assert_eq!(daemon.ticket(&id).await["subject"], "Lens stuck (X100)");

    // A subject that is too long for a summary stays whole here, though each webhook shows it cut short.
    let long = format!("Lens stuck, {}", "and stuck, ".repeat(40));
    let event = daemon.desk(|desk| desk.set(&id, "subject", &long));
    daemon.tell(&event).await;
    until("the summary is there", async || {
        (jira.issue().fields["summary"].as_str()?.len() == 255).then_some(())
    })
    .await;
    delivered(&daemon, &id).await;
    let hook = jira.change("u-kim", |_| {}, json!([{"field": "description", "fieldId": "description"}]));
    assert_eq!(jira.send(&hook, "h5b").await, 200);
    daemon.until_quiet().await;
    assert_eq!(daemon.ticket(&id).await["subject"], long.as_str());

    // A comment that is edited there is told anew, since what has crossed is not written again.
    let mut edited = jira.comment("Typo", Value::Null);
    assert_eq!(jira.send(&edited, "h6").await, 200);
    edited["webhookEvent"] = json!("comment_updated");
    edited["comment"]["body"] = json!("No typo");
    assert_eq!(jira.send(&edited, "h7").await, 200);
    if !jira.with(|state| state.cloud) {
        // Data Center tells an edit once more, as a change of the issue.
        let mut told = jira.change("u-kim", |_| {}, json!([]));
        told["issue_event_type_name"] = json!("issue_comment_edited");
        told["comment"] = edited["comment"].clone();
        assert_eq!(jira.send(&told, "h7b").await, 200);
        daemon.until_quiet().await;
    }
    daemon
        .until_desk("the edited comment is on the desk", |desk| {
            let said = desk.tickets[&id].comments.iter().filter(|c| c.body.contains("No typo"));
            said.map(|c| c.body.as_str()).eq(["(edited) No typo"]).then_some(())
        })
        .await;

    // The end: link and property go, the issue stays.
    daemon.driver.ask(Method::DELETE, &format!("tickets/{id}/share"), None).await.unwrap();
    until("the issue is parted from the ticket", async || {
        let issue = jira.issue();
        (issue.links.is_empty() && issue.properties.is_empty()).then_some(())
    })
    .await;
    jira.assert_in_contract();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_and_an_issue_of_a_cloud_stay_one() {
    the_whole_story(Pair::SQLITE_EMBEDDED, FakeJira::cloud().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_and_an_issue_of_a_data_center_stay_one() {
    the_whole_story(Pair::POSTGRES_AMQP, FakeJira::data_center().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_makes_no_second_issue_and_no_second_comment() {
    let jira = FakeJira::cloud().await;
    jira.with(|state| state.newest = true);
    let daemon = camera_desk("Acme", Pair::SQLITE_EMBEDDED).await;
    let uuid = agreed(&daemon, &jira, jira.settings()).await;
    jira.trick("POST /issue", Trick::Lose);
    jira.trick("POST /search/jql", Trick::Lose);
    jira.trick("remotelink", Trick::Lose);
    jira.trick("POST /issue/SUP-2/comment", Trick::Lose);
    let id = shared(&daemon, &uuid).await;
    let issue = settled(&daemon, &jira, &id).await;
    assert_eq!((issue.comments.len(), issue.links.len()), (1, 1), "{issue:?}");
    jira.trick("comment", Trick::Lose);
    jira.trick("POST /issue/SUP-2/comment", Trick::Bury(130));
    let event = daemon.desk(|desk| desk.comment(&id, "Smith", "Once.", true));
    daemon.tell(&event).await;
    until("it is written", async || (jira.issue().comments.len() > 1).then_some(())).await;
    delivered(&daemon, &id).await;
    assert_eq!(jira.issue().said().iter().filter(|said| said.contains("Once.")).count(), 1);

    // Parted, and shared anew: it is another issue, and what is done in the first one is nobody's concern.
    let old = jira.comment("To the first one.", Value::Null);
    daemon.driver.ask(Method::DELETE, &format!("tickets/{id}/share"), None).await.unwrap();
    until("it is parted", async || jira.issue().links.is_empty().then_some(())).await;
    let event = daemon.desk(|desk| desk.share(&id, &uuid));
    daemon.tell(&event).await;
    let new = until("another is linked", async || {
        jira.issues().into_iter().find(|issue| !issue.links.is_empty()).map(|issue| issue.id)
    })
    .await;
    delivered(&daemon, &id).await;
    let mut other = old.clone();
    other["issue"]["id"] = json!(new);
    other["comment"]["id"] = json!("900");
    other["comment"]["body"] = json!("To the second one.");
    assert_eq!((jira.send(&old, "old").await, jira.send(&other, "new").await), (200, 200));
    daemon
        .until_desk("what is said in the second is on the desk, and in the first is not", |desk| {
            let said: Vec<&str> = desk.tickets[&id].comments.iter().map(|c| c.body.as_str()).collect();
            assert!(!said.contains(&"To the first one."), "{said:?}");
            said.contains(&"To the second one.").then_some(())
        })
        .await;
    jira.assert_in_contract();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_project_lacks_is_left_out_alone_and_told_in_jiras_own_words() {
    let jira = FakeJira::cloud().await;
    jira.with(|state| {
        state.hidden.extend(["priority", "description"].map(str::to_owned));
        state.workflow.insert("In Progress".to_owned(), vec![("Stop work", "To Do"), ("Close", "Done")]);
    });
    let daemon = camera_desk("Acme", Pair::SQLITE_EMBEDDED).await;
    let uuid = agreed(&daemon, &jira, jira.settings()).await;
    let id = shared(&daemon, &uuid).await;
    let issue = settled(&daemon, &jira, &id).await;
    assert!(!issue.fields.contains_key("priority") && issue.fields.contains_key("customfield_10010"));
    // The first comment has no description to stand in.
    assert!(issue.said().iter().any(|said| said.contains("It is stuck.")), "{issue:?}");
    let ticket = daemon.ticket(&id).await;
    assert!(ticket["issues"].to_string().contains("not on the appropriate screen"), "{ticket}");
    // An option that is none, and a status that no transition leads to: with the names of those that there are.
    let event = daemon.desk(|desk| desk.fill(&id, "Camera model", json!("Unheard of")));
    daemon.tell(&event).await;
    let event = daemon.desk(|desk| desk.set(&id, "status", "pending"));
    daemon.tell(&event).await;
    let issues = until("both are told", async || {
        let issues = daemon.ticket(&id).await["issues"].to_string();
        (issues.contains("Option value 'Unheard of' is not valid") && issues.contains("no transition leads"))
            .then_some(issues)
    })
    .await;
    assert!(issues.contains("Stop work, Close"), "{issues}");
    assert_eq!(jira.issue().status, "In Progress");
    // Once somebody mends it over there, the next change of the kind settles it.
    let event = daemon.desk(|desk| desk.set(&id, "status", "solved"));
    daemon.tell(&event).await;
    until("the issue is done", async || (jira.issue().status == "Done").then_some(())).await;
    until("the status is no issue any more", async || {
        let ticket = daemon.ticket(&id).await;
        (!ticket["issues"].to_string().contains("no transition leads")).then_some(())
    })
    .await;
    jira.assert_in_contract();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_the_map_is_not_just_any_open_one_and_a_link_that_is_refused_holds_nothing_up() {
    let jira = FakeJira::cloud().await;
    let daemon = camera_desk("Acme", Pair::SQLITE_EMBEDDED).await;
    let mut settings = jira.settings();
    settings["status"] = json!({"pending": "Waiting"});
    let uuid = agreed(&daemon, &jira, settings).await;
    jira.with(|state| {
        state.workflow.insert("To Do".to_owned(), vec![("Wait", "Waiting"), ("Close", "Done")]);
    });
    let refused = json!({"errorMessages": ["You do not have permission to create remote links"]});
    jira.trick("remotelink", Trick::Refuse(403, Vec::new(), refused));
    let id = shared(&daemon, &uuid).await;
    let issue = settled(&daemon, &jira, &id).await;
    assert_eq!((issue.comments.len(), issue.links.len()), (1, 0));
    let ticket = daemon.ticket(&id).await;
    assert!(ticket["issues"].to_string().contains("permission to create remote links"), "{ticket}");
    for (status, there) in
        [("pending", "Waiting"), ("open", "In Progress"), ("solved", "Done"), ("open", "To Do")]
    {
        let event = daemon.desk(|desk| desk.set(&id, "status", status));
        daemon.tell(&event).await;
        until(&format!("{status} is {there}"), async || (jira.issue().status == there).then_some(())).await;
        delivered(&daemon, &id).await;
        // Any change there tells the status along: it is the one that this desk has.
        let hook = jira.change("u-kim", |_| {}, json!([{"field": "description", "fieldId": "description"}]));
        assert_eq!(jira.send(&hook, &format!("{status} {there}")).await, 200);
        daemon.until_quiet().await;
        assert_eq!(daemon.ticket(&id).await["status"], status);
    }
    jira.assert_in_contract();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_rate_limit_is_waited_for_and_wrong_credentials_are_said_and_lose_nothing() {
    let jira = FakeJira::cloud().await;
    let daemon = camera_desk("Acme", Pair::SQLITE_EMBEDDED).await;
    let uuid = agreed(&daemon, &jira, jira.settings()).await;
    let limited = || {
        let headers = vec![("retry-after", "1".to_owned()), ("x-ratelimit-remaining", "0".to_owned())];
        Trick::Refuse(429, headers, json!({"errorMessages": ["Rate limit exceeded"]}))
    };
    jira.trick("POST /search", limited());
    let begun = std::time::Instant::now();
    let id = shared(&daemon, &uuid).await;
    settled(&daemon, &jira, &id).await;
    assert!(begun.elapsed() >= std::time::Duration::from_millis(900), "it wanted to be left alone");
    let searched = jira.with(|state| state.requests.iter().filter(|r| *r == "POST /search").count());
    assert_eq!(searched, 2);

    jira.with(|state| state.token = "another".to_owned());
    let event = daemon.desk(|desk| desk.comment(&id, "Smith", "After all.", true));
    daemon.tell(&event).await;
    let reason = until("the agreement says why nothing goes", async || {
        daemon.get(&format!("agreements/{uuid}")).await["reason"].as_str().map(str::to_owned)
    })
    .await;
    assert!(reason.contains("credentials") && reason.contains("You are not authenticated"), "{reason}");
    let checked = daemon.get(&format!("agreements/{uuid}/check")).await;
    assert_eq!(checked["partner"]["state"], "refused", "{checked}");
    assert!(!checked.to_string().contains(TOKEN));
    // Given the right ones, what waited goes out, and the reason is gone.
    let edit = json!({"jira": {"token": "another"}});
    daemon.edit(&uuid, edit).await;
    until("what waited is there", async || {
        jira.issue().said().iter().any(|said| said.contains("After all.")).then_some(())
    })
    .await;
    until("nothing is wrong any more", async || {
        daemon.get(&format!("agreements/{uuid}")).await["reason"].is_null().then_some(())
    })
    .await;
    jira.assert_in_contract();
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_taken_from_whoever_knows_the_secret_and_wait_for_an_issue_that_is_being_made() {
    let jira = FakeJira::cloud().await;
    let daemon = camera_desk("Acme", Pair::SQLITE_EMBEDDED).await;
    let uuid = agreed(&daemon, &jira, jira.settings()).await;
    let address = format!("http://{}/hooks/jira/{uuid}", daemon.config.http.listen);
    let body = json!({"webhookEvent": "comment_created", "issue": {"id": "77"}, "comment": {"id": "1", "body": "x"}});
    let signed = |secret: &str| {
        use hmac::{Hmac, KeyInit, Mac};
        let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.to_string().as_bytes());
        format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
    };
    let client = reqwest::Client::new();
    let post = async |address: String, signature: Option<String>, body: String| {
        let mut request = client.post(address).body(body);
        if let Some(signature) = signature {
            request = request.header("x-hub-signature", signature);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let plain = body.to_string();
    for (wanted, given) in [
        (401, post(address.clone(), None, plain.clone()).await),
        (403, post(address.replace(&uuid, "%00?secret=x"), None, plain.clone()).await),
        (403, post(format!("{address}?secret=wrong"), None, plain.clone()).await),
        (403, post(address.clone(), Some(signed("wrong")), plain.clone()).await),
        (200, post(address.clone(), Some(signed("hook-secret")), plain.clone()).await),
        (200, post(format!("{address}?secret=hook-secret"), None, plain.clone()).await),
        (
            403,
            post(format!("{}?secret=hook-secret", address.replace(&uuid, "nobody")), None, plain.clone())
                .await,
        ),
        (422, post(format!("{address}?secret=hook-secret"), None, "[]".to_owned()).await),
        (405, client.get(format!("{address}?secret=hook-secret")).send().await.unwrap().status().as_u16()),
    ] {
        assert_eq!(wanted, given);
    }
    // Its token opens nothing of the protocol's.
    let token = format!("{uuid}:{TOKEN}\nhook-secret").replace('\n', " ");
    let sharing = client.get(format!("{}/agreements/{uuid}", daemon.sharing_url()));
    assert_eq!(sharing.header("x-ticket-sharing-token", token).send().await.unwrap().status(), 403);

    // The issue is made, and its link is not: somebody writes on it before this desk knows which issue it is.
    let busy = || Trick::Refuse(503, Vec::new(), json!({"errorMessages": ["Jira is being upgraded"]}));
    for _ in 0..3 {
        jira.trick("remotelink", busy());
    }
    jira.trick("POST /issue", Trick::Lose);
    let id = shared(&daemon, &uuid).await;
    until("the issue is made", async || (!jira.issues().is_empty()).then_some(())).await;
    let hook = jira.comment("Already?", Value::Null);
    assert_eq!(jira.send(&hook, "early").await, 200);
    daemon
        .until_desk("what was said early is on the desk", |desk| {
            let said = desk.tickets[&id].comments.iter().filter(|c| c.body == "Already?").count();
            (said == 1).then_some(())
        })
        .await;
    let mut gone = hook.clone();
    gone["webhookEvent"] = json!("jira:issue_deleted");
    assert_eq!(jira.send(&gone, "gone").await, 200);
    until("the share has ended with its issue", async || {
        (daemon.ticket(&id).await["shares"][0]["state"] == "ended").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_of_a_data_center_is_asked_once_which_ticket_it_stands_for() {
    let jira = FakeJira::data_center().await;
    let daemon = camera_desk("Acme", Pair::SQLITE_EMBEDDED).await;
    let uuid = agreed(&daemon, &jira, jira.settings()).await;
    for _ in 0..4 {
        let id = shared(&daemon, &uuid).await;
        delivered(&daemon, &id).await;
    }
    let asked = |request: &&String| request.starts_with("GET ") && request.ends_with("/properties/crossdesk");
    let asked = jira.with(|state| state.requests.iter().filter(asked).count());
    assert_eq!((jira.issues().len(), asked), (4, 3), "each time only the newest of the others");
    jira.assert_in_contract();
}
