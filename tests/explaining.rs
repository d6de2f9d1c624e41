//! `explain` for tickets that do not sync in one way or another, and the table of what fits which field.

use std::fmt::Write as _;

use crossdesk::{
    domain::{Catalogue, CustomField, FieldType, Title},
    engine::field::fit,
};
use serde_json::json;

use crate::support::{Pair, Sender, TestDaemon, new_ticket, until};

#[test]
fn every_json_value_goes_into_every_type_of_field_as_the_table_says() {
    let types = [
        FieldType::Text,
        FieldType::Textarea,
        FieldType::Integer,
        FieldType::Decimal,
        FieldType::Checkbox,
        FieldType::Date,
        FieldType::Dropdown,
        FieldType::Multiselect,
        FieldType::Regexp,
    ];
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(7),
        json!(1.5),
        json!(2.0),
        json!(""),
        json!("some text"),
        json!(" 42 "),
        json!("4.5"),
        json!("yes"),
        json!("off"),
        json!("2026-01-05"),
        json!("2026-01-05T10:00:00Z"),
        json!("2026-13-05"),
        json!("x100"),
        json!("X300"),
        json!(["X100", "x200"]),
        json!(["X100", "X300"]),
        json!([]),
        json!({"a": 1}),
    ];
    let mut table = String::new();
    for value in &values {
        for kind in types {
            let options = vec!["X100".to_owned(), "X200".to_owned()];
            let catalogue = Catalogue::new(vec![CustomField { title: Title::new("Field"), kind, options }]);
            let result = match fit(&catalogue, &Title::new("FIELD"), value) {
                Ok(here) => here.to_string(),
                Err(unfit) => format!("{}: {}", unfit.reason.as_str(), unfit.detail),
            };
            let kind = format!("{kind:?}").to_lowercase();
            writeln!(table, "{:<24} {kind:<12} {result}", value.to_string()).unwrap();
        }
        table.push('\n');
    }
    insta::assert_snapshot!(table);
}

/// What `crossdesk ticket explain` prints, without what differs from run to run.
async fn printed(daemon: &TestDaemon, id: &str, partner: &str) -> String {
    let url = format!("http://{}", daemon.config.admin.listen);
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_crossdesk"))
        .args(["ticket", "explain", id, "--url", &url, "--token", "test-token"])
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, timeline) = text.split_once("\n\n").unwrap();
    let mut lines: Vec<String> = Vec::new();
    for line in timeline.lines() {
        // The first column is the time.
        let rest = line.split_once(' ').map_or("", |(_, rest)| rest.trim_start());
        let words: Vec<&str> = rest.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        lines.push(words.join(" | ").replace(partner, "<partner>"));
    }
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_whose_field_does_not_fit_and_whose_status_was_refused_is_explained() {
    let daemon = TestDaemon::with("Lens", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.desk.fields =
            vec![CustomField { title: Title::new("Serial"), kind: FieldType::Integer, options: vec![] }];
    })
    .await;
    daemon.desk(|d| d.required_to_solve = Some("Cause".into()));
    let terms = json!({"allows_public_comments": true, "sync_tags": false, "sync_custom_fields": true});
    let sender = Sender::agreed_on(&daemon, terms).await;
    let mut ticket = new_ticket("t1");
    ticket["custom_fields"] = json!({"Serial": "abc"});
    assert_eq!(sender.ticket("POST", "t1", &ticket).await, 201);
    let id = daemon.until_desk("the ticket is here", |d| d.find("t1")).await;
    daemon.until_quiet().await;
    assert_eq!(sender.ticket("PUT", "t1", &json!({"status": "solved", "tags": ["vip"]})).await, 200);
    until("the desk has refused", async || {
        let shown = daemon.ticket(&id).await;
        (shown["undone"].as_array()?.len() == 1).then_some(())
    })
    .await;
    let event = daemon.desk(|d| d.tag(&id, &["ours"]));
    daemon.tell(&event).await;
    daemon.until_quiet().await;
    until("the second try has failed too", async || {
        let story = daemon.get(&format!("tickets/{id}/explain")).await;
        let failed = story["timeline"].as_array()?.iter().filter(|line| line["status"] == "failed").count();
        (failed == 2).then_some(())
    })
    .await;
    insta::assert_snapshot!(printed(&daemon, &id, &sender.partner.url).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_whose_partner_is_down_is_explained() {
    let daemon = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.delivery.retry.initial = "10m".into();
        config.delivery.retry.max = "10m".into();
    })
    .await;
    let (partner, uuid) = daemon.agreed().await;
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    until("it is out", async || partner.tickets("POST").pop()).await;
    partner.answer_always(Some((503, vec![], "down for today".into())));
    let event = daemon.desk(|d| d.comment(&id, "Smith", "Hello?", true));
    daemon.tell(&event).await;
    until("it was tried", async || {
        let story = daemon.get(&format!("tickets/{id}/explain")).await;
        story["messages"]
            .as_array()?
            .iter()
            .any(|message| message["attempts"] == 1 && message["reason"].is_string())
            .then_some(())
    })
    .await;
    insta::assert_snapshot!(printed(&daemon, &id, &partner.url).await);
    let story = daemon.get(&format!("tickets/{id}/explain")).await;
    let waiting = story["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["state"] == "published" && line["due_at"].is_string());
    assert!(waiting.is_some_and(|line| line["answer"].as_str().unwrap().contains("503")), "{story}");
}
