//! Agreements as their administrators meet them: what a check says, and the command line.

use crossdesk::domain::{CustomField, FieldType, Title};
use serde_json::{Value, json};

use crate::support::{Pair, TestDaemon};

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
