//! What the documents say, held against what the daemon does.

use std::process::Command;

use crossdesk::domain::Namespace;
use serde_json::{Value, json};

use crate::support::{Pair, Sender, TestDaemon, until};

/// A tool of `tests/documents`, which `tests/run` installs.
fn tool(name: &str) -> Command {
    let path = format!("{}/tests/documents/python/bin/{name}", env!("CARGO_MANIFEST_DIR"));
    assert!(std::path::Path::new(&path).exists(), "{name} is not installed: tests/run does that");
    Command::new(path)
}

fn output(mut command: Command) -> String {
    let done = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}: {said}");
    said
}

async fn document(daemon: &TestDaemon) -> Value {
    document_of(daemon, "openapi.json").await
}

async fn document_of(daemon: &TestDaemon, name: &str) -> Value {
    let answer = reqwest::get(format!("http://{}/{name}", daemon.config.admin.listen)).await.unwrap();
    assert_eq!(answer.status(), 200);
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

/// Every `$ref` of a document, and whatever it leads to.
fn references<'a>(part: &'a Value, found: &mut Vec<&'a str>) {
    match part {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(members) => members.iter().for_each(|member| references(member, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_leads_nowhere_that_is_not_there_and_names_every_address_once() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let document = document(&daemon).await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 40, "{found:?}");
    for reference in found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    let mut names = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            names.push(
                operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path}")).to_owned(),
            );
        }
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "an operation's name is its own");
    for path in [
        "agreements",
        "agreements/{uuid}",
        "agreements/{uuid}/accept",
        "tickets",
        "tickets/{id}/explain",
        "dead-letters/{id}/replay",
        "commands",
        "events",
        "preview",
        "settings",
    ] {
        assert!(document["paths"].get(format!("/api/v1/{path}")).is_some(), "{path} is missing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_look_as_openapi_says() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let document = document(&daemon).await;
    let (partner, uuid) = daemon.agreed().await;
    let id = daemon.open_and_share(&uuid, "Lens is broken").await;
    daemon.until_quiet().await;
    partner.answer_always(Some((422, vec![], "no".to_owned())));
    daemon.open_and_share(&uuid, "Nobody wants this").await;
    until("the dead letter", async || {
        let letters = daemon.get("dead-letters").await;
        (letters.as_array()?.len() == 1).then_some(())
    })
    .await;
    let base = format!("http://{}", daemon.config.admin.listen);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, at) in [
        ("agreements", "agreements".to_owned()),
        ("agreements/{uuid}", format!("agreements/{uuid}")),
        ("agreements/{uuid}", "agreements/nobody".to_owned()),
        ("agreements/{uuid}/check", format!("agreements/{uuid}/check")),
        ("tickets", "tickets".to_owned()),
        ("tickets", "tickets?limit=many".to_owned()),
        ("tickets/{id}", format!("tickets/{id}")),
        ("tickets/{id}/explain", format!("tickets/{id}/explain")),
        ("dead-letters", "dead-letters".to_owned()),
        ("commands", "commands".to_owned()),
        ("settings", "settings".to_owned()),
    ] {
        let answer =
            client.get(format!("{base}/api/v1/{at}")).bearer_auth("test-token").send().await.unwrap();
        let status = answer.status().as_u16().to_string();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let said =
            &document["paths"][format!("/api/v1/{path}")]["get"]["responses"][&status]["content"][&kind];
        assert!(said.is_object(), "{at}: {status} of {kind} is not described");
        let schema = json!({"$ref": said["schema"]["$ref"], "components": document["components"]});
        let validator = jsonschema::validator_for(&schema).unwrap();
        let faults: Vec<String> = validator
            .iter_errors(&body)
            .map(|fault| format!("{} at {}", fault, fault.instance_path()))
            .collect();
        assert_eq!(faults, Vec::<String>::new(), "{at}");
    }
}

