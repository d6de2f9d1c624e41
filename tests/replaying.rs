//! Recorded events under a changed mapping: what would be sent that was not, and the other way round.

use serde_json::{Value, json};

use crate::support::{Pair, TestDaemon, until};

/// What `crossdesk replay` says of the daemon's store under another configuration.
fn replay(daemon: &TestDaemon, changed: impl FnOnce(&mut crossdesk::config::Config)) -> Value {
    let mut config = daemon.config.clone();
    changed(&mut config);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new.toml");
    std::fs::write(&file, toml::to_string(&config).unwrap()).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_crossdesk"))
        .args(["replay", "--json", "--since", "1h", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn event(n: i64, ticket: &str, priority: &str, comments: usize) -> Value {
    let comment = |n: usize| {
        json!({"id": format!("{ticket}-{n}"), "body": format!("words {n}"), "public": true,
            "author": {"id": "9", "name": "Smith", "role": "agent"}})
    };
    json!({"specversion": "1.0", "id": format!("e{n}"), "source": "desk", "type": "helpdesk.ticket.changed",
        "time": "2026-11-24T10:15:30Z", "data": {"ticket": {"id": ticket, "revision": n, "subject": "Lens", "status": "open",
        "priority": priority, "requester": {"id": "5", "name": "Jane", "role": "end-user"},
        "custom_fields": [{"title": "Serial", "value": "A1"}]},
        "comments": (1..=comments).map(comment).collect::<Vec<_>>(), "actor": {"id": "9", "name": "Smith", "role": "agent"}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_changed_mapping_would_send_is_told_and_nothing_is_sent() {
    for pair in Pair::STORES {
        let daemon = TestDaemon::with("Acme", pair, Default::default(), |config| {
            config.store.record = "1h".to_owned();
        })
        .await;
        let (partner, uuid) = daemon.agreed().await;
        let shared = json!({"agreement": uuid});
        // Ticket 1 is shared by an agent; ticket 2 by nobody.
        let mut first = event(1, "1", "high", 1);
        first["type"] = "helpdesk.ticket.shared".into();
        first["data"]["agreement"] = shared["agreement"].clone();
        daemon.post("events", first).await;
        daemon.post("events", event(2, "2", "urgent", 1)).await;
        daemon.post("events", event(3, "1", "high", 2)).await;
        daemon.post("events", event(4, "2", "urgent", 2)).await;
        daemon.post("events", event(5, "2", "urgent", 2)).await;
        until("the partner has it all", async || {
            partner.tickets("PUT").into_iter().find(|ticket| ticket["comments"][0]["body"] == "words 2")
        })
        .await;
        let sent = partner.received().len();

        let same = replay(&daemon, |_| {});
        assert_eq!(
            (same["events"].as_u64(), same["differing"].as_array().map(Vec::len)),
            (Some(5), Some(0)),
            "{same}"
        );

        // A rule shares ticket 2 with its first event; what follows is a change of it, told once.
        let agreement = uuid.clone();
        let ruled = replay(&daemon, |config| {
            config.rules.push(crossdesk::config::Rule {
                name: "Urgent".to_owned(),
                when: "ticket.priority == 'urgent'".to_owned(),
                share_with: agreement,
            });
        });
        let told = |replayed: &Value| -> Vec<String> {
            let differing = replayed["differing"].as_array().unwrap().iter();
            let line = |one: &Value| {
                let messages =
                    one["messages"].as_array().unwrap().iter().filter(|message| message["to"] != "the desk");
                let kinds: Vec<String> = messages
                    .map(|message| {
                        format!("{} {}", message["how"].as_str().unwrap(), message["kind"].as_str().unwrap())
                    })
                    .collect();
                format!("{} {}", one["ticket"].as_str().unwrap(), kinds.join(", "))
            };
            differing.map(line).collect()
        };
        assert_eq!(told(&ruled), ["2 added ticket.create", "2 added ticket.update"], "{ruled}");
        let update = &ruled["differing"][1]["messages"][0]["parts"];
        let comments = update["comments"][1].as_array().unwrap();
        assert_eq!((comments.len(), &comments[0]["body"]), (1, &json!("words 2")), "{update}");

        // A filter that renames nothing but drops a comment's event: what was sent would not be.
        let filtered = replay(&daemon, |config| {
            config.desk.event_filter = "if .data.ticket.revision == 3 then empty else . end".to_owned();
        });
        assert_eq!(told(&filtered), ["1 gone ticket.update"], "{filtered}");

        assert_eq!(partner.received().len(), sent, "a replay sends nothing");
        let unknown = reqwest::Client::new()
            .get(format!("http://{}/api/v1/tickets/2", daemon.config.admin.listen))
            .bearer_auth("test-token")
            .send();
        assert_eq!(unknown.await.unwrap().status(), 404, "and shares nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_events_go_by_age_and_without_any_it_says_what_to_do() {
    let mut daemon = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.store.record = "1h".to_owned();
    })
    .await;
    daemon.post("events", event(1, "1", "high", 0)).await;
    assert_eq!(replay(&daemon, |_| {})["events"], 1);
    daemon.stop().await;
    daemon.config.store.record = "0s".to_owned();
    daemon.resume().await;
    until("nothing that is recorded is left", async || {
        (replay(&daemon, |_| {})["events"] == 0).then_some(())
    })
    .await;
    daemon.post("events", event(2, "1", "high", 0)).await;
    assert_eq!(replay(&daemon, |_| {})["events"], 0, "nothing is recorded unless it is wanted");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_crossdesk"))
        .arg("replay")
        .env("CROSSDESK_STORE__URL", &daemon.config.store.url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("store.record"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_and_fields_of_the_changed_file_count() {
    let partner = crate::support::FakePartner::start().await;
    let declared = |fields: bool| -> crossdesk::config::DeclaredAgreement {
        let text = format!(
            "uuid = \"00000000000000000000000000000000000000de\"\nname = \"Lens\"\ndirection = \"outbound\"\n\
             kind = \"third_party\"\nurl = \"{}\"\naccess_key = \"1111111111111111111111111111111111111111\"\n\
             status = \"accepted\"\nterms = {{ sync_custom_fields = {fields} }}\n",
            partner.url
        );
        toml::from_str(&text).unwrap()
    };
    let daemon = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.store.record = "1h".to_owned();
        config.agreements.push(declared(false));
        config.desk.fields = serde_json::from_value(json!([{"title": "Serial", "type": "text"}])).unwrap();
    })
    .await;
    let mut first = event(1, "1", "high", 1);
    first["type"] = "helpdesk.ticket.shared".into();
    first["data"]["agreement"] = "Lens".into();
    daemon.post("events", first).await;
    let replayed = replay(&daemon, |config| config.agreements = vec![declared(true)]);
    let message = &replayed["differing"][0]["messages"][0];
    assert_eq!(
        (&message["how"], &message["kind"]),
        (&json!("changed"), &json!("ticket.create")),
        "{replayed}"
    );
    let parts = message["parts"].as_object().unwrap();
    assert_eq!(parts.len(), 1, "{parts:?}");
    assert!(
        parts
            .iter()
            .all(|(path, values)| path.contains("custom_fields") && values[1].to_string().contains("A1"))
    );
    let kept = daemon.get("agreements").await;
    assert_eq!(kept[0]["terms"]["sync_custom_fields"], false, "{kept}");
}
