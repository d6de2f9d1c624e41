//! Custom fields: the rules of the agreement, and what fits only when the catalogue changes.

use serde_json::json;

use crate::support::{Pair, Sender, TestDaemon, new_ticket, until};

crate::on_both!(fields_follow_the_rules_of_the_agreement,);

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
    daemon.edit(&uuid,
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
    let theirs = Sender::of(&daemon, &partner, &uuid).await;
    let ticket = post["uuid"].as_str().unwrap().to_owned();
    let answer = json!({"custom_fields": {"product": "CAM-X100", "PRODUCT": "CAM-X100", "COLOUR": "blue", "Secret": "x", "Out": "x", "In": "y",
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
    for pair in Pair::STORES {
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
        assert_eq!(daemon.issues(&id).await, unknown);
        let fields = json!([{"title": "Model", "type": "dropdown", "options": ["X100"]}, {"title": "Serial", "type": "integer"}]);
        let event = json!({"specversion": "1.0", "id": "f-1", "source": "desk", "type": "helpdesk.fields.changed", "data": {"fields": fields}});
        daemon.tell(&event).await;
        daemon
            .until_desk("what fits now is set", |d| {
                d.tickets.values().all(|t| t.fields.get("Model") == Some(&json!("X100"))).then_some(())
            })
            .await;
        until("what still does not says why", async || {
            (daemon.issues(&id).await == [("field:Serial".to_owned(), "incompatible_type".to_owned())])
                .then_some(())
        })
        .await;
        daemon.until_quiet().await;
        assert_eq!(sender.partner.tickets("PUT").len(), 0, "nothing of it is said back");

        // What is shared no more, need not sync: an end settles its issues, and no others.
        let others = ["t1", "t2"].map(|uuid| daemon.desk(|d| d.find(uuid)).unwrap());
        assert_eq!(sender.ticket("DELETE", "t0", &json!(null)).await, 200);
        until("its issue is settled", async || daemon.issues(&id).await.is_empty().then_some(())).await;
        for other in &others {
            assert_eq!(daemon.issues(other).await.len(), 1, "{other}");
        }
        daemon.post(&format!("agreements/{}/deactivate", sender.uuid), json!(null)).await;
        for other in &others {
            until("all are", async || daemon.issues(other).await.is_empty().then_some(())).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_the_desk_could_not_create_leaves_no_issue_about_fields() {
    for pair in Pair::STORES {
        let daemon = TestDaemon::start("Lens", pair).await;
        let sender = Sender::agreed(&daemon).await;
        daemon.until_quiet().await;
        daemon.stop_desk();
        let mut ticket = new_ticket("t1");
        ticket["custom_fields"] = json!({"Model": "x100"});
        assert_eq!(sender.ticket("POST", "t1", &ticket).await, 201);
        let unknown = ("field:Model".to_owned(), "unknown_field".to_owned());
        until("it is an issue", async || daemon.issues("t1").await.contains(&unknown).then_some(())).await;
        let create = until("the desk is asked", async || {
            let commands = daemon.get("commands").await;
            commands.as_array()?.iter().find(|c| c["type"] == "crossdesk.ticket.create").cloned()
        })
        .await;
        let refused = json!({"specversion": "1.0", "id": "e-refused", "source": "desk", "type": "helpdesk.command.completed",
            "data": {"command_id": create["id"], "status": "failed", "error": "the queue is closed"}});
        daemon.driver.tell(&refused).await.unwrap();
        let left = [("ticket".to_owned(), "command_failed".to_owned())];
        until("what the desk could not do stands, and nothing else", async || {
            (daemon.issues("t1").await == left).then_some(())
        })
        .await;
        until("the partner is told", async || {
            sender.partner.received().iter().any(|request| request.method == "DELETE").then_some(())
        })
        .await;
    }
}
