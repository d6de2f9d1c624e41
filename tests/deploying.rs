//! What comes with the program for those who run it: each held against the running daemon.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Stdio},
};

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions},
    types::FieldTable,
};
use serde_json::{Value, json};

use crate::support::{Pair, Sender, TestDaemon, rabbit::RabbitMq, servers::free_port, until};

fn beside(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

fn crossdesk(args: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossdesk"));
    let output = command.args(args).envs(variables.iter().copied()).stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// Every name of a metric that a text speaks of.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let metrics = words.filter(|word| word.starts_with("crossdesk_"));
    metrics.map(|word| word.trim_end_matches("_bucket").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
    let daemon = TestDaemon::with("Lens", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.reconcile.every = "1s".into();
    })
    .await;
    let sender = Sender::agreed(&daemon).await;
    let id = sender.share(&daemon, "t1").await;
    let event = daemon.desk(|desk| desk.comment(&id, "Smith", "We look into it.", true));
    daemon.tell(&event).await;
    until("it is delivered", async || (!sender.partner.tickets("PUT").is_empty()).then_some(())).await;
    daemon.until_quiet().await;
    let shows = vec![("content-type", "application/json".to_owned())];
    sender.partner.answer_always(Some((200, shows, "{}".to_owned())));
    let url = format!("http://{}/metrics", daemon.config.admin.listen);
    let there = until("tickets have been compared", async || {
        let there = reqwest::get(&url).await.ok()?.text().await.ok()?;
        there.contains("crossdesk_tickets_adrift{").then_some(there)
    })
    .await;
    for file in ["prometheus/alerts.yaml", "grafana/crossdesk.json"] {
        let text = std::fs::read_to_string(beside(file)).unwrap();
        let names = named(&text);
        assert!(names.len() > 5, "{file}: {names:?}");
        for name in names {
            assert!(there.contains(&format!("# TYPE {name} ")), "{file} asks for {name}, which is not there");
        }
        // Labels that are asked for, too.
        for label in ["outcome", "agreement", "reason", "kind", "type"] {
            if text.contains(&format!("by ({label})")) {
                assert!(there.contains(&format!("{label}=\"")), "{file} asks for the label {label}");
            }
        }
    }
    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string(beside("grafana/crossdesk.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.iter().all(|panel| panel["targets"][0]["expr"].is_string()), "{dashboard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_definitions_for_rabbitmq_let_everybody_do_their_own_and_no_more() {
    let rabbit = RabbitMq::new();
    rabbit.load(&beside("rabbitmq/definitions.json"));
    let of = |name: &str| rabbit.url_of(&format!("{name}:{name}"), "acme");
    let (ours, desk, bridge) = (of("crossdesk"), of("desk"), of("bridge"));
    let (rabbit, _running) = tokio::task::spawn_blocking(move || {
        let process = rabbit.start();
        (rabbit, process)
    })
    .await
    .unwrap();
    let daemon = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.broker.url = ours.clone();
        config.broker.queue_type = crossdesk::broker::QueueType::Classic;
    })
    .await;
    // The desk publishes its events, takes its commands, and makes nothing.
    let connect = async |url: &str| {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        (connection, channel)
    };
    let (_desk, channel) = connect(&desk).await;
    let event =
        json!({"specversion": "1.0", "id": "e-1", "source": "desk", "type": "helpdesk.fields.changed",
        "data": {"fields": [{"title": "Serial", "type": "text"}]}})
        .to_string();
    let properties = BasicProperties::default().with_delivery_mode(2);
    let confirm = channel.basic_publish(
        "helpdesk.events".into(),
        "x".into(),
        BasicPublishOptions::default(),
        event.as_bytes(),
        properties.clone(),
    );
    assert!(matches!(confirm.await.unwrap().await.unwrap(), lapin::Confirmation::Ack(None)));
    let consume = channel.basic_consume(
        "crossdesk.commands".into(),
        "".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let mut commands = consume.await.unwrap();
    daemon.post("agreements", json!({"kind": "queue", "name": "Bridge"})).await;
    let refused =
        channel.queue_declare("crossdesk.mine".into(), Default::default(), FieldTable::default()).await;
    assert!(refused.unwrap_err().to_string().contains("ACCESS_REFUSED"));
    drop(commands.next());
    // A bridge takes its queue and answers; the desk's commands and events are not its own.
    let (_bridge, channel) = connect(&bridge).await;
    let inbound = channel.basic_publish(
        "".into(),
        "crossdesk.inbound".into(),
        BasicPublishOptions::default(),
        b"{}",
        properties,
    );
    assert!(inbound.await.unwrap().await.unwrap().is_ack());
    let consume = channel.basic_consume(
        "crossdesk.commands".into(),
        "".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    assert!(consume.await.unwrap_err().to_string().contains("ACCESS_REFUSED"));
    until("what the bridge said came in, and was refused", async || {
        (!daemon.get("dead-letters").await.as_array()?.is_empty()).then_some(())
    })
    .await;
    // A user who may do nothing is told what it needs.
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("x.db").display());
    let (fine, said) =
        crossdesk(&["check"], &[("CROSSDESK_BROKER__URL", &bridge), ("CROSSDESK_STORE__URL", &store)]);
    assert!(!fine && said.contains("ACCESS") && said.contains("deploy/rabbitmq/definitions.json"), "{said}");
    drop(rabbit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_store_is_made_while_the_daemon_runs_and_takes_its_place() {
    let mut daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    let id = sender.share(&daemon, "t1").await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db").display().to_string();
    let store = daemon.config.store.url.clone();
    let (fine, said) = crossdesk(&["backup", &copy], &[("CROSSDESK_STORE__URL", &store)]);
    assert!(fine, "{said}");
    let (fine, said) = crossdesk(&["backup", &copy], &[("CROSSDESK_STORE__URL", &store)]);
    assert!(!fine && said.contains("overwrites nothing"), "{said}");
    let (fine, said) =
        crossdesk(&["backup", "x"], &[("CROSSDESK_STORE__URL", "postgres://nobody@127.0.0.1:1/x")]);
    assert!(!fine && said.contains("pg_dump"), "{said}");
    daemon.stop().await;
    daemon.config.store.url = format!("sqlite:{copy}");
    daemon.resume().await;
    assert_eq!(daemon.ticket(&id).await["subject"], "Lens stuck");
    assert_eq!(sender.ticket("PUT", "t1", &json!({"status": "pending"})).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_of_the_configuration_can_be_taken_up_is_taken_up_at_once() {
    let mut daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, uuid) = daemon.agreed().await;
    let (id, opened) = daemon.desk(|desk| desk.open(("77", "Joe User"), "Lens stuck", "It is stuck.", &[]));
    daemon.tell(&opened).await;
    daemon.config.rules = vec![
        serde_json::from_value(json!({"name": "Lens", "when": "'lens' in ticket.tags", "share_with": uuid}))
            .unwrap(),
    ];
    daemon.config.desk.fields =
        vec![serde_json::from_value(json!({"title": "Serial", "type": "text"})).unwrap()];
    daemon.config.agreements = vec![
        serde_json::from_value(
            json!({"uuid": "d".repeat(40), "name": "Declared", "direction": "outbound", "kind": "queue",
            "access_key": "k".repeat(40), "status": "accepted"}),
        )
        .unwrap(),
    ];
    daemon.reload().await;
    daemon.until_agreement(Some(&"d".repeat(40)), "accepted").await;
    let event = daemon.desk(|desk| desk.tag(&id, &["lens"]));
    daemon.tell(&event).await;
    until("the new rule shares it", async || (!partner.tickets("POST").is_empty()).then_some(())).await;
    let checked = daemon.get(&format!("agreements/{uuid}/check")).await;
    assert!(checked["fields"].to_string().contains("Serial"), "{checked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_tells_whether_the_sharing_url_leads_here() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let other = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("x.db").display());
    let admin = daemon.config.admin.listen.to_string();
    let check = async |url: &str| {
        let (url, store, admin) = (url.to_owned(), store.clone(), admin.clone());
        tokio::task::spawn_blocking(move || {
            crossdesk(
                &["check"],
                &[
                    ("CROSSDESK_DESK__SHARING_URL", &url),
                    ("CROSSDESK_STORE__URL", &store),
                    ("CROSSDESK_ADMIN__LISTEN", &admin),
                ],
            )
        })
        .await
        .unwrap()
    };
    let elsewhere = format!("http://{admin}/sharing");
    let nowhere = format!("http://127.0.0.1:{}/sharing", free_port());
    for (url, fine, words) in [
        (daemon.sharing_url(), true, "ok, from this machine: no partner elsewhere can reach it"),
        (other.sharing_url(), true, "leads to another daemon"),
        (elsewhere, false, "does not speak the protocol"),
        (nowhere, true, "cannot be reached from here"),
    ] {
        let (exit, said) = check(&url).await;
        assert!(exit == fine && said.contains(words), "{url}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_manager_is_told_that_it_is_up_alive_and_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = tokio::net::UnixDatagram::bind(&path).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_crossdesk"))
        .arg("run")
        .current_dir(folder.path())
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000")
        .env("CROSSDESK_HTTP__LISTEN", format!("127.0.0.1:{}", free_port()))
        .env("CROSSDESK_ADMIN__LISTEN", format!("127.0.0.1:{}", free_port()))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let told = async |what: &str| {
        let heard = until(what, async || {
            let mut said = [0; 200];
            let length = socket.try_recv(&mut said).ok()?;
            let said = String::from_utf8_lossy(&said[..length]).into_owned();
            said.contains(what).then_some(said)
        });
        heard.await
    };
    told("READY=1").await;
    told("WATCHDOG=1").await;
    told("WATCHDOG=1").await;
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    told("STOPPING=1").await;
    assert!(child.wait().unwrap().success());
    let (fine, page) = crossdesk(&["man"], &[]);
    assert!(fine && page.contains(".TH crossdesk 1"), "{page}");
}
