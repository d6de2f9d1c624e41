//! Too much, too often, too slow, and for too long: what the daemon lets in, and what it says of partners that fail.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{FakePartner, Pair, Sender, TestDaemon, new_ticket, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_with_the_limit_and_changes_nothing() {
    let daemon = TestDaemon::with("Lens", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.limits.comments = 2;
        config.limits.comment_length = 100;
        config.limits.tags = 3;
        config.limits.fields = 2;
        config.limits.body = 4096;
    })
    .await;
    let sender = Sender::agreed(&daemon).await;
    assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
    let comment = |uuid: &str, body: String| json!({"uuid": uuid, "author": {"uuid": "joe", "name": "Joe"}, "body": body, "public": true});
    let deep = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let many: Vec<Value> = (0..3).map(|n| comment(&n.to_string(), "x".to_owned())).collect();
    for (body, says) in [
        (json!({"comments": many}), "2 at most"),
        (json!({"comments": [comment("long", "x".repeat(101))]}), "100 characters"),
        (json!({"tags": ["a", "b", "c", "d"]}), "3 at most"),
        (json!({"custom_fields": {"a": 1, "b": 2, "c": 3}}), "2 at most"),
        (json!({"subject": "x".repeat(5000)}), "4096 bytes"),
        (
            json!({"tags": [], "crossdesk": {"seq": 9, "seen": 0, "tags_added": ["a", "b", "c", "d"]}}),
            "3 at most",
        ),
        (json!({"custom_fields": {"a": deep(33)}}), "32 at most"),
    ] {
        let (status, text) = sender.send("PUT", "tickets/t1", Some(&body), true).await;
        assert_eq!(status, 422, "{text}");
        assert!(text.contains(says), "{text}");
    }
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let body: Value = json!({"custom_fields": {"deep": "x"}});
    let text = body.to_string().replace("\"x\"", &deep);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .put(format!("{}/tickets/t1", daemon.sharing_url()))
        .header("X-Ticket-Sharing-Token", format!("{}:{}", sender.uuid, sender.key))
        .body(text);
    assert_eq!(answer.send().await.unwrap().status(), 422, "nested too deep");
    let id = daemon.until_desk("the ticket is here", |d| d.find("t1")).await;
    daemon.until_quiet().await;
    assert_eq!(daemon.desk(|d| (d.tickets[&id].comments.len(), d.tickets[&id].tags.len())), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_much_more_memory_or_time_than_it_takes_bytes_is_refused() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
    let with = |html: String, attachments: Vec<Value>| json!({"comments": [{"uuid": "c", "author": {"uuid": "joe", "name": "Joe"}, "html_body": html, "public": true, "attachments": attachments}]});
    let attachment = json!({"url": "https://lens.example/1", "filename": "1"});
    for (body, says) in [
        (json!({"custom_fields": {"a": vec![json!([]); 20_001]}}), "20000 at most"),
        (with("<div>".repeat(501), Vec::new()), "500 deep"),
        (with("x".to_owned(), vec![attachment; 10_001]), "10000 at most"),
    ] {
        let (status, text) = sender.send("PUT", "tickets/t1", Some(&body), true).await;
        assert_eq!(status, 422, "{text}");
        assert!(text.contains(says), "{text}");
    }
    assert_eq!(sender.ticket("PUT", "t1", &with("<p>one<p>two".repeat(400), Vec::new())).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_to_come_back_and_others_are_not() {
    let daemon = TestDaemon::with("Lens", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.limits.requests_per_minute = 5;
    })
    .await;
    let (one, other) = (Sender::agreed(&daemon).await, Sender::agreed(&daemon).await);
    let mut answers = Vec::new();
    for _ in 0..7 {
        answers.push(one.send("GET", &format!("agreements/{}", one.uuid), None, true).await.0);
    }
    assert_eq!(answers, [200, 200, 200, 200, 200, 503, 503]);
    assert_eq!(other.send("GET", &format!("agreements/{}", other.uuid), None, true).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_idle_clients_are_let_go_and_large_headers_refused() {
    let daemon = TestDaemon::with("Lens", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.limits.header_timeout = "300ms".into();
        config.limits.body_timeout = "300ms".into();
    })
    .await;
    let address = daemon.config.http.listen;
    let mut answers = Vec::new();
    for sent in
        ["GET /healthz HT", "", "PUT /sharing/tickets/t1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"]
    {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "{sent:?} is not let go");
        answers.push(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned());
    }
    assert!(answers[2].contains("503"), "{answers:?}");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let large =
        client.get(format!("http://{address}/healthz")).header("x-large", "x".repeat(60_000)).send().await;
    assert!(large.is_err() || large.unwrap().status() == 431);
    assert_eq!(client.get(format!("http://{address}/healthz")).send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn partners_are_served_over_https_where_there_is_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let make = |name: &str| {
        let made = std::process::Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                &format!("/CN={name}"),
            ])
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", &path("key.pem"), "-out", &path("cert.pem")])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    make("one");
    let mut daemon = TestDaemon::with("Lens", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.http.certificate = path("cert.pem");
        config.http.private_key = path("key.pem");
    })
    .await;
    let listen = daemon.config.http.listen;
    let ask = async || {
        let pem = std::fs::read(path("cert.pem")).unwrap();
        let root = reqwest::Certificate::from_pem(&pem).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
        client.get(format!("https://{listen}/healthz")).send().await
    };
    assert_eq!(ask().await.unwrap().status(), 200);
    let plain = reqwest::get(format!("http://{}/healthz", daemon.config.http.listen)).await;
    assert!(plain.is_err(), "nothing is said without TLS");
    make("two");
    assert!(ask().await.is_err(), "the old certificate is in use until the files are read again");
    daemon.reload().await;
    assert_eq!(ask().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_replayed_and_dropped_by_agreement_or_all() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (one, first) = daemon.agreed().await;
    let (other, second) = daemon.agreed().await;
    for partner in [&one, &other] {
        partner.answer_always(Some((422, vec![], "no such queue".into())));
    }
    let mut ids = Vec::new();
    for uuid in [&first, &first, &second] {
        ids.push(daemon.open_and_share(uuid, "Lens stuck").await);
    }
    let count =
        async |query: &str| daemon.get(&format!("dead-letters{query}")).await.as_array().unwrap().len();
    until("all are parked", async || (count("").await == 3).then_some(())).await;
    assert_eq!(count(&format!("?agreement={first}")).await, 2);
    let unsaid = daemon.driver.ask(Method::POST, "dead-letters/replay", None).await.unwrap_err().to_string();
    assert!(unsaid.contains("422") && unsaid.contains("all=true"), "{unsaid}");
    one.answer_always(None);
    // What was written meanwhile goes with it, in order.
    let event = daemon.desk(|d| d.comment(&ids[0], "Smith", "Later.", true));
    daemon.tell(&event).await;
    let url = format!("http://{}", daemon.config.admin.listen);
    let run = async |args: &[&str]| {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_crossdesk"))
            .arg("dead-letter")
            .args(args)
            .args(["--url", &url, "--token", "test-token"])
            .output()
            .await
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert_eq!(run(&["replay", "--agreement", &first]).await, (0, "replayed 2\n".to_owned()));
    let posts =
        until("both are out", async || Some(one.tickets("POST")).filter(|posts| posts.len() == 4)).await;
    let again = posts.iter().rfind(|post| post["original_id"] == ids[0].as_str()).unwrap();
    assert_eq!(again["comments"].as_array().unwrap().len(), 2, "{again}");
    assert_eq!(count("").await, 1);
    assert_eq!(run(&["drop", "--all"]).await, (0, "dropped 1\n".to_owned()));
    assert_eq!(count("").await, 0);
    let (code, text) = run(&["replay"]).await;
    assert!(code == 2 && text.contains("--all"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_poison_messages_stop_nothing() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_AMQP).await;
    let (partner, uuid) = daemon.agreed().await;
    for n in 0..10_000 {
        let poison = match n % 4 {
            0 => "no JSON".to_owned(),
            1 => format!(
                "{{\"specversion\":\"1.0\",\"id\":\"{n}\",\"source\":\"x\",\"type\":\"helpdesk.ticket.danced\",\"data\":{{}}}}"
            ),
            2 => format!(
                "{{\"specversion\":\"1.0\",\"id\":\"{n}\",\"source\":\"x\",\"type\":\"helpdesk.ticket.changed\",\"data\":{{\"ticket\":7}}}}"
            ),
            _ => "[".repeat(n % 300),
        };
        daemon.publish(poison.as_bytes()).await;
    }
    daemon.open_and_share(&uuid, "Lens stuck").await;
    until("the ticket behind them goes out", async || partner.tickets("POST").pop()).await;
    let dead = daemon.get("dead-letters").await;
    assert_eq!(dead.as_array().unwrap().len(), 1000, "they come a page at a time");
    assert!(dead[0]["reason"].as_str().unwrap().contains("JSON") && dead[0]["parked_at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_fails_for_long_is_told_and_so_is_its_return_and_others_go_on() {
    let daemon = TestDaemon::with("Acme", Pair::SQLITE_AMQP, Default::default(), |config| {
        config.delivery.notify_after = "300ms".into();
    })
    .await;
    let (down, first) = daemon.agreed().await;
    let (well, second) = daemon.agreed().await;
    let gate = FakePartner::start().await;
    let third = daemon.invite(&gate.url).await;
    daemon.answered(&gate, &third, "accepted").await;
    let hold = gate.hold();
    down.answer_always(Some((503, vec![], String::new())));
    for uuid in [&first, &third] {
        for n in 0..20 {
            daemon.open_and_share(uuid, &format!("waits {n}")).await;
        }
    }
    for n in 0..20 {
        daemon.open_and_share(&second, &format!("goes on {n}")).await;
    }
    until("the third partner has all of its own", async || (well.tickets("POST").len() == 20).then_some(()))
        .await;
    let notice = |kind: &'static str| {
        let daemon = &daemon;
        async move {
            daemon.until_desk(kind, |d| d.notices.iter().find(|notice| notice["kind"] == kind).cloned()).await
        }
    };
    let told = notice("partner_failing").await;
    assert!(
        told["text"].as_str().unwrap().contains("503") && told["agreement"]["uuid"] == first.as_str(),
        "{told}"
    );
    assert!(daemon.get(&format!("agreements/{first}")).await["failing_since"].is_string());
    assert_eq!((up(&daemon, &first).await, up(&daemon, &second).await), (Some(0), Some(1)));
    assert!(daemon.get(&format!("agreements/{second}")).await["failing_since"].is_null());
    down.answer_always(None);
    notice("partner_back").await;
    hold.add_permits(1000);
    until("everything has arrived", async || {
        (down.tickets("POST").len() >= 20 && gate.tickets("POST").len() >= 20).then_some(())
    })
    .await;
    assert!(daemon.get(&format!("agreements/{first}")).await["failing_since"].is_null());
    assert_eq!(up(&daemon, &first).await, Some(1));
}

/// What `crossdesk_partner_up` says of an agreement.
async fn up(daemon: &TestDaemon, agreement: &str) -> Option<u32> {
    let url = format!("http://{}/metrics", daemon.config.admin.listen);
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("crossdesk_partner_up{"));
    lines.find(|line| line.contains(agreement))?.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn html_that_takes_for_ever_to_clean_is_refused_before() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    let mut ticket = new_ticket("t1");
    ticket["comments"][0]["html_body"] = json!("<div>".repeat(40_000));
    let (status, text) = sender.send("POST", "tickets/t1", Some(&ticket), true).await;
    assert!(status == 422 && text.contains("40000 HTML tags"), "{status} {text}");
    ticket["comments"][0]["html_body"] = json!(format!("<p>{}</p>", "<b>x</b>".repeat(2_000)));
    assert_eq!(sender.ticket("POST", "t1", &ticket).await, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_of_a_stranger_is_not_read() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let mut stream = tokio::net::TcpStream::connect(daemon.config.http.listen).await.unwrap();
    let head = "POST /sharing/tickets/t1 HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\nx-ticket-sharing-token: a:b\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // Not one byte of the body has come.
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 403");
}
