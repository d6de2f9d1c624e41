//! Tickets shared with a Jira, both ways, on Cloud and Data Center; every request held against Jira's own description.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Pair,
    jira::{FakeJira, TOKEN, Trick, agreed, camera_desk, delivered, settled, shared},
    until,
};

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
