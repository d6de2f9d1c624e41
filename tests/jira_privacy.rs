//! Who may read what in a Jira, and whether it knows who asks.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Pair,
    jira::{FakeJira, Trick, agreed, camera_desk, settled, shared},
    until,
};

#[tokio::test(flavor = "multi_thread")]
async fn private_comments_stay_here_where_nobody_says_who_may_read_them() {
    let jira = FakeJira::cloud().await;
    let daemon = camera_desk("Acme", Pair::SQLITE_EMBEDDED).await;
    let mut settings = jira.settings();
    settings["visibility"] = Value::Null;
    let uuid = agreed(&daemon, &jira, settings).await;
    let id = shared(&daemon, &uuid).await;
    let issue = settled(&daemon, &jira, &id).await;
    assert!(issue.comments.is_empty(), "{issue:?}");
    let ticket = daemon.ticket(&id).await;
    assert!(ticket["issues"].to_string().contains("jira.visibility"), "{ticket}");
    // A service project has internal comments.
    jira.with(|state| state.service = true);
    let event = daemon.desk(|desk| desk.comment(&id, "Smith", "Between us.", false));
    daemon.tell(&event).await;
    until("it is written", async || (!jira.issue().comments.is_empty()).then_some(())).await;
    let comment = jira.issue().comments[0].clone();
    let internal = json!({"key": "sd.public.comment", "value": {"internal": true}});
    assert!(comment["properties"].as_array().unwrap().contains(&internal), "{comment}");
    // With a role it is both: a role alone hides nothing from the portal. And a role can be taken back.
    for (visibility, restricted) in [(json!({"role": "Developers"}), true), (Value::Null, false)] {
        daemon.edit(&uuid, json!({"jira": {"visibility": visibility}})).await;
        let known = jira.issue().comments.len();
        let event = daemon.desk(|desk| desk.comment(&id, "Smith", "Between some of us.", false));
        daemon.tell(&event).await;
        until("it is written", async || (jira.issue().comments.len() > known).then_some(())).await;
        let comment = jira.issue().comments.last().unwrap().clone();
        assert!(comment["properties"].as_array().unwrap().contains(&internal), "{comment}");
        assert_eq!(comment["visibility"].is_object(), restricted, "{comment}");
    }
    jira.assert_in_contract();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_agents_say_in_a_service_project_of_data_center_stays_among_agents() {
    let jira = FakeJira::data_center().await;
    jira.with(|state| state.service = true);
    let daemon = camera_desk("Acme", Pair::SQLITE_EMBEDDED).await;
    let uuid = agreed(&daemon, &jira, jira.settings()).await;
    let id = shared(&daemon, &uuid).await;
    settled(&daemon, &jira, &id).await;
    // Its webhook says nothing of the issue, nor for whom the comment is.
    let hook = jira.comment("Between agents.", Value::Null);
    assert_eq!(jira.send(&hook, "among-agents").await, 200);
    let comment = daemon
        .until_desk("the comment is here", |desk| {
            desk.tickets[&id].comments.iter().find(|comment| comment.body == "Between agents.").cloned()
        })
        .await;
    assert!(!comment.public);
    jira.assert_in_contract();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jira_that_knows_nobody_by_the_token_is_not_taken_at_its_word() {
    let jira = FakeJira::cloud().await;
    let daemon = camera_desk("Acme", Pair::SQLITE_EMBEDDED).await;
    let uuid = agreed(&daemon, &jira, jira.settings()).await;
    let id = shared(&daemon, &uuid).await;
    settled(&daemon, &jira, &id).await;
    // An expired token: to nobody in particular there is no such issue.
    let headers = vec![("x-seraph-loginreason", "AUTHENTICATED_FAILED".to_owned())];
    let gone = json!({"errorMessages": ["Issue does not exist or you do not have permission to see it."]});
    jira.trick("remotelink", Trick::Refuse(404, headers, gone));
    daemon.driver.ask(Method::DELETE, &format!("tickets/{id}/share"), None).await.unwrap();
    until("it is said", async || {
        let agreement = daemon.get(&format!("agreements/{uuid}")).await;
        agreement["reason"].as_str()?.contains("credentials").then_some(())
    })
    .await;
    until("the link is gone in the end", async || jira.issue().links.is_empty().then_some(())).await;
    daemon.until_quiet().await;
    assert_eq!(daemon.get("dead-letters").await, json!([]));
}
