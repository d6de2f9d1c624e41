//! Tickets that a partner cannot digest, beside those that it can.

use crate::{
    delivery::bodies,
    support::{Pair, TestDaemon, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_the_partner_cannot_digest_keeps_no_other_from_it() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::SQLITE_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let (partner, uuid) = daemon.agreed().await;
        let (bad, good) =
            (daemon.open_and_share(&uuid, "Bad").await, daemon.open_and_share(&uuid, "Good").await);
        until("both are out", async || (partner.tickets("POST").len() == 2).then_some(())).await;
        let posts = partner.tickets("POST");
        let of_bad =
            posts.iter().find(|post| post["subject"] == "Bad").unwrap()["uuid"].as_str().unwrap().to_owned();
        daemon.until_quiet().await;
        partner.fail_on(std::slice::from_ref(&of_bad));
        let say = async |id: &str, body: &str| {
            let event = daemon.desk(|d| d.comment(id, "Smith", body, true));
            daemon.tell(&event).await;
        };
        let tries = || partner.tickets("PUT").iter().filter(|put| put["uuid"] == of_bad.as_str()).count();
        say(&bad, "bad 1").await;
        until("it was tried", async || (tries() >= 1).then_some(())).await;
        for n in 1..=3 {
            say(&bad, &format!("bad {}", n + 1)).await;
            say(&good, &format!("good {n}")).await;
            let said = format!("good {n}");
            until("the other goes on", async || bodies(&partner).contains(&said).then_some(())).await;
            until("it is tried again", async || (tries() > n).then_some(())).await;
        }
        partner.fail_on(&[]);
        until("all are there", async || bodies(&partner).contains(&"bad 4".to_owned()).then_some(())).await;
        daemon.until_quiet().await;
        // Whatever was tried again and again came in the order in which it was said.
        let mut said: Vec<String> =
            bodies(&partner).into_iter().filter(|body| body.starts_with("bad")).collect();
        said.dedup();
        assert_eq!(said, ["bad 1", "bad 2", "bad 3", "bad 4"], "{pair:?}");
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tickets_that_the_partner_cannot_digest_keep_no_other_from_it_for_long() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::SQLITE_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let (partner, uuid) = daemon.agreed().await;
        let mut bad = Vec::new();
        for n in 0..10 {
            bad.push(daemon.open_and_share(&uuid, &format!("Bad {n}")).await);
        }
        let good = daemon.open_and_share(&uuid, "Good").await;
        until("all are out", async || (partner.tickets("POST").len() == 11).then_some(())).await;
        daemon.until_quiet().await;
        let posts = partner.tickets("POST");
        let of_bad = posts
            .iter()
            .filter(|post| post["subject"] != "Good")
            .map(|post| post["uuid"].as_str().unwrap().to_owned());
        partner.fail_on(&of_bad.collect::<Vec<_>>());
        for id in &bad {
            let event = daemon.desk(|d| d.comment(id, "Smith", "bad", true));
            daemon.tell(&event).await;
        }
        // So many in a row that it is taken for down.
        let failing =
            async || daemon.get(&format!("agreements/{uuid}")).await["failing_since"].as_str().map(drop);
        until("it is seen to fail", failing).await;
        for id in bad.iter().cycle().take(50) {
            let event = daemon.desk(|d| d.comment(id, "Smith", "more", true));
            daemon.tell(&event).await;
        }
        // One that starts does not know which of them the partner fails on.
        daemon.stop().await;
        daemon.resume().await;
        let event = daemon.desk(|d| d.comment(&good, "Smith", "good", true));
        daemon.tell(&event).await;
        until("the other goes on", async || bodies(&partner).contains(&"good".to_owned()).then_some(()))
            .await;
        partner.fail_on(&[]);
        until("all are there", async || {
            let told = partner.tickets("PUT");
            let done = |id: &&String| {
                told.iter()
                    .any(|put| put["original_id"] == id.as_str() || put["comments"][0]["body"] == "bad")
            };
            (bad.iter().filter(done).count() == bad.len()).then_some(())
        })
        .await;
        daemon.until_quiet().await;
        daemon.stop().await;
    }
}
