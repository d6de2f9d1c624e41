//! What a ticket remembers itself and what the store does for it: comments and events that come again are known again, however
//! many there are and whatever was restarted in between; all messages of a ticket are found though no index has them.

use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::support::{FakePartner, Pair, Sender, TestDaemon, until};

/// More than a ticket remembers itself.
const MANY: usize = 150;

fn comment(number: usize) -> Value {
    json!({"id": format!("c{number}"), "body": format!("comment {number}"), "public": true,
        "author": {"id": "9", "name": "Smith", "role": "agent"}, "created_at": "2026-11-23T10:15:30Z"})
}

/// The ticket at a revision, with these comments.
fn event(kind: &str, id: &str, revision: usize, status: &str, comments: &[Value], agreement: &str) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "desk", "type": format!("helpdesk.ticket.{kind}"),
        "time": "2026-11-23T10:15:30Z", "data": {"ticket": {"id": "4711", "revision": revision, "subject": "Lens",
        "status": status, "requester": {"id": "77", "name": "Joe"}}, "comments": comments, "comments_complete": true,
        "agreement": agreement, "actor": {"id": "9", "name": "Smith", "role": "agent"}}})
}

/// What the partner was told of the ticket: its statuses, and its comments.
fn told(partner: &FakePartner) -> (Vec<String>, Vec<String>) {
    let requests = partner.received().into_iter().filter(|request| request.path.contains("/tickets/"));
    let bodies: Vec<Value> = requests.map(|request| request.body).collect();
    let status = |body: &Value| body["status"].as_str().map(str::to_owned);
    let comments = |body: &Value| -> Vec<String> {
        let all = body["comments"].as_array().into_iter().flatten();
        all.map(|comment| comment["body"].as_str().unwrap().to_owned()).collect()
    };
    (bodies.iter().filter_map(status).collect(), bodies.iter().flat_map(comments).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_of_long_ago_are_known_again_and_all_of_them_are_told_to_whoever_comes_late() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::POSTGRES_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let (partner, uuid) = daemon.agreed().await;
        let mut comments: Vec<Value> = (0..MANY).map(comment).collect();
        // In several events: each puts some of them behind those that are there.
        daemon.post("events", event("shared", "e1", 1, "open", &comments[..5], &uuid)).await;
        for (at, upto) in [40, 100, MANY].into_iter().enumerate() {
            daemon
                .post("events", event("changed", &format!("m{at}"), 2 + at, "open", &comments[..upto], ""))
                .await;
        }
        let all = |count: usize| -> Vec<String> { (0..count).map(|n| format!("comment {n}")).collect() };
        until("all are told", async || (told(&partner).1.len() >= MANY).then_some(())).await;
        daemon.until_quiet().await;
        assert_eq!(told(&partner).1, all(MANY));
        for round in 0..2 {
            comments.push(comment(MANY + round));
            let again = event("changed", &format!("a{round}"), 10 + round, "open", &comments, "");
            daemon.post("events", again).await;
            until("the new one is told", async || (told(&partner).1.len() > MANY + round).then_some(()))
                .await;
            daemon.until_quiet().await;
            assert_eq!(told(&partner).1, all(MANY + round + 1), "each once, in order");
            daemon.stop().await;
            daemon.resume().await;
        }
        // Another partner is told all of them, from the first to the last.
        daemon.post("events", event("unshared", "u", 20, "open", &[], "")).await;
        let (late, uuid) = daemon.agreed().await;
        daemon.post("events", event("shared", "s2", 21, "open", &[], &uuid)).await;
        until("the late one is told all", async || (told(&late).1.len() >= MANY + 2).then_some(())).await;
        assert_eq!(told(&late).1, all(MANY + 2));
        // And everything that happened is found.
        let story = daemon.get("tickets/4711/explain").await;
        let messages = story["messages"].as_array().unwrap();
        let numbers: Vec<&str> = messages.iter().filter_map(|message| message["id"].as_str()).collect();
        assert!(numbers.len() >= 7, "{story:#}");
        let lines = story.to_string();
        for event in ["desk e1", "desk m0", "desk m2", "desk a1", "desk u", "desk s2"] {
            assert!(lines.contains(event), "{event} is not in {story:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_again_changes_nothing_be_it_the_newest_or_an_older_one() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::POSTGRES_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let (partner, uuid) = daemon.agreed().await;
        daemon.post("events", event("shared", "e1", 1, "open", &[], &uuid)).await;
        let older = event("changed", "e2", 2, "pending", &[comment(1)], "");
        let newest = event("changed", "e3", 3, "hold", &[comment(2)], "");
        // A second one of the same revision: it counts as well, and both are known again.
        let equal = event("changed", "e4", 3, "solved", &[], "");
        for event in [&older, &newest, &equal] {
            daemon.post("events", event.clone()).await;
        }
        until("all is told", async || told(&partner).0.contains(&"solved".to_owned()).then_some(())).await;
        daemon.until_quiet().await;
        let before = told(&partner);
        for restart in [false, true] {
            if restart {
                daemon.stop().await;
                daemon.resume().await;
            }
            for event in [&older, &newest, &equal, &newest] {
                daemon.post("events", event.clone()).await;
            }
            daemon.until_quiet().await;
            assert_eq!(told(&partner), before, "after a restart: {restart}");
        }
        // An event that says no revision is known again too: by the store.
        let mut plain = event("changed", "e5", 0, "open", &[comment(3)], "");
        plain["data"]["ticket"].as_object_mut().unwrap().remove("revision");
        plain["time"] = json!("2026-11-23T11:15:30Z");
        for _ in 0..2 {
            daemon.post("events", plain.clone()).await;
        }
        until("it is told", async || told(&partner).1.contains(&"comment 3".to_owned()).then_some(())).await;
        daemon.until_quiet().await;
        assert_eq!(told(&partner).1.len(), before.1.len() + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_person_is_found_though_all_that_came_after_it_is_forgotten() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::POSTGRES_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let (partner, uuid) = daemon.agreed().await;
        daemon.post("events", event("shared", "e1", 1, "open", &[], &uuid)).await;
        daemon.until_quiet().await;
        partner.answer_always(Some((422, vec![], String::new())));
        daemon.post("events", event("changed", "e2", 2, "pending", &[], "")).await;
        until("it is refused", async || {
            let dead = daemon.get("dead-letters").await;
            dead.as_array().and_then(|dead| dead.first()).map(drop)
        })
        .await;
        partner.answer_always(None);
        daemon.post("events", event("changed", "e3", 3, "solved", &[comment(1)], "")).await;
        until("what follows is told", async || told(&partner).0.contains(&"solved".to_owned()).then_some(()))
            .await;
        daemon.until_quiet().await;
        daemon.stop().await;
        let (sql, url) = ("delete from message where state = 'delivered'", &daemon.config.store.url);
        if pair.postgres {
            let mut database = sqlx::PgConnection::connect(url).await.unwrap();
            assert!(sqlx::query(sql).execute(&mut database).await.unwrap().rows_affected() > 1);
        } else {
            let mut database = sqlx::SqliteConnection::connect(url).await.unwrap();
            assert!(sqlx::query(sql).execute(&mut database).await.unwrap().rows_affected() > 1);
        }
        daemon.resume().await;
        let story = daemon.get("tickets/4711/explain").await;
        let parked = |message: &&Value| message["state"] == "parked";
        assert_eq!(story["messages"].as_array().unwrap().iter().filter(parked).count(), 1, "{story:#}");
        assert!(story.to_string().contains("desk e2"), "{story:#}");
        let retried = daemon.post("tickets/4711/retry", Value::Null).await;
        assert_eq!(retried["replayed"], 1, "{retried}");
        daemon.until_quiet().await;
        // What is over says so, instead of being unknown.
        partner.answer_always(Some((422, vec![], String::new())));
        daemon.post("events", event("changed", "e4", 4, "open", &[], "")).await;
        let dead = until("another is refused", async || {
            let dead = daemon.get("dead-letters").await;
            dead.as_array().and_then(|dead| dead.first()).cloned()
        })
        .await;
        partner.answer_always(None);
        let replay = format!("dead-letters/{}/replay", dead["id"].as_str().unwrap());
        daemon.post(&replay, Value::Null).await;
        daemon.until_quiet().await;
        let url = format!("http://{}/api/v1/{replay}", daemon.config.admin.listen);
        let again = reqwest::Client::new().post(url).bearer_auth("test-token").send().await.unwrap();
        assert_eq!(again.status(), 409, "{}", again.text().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_another_daemon_put_aside_is_taken_in_once_its_ticket_is_known() {
    let daemon = TestDaemon::start("Lens", Pair::POSTGRES_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    let id = sender.share(&daemon, "t1").await;
    let event = daemon.desk(|desk| desk.comment(&id, "Smith", "We look into it.", true));
    // As it writes it when it does not know yet what this one has just learnt.
    let mut database = sqlx::PgConnection::connect(&daemon.config.store.url).await.unwrap();
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let at = i64::try_from(at.as_millis()).unwrap() - 60_000;
    let insert = "insert into waiting_event (ticket, body, at) values ($1, $2, $3)";
    sqlx::query(insert).bind(&id).bind(event.to_string()).bind(at).execute(&mut database).await.unwrap();
    until("the partner is told", async || {
        let puts = sender.partner.tickets("PUT");
        puts.into_iter().find(|put| put["comments"][0]["body"] == "We look into it.")
    })
    .await;
    until("nothing waits any more", async || {
        let count: i64 =
            sqlx::query_scalar("select count(*) from waiting_event").fetch_one(&mut database).await.unwrap();
        (count == 0).then_some(())
    })
    .await;
}
