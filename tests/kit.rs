//! The kit for makers of partners: what examines, held against what keeps the protocol and what does not.

use std::process::Command;

use serde_json::Value;

use crate::support::{FakePartner, Pair, TestDaemon, until};

/// Examines a server; says whether it passed, and its points.
async fn examined(url: &str, more: &'static [&'static str]) -> (bool, Vec<Value>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossdesk"));
    command.args(["--json", "partner-test", url]).args(more);
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let paper: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
    let points = paper["points"].as_array().cloned().unwrap_or_default();
    (done.status.success(), points, String::from_utf8_lossy(&done.stderr).into_owned())
}

fn not_kept(points: &[Value]) -> Vec<&Value> {
    points.iter().filter(|point| point["verdict"] != "kept").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn this_daemon_keeps_every_point_of_every_dialect() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let accept = async {
        let invited = until("the invite", async || {
            let agreements = daemon.get("agreements").await;
            agreements.as_array()?.iter().find(|agreement| agreement["status"] == "pending").cloned()
        })
        .await;
        daemon.post(&format!("agreements/{}/accept", invited["uuid"].as_str().unwrap()), Value::Null).await;
    };
    let url = daemon.sharing_url();
    let ((passed, points, said), ()) = tokio::join!(examined(&url, &[]), accept);
    assert!(points.len() > 30, "{said}");
    assert_eq!(not_kept(&points), Vec::<&Value>::new());
    assert!(passed, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fake_partner_keeps_every_point_and_gets_on_with_this_daemon() {
    let (port, folder) = (crate::support::servers::free_port(), tempfile::tempdir().unwrap());
    let log = folder.path().join("log");
    let at = format!("127.0.0.1:{port}");
    let mut fake = Command::new(env!("CARGO_BIN_EXE_crossdesk"))
        .args(["fake-partner", "--listen", &at])
        .stdout(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let told = || std::fs::read_to_string(&log).unwrap();
    until("the partner is there", async || told().contains("a partner is at").then_some(())).await;
    let url = format!("http://{at}/sharing");
    let (passed, points, said) = examined(&url, &[]).await;
    let missed = not_kept(&points);
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let uuid = daemon.invite(&url).await;
    daemon.until_agreement(Some(&uuid), "accepted").await;
    let id = daemon.open_and_share(&uuid, "Lens is broken").await;
    daemon
        .until_desk("its answer", |desk| {
            let ticket = desk.tickets.get(&id)?;
            ticket.comments.iter().any(|comment| comment.body.contains("we look into it")).then_some(())
        })
        .await;
    fake.kill().unwrap();
    fake.wait().unwrap();
    assert_eq!(missed, Vec::<&Value>::new());
    assert!(passed, "{said}");
    let told = told();
    assert!(told.contains("Lens is broken") && told.contains("accepted agreement"), "{told}");
    assert!(
        !told.contains("access_key\":\"") || told.contains("access_key\":\"…\""),
        "a key is told: {told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_everything_breaks_points_and_one_that_never_accepts_is_said() {
    let partner = FakePartner::start().await;
    let (passed, points, said) = examined(&partner.url, &["--wait", "1"]).await;
    assert!(
        !passed && points.is_empty() && said.contains("nobody has accepted the invite within 1 s"),
        "{said}"
    );
    // It says yes at once, and to everything.
    let yes = async {
        let invite = until("a new invite", async || {
            let received = partner.received();
            let mut asked =
                received.iter().filter(|asked| asked.path.contains("/agreements/") && asked.method == "POST");
            let first = asked.next()?.body["uuid"].clone();
            asked.rev().find(|asked| asked.body["uuid"] != first).map(|asked| asked.body.clone())
        });
        let invite = invite.await;
        let (uuid, url) = (invite["uuid"].as_str().unwrap(), invite["sender_url"].as_str().unwrap());
        let body = serde_json::json!({"status": "accepted"});
        crate::support::say(url, "", "PUT", &format!("agreements/{uuid}"), Some(&body)).await;
    };
    let ((passed, points, said), ()) = tokio::join!(examined(&partner.url, &[]), yes);
    assert!(!passed, "{said}");
    let broken: Vec<&str> = points
        .iter()
        .filter(|point| point["verdict"] == "broken")
        .filter_map(|point| point["wanted"].as_str())
        .collect();
    for wanted in [
        "a request without a token is 401",
        "a wrong key is refused",
        "a ticket that is unshared takes nothing",
    ] {
        assert!(broken.contains(&wanted), "{wanted} is not among {broken:?}");
    }
}
