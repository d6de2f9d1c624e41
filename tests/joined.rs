//! Joined by queues alone: bridges of the examples, and two daemons with a shovel each way and no HTTP between them.

use std::{path::PathBuf, process::Stdio};

use crossdesk::{
    config::DeclaredAgreement,
    domain::{AgreementStatus, Direction, Kind, Terms, Uuid},
};
use serde_json::{Value, json};

use crate::support::{Pair, TestDaemon, rabbit::RabbitMq, until};

/// A bridge of the examples: it accepts, keeps what it is told, and answers; what it is told while it is away comes later.
async fn an_example_is_a_partner(program: &str, arguments: &[&str]) {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_AMQP).await;
    let terms = json!({"comments": "public_and_private", "sync_tags": true, "sync_custom_fields": true});
    let made = daemon.post("agreements", json!({"kind": "queue", "name": "Bridge", "terms": terms})).await;
    let (uuid, key) = (made["uuid"].as_str().unwrap(), made["access_key"].as_str().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("tickets.json");
    let broker = daemon.config.broker.clone();
    until("its queue is there", async || {
        let ready = reqwest::get(format!("http://{}/readyz", daemon.config.admin.listen)).await.ok()?;
        let ready: Value = serde_json::from_str(&ready.text().await.ok()?).ok()?;
        (ready["outbox_pending"] == 0).then_some(())
    })
    .await;
    let run = || {
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).env("AMQP_URL", &broker.url).env("AGREEMENT", uuid).env("ACCESS_KEY", key);
        command.env("PARTNER_QUEUE", format!("{}{uuid}", broker.partner_queue_prefix));
        command.env("INBOUND_QUEUE", &broker.inbound_queue).env("TICKETS", &kept);
        command
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the example is built, or its language is there")
    };
    let mut bridge = run();
    daemon.until_agreement(Some(uuid), "accepted").await;
    let id = daemon.open_and_share(uuid, "Lens stuck").await;
    let said = "Received here as number 1.";
    daemon
        .until_desk("the bridge's answer is on the desk", |desk| {
            desk.tickets[&id].comments.iter().any(|c| c.body == said && c.public).then_some(())
        })
        .await;
    let shown = until("its number is known", async || {
        let shown = daemon.ticket(&id).await;
        (shown["shares"][0]["partner_ticket_id"] == "1").then_some(shown)
    })
    .await;
    let ticket = shown["uuid"].as_str().unwrap();
    let on_the_other_side = async |what: &str, look: &dyn Fn(&Value) -> bool| {
        until(what, async || {
            let text = std::fs::read_to_string(&kept).ok()?;
            let kept: Value = serde_json::from_str(&text).ok()?;
            look(&kept["tickets"][ticket]).then_some(())
        })
        .await;
    };
    // Killed, and started again: what was said meanwhile comes, once and in order.
    bridge.kill().await.unwrap();
    for event in [
        daemon.desk(|desk| desk.comment(&id, "Smith", "We look into it.", true)),
        daemon.desk(|desk| desk.set(&id, "status", "solved")),
    ] {
        daemon.tell(&event).await;
    }
    let _bridge = run();
    on_the_other_side("all of it is kept", &|ticket| {
        let words: Vec<&Value> = ticket["comments"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, comment)| &comment["body"])
            .collect();
        let status =
            [&ticket["status"], &ticket["values"]["status"]].iter().any(|status| **status == "solved");
        words.len() == 2 && words.iter().any(|body| **body == "We look into it.") && status
    })
    .await;
    daemon.driver.ask(reqwest::Method::DELETE, &format!("tickets/{id}/share"), None).await.unwrap();
    on_the_other_side("it knows that the share has ended", &|ticket| ticket["shared"] == false).await;
    let said = daemon.desk(|desk| desk.tickets[&id].comments.iter().filter(|c| c.body == said).count());
    assert_eq!((said, daemon.get("dead-letters").await), (1, json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bridge_in_python_is_a_partner() {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/bridge.py");
    // Debian's, which has its packages.
    an_example_is_a_partner("/usr/bin/python3", &[script.to_str().unwrap()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bridge_in_rust_is_a_partner() {
    let built = std::env::current_exe().unwrap();
    let example = built.parent().unwrap().parent().unwrap().join("examples/bridge");
    assert!(example.exists(), "cargo build --examples makes {}", example.display());
    an_example_is_a_partner(example.to_str().unwrap(), &[]).await;
}

/// One side's declaration of an agreement over queues.
fn declared(uuid: &str, direction: Direction) -> DeclaredAgreement {
    DeclaredAgreement {
        uuid: Uuid::new(uuid),
        name: "The other side".into(),
        direction,
        kind: Kind::Queue,
        url: None,
        access_key: "e".repeat(40),
        status: AgreementStatus::Pending,
        terms: Terms { sync_tags: true, sync_custom_fields: true, ..Terms::default() },
        profile: Default::default(),
        local: Default::default(),
        jira: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_with_shovels_between_them_play_the_whole_story() {
    let uuid = "5".repeat(40);
    let rabbit = RabbitMq::new();
    let shovel = |name: &str, from: &str, to: &str| {
        format!(
            "{{{name}, [{{source, [{{protocol, amqp091}}, {{uris, [\"{url}\"]}}, {{queue, <<\"{from}.partner.{uuid}\">>}}]}}, \
             {{destination, [{{protocol, amqp091}}, {{uris, [\"{url}\"]}}, \
             {{publish_properties, [{{delivery_mode, 2}}, {{headers, [{{<<\"x-ticket-sharing-token\">>, longstr, <<\"{uuid}:{key}\">>}}]}}]}}, \
             {{publish_fields, [{{exchange, <<\"\">>}}, {{routing_key, <<\"{to}.inbound\">>}}]}}]}}, \
             {{ack_mode, on_confirm}}, {{reconnect_delay, 1}}]}}",
            url = rabbit.url,
            key = "e".repeat(40),
        )
    };
    rabbit.shovel(&format!("{}, {}", shovel("there", "acme", "lens"), shovel("back", "lens", "acme")));
    let url = rabbit.url.clone();
    let _process = tokio::task::spawn_blocking(move || rabbit.start()).await.unwrap();
    let side = async |name: &'static str, direction: Direction| {
        let url = url.clone();
        TestDaemon::with(name, Pair::SQLITE_AMQP, Default::default(), |config| {
            config.broker.url = url;
            config.broker.partner_queue_prefix = format!("{}.partner.", name.to_lowercase());
            config.broker.inbound_queue = format!("{}.inbound", name.to_lowercase());
            // Nothing of the two is reached over HTTP.
            config.delivery.allow_private_partners = false;
            config.agreements = vec![declared(&uuid, direction)];
        })
        .await
    };
    let acme = side("Acme", Direction::Outbound).await;
    let lens = side("Lens", Direction::Inbound).await;
    lens.driver.ask(reqwest::Method::POST, &format!("agreements/{uuid}/accept"), None).await.unwrap();
    lens.until_agreement(Some(&uuid), "accepted").await;
    acme.until_agreement(Some(&uuid), "accepted").await;

    let id = acme.open_and_share(&uuid, "Lens stuck").await;
    let network = acme.ticket(&id).await["uuid"].as_str().unwrap().to_owned();
    let theirs = lens.until_desk("the ticket is there", |desk| desk.find(&network)).await;
    for event in [
        lens.desk(|desk| desk.comment(&theirs, "Kim", "Which firmware?", true)),
        lens.desk(|desk| desk.set(&theirs, "status", "pending")),
        lens.desk(|desk| desk.tag(&theirs, &["firmware"])),
    ] {
        lens.tell(&event).await;
    }
    acme.until_desk("what they did is here", |desk| {
        let ticket = &desk.tickets[&id];
        let said = ticket.comments.iter().filter(|c| c.body == "Which firmware?" && c.public).count();
        (said == 1 && ticket.values["status"] == "pending" && ticket.tags.contains("firmware")).then_some(())
    })
    .await;
    let event = acme.desk(|desk| desk.set(&id, "status", "solved"));
    acme.tell(&event).await;
    lens.until_desk("it is solved there", |desk| {
        (desk.tickets[&theirs].values["status"] == "solved").then_some(())
    })
    .await;
    lens.driver.ask(reqwest::Method::POST, &format!("agreements/{uuid}/deactivate"), None).await.unwrap();
    acme.until_agreement(Some(&uuid), "inactive").await;
    for daemon in [&acme, &lens] {
        assert_eq!(daemon.get("dead-letters").await, json!([]), "{}", daemon.config.desk.name);
    }
}
