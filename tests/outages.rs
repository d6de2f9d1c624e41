//! Brokers and databases that are away at the start, or go away later: said once, seen in `/readyz`, nothing lost.

use serde_json::Value;

use crate::bridges::Bridge;
use crate::support::{
    Pair, TestDaemon,
    rabbit::RabbitMq,
    servers::{Process, new_database, running_postgres, running_rabbit},
    until,
};

async fn ready(daemon: &TestDaemon) -> (u16, Value) {
    let response = reqwest::get(format!("http://{}/readyz", daemon.config.admin.listen)).await.unwrap();
    (response.status().as_u16(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_and_a_database_that_crash_and_come_back_lose_nothing() {
    let ((rabbit, rabbit_process), (postgres, postgres_process)) =
        tokio::join!(running_rabbit(), running_postgres());
    let database = new_database(&postgres.url, "crossdesk").await;
    let acme = TestDaemon::with("Acme", Pair::SQLITE_AMQP, Default::default(), |config| {
        config.broker.url = rabbit.url.clone();
        config.broker.queue_type = crossdesk::broker::QueueType::Quorum;
        config.store.url = database;
    })
    .await;
    let lens = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let agreement = acme.agree_with(&lens).await;
    let id = acme.open_and_share(&agreement, "Lens stuck").await;
    let there = lens.until_desk("the ticket is there", |d| d.tickets.keys().next().cloned()).await;
    acme.until_quiet().await;

    // Without its database nothing is taken, and nothing is lost: over HTTP the answer waits.
    postgres_process.kill();
    assert_eq!(ready(&acme).await.0, 503);
    let event = acme.desk(|d| d.comment(&id, "Smith", "while the database is away", true));
    acme.tell(&event).await;
    let postgres_process = tokio::task::spawn_blocking(move || postgres.start()).await.unwrap();
    lens.until_desk("it is there all the same", |d| {
        d.tickets[&there].comments.iter().any(|c| c.body == "while the database is away").then_some(())
    })
    .await;

    // Without its broker events still come in over HTTP, and go out when it is back.
    rabbit.settle().await;
    rabbit_process.kill();
    until("the daemon notices", async || (ready(&acme).await.0 == 503).then_some(())).await;
    let event = acme.desk(|d| d.comment(&id, "Smith", "while the broker is away", true));
    acme.driver.tell(&event).await.unwrap();
    let (status, body) = ready(&acme).await;
    assert_eq!((status, body["store"].as_str()), (503, Some("ok")), "{body}");
    let rabbit_process = tokio::task::spawn_blocking(move || rabbit.start()).await.unwrap();
    lens.until_desk("it is there when the broker is back", |d| {
        d.tickets[&there].comments.iter().any(|c| c.body == "while the broker is away").then_some(())
    })
    .await;
    until("the daemon is ready again", async || (ready(&acme).await.0 == 200).then_some(())).await;
    let count = lens.desk(|d| d.tickets[&there].comments.len());
    assert_eq!(count, 3, "each comment once");
    rabbit_process.kill();
    postgres_process.kill();
}

/// A daemon that shares tickets with two others over quorum queues of a broker of its own: the first with many, the second one.
struct Three {
    rabbit: RabbitMq,
    process: Process,
    acme: TestDaemon,
    lens: TestDaemon,
    apex: TestDaemon,
    lens_tickets: Vec<String>,
    apex_ticket: String,
    /// The queue of what goes to the first.
    queue: String,
}

impl Three {
    async fn start(tickets: usize) -> Self {
        let (rabbit, process) = running_rabbit().await;
        let acme = TestDaemon::with("Acme", Pair::SQLITE_AMQP, Default::default(), |config| {
            config.broker.url = rabbit.url.clone();
            config.broker.queue_type = crossdesk::broker::QueueType::Quorum;
        })
        .await;
        let (lens, apex) = tokio::join!(
            TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED),
            TestDaemon::start("Apex", Pair::SQLITE_EMBEDDED)
        );
        let (with_lens, with_apex) = (acme.agree_with(&lens).await, acme.agree_with(&apex).await);
        let mut lens_tickets = Vec::new();
        for n in 0..tickets {
            lens_tickets.push(acme.open_and_share(&with_lens, &format!("Lens {n} stuck")).await);
        }
        let apex_ticket = acme.open_and_share(&with_apex, "Shutter stuck").await;
        lens.until_desk("its tickets are there", |d| (d.tickets.len() == tickets).then_some(())).await;
        apex.until_desk("its ticket is there", |d| (d.tickets.len() == 1).then_some(())).await;
        acme.until_quiet().await;
        let queue = format!("{}{with_lens}", acme.config.broker.partner_queue_prefix);
        Self { rabbit, process, acme, lens, apex, lens_tickets, apex_ticket, queue }
    }

    async fn say(&self, ticket: &str, words: &str) {
        let event = self.acme.desk(|d| d.comment(ticket, "Smith", words, true));
        self.acme.tell(&event).await;
    }

    /// What is said to the second arrives there.
    async fn reaches_apex(&self, words: &str) {
        self.say(&self.apex_ticket, words).await;
        until("Apex has it", async || comments(&self.apex).iter().any(|had| had == words).then_some(()))
            .await;
    }
}

/// All that was said about the tickets of a daemon's desk, ticket by ticket.
fn comments(daemon: &TestDaemon) -> Vec<String> {
    let all = daemon.desk(|d| d.tickets.values().flat_map(|t| t.comments.clone()).collect::<Vec<_>>());
    all.into_iter().map(|comment| comment.body).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_does_not_answer_holds_up_no_other() {
    let mut three = Box::pin(Three::start(1)).await;
    // The process of Lens' queue stands still, as it does without a leader: neither a publish nor a consumer is answered.
    three.rabbit.still(&three.queue, true).await;
    three.acme.stop().await;
    three.acme.resume().await;
    three.reaches_apex("for Apex before").await;
    assert!(three.acme.stop().await, "nor does a daemon that is to end wait for it");
    three.acme.resume().await;
    for n in 0..3 {
        three.say(&three.lens_tickets[0], &format!("for Lens {n}")).await;
        three.reaches_apex(&format!("for Apex {n}")).await;
    }
    assert!(!comments(&three.lens).iter().any(|words| words.starts_with("for Lens")));
    three.rabbit.still(&three.queue, false).await;
    until("Lens has it", async || comments(&three.lens).contains(&"for Lens 2".to_owned()).then_some(()))
        .await;
    three.acme.until_quiet().await;
    assert_eq!(comments(&three.lens)[1..], ["for Lens 0", "for Lens 1", "for Lens 2"]);
    assert_eq!(comments(&three.apex)[1..], ["for Apex before", "for Apex 0", "for Apex 1", "for Apex 2"]);
    three.process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn much_for_a_queue_that_falls_silent_holds_up_no_other() {
    // More than RabbitMQ takes for such a queue before it stops reading from the connection.
    let three = Box::pin(Three::start(100)).await;
    three.rabbit.still(&three.queue, true).await;
    for ticket in &three.lens_tickets {
        three.say(ticket, "for Lens").await;
    }
    for n in 0..3 {
        three.reaches_apex(&format!("for Apex {n}")).await;
        three.say(&three.lens_tickets[n], "and again").await;
    }
    three.rabbit.still(&three.queue, false).await;
    let said = |words: &str| comments(&three.lens).iter().filter(|had| *had == words).count();
    until("Lens has all", async || (said("for Lens") == 100 && said("and again") == 3).then_some(())).await;
    three.acme.until_quiet().await;
    let orders = three.lens.desk(|d| {
        let words = d.tickets.values().map(|t| t.comments.iter().map(|c| c.body.clone()).collect::<Vec<_>>());
        words.filter(|words| words.len() > 2).collect::<Vec<_>>()
    });
    assert_eq!(orders.len(), 3);
    assert!(orders.iter().all(|order| order[1..] == ["for Lens", "and again"]), "{orders:?}");
    three.process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_while_a_queue_is_tried_lets_all_go_on_when_it_is_back() {
    let three = Box::pin(Three::start(1)).await;
    three.rabbit.settle().await;
    three.rabbit.still(&three.queue, true).await;
    three.say(&three.lens_tickets[0], "for Lens").await;
    three.reaches_apex("for Apex").await;
    three.process.kill();
    let Three { rabbit, acme, lens, apex, lens_tickets, apex_ticket, .. } = three;
    until("the daemon notices", async || (ready(&acme).await.0 == 503).then_some(())).await;
    for (ticket, words) in [(&lens_tickets[0], "Lens again"), (&apex_ticket, "Apex again")] {
        let event = acme.desk(|d| d.comment(ticket, "Smith", words, true));
        acme.driver.tell(&event).await.unwrap();
    }
    let process = tokio::task::spawn_blocking(move || rabbit.start()).await.unwrap();
    until("both have all", async || {
        let (at_lens, at_apex) = (comments(&lens), comments(&apex));
        (at_lens[1..] == ["for Lens", "Lens again"] && at_apex[1..] == ["for Apex", "Apex again"])
            .then_some(())
    })
    .await;
    acme.until_quiet().await;
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_bridge_whose_queue_falls_silent_comes_when_it_answers_again() {
    let three = Box::pin(Three::start(1)).await;
    let mut bridge = Bridge::join(&three.acme).await;
    let (uuid, token) = (bridge.uuid.clone(), bridge.token.clone());
    assert_eq!(bridge.next().await.0, "agreement.invite");
    assert_eq!(bridge.send("agreement.update", &uuid, &token, "{\"status\":\"accepted\"}").await.0, "200");
    three.acme.until_agreement(Some(&uuid), "accepted").await;
    let id = three.acme.open_and_share(&uuid, "Lens stuck").await;
    while bridge.next().await.0 != "ticket.create" {}
    three.acme.until_quiet().await;

    let queue = format!("{}{uuid}", three.acme.config.broker.partner_queue_prefix);
    three.rabbit.still(&queue, true).await;
    for words in ["one", "two", "three"] {
        three.say(&id, words).await;
    }
    three.reaches_apex("for Apex").await;
    three.say(&id, "four").await;
    three.rabbit.still(&queue, false).await;
    // Nobody answers for a bridge: that its queue took them is all there is to end them.
    let mut heard: Vec<String> = Vec::new();
    while heard.last().is_none_or(|last| last != "four") {
        let (_, _, update, _) = bridge.next().await;
        let words = update["comments"].as_array().into_iter().flatten().filter_map(|c| c["body"].as_str());
        heard.extend(words.map(str::to_owned));
    }
    three.acme.until_quiet().await;
    let mut once = heard.clone();
    once.dedup();
    // The first was sent before, and perhaps more than once while the queue was being tried.
    assert_eq!(once, ["one", "two", "three", "four"], "{heard:?}");
    three.process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_short_of_memory_is_away_and_no_partner_is_to_blame() {
    let three = Box::pin(Three::start(1)).await;
    three.rabbit.alarm(true).await;
    for (ticket, words) in [(&three.lens_tickets[0], "for Lens"), (&three.apex_ticket, "for Apex")] {
        let event = three.acme.desk(|d| d.comment(ticket, "Smith", words, true));
        three.acme.driver.tell(&event).await.unwrap();
    }
    let said = until("it is not ready, and says why", async || {
        let (status, body) = ready(&three.acme).await;
        (status == 503).then(|| body.to_string())
    })
    .await;
    assert!(said.contains("short of memory"), "{said}");
    three.rabbit.alarm(false).await;
    until("both have all", async || {
        let (at_lens, at_apex) = (comments(&three.lens), comments(&three.apex));
        (at_lens[1..] == ["for Lens"] && at_apex[1..] == ["for Apex"]).then_some(())
    })
    .await;
    until("it is ready again", async || (ready(&three.acme).await.0 == 200).then_some(())).await;
    three.process.kill();
}
