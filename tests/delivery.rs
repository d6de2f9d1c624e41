//! Retries, order, what a partner's answers mean, what is parked and replayed.

use std::time::Duration;

use crossdesk::{
    domain::{MessageType, Profile},
    flow::{Verdict, verdict},
    ports::{Answer, CallError},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{FakePartner, Pair, TestDaemon, until};

pub(crate) fn bodies(partner: &FakePartner) -> Vec<String> {
    let all = partner.tickets("POST").into_iter().chain(partner.tickets("PUT"));
    let comments = all.flat_map(|ticket| ticket["comments"].as_array().cloned().unwrap_or_default());
    comments.map(|comment| comment["body"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_answer_means_one_thing() {
    let judge = |kind, status| {
        let answer = Answer { status, text: "why".into(), is_page: false, retry_after: None };
        verdict(kind, Profile::Standard, &Ok(answer))
    };
    let update = MessageType::TicketUpdate;
    for status in [200, 201, 202, 204] {
        assert_eq!(judge(update, status), Verdict::Done);
    }
    for status in [408, 425, 429, 501, 503, 507, 599] {
        assert!(matches!(judge(update, status), Verdict::Later { .. }), "{status}");
    }
    for status in [500, 502, 504] {
        assert!(matches!(judge(update, status), Verdict::Fails(_)), "{status}");
    }
    for status in [301, 400, 401, 403, 404, 405, 409, 410, 413, 422] {
        assert!(
            matches!(judge(update, status), Verdict::Park(why) if why.contains(&status.to_string())),
            "{status}"
        );
    }
    for status in [404, 405, 410] {
        assert_eq!(judge(MessageType::TicketUnshare, status), Verdict::Done, "{status}");
    }
    for status in [409, 422] {
        assert!(matches!(judge(MessageType::TicketCreate, status), Verdict::Ask(_)), "{status}");
    }
    let page = Answer { status: 200, text: "An internal RT error".into(), is_page: true, retry_after: None };
    assert!(matches!(verdict(update, Profile::RequestTracker, &Ok(page)), Verdict::Park(_)));
    let away = Err(CallError::Unreachable("no connection".into()));
    assert!(matches!(verdict(update, Profile::Standard, &away), Verdict::Later { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_is_down_gets_everything_in_order_and_once_when_it_is_back() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::SQLITE_AMQP] {
        let daemon = TestDaemon::start("Acme", pair).await;
        let (partner, uuid) = daemon.agreed().await;
        let (healthy, other) = daemon.agreed().await;
        let id = daemon.open_and_share(&uuid, "Lens stuck").await;
        until("the ticket is out", async || partner.tickets("POST").pop()).await;
        partner.answer_always(Some((503, vec![("retry-after", "1".into())], "busy".into())));
        for n in 1..=20 {
            let event = daemon.desk(|d| d.comment(&id, "Smith", &format!("note {n}"), true));
            daemon.tell(&event).await;
        }
        // Somebody else's ticket is not held up.
        daemon.open_and_share(&other, "Another").await;
        until("the healthy partner has its ticket", async || healthy.tickets("POST").pop()).await;
        until("it was tried", async || (!partner.tickets("PUT").is_empty()).then_some(())).await;
        let story = daemon.get(&format!("tickets/{id}/explain")).await;
        let tried = story["messages"]
            .as_array()
            .unwrap()
            .iter()
            .find(|m| m["attempts"].as_i64() > Some(0) && m["state"] == "published");
        if let Some(tried) = tried {
            assert!(tried["reason"].as_str().unwrap().contains("503"), "{tried}");
        }
        partner.answer_always(None);
        let last = until("all is there", async || {
            bodies(&partner).contains(&"note 20".to_owned()).then(|| bodies(&partner))
        });
        let mut seen = last.await;
        seen.dedup();
        let want: Vec<String> =
            std::iter::once("It is stuck.".to_owned()).chain((1..=20).map(|n| format!("note {n}"))).collect();
        assert_eq!(seen, want, "{pair:?}: in order, and only what failed was repeated");
        // It asked to be left alone for a second after each refusal.
        let puts: Vec<_> =
            partner.received().into_iter().filter(|r| r.method == "PUT").map(|r| r.at).collect();
        assert!(puts[1] - puts[0] >= Duration::from_millis(950), "{:?}", puts[1] - puts[0]);
        daemon.until_quiet().await;
        until("all rows say delivered", async || {
            let story = daemon.get(&format!("tickets/{id}/explain")).await;
            let partner = story["messages"]
                .as_array()?
                .iter()
                .filter(|m| m["type"].as_str().unwrap().starts_with("ticket."));
            partner.map(|m| m["state"] == "delivered").reduce(|a, b| a && b)?.then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_partner_refuses_waits_for_a_person_and_replay_tells_it_anew() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_AMQP).await;
    let (partner, uuid) = daemon.agreed().await;
    partner.answer_always(Some((422, vec![], "no requester".into())));
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    let dead = until("it is parked", async || daemon.get("dead-letters").await.get(0).cloned()).await;
    assert_eq!(dead["type"], "ticket.create");
    assert!(dead["reason"].as_str().unwrap().contains("422: no requester"), "{dead}");
    assert!(dead["body"]["subject"].is_string());
    // What follows is held back, however often the ticket changes.
    let event = daemon.desk(|d| d.set(&id, "status", "pending"));
    daemon.tell(&event).await;
    daemon.until_quiet().await;
    assert_eq!(partner.tickets("PUT").len(), 0);
    let shown = daemon.ticket(&id).await;
    assert_eq!(shown["shares"][0]["state"], "parked");
    daemon
        .until_desk("the desk is told", |d| {
            d.notices.iter().find(|n| n["kind"] == "partner_refused").cloned()
        })
        .await;

    partner.answer_always(None);
    daemon.post(&format!("dead-letters/{}/replay", dead["id"].as_str().unwrap()), Value::Null).await;
    let created = until("it is told anew", async || partner.tickets("POST").get(1).cloned()).await;
    assert_eq!(created["status"], "pending", "as it is now, not as it was");
    assert_eq!(created["comments"][0]["body"], "It is stuck.");
    daemon.until_quiet().await;
    assert_eq!(daemon.get("dead-letters").await, json!([]));
    assert_eq!(daemon.issues(&id).await, [], "what was refused is settled");
    // One refused change alone: the next one carries it again.
    partner.answer_next([(422, vec![], "not now".into())]);
    let event = daemon.desk(|d| d.comment(&id, "Smith", "Hello.", true));
    daemon.tell(&event).await;
    let dead = until("it is parked", async || daemon.get("dead-letters").await.get(0).cloned()).await;
    assert!(daemon.issues(&id).await.iter().any(|(_, reason)| reason == "partner_refused"));
    let event = daemon.desk(|d| d.set(&id, "status", "solved"));
    daemon.tell(&event).await;
    until("the next one is out, and it once more", async || {
        let puts = partner.tickets("PUT");
        let told = puts.iter().position(|put| put["status"] == "solved")?;
        puts[told..].iter().any(|put| put["comments"][0]["body"] == "Hello.").then_some(())
    })
    .await;
    daemon
        .driver
        .ask(Method::DELETE, &format!("dead-letters/{}", dead["id"].as_str().unwrap()), None)
        .await
        .unwrap();
    assert_eq!(daemon.get("dead-letters").await, json!([]));
    assert_eq!(daemon.issues(&id).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_after_a_lost_answer_is_settled_by_asking() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, uuid) = daemon.agreed().await;
    partner.answer_next([(500, vec![], String::new()), (422, vec![], "exists".into())]);
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    until("it is settled", async || {
        let story = daemon.get(&format!("tickets/{id}/explain")).await;
        let create = story["messages"].as_array()?.iter().find(|m| m["type"] == "ticket.create")?.clone();
        (create["state"] == "delivered").then_some(())
    })
    .await;
    let methods: Vec<_> =
        partner.received().into_iter().filter(|r| r.path.contains("tickets")).map(|r| r.method).collect();
    assert_eq!(methods, ["POST", "POST", "GET"]);
    // A retry-after that is asked for is kept, between its bounds.
    let policy = crossdesk::retry::Policy {
        initial: Duration::from_millis(50),
        max: Duration::from_millis(500),
        jitter: 25,
    };
    assert_eq!(policy.wait_after(1, Some(Duration::from_secs(7))), Duration::from_secs(7));
    for tries in 1..100 {
        assert!(policy.wait_after(tries, None) <= Duration::from_millis(625));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_told_to_stop_finishes_what_a_partner_is_answering() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::POSTGRES_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let (partner, uuid) = daemon.agreed().await;
        let gate = partner.hold();
        let id = daemon.open_and_share(&uuid, "Lens stuck").await;
        until("the partner has the request", async || partner.tickets("POST").pop()).await;
        let open = async {
            // The daemon has been told, and waits for the partner.
            tokio::task::yield_now().await;
            gate.add_permits(1000);
        };
        tokio::join!(daemon.stop(), open);
        daemon.resume().await;
        until("it is delivered", async || {
            let story = daemon.get(&format!("tickets/{id}/explain")).await;
            (story["messages"][0]["state"] == "delivered").then_some(())
        })
        .await;
        daemon.until_quiet().await;
        assert_eq!(partner.tickets("POST").len(), 1, "{pair:?}: once");
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_behind_a_call_is_not_sent_once_its_share_has_ended() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, uuid) = daemon.agreed().await;
    let (first, id) = (daemon.open_and_share(&uuid, "One").await, daemon.open_and_share(&uuid, "Two").await);
    until("both are out", async || (partner.tickets("POST").len() == 2).then_some(())).await;
    let gate = partner.hold();
    let put = async |count: usize| {
        until("it is called", async || (partner.tickets("PUT").len() == count).then_some(())).await;
    };
    let event = daemon.desk(|d| d.comment(&first, "Smith", "first", true));
    daemon.tell(&event).await;
    put(1).await;
    // While that is being answered, more comes up for the other ticket. Its first goes out, the rest waits for that.
    for body in ["one", "two", "three"] {
        let event = daemon.desk(|d| d.comment(&id, "Smith", body, true));
        daemon.tell(&event).await;
    }
    let messages = async |state: &str, count: usize| {
        until(&format!("{count} are {state}"), async || {
            let story = daemon.get(&format!("tickets/{id}/explain")).await;
            let messages = story["messages"].as_array().unwrap();
            let updates = messages.iter().filter(|m| m["type"] == "ticket.update" && m["state"] == state);
            (updates.count() == count).then_some(())
        })
        .await;
    };
    put(2).await;
    messages("published", 3).await;
    daemon.driver.ask(Method::DELETE, &format!("tickets/{id}/share"), None).await.unwrap();
    // The one that is under way too, since nobody knows yet that it arrives.
    messages("withdrawn", 3).await;
    gate.add_permits(1000);
    until("the end is told", async || partner.tickets("DELETE").pop()).await;
    daemon.until_quiet().await;
    let ours = ["It is stuck.", "It is stuck.", "first", "one"];
    assert_eq!(bodies(&partner), ours, "what waited behind it is not sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_begins_anew_goes_out_though_the_partner_refuses_the_first() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::SQLITE_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let (partner, uuid) = daemon.agreed().await;
        let gate = partner.hold();
        let id = daemon.open_and_share(&uuid, "Lens stuck").await;
        until("it is called", async || partner.tickets("POST").pop()).await;
        // While the partner thinks about it, the share ends and another begins: both wait behind the call.
        daemon.driver.ask(Method::DELETE, &format!("tickets/{id}/share"), None).await.unwrap();
        let shared = daemon.desk(|desk| desk.share(&id, &uuid));
        daemon.tell(&shared).await;
        until("both wait for it", async || {
            let story = daemon.get(&format!("tickets/{id}/explain")).await;
            let waiting = story["messages"].as_array()?.iter().filter(|m| m["state"] == "published");
            (waiting.count() == 2).then_some(())
        })
        .await;
        let refused = (422, vec![], "no requester".into());
        partner.answer_next([refused, (404, vec![], String::new())]);
        gate.add_permits(1);
        until("it is shared anew", async || partner.tickets("POST").get(1).cloned()).await;
        daemon.until_quiet().await;
        assert_eq!(partner.tickets("DELETE").len(), 1, "{pair:?}: the first has ended");
        assert_eq!(daemon.ticket(&id).await["shares"][0]["state"], "active", "{pair:?}");
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_a_partner_takes_its_time_over_holds_up_no_other() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::POSTGRES_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let (partner, uuid) = daemon.agreed().await;
        let slow = daemon.open_and_share(&uuid, "Slow").await;
        until("it is out", async || partner.tickets("POST").pop()).await;
        daemon.until_quiet().await;
        let gate = partner.hold();
        let event = daemon.desk(|d| d.comment(&slow, "Smith", "slowly", true));
        daemon.tell(&event).await;
        until("it is called", async || partner.tickets("PUT").pop()).await;
        // What comes up meanwhile is brought to the partner before he has answered.
        for (n, subject) in ["One", "Two", "Three"].into_iter().enumerate() {
            daemon.open_and_share(&uuid, subject).await;
            until("another is brought", async || partner.tickets("POST").get(n + 1).cloned()).await;
        }
        let event = daemon.desk(|d| d.comment(&slow, "Smith", "then", true));
        daemon.tell(&event).await;
        gate.add_permits(1000);
        daemon.until_quiet().await;
        until("all is there", async || (bodies(&partner).len() == 6).then_some(())).await;
        assert_eq!(bodies(&partner)[4..], ["slowly", "then"], "{pair:?}");
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_asks_for_time_gets_it() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let (partner, uuid) = daemon.agreed().await;
    let before = partner.received().len();
    partner.answer_next([(503, vec![("retry-after", "2".to_owned())], String::new())]);
    daemon.open_and_share(&uuid, "One").await;
    until("it was asked once", async || (partner.received().len() > before).then_some(())).await;
    // Nobody else's turn either: it is the partner that wants to be left alone.
    daemon.open_and_share(&uuid, "Two").await;
    until("both are there", async || (partner.tickets("POST").len() == 3).then_some(())).await;
    let at: Vec<_> = partner.received().into_iter().skip(before).map(|request| request.at).collect();
    assert!(
        at[1].duration_since(at[0]) >= Duration::from_secs(2),
        "the retries alone would come after 50 ms"
    );
}
