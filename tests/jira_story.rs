//! The whole way of a ticket and its issue, on Cloud and Data Center; every request held against Jira's own description.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Pair,
    jira::{ACCOUNT, FakeJira, agreed, camera_desk, delivered, settled, shared},
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
