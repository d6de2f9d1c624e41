//! What every story with a Jira begins with: an agreement in force, a ticket shared under it, the issue that it became.

use serde_json::{Value, json};

use super::{FakeJira, Issue, TOKEN};
use crate::support::{Pair, TestDaemon, until};

/// A daemon and an agreement with a Jira, in force.
pub(crate) async fn agreed(daemon: &TestDaemon, jira: &FakeJira, settings: Value) -> String {
    let terms = json!({"comments": "public_and_private", "sync_tags": true, "sync_custom_fields": true, "priority": true});
    let form =
        json!({"kind": "jira", "name": "Engineering", "url": jira.url, "terms": terms, "jira": settings});
    let made = daemon.post("agreements", form).await;
    let uuid = made["uuid"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    assert_eq!(made["webhook_secret"], "hook-secret", "it shows once");
    assert!(!made.to_string().contains(TOKEN), "{made}");
    daemon.until_agreement(Some(&uuid), "accepted").await;
    let listen = daemon.config.http.listen;
    jira.tell(&format!("http://{listen}/hooks/jira/{uuid}?secret=hook-secret"));
    uuid
}

pub(crate) async fn camera_desk(name: &str, pair: Pair) -> TestDaemon {
    let field = |title: &str, kind: &str, options: &[&str]| {
        serde_json::from_value(json!({"title": title, "type": kind, "options": options})).unwrap()
    };
    TestDaemon::with(name, pair, Default::default(), |config| {
        config.desk.fields = vec![
            field("Camera model", "dropdown", &["X100", "X200", "Unheard of"]),
            field("Serial", "text", &[]),
            field("Shelf", "text", &[]),
        ];
    })
    .await
}

/// A ticket with two comments, one of them private, shared under the agreement.
pub(crate) async fn shared(daemon: &TestDaemon, uuid: &str) -> String {
    let (id, _) = daemon.desk(|desk| desk.open(("77", "Joe User"), "Lens stuck", "It is stuck.", &[]));
    for event in [
        daemon.desk(|desk| desk.comment(&id, "Smith", "He is a bit rude.", false)),
        daemon.desk(|desk| desk.set(&id, "priority", "urgent")),
        daemon.desk(|desk| desk.fill(&id, "Camera model", json!("X100"))),
        daemon.desk(|desk| desk.fill(&id, "Shelf", json!("7b"))),
        daemon.desk(|desk| desk.tag(&id, &["lens", "two words"])),
        daemon.desk(|desk| desk.share(&id, uuid)),
    ] {
        daemon.tell(&event).await;
    }
    id
}

/// The issue once the daemon has nothing more to tell.
pub(crate) async fn settled(daemon: &TestDaemon, jira: &FakeJira, id: &str) -> Issue {
    until("the issue is there", async || (!jira.issues().is_empty()).then_some(())).await;
    delivered(daemon, id).await;
    jira.issue()
}

/// Waits until nothing about a ticket is on its way to Jira.
pub(crate) async fn delivered(daemon: &TestDaemon, id: &str) {
    until("Jira has been told everything", async || {
        let story = daemon.get(&format!("tickets/{id}/explain")).await.to_string();
        let open =
            ["pending", "published"].iter().any(|state| story.contains(&format!("\"state\":\"{state}\"")));
        (story.contains("ticket.create") && !open).then_some(())
    })
    .await;
}
