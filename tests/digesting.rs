//! Tickets that a partner cannot digest, beside those that it can.

use crossdesk::{config::Config, demo::Habits};
use serde_json::Value;

use crate::{
    delivery::bodies,
    support::{FakePartner, Pair, TestDaemon, until},
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

/// A partner that fails on ten tickets, and takes an eleventh.
struct Scene {
    partner: FakePartner,
    uuid: String,
    good: String,
    bad: Vec<String>,
}

impl Scene {
    async fn set(daemon: &TestDaemon) -> Self {
        let (partner, uuid) = daemon.agreed().await;
        let mut bad = Vec::new();
        for n in 0..10 {
            bad.push(daemon.open_and_share(&uuid, &format!("Bad {n}")).await);
        }
        let good = daemon.open_and_share(&uuid, "Good").await;
        until("all are out", async || (partner.tickets("POST").len() == 11).then_some(())).await;
        daemon.until_quiet().await;
        let posts = partner.tickets("POST");
        let of_bad = posts.iter().filter(|post| post["subject"] != "Good");
        partner.fail_on(&of_bad.map(|post| post["uuid"].as_str().unwrap().to_owned()).collect::<Vec<_>>());
        Self { partner, uuid, good, bad }
    }

    async fn says(&self, daemon: &TestDaemon, id: &str, body: &str) {
        let event = daemon.desk(|d| d.comment(id, "Smith", body, true));
        daemon.tell(&event).await;
    }

    async fn until_there(&self, body: &str) {
        let is_there = async || bodies(&self.partner).contains(&body.to_owned()).then_some(());
        until(&format!("\"{body}\" is there"), is_there).await;
    }

    fn tries(&self) -> usize {
        bodies(&self.partner).iter().filter(|body| *body == "bad").count()
    }

    /// The partner fails on each of the ten, and takes something of the eleventh after each.
    async fn fails_on_each(&self, daemon: &TestDaemon) {
        for (n, id) in self.bad.iter().enumerate() {
            let before = self.tries();
            self.says(daemon, id, "bad").await;
            until("it was tried", async || (self.tries() > before).then_some(())).await;
            self.says(daemon, &self.good, &format!("good {n}")).await;
            self.until_there(&format!("good {n}")).await;
        }
        let well = async || self.failing_since(daemon).await.is_null().then_some(());
        until("the partner is not seen to fail", well).await;
    }

    async fn failing_since(&self, daemon: &TestDaemon) -> Value {
        daemon.get(&format!("agreements/{}", self.uuid)).await["failing_since"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tickets_that_the_partner_cannot_digest_keep_no_other_from_it_for_long() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::SQLITE_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let Scene { partner, uuid, good, bad } = Scene::set(&daemon).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_nobody_waits_for_tickets_that_the_partner_cannot_digest() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::SQLITE_AMQP] {
        // None of them is tried again while this runs.
        let slow = |config: &mut Config| {
            (config.delivery.retry.initial, config.delivery.retry.max) = ("10m".to_owned(), "10m".to_owned());
        };
        let mut daemon = TestDaemon::with("Acme", pair, Habits::default(), slow).await;
        let scene = Scene::set(&daemon).await;
        scene.fails_on_each(&daemon).await;
        daemon.stop().await;
        daemon.resume().await;
        scene.says(&daemon, &scene.good, "after").await;
        scene.until_there("after").await;
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tried_again_after_a_restart_is_not_taken_for_the_partners_own_failure() {
    let mut daemon = TestDaemon::start("Acme", Pair::SQLITE_AMQP).await;
    let scene = Scene::set(&daemon).await;
    scene.fails_on_each(&daemon).await;
    daemon.stop().await;
    daemon.resume().await;
    let before = scene.tries();
    until("all were tried twice again", async || (scene.tries() >= before + 20).then_some(())).await;
    let failing = scene.failing_since(&daemon).await;
    assert!(failing.is_null(), "nobody takes the partner for away: {failing}");
    scene.partner.fail_on(&[]);
    daemon.until_quiet().await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_whoever_waits_has_its_turn_behind_tickets_that_the_partner_cannot_digest() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::SQLITE_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let scene = Scene::set(&daemon).await;
        scene.partner.answer_always(Some((500, vec![], "out".into())));
        for id in &scene.bad {
            scene.says(&daemon, id, "bad").await;
        }
        let failing = async || (!scene.failing_since(&daemon).await.is_null()).then_some(());
        until("it is seen to be out", failing).await;
        scene.says(&daemon, &scene.good, "good").await;
        // It has been tried too, so that nothing but its turn tells it from the others.
        scene.until_there("good").await;
        scene.partner.answer_always(None);
        let puts = scene.partner.tickets("PUT").len();
        let taken = async || {
            let later = scene.partner.tickets("PUT").into_iter().skip(puts);
            later.filter(|put| put["comments"][0]["body"] == "good").count().ge(&1).then_some(())
        };
        until("it has its turn", taken).await;
        scene.partner.fail_on(&[]);
        daemon.until_quiet().await;
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_a_desk_that_goes_on_telling_keeps_nothing_waiting() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::SQLITE_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let scene = Scene::set(&daemon).await;
        scene.partner.fail_on(&[]);
        scene.partner.answer_always(Some((500, vec![], "out".into())));
        for id in scene.bad.iter().chain([&scene.good]) {
            scene.says(&daemon, id, "during").await;
        }
        let tried = || {
            let puts = scene.partner.tickets("PUT");
            puts.iter().map(|put| put["uuid"].to_string()).collect::<std::collections::BTreeSet<_>>().len()
        };
        until("all were tried", async || (tried() == 11).then_some(())).await;
        // Every ticket that is left gets more all the time.
        let told = std::cell::Cell::new(0);
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(60));
        let goes_on = async {
            for n in 0.. {
                pace.tick().await;
                scene.says(&daemon, &scene.bad[n % scene.bad.len()], "more").await;
                told.set(n);
            }
        };
        let recovers = async {
            until("much was told", async || (told.get() > 20).then_some(())).await;
            scene.partner.answer_always(None);
            let is_well = async || scene.failing_since(&daemon).await.is_null().then_some(());
            until("it is well again", is_well).await;
        };
        tokio::select! {
            () = goes_on => {}
            () = recovers => {}
        }
        daemon.until_quiet().await;
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_partner_fails_on_one_ticket_is_told_once_that_lasts() {
    for pair in Pair::STORES {
        let soon = |config: &mut Config| "1ms".clone_into(&mut config.delivery.notify_after);
        let mut daemon = TestDaemon::with("Acme", pair, Habits::default(), soon).await;
        let (partner, uuid) = daemon.agreed().await;
        let (bad, good) =
            (daemon.open_and_share(&uuid, "Bad").await, daemon.open_and_share(&uuid, "Good").await);
        until("both are out", async || (partner.tickets("POST").len() == 2).then_some(())).await;
        daemon.until_quiet().await;
        let posts = partner.tickets("POST");
        let of_bad = posts.iter().find(|post| post["subject"] == "Bad").unwrap()["uuid"].as_str().unwrap();
        partner.fail_on(&[of_bad.to_owned()]);
        let event = daemon.desk(|d| d.comment(&bad, "Smith", "bad", true));
        daemon.tell(&event).await;
        until("it was tried", async || (!partner.tickets("PUT").is_empty()).then_some(())).await;
        let event = daemon.desk(|d| d.comment(&good, "Smith", "good", true));
        daemon.tell(&event).await;
        let expected = ("delivery".to_owned(), "partner_fails".to_owned());
        let stands = async || daemon.issues(&bad).await.contains(&expected);
        until("an issue says so", async || stands().await.then_some(())).await;
        let told = || {
            let of_bad = |notice: &&Value| {
                notice["kind"] == "ticket_failing" && notice["ticket"]["id"] == bad.as_str()
            };
            daemon.desk(|desk| desk.notices.iter().filter(of_bad).count())
        };
        until("the desk is told", async || (told() == 1).then_some(())).await;
        let tries = partner.tickets("PUT").len();
        until("it is tried again", async || (partner.tickets("PUT").len() > tries + 2).then_some(())).await;
        assert_eq!(told(), 1, "once");
        assert!(daemon.issues(&good).await.is_empty());
        partner.fail_on(&[]);
        until("it is over", async || (!stands().await).then_some(())).await;
        daemon.until_quiet().await;
        daemon.stop().await;
    }
}