/// A document is valid, and whatever it lets one ask is answered as it says: at this address, with this header, about these.
async fn answers_as_it_says(document: &Value, base: &str, header: &str, known: &str, more: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let mut valid = tool("openapi-spec-validator");
    valid.arg(&file);
    output(valid);
    // What it asks is about things that are there.
    std::fs::write(folder.path().join("schemathesis.toml"), known).unwrap();
    let mut asks = tool("schemathesis");
    asks.current_dir(folder.path());
    asks.args([
        "--config-file",
        "schemathesis.toml",
        "run",
        "openapi.json",
        "--url",
        base,
        "--header",
        header,
    ]);
    asks.args(["--seed", "1", "--max-examples", "20", "--no-color"]).args(more);
    let said = tokio::task::spawn_blocking(move || output(asks)).await.unwrap();
    assert!(said.contains("Tested: "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_openapi_lets_one_ask_is_answered_as_it_says() {
    let mut daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (_partner, uuid) = daemon.agreed().await;
    let id = daemon.open_and_share(&uuid, "Lens is broken").await;
    daemon.until_quiet().await;
    let document = document(&daemon).await;
    let known = format!("[parameters]\n\"path.uuid\" = \"{uuid}\"\n\"path.id\" = \"{id}\"\n");
    // Whether a value can be used no shape can say altogether: a filter that is no program, a partner's private address.
    let more = ["--exclude-checks", "positive_data_acceptance"];
    let base = format!("http://{}", daemon.config.admin.listen);
    answers_as_it_says(&document, &base, "Authorization: Bearer test-token", &known, &more).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_partners_may_ask_is_answered_as_their_document_says() {
    let mut daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    let ticket = "00000000000000000000000000000000000000aa";
    sender.share(&daemon, ticket).await;
    let document = document_of(&daemon, "openapi-partners.json").await;
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    let known =
        format!("[parameters]\n\"path.uuid\" = \"{ticket}\"\n\"path.agreement\" = \"{}\"\n", sender.uuid);
    let header = format!("X-Ticket-Sharing-Token: {}", sender.token());
    // A partner's mistakes are forgiven as far as they can be (RT says a number where a text belongs), and what can be used
    // depends on what there is.
    let more = [
        "--exclude-checks",
        "positive_data_acceptance,negative_data_rejection,unsupported_method,ignored_auth",
    ];
    let base = format!("http://{}", daemon.config.http.listen);
    answers_as_it_says(&document, &base, &header, &known, &more).await;
    daemon.stop().await;
}

#[test]
fn asyncapi_is_what_it_says_and_names_the_queues_that_there_are() {
    let mut asked = Command::new(env!("CARGO_BIN_EXE_crossdesk"));
    asked.args(["schema", "asyncapi"]).env("CROSSDESK_BROKER__COMMANDS_QUEUE", "desk.commands");
    let document: Value = serde_json::from_str(&output(asked)).unwrap();
    let shape = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/documents/node_modules/@asyncapi/specs/schemas/3.0.0.json"
    );
    let shape: Value =
        serde_json::from_str(&std::fs::read_to_string(shape).expect("tests/run installs it")).unwrap();
    let validator = jsonschema::validator_for(&shape).unwrap();
    let faults: Vec<String> = validator
        .iter_errors(&document)
        .map(|fault| format!("{} at {}", fault, fault.instance_path()))
        .collect();
    assert_eq!(faults, Vec::<String>::new());
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    let addresses: Vec<&str> =
        document["channels"].as_object().unwrap().values().filter_map(|c| c["address"].as_str()).collect();
    for queue in [
        "crossdesk.events",
        "desk.commands",
        "crossdesk.partner.{agreement}",
        "crossdesk.inbound",
        "crossdesk.dead",
    ] {
        assert!(addresses.contains(&queue), "{queue} is not among {addresses:?}");
    }
}

#[test]
fn the_schema_of_events_takes_what_the_daemon_takes() {
    let schema = jsonschema::validator_for(&crossdesk::wire::desk::schema()).unwrap();
    let ours = Namespace::of("desk.example/sharing");
    let event = |kind: &str, data: Value| json!({"specversion": "1.0", "id": 7, "source": "desk", "type": kind, "data": data});
    let ticket = |more: Value| event("helpdesk.ticket.changed", json!({"ticket": more}));
    for (event, fits) in [
        (ticket(json!({"id": 4711, "tags": ["a", "a"], "custom_fields": null})), true),
        (ticket(json!({"id": "4711", "requester": {"id": 77, "name": "Joe"}, "created_at": null})), true),
        (
            event(
                "helpdesk.ticket.changed",
                json!({"ticket": {"id": "1"}, "comments": null, "comments_complete": null}),
            ),
            true,
        ),
        (
            event(
                "helpdesk.ticket.changed",
                json!({"ticket": {"id": "1"}, "comments": [{"id": 5, "body": "b", "attachments": null}]}),
            ),
            true,
        ),
        (
            event(
                "helpdesk.command.completed",
                json!({"command_id": "c.1", "status": "done", "ticket_id": 5, "users": null}),
            ),
            true,
        ),
        (
            event(
                "helpdesk.fields.changed",
                json!({"fields": [{"title": "T", "type": "text", "options": null}]}),
            ),
            true,
        ),
        (ticket(json!({"subject": "nobody's"})), false),
        (event("helpdesk.fields.changed", json!({"fields": [{"title": "T", "type": "colour"}]})), false),
    ] {
        let read = crossdesk::wire::desk::decode(event.to_string().as_bytes(), &ours);
        assert_eq!(read.is_ok(), fits, "{event}: {read:?}");
        let faults: Vec<String> = schema.iter_errors(&event).map(|fault| fault.to_string()).collect();
        // Some shape of `data` fits nearly everything: what a type needs is the daemon's to say.
        assert!(faults.is_empty() || !fits, "{event}: {faults:?}");
    }
}
