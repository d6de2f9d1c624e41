//! Desks that speak in their own way: a jq program makes our events of what they emit, on both ways in.

use serde_json::{Value, json};

use crate::support::{Pair, TestDaemon, until};

/// A daemon whose desk emits what a program has to make events of, and which shares tickets about lenses.
async fn filtered(pair: Pair, program: &str) -> TestDaemon {
    let program = program.to_owned();
    let daemon = TestDaemon::with("Acme", pair, Default::default(), |config| {
        config.desk.event_filter = program;
        config.rules = vec![crossdesk::config::Rule {
            name: "Lenses".into(),
            when: "'lens' in ticket.tags".into(),
            share_with: "Partner".into(),
        }];
    })
    .await;
    // It knows nothing of the tickets that the samples tell of.
    daemon.stop_desk();
    daemon
}

/// What a desk emits becomes what a partner is told.
async fn preset(pair: Pair, program: &str, sample: &str) -> TestDaemon {
    let daemon = filtered(pair, program).await;
    let (partner, _) = daemon.agreed().await;
    let samples: Vec<Value> = serde_json::from_str(sample).unwrap();
    for emitted in samples {
        daemon.tell(&emitted).await;
    }
    let told = until("the partner has been told all of it", async || {
        let told: Vec<Value> = partner.tickets("POST").into_iter().chain(partner.tickets("PUT")).collect();
        told.iter().any(|body| body["status"] == "solved").then_some(told)
    })
    .await;
    assert_eq!((told[0]["subject"].as_str(), told[0]["tags"].clone()), (Some("Lens stuck"), json!(["lens"])));
    let comments: Vec<&Value> =
        told.iter().filter_map(|body| body["comments"].as_array()).flatten().collect();
    let said =
        |body: &str| comments.iter().find(|comment| comment["body"] == body).unwrap()["public"].clone();
    assert_eq!((said("It is stuck."), said("He is a bit rude.")), (json!(true), json!(false)));
    assert!(told.iter().any(|body| body["custom_fields"]["Camera model"] == "X100"), "{told:#?}");
    assert!(told.iter().any(|body| body["tags"] == json!(["lens", "x100"])), "{told:#?}");
    let dead = daemon.get("dead-letters").await;
    assert_eq!(dead, json!([]), "what is nobody's concern is passed over");
    daemon
}

#[tokio::test(flavor = "multi_thread")]
async fn zendesks_webhooks_are_events_by_the_preset() {
    let program = include_str!("../config/event-filters/zendesk.jq");
    let sample = include_str!("fixtures/events/zendesk.json");
    preset(Pair::SQLITE_EMBEDDED, program, sample).await;
    preset(Pair::SQLITE_AMQP, program, sample).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jiras_webhooks_are_events_by_the_preset() {
    let program = include_str!("../config/event-filters/jira.jq");
    let sample = include_str!("fixtures/events/jira.json");
    preset(Pair::SQLITE_EMBEDDED, program, sample).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_input_may_be_many_events_and_one_that_fails_is_kept_as_it_came() {
    let program = r#".tickets[] | {specversion: "1.0", id: "e-\(.no)", source: "own", type: "helpdesk.ticket.changed",
        data: {ticket: {id: .no, subject: .title, status: "open", tags: ["lens"]}}}"#;
    let daemon = filtered(Pair::SQLITE_AMQP, program).await;
    let (partner, _) = daemon.agreed().await;
    daemon.publish(br#"{"tickets": [{"no": 1, "title": "One"}, {"no": 2, "title": "Two"}]}"#).await;
    until("both are shared", async || (partner.tickets("POST").len() == 2).then_some(())).await;
    daemon.publish(br#"{"tickets": [{"no": 3, "title": "Three"}, {"title": "without a number"}]}"#).await;
    daemon.publish(br#"{"tickets": 7}"#).await;
    daemon.publish(b"no json").await;
    let dead = until("what cannot be used is kept", async || {
        let dead = daemon.get("dead-letters").await;
        (dead.as_array()?.len() == 3).then_some(dead)
    })
    .await;
    let reasons = dead.to_string();
    for words in ["without a number", "desk.event_filter fails", "not JSON"] {
        assert!(reasons.contains(words), "{reasons}");
    }
    // Over HTTP whoever sends it is told.
    let preview = daemon.post("preview", json!({"tickets": [{"no": 9, "title": "Nine"}]})).await;
    assert_eq!(preview["would_send"][0]["type"], "ticket.create", "{preview}");
    let none = daemon.post("preview", json!({"tickets": []})).await;
    assert_eq!((none["outcome"].as_str(), none["would_send"].clone()), (Some("unshared"), json!([])));
    let wrong =
        daemon.driver.ask(reqwest::Method::POST, "events", Some(&json!({"tickets": 7}))).await.unwrap_err();
    assert!(format!("{wrong:#}").contains("desk.event_filter fails"), "{wrong:#}");
}

#[test]
fn a_program_that_is_none_is_said_at_the_start_with_its_line() {
    for (program, words) in [(".a |\n.b[", "line 2"), ("nosuch(.a)", "nosuch")] {
        let toml = format!("[desk]\nevent_filter = '''{program}'''\n");
        let error =
            crossdesk::config::load(&toml, "crossdesk.toml", &Default::default()).unwrap_err().to_string();
        assert!(error.contains("desk.event_filter: not a jq program") && error.contains(words), "{error}");
    }
}
