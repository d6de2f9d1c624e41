//! Agreements as their administrators meet them: what a check says, and the command line.

use crossdesk::domain::{CustomField, FieldType, Title};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Pair, Sender, TestDaemon, new_ticket, until};

async fn start(name: &str) -> TestDaemon {
    TestDaemon::start(name, Pair::SQLITE_EMBEDDED).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_lists_every_field_that_will_sync_or_not_and_why() {
    let field = |title: &str, kind, options: &[&str]| CustomField {
        title: Title::new(title),
        kind,
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    };
    let with = async |name: &str, fields: Vec<CustomField>| {
        TestDaemon::with(name, Pair::SQLITE_EMBEDDED, Default::default(), |config| {
            config.desk.fields = fields;
        })
        .await
    };
    let acme = with(
        "Acme",
        vec![
            field("Camera model", FieldType::Dropdown, &["X100", "X200"]),
            field("Serial", FieldType::Integer, &[]),
            field("Bought", FieldType::Date, &[]),
            field("Ours alone", FieldType::Text, &[]),
        ],
    )
    .await;
    let lens = with(
        "Lens",
        vec![
            field("camera MODEL", FieldType::Dropdown, &["x200", "X300"]),
            field("serial", FieldType::Text, &[]),
            field("Bought", FieldType::Checkbox, &[]),
            field("Theirs alone", FieldType::Text, &[]),
        ],
    )
    .await;
    let uuid = acme.invite(&lens.sharing_url()).await;
    lens.until_agreement(Some(&uuid), "pending").await;
    // Before it is accepted.
    let checked = lens.get(&format!("agreements/{uuid}/check")).await;
    assert_eq!(
        (checked["partner"]["state"].as_str(), checked["partner_fields_known"].as_bool()),
        (Some("ok"), Some(true))
    );
    let fields = checked["fields"].clone();
    insta::assert_json_snapshot!(fields);
    assert_eq!(checked["lacking_here"], json!(["Ours alone"]));
    // The sender sees the receiver's once it has them; and what it was told, when the partner is away.
    lens.post(&format!("agreements/{uuid}/accept"), Value::Null).await;
    acme.until_agreement(Some(&uuid), "accepted").await;
    let mut lens = lens;
    lens.stop().await;
    let checked = acme.get(&format!("agreements/{uuid}/check")).await;
    assert_eq!(checked["partner"]["state"], "unreachable", "{checked}");
    assert_eq!(checked["lacking_here"], json!(["Theirs alone"]));
    // A partner that is no crossdesk tells none.
    let (_partner, uuid) = acme.agreed().await;
    let checked = acme.get(&format!("agreements/{uuid}/check")).await;
    assert_eq!(checked["partner_fields_known"], false);
    assert!(
        checked["fields"].as_array().unwrap().iter().all(|field| field["arriving"]["syncs"] == "unknown")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_can_be_run_from_the_command_line() {
    let (acme, lens) = (start("Acme").await, start("Lens").await);
    let run = async |daemon: &TestDaemon, args: &[&str]| {
        let url = format!("http://{}", daemon.config.admin.listen);
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_crossdesk"))
            .arg("agreement")
            .args(args)
            .args(["--url", &url, "--token", "test-token"])
            .output()
            .await
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), text)
    };
    let partner = lens.sharing_url();
    let invite =
        ["invite", "--partner-url", &partner, "--name", "Lens", "--sync-tags", "--by", "Ann", "--json"];
    let (code, out) = run(&acme, &invite).await;
    assert_eq!(code, 0, "{out}");
    let uuid = serde_json::from_str::<Value>(&out).unwrap()["uuid"].as_str().unwrap().to_owned();
    lens.until_agreement(Some(&uuid), "pending").await;
    let (code, out) = run(&lens, &["check", &uuid]).await;
    assert!(code == 0 && out.contains("the partner knows the agreement"), "{out}");
    assert_eq!(run(&lens, &["accept", &uuid, "--by", "Lina"]).await.0, 0);
    acme.until_agreement(Some(&uuid), "accepted").await;
    let (code, out) = run(
        &acme,
        &[
            "edit",
            &uuid,
            "--comments",
            "private_only",
            "--name",
            "Lens GmbH",
            "--unmarked-comments",
            "public",
        ],
    )
    .await;
    assert!(code == 0 && out.contains("Lens GmbH") && out.contains("private_only"), "{out}");
    let (code, out) = run(&lens, &["edit", &uuid, "--sync-tags", "false"]).await;
    assert!(code == 1 && out.contains("only the sender"), "{out}");
    assert_eq!(run(&acme, &["rotate-key", &uuid]).await.0, 0);
    let (code, out) = run(&acme, &["list"]).await;
    assert!(code == 0 && out.contains("Lens GmbH") && out.contains("accepted"), "{out}");
    assert_eq!(run(&acme, &["deactivate", &uuid]).await.0, 0);
    lens.until_agreement(Some(&uuid), "inactive").await;
    let (code, out) = run(&acme, &["accept", &uuid]).await;
    assert!(code == 1 && out.contains("inactive"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_shared_again_by_its_uuid_as_by_its_number() {
    let acme = start("Acme").await;
    let (partner, agreement) = acme.agreed().await;
    let id = acme.open_and_share(&agreement, "Lens stuck").await;
    let uuid = acme.ticket(&id).await["uuid"].as_str().unwrap().to_owned();
    acme.driver.ask(Method::DELETE, &format!("tickets/{uuid}/share"), None).await.unwrap();
    let shared = acme.post(&format!("tickets/{uuid}/share"), json!({"agreement": agreement})).await;
    assert_eq!((&shared["id"], &shared["shares"][0]["state"]), (&json!(id), &json!("active")));
    until("it is out again", async || partner.tickets("POST").get(1).cloned()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_are_shown_ended_as_soon_as_their_agreement_has_ended() {
    let acme = start("Acme").await;
    let (_partner, agreement) = acme.agreed().await;
    let id = acme.open_and_share(&agreement, "Lens stuck").await;
    assert_eq!(acme.ticket(&id).await["mergeable"], false);
    acme.post(&format!("agreements/{agreement}/deactivate"), Value::Null).await;
    let shown = acme.ticket(&id).await;
    assert_eq!(
        (&shown["mergeable"], &shown["shares"][0]["state"]),
        (&json!(true), &json!("ended")),
        "{shown}"
    );
    assert!(shown["shares"][0]["reason"].as_str().unwrap().contains("inactive"), "{shown}");
    let list = acme.get(&format!("tickets?agreement={agreement}")).await;
    assert_eq!(list[0]["mergeable"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_cannot_lose_its_name() {
    let acme = start("Acme").await;
    let (_partner, agreement) = acme.agreed().await;
    let path = format!("agreements/{agreement}");
    let refused = acme.driver.ask(Method::PATCH, &path, Some(&json!({"name": " "}))).await;
    assert!(refused.unwrap_err().to_string().contains("name is empty"));
    assert_eq!(acme.edit(&agreement, json!({"name": " Lens "})).await["name"], "Lens");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_what_waits_go_on_where_a_page_ends() {
    let lens = TestDaemon::start("Lens", Pair::SQLITE_AMQP).await;
    let sender = Sender::agreed(&lens).await;
    lens.stop_desk();
    for uuid in ["t1", "t2"] {
        assert_eq!(sender.ticket("POST", uuid, &new_ticket(uuid)).await, 201);
    }
    let commands = lens.get("commands").await;
    let after = commands[1]["id"].as_str().unwrap();
    let rest = lens.get(&format!("commands?after={after}")).await;
    assert_eq!(rest.as_array().unwrap()[..], commands.as_array().unwrap()[2..]);

    for n in 0..3 {
        lens.publish(format!("no event {n}").as_bytes()).await;
    }
    let dead = until("they are kept", async || {
        let dead = lens.get("dead-letters").await;
        (dead.as_array()?.len() == 3).then_some(dead)
    })
    .await;
    let rest = lens.get(&format!("dead-letters?after={}", dead[0]["place"])).await;
    assert_eq!(rest.as_array().unwrap()[..], dead.as_array().unwrap()[1..]);
    let one = lens.get(&format!("dead-letters/{}", dead[1]["id"].as_str().unwrap())).await;
    assert_eq!(one, dead[1]);
}
