//! Brokers and databases that are away at the start, or go away later: said once, seen in `/readyz`, nothing lost.

use serde_json::Value;

use crate::support::{
    Pair, TestDaemon,
    servers::{new_database, running_postgres, running_rabbit},
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

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_does_not_answer_holds_up_no_other() {
    let (rabbit, process) = running_rabbit().await;
    let mut acme = TestDaemon::with("Acme", Pair::SQLITE_AMQP, Default::default(), |config| {
        config.broker.url = rabbit.url.clone();
        config.broker.queue_type = crossdesk::broker::QueueType::Quorum;
    })
    .await;
    let (lens, apex) = tokio::join!(
        TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED),
        TestDaemon::start("Apex", Pair::SQLITE_EMBEDDED)
    );
    let (with_lens, with_apex) = (acme.agree_with(&lens).await, acme.agree_with(&apex).await);
    let lens_ticket = acme.open_and_share(&with_lens, "Lens stuck").await;
    let apex_ticket = acme.open_and_share(&with_apex, "Shutter stuck").await;
    for partner in [&lens, &apex] {
        partner.until_desk("the ticket is there", |d| (!d.tickets.is_empty()).then_some(())).await;
    }
    acme.until_quiet().await;
    let comments = |partner: &TestDaemon| {
        let all = partner.desk(|d| d.tickets.values().flat_map(|t| t.comments.clone()).collect::<Vec<_>>());
        all.into_iter().map(|comment| comment.body).collect::<Vec<_>>()
    };
    let say = async |acme: &TestDaemon, ticket: &str, words: &str| {
        let event = acme.desk(|d| d.comment(ticket, "Smith", words, true));
        acme.tell(&event).await;
    };

    // The process of Lens' queue stands still, as it does without a leader: neither a publish nor a consumer is answered.
    let queue = format!("{}{with_lens}", acme.config.broker.partner_queue_prefix);
    rabbit.still(&queue, true).await;
    acme.stop().await;
    acme.resume().await;
    for n in 0..3 {
        say(&acme, &lens_ticket, &format!("for Lens {n}")).await;
        let words = format!("for Apex {n}");
        say(&acme, &apex_ticket, &words).await;
        until("Apex has it", async || comments(&apex).contains(&words).then_some(())).await;
    }
    assert!(!comments(&lens).iter().any(|words| words.starts_with("for Lens")));
    rabbit.still(&queue, false).await;
    // A new start waits for nothing that the silence has made wait.
    acme.stop().await;
    acme.resume().await;
    until("Lens has it", async || comments(&lens).contains(&"for Lens 2".to_owned()).then_some(())).await;
    acme.until_quiet().await;
    assert_eq!(comments(&lens)[1..], ["for Lens 0", "for Lens 1", "for Lens 2"]);
    assert_eq!(comments(&apex)[1..], ["for Apex 0", "for Apex 1", "for Apex 2"]);
    process.kill();
}
