//! Agreements with a Jira: in force once everything checks out, by API, command line or configuration; and the contract that
//! every request to it is held against.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Pair, TestDaemon,
    jira::{ACCOUNT, Contract, FakeJira, TOKEN, agreed, camera_desk, settled, shared},
    until,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_is_in_force_once_credentials_project_and_type_check_out() {
    let jira = FakeJira::cloud().await;
    let daemon = camera_desk("Acme", Pair::SQLITE_EMBEDDED).await;
    for (settings, words) in [
        (
            json!({"project": "SUP", "email": "crossdesk@acme.example", "token": "wrong"}),
            "does not accept the credentials",
        ),
        (json!({"project": "NOPE", "email": "crossdesk@acme.example", "token": TOKEN}), "no project NOPE"),
        (
            json!({"project": "SUP", "email": "crossdesk@acme.example", "token": TOKEN, "issue_type": "Epos"}),
            "no issue type \"Epos\"; it has Task, Bug",
        ),
    ] {
        let form = json!({"kind": "jira", "name": "Engineering", "url": jira.url, "jira": settings});
        let uuid = daemon.post("agreements", form).await["uuid"].as_str().unwrap().to_owned();
        let shown = until("it is said what is wrong", async || {
            let shown = daemon.get(&format!("agreements/{uuid}")).await;
            shown["reason"].is_string().then_some(shown)
        })
        .await;
        assert_eq!(shown["status"], "pending");
        assert!(shown["reason"].as_str().unwrap().contains(words), "{shown}");
    }
    let uuid = agreed(&daemon, &jira, jira.settings()).await;
    let checked = daemon.get(&format!("agreements/{uuid}/check")).await;
    let points = checked["points"].as_array().unwrap();
    let of = |what: &str| points.iter().filter(|point| point["what"] == what).cloned().collect::<Vec<_>>();
    assert_eq!(of("credentials")[0]["detail"], "Jira Cloud knows the account as Crossdesk");
    assert_eq!(of("project")[0]["ok"], true);
    // One of the two words is a transition's name, which only an issue can show.
    let said: Vec<bool> = of("transition").iter().map(|point| point["ok"].as_bool().unwrap()).collect();
    assert_eq!(said.iter().filter(|ok| **ok).count(), 1, "{checked}");
    let camera =
        checked["fields"].as_array().unwrap().iter().find(|field| field["title"] == "Camera model").unwrap();
    assert_eq!(camera["there"], "text", "{checked}");
    jira.assert_in_contract();
    for (form, words) in [
        (json!({"kind": "jira", "url": jira.url}), "jira is missing"),
        (json!({"kind": "jira", "url": jira.url, "jira": {"project": "SUP"}}), "jira.token is missing"),
        (
            json!({"kind": "third_party", "url": jira.url, "jira": {"project": "SUP", "token": "t"}}),
            "kind jira alone",
        ),
    ] {
        let problem = daemon.driver.ask(Method::POST, "agreements", Some(&form)).await.unwrap_err();
        assert!(format!("{problem:#}").contains(words), "{problem:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_makes_an_agreement_with_a_jira_and_checks_it() {
    let jira = FakeJira::cloud().await;
    let daemon = camera_desk("Acme", Pair::SQLITE_EMBEDDED).await;
    let admins = format!("http://{}", daemon.config.admin.listen);
    let run = async |arguments: &[&str]| {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_crossdesk"))
            .args(arguments)
            .args(["--url", &admins, "--token", "test-token"])
            .output()
            .await
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let invite =
        ["agreement", "invite", "--kind", "jira", "--name", "Engineering", "--partner-url", &jira.url];
    let project = ["--project", "SUP", "--email", "crossdesk@acme.example", "--sync-custom-fields"];
    let (code, said) = run(&[&invite[..], &project[..]].concat()).await;
    assert!(code == 1 && said.contains("--token-file is missing"), "{said}");
    let token = ["--token-file", file.to_str().unwrap()];
    let (code, said) = run(&[&invite[..], &project[..], &token[..]].concat()).await;
    assert!(code == 0 && said.contains("webhook_secret") && !said.contains(TOKEN), "{said}");
    let uuid = daemon.until_agreement(None, "accepted").await["uuid"].as_str().unwrap().to_owned();
    let (code, said) = run(&["agreement", "check", &uuid]).await;
    assert_eq!(code, 0, "{said}");
    for words in [
        "ok       credentials: Jira Cloud knows the account as Crossdesk",
        "ok       project: SUP is Support",
        "!!       private comments: private comments stay here: give jira.visibility a role or a group",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(said.contains("Camera model") && !said.contains("Story points"), "{said}");
}

/// An agreement with a Jira as a configuration file declares it.
fn declared(jira: &FakeJira, token: &std::path::Path) -> String {
    format!(
        r#"
        [[agreements]]
        uuid = "{uuid}"
        name = "Engineering"
        direction = "outbound"
        kind = "jira"
        url = "{url}"
        status = "accepted"
        [agreements.terms]
        sync_custom_fields = true
        [agreements.jira]
        project = "SUP"
        email = "crossdesk@acme.example"
        token_file = "{token}"
        webhook_secret = "hook-secret"
        status = {{ solved = "Done" }}
        fields = {{ "Shelf" = "Serial" }}
        visibility = {{ group = "support" }}
        "#,
        uuid = "7".repeat(40),
        url = jira.url,
        token = token.display(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jira_of_the_configuration_is_in_force_at_once_and_follows_its_file() {
    let jira = FakeJira::cloud().await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let nearby = [("CROSSDESK_DELIVERY__ALLOW_PRIVATE_PARTNERS".to_owned(), "true".to_owned())].into();
    let load = || crossdesk::config::load(&declared(&jira, &token), "crossdesk.toml", &nearby).unwrap();
    assert!(!format!("{:?}", load()).contains(TOKEN), "secrets are in no output");
    let mut daemon = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.agreements = load().agreements;
        config.desk.fields = vec![serde_json::from_value(json!({"title": "Shelf", "type": "text"})).unwrap()];
    })
    .await;
    let uuid = "7".repeat(40);
    daemon.until_agreement(Some(&uuid), "accepted").await;
    until("it is known who we are there", async || {
        let shown = daemon.get(&format!("agreements/{uuid}")).await;
        (shown["jira"]["account"] == ACCOUNT).then_some(())
    })
    .await;
    let id = shared(&daemon, &uuid).await;
    let issue = settled(&daemon, &jira, &id).await;
    assert_eq!(issue.fields["customfield_10011"], "7b", "by the name that it has there");
    assert_eq!(issue.comments[0]["visibility"], json!({"type": "group", "value": "support"}));
    // A new token in the file counts from the next start; nothing is shared twice.
    jira.with(|state| state.token = "the next".to_owned());
    std::fs::write(&token, "the next").unwrap();
    daemon.stop().await;
    daemon.config.agreements = load().agreements;
    daemon.resume().await;
    let event = daemon.desk(|desk| desk.set(&id, "status", "solved"));
    daemon.tell(&event).await;
    until("the issue is done", async || (jira.issue().status == "Done").then_some(())).await;
    let shown = daemon.get("agreements").await.to_string();
    assert!(!shown.contains("the next") && !shown.contains("hook-secret"), "{shown}");
    jira.assert_in_contract();
    // What cannot be used is said with its key.
    let whole = declared(&jira, &token);
    for (from, to, words) in [
        ("project = \"SUP\"", "project = \"\"", "agreements[0].jira.project: is empty"),
        ("direction = \"outbound\"", "direction = \"inbound\"", "agreements[0].direction: must be outbound"),
        ("{ solved = \"Done\" }", "{ done = \"Done\" }", "\"done\" is none of this desk's"),
        ("kind = \"jira\"", "kind = \"third_party\"", "agreements[0].jira: is for kind jira alone"),
    ] {
        assert!(whole.contains(from), "{from}");
        let text = whole.replace(from, to);
        let error =
            crossdesk::config::load(&text, "crossdesk.toml", &Default::default()).unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains("the next"), "{error}");
    }
}

#[test]
fn the_contract_finds_a_misspelt_name() {
    let contract = Contract::read();
    let path = "/rest/api/3/issue/SUP-1/comment";
    let body = json!({"body": {"type": "doc"}, "visibility": {"type": "role", "value": "Developers"}});
    assert_eq!(contract.fault("POST", path, &[], &body), None);
    for (method, path, query, body) in [
        ("POST", path, "", json!({"body": {}, "visibilty": {"type": "role", "value": "Developers"}})),
        ("POST", path, "", json!({"body": {}, "visibility": {"kind": "role"}})),
        ("POST", path, "", json!({"body": {}, "visibility": {"type": "everybody"}})),
        ("POST", path, "", json!({"body": {}, "id": "7"})),
        ("POST", "/rest/api/3/issue", "", json!({"field": {}})),
        (
            "POST",
            "/rest/api/3/issue",
            "",
            json!({"fields": {}, "properties": [{"name": "crossdesk", "value": 1}]}),
        ),
        (
            "POST",
            "/rest/api/3/issue/SUP-1/remotelink",
            "",
            json!({"globalID": "x", "object": {"url": "u", "title": "t"}}),
        ),
        ("POST", "/rest/api/3/issue/SUP-1/remotelink", "", json!({"globalId": "x", "object": {"url": "u"}})),
        ("POST", "/rest/api/3/issue/SUP-1/transition", "", json!({"transition": {"id": "1"}})),
        ("PATCH", "/rest/api/3/issue/SUP-1", "", json!({"fields": {}})),
        ("GET", "/rest/api/3/issue/SUP-1", "field", Value::Null),
        ("DELETE", "/rest/api/3/issue/SUP-1/properties/crossdesk", "", json!({})),
        ("POST", "/rest/api/3/search", "", json!({"jql": "x", "maxresults": 1})),
    ] {
        let query: Vec<_> = Some(query)
            .filter(|q| !q.is_empty())
            .map(|q| (q.to_owned(), "x".to_owned()))
            .into_iter()
            .collect();
        assert!(contract.fault(method, path, &query, &body).is_some(), "{method} {path} {body}");
    }
}
