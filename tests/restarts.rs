//! Agreements over restarts: those that the configuration declares, and all others in whatever state.

use crossdesk::{
    config::DeclaredAgreement,
    domain::{AgreementStatus, Direction, Kind, Uuid},
};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::support::{FakePartner, Pair, TestDaemon, forge, say, until};

fn declared(uuid: &str, url: &str, status: AgreementStatus) -> DeclaredAgreement {
    DeclaredAgreement {
        uuid: Uuid::new(uuid),
        name: "Lens Partner".into(),
        direction: Direction::Outbound,
        kind: Kind::ThirdParty,
        url: Some(url.to_owned()),
        access_key: "e".repeat(40),
        status,
        terms: Default::default(),
        profile: Default::default(),
        local: Default::default(),
        jira: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_agreement_that_is_gone_from_the_file_ends_only_when_that_is_wanted() {
    let (uuid, partner) = ("d".repeat(40), FakePartner::start().await);
    let mut daemon = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.agreements = vec![declared(&uuid, &partner.url, AgreementStatus::Accepted)];
    })
    .await;
    daemon.until_agreement(Some(&uuid), "accepted").await;
    daemon.stop().await;
    daemon.config.agreements.clear();
    daemon.resume().await;
    assert_eq!(daemon.get(&format!("agreements/{uuid}")).await["status"], "accepted");
    daemon.stop().await;
    daemon.prune = true;
    daemon.resume().await;
    daemon.until_agreement(Some(&uuid), "inactive").await;
    let put = until("the partner is told", async || partner.received().pop()).await;
    assert_eq!((put.method.as_str(), put.body["status"].as_str()), ("PUT", Some("inactive")));
    assert_eq!(put.body["deactivated_by"], "sender");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_agreement_follows_its_file_and_not_back_behind_what_was_agreed_since() {
    let (uuid, partner) = ("d".repeat(40), FakePartner::start().await);
    let mut daemon = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.agreements = vec![declared(&uuid, &partner.url, AgreementStatus::Accepted)];
    })
    .await;
    daemon.until_agreement(Some(&uuid), "accepted").await;
    daemon.post(&format!("agreements/{uuid}/rotate-key"), Value::Null).await;
    let new = until("the partner has the new key", async || {
        partner.received().into_iter().find_map(|r| Some(r.body["access_key"].as_str()?.to_owned()))
    })
    .await;
    daemon.until_quiet().await;
    // The file says something new: the terms are told, and the key that was changed since stays.
    daemon.stop().await;
    daemon.config.agreements[0].terms.sync_tags = true;
    daemon.config.agreements[0].name = "Renamed".into();
    daemon.resume().await;
    let told = until("the partner is told", async || {
        partner.received().into_iter().find(|r| r.body["sync_tags"] == true)
    })
    .await;
    assert_eq!(told.headers["x-ticket-sharing-token"], format!("{uuid}:{new}"));
    let shown = daemon.get(&format!("agreements/{uuid}")).await;
    assert_eq!(
        (shown["name"].as_str(), shown["terms"]["sync_tags"].as_bool()),
        (Some("Renamed"), Some(true))
    );
    // What was changed by the API since is not undone by the same file.
    daemon.edit(&uuid, json!({"terms": {"sync_tags": false}})).await;
    daemon.stop().await;
    daemon.resume().await;
    assert_eq!(daemon.get(&format!("agreements/{uuid}")).await["terms"]["sync_tags"], false);
    // A key that the file changes is in force.
    daemon.stop().await;
    daemon.config.agreements[0].access_key = "f".repeat(40);
    daemon.resume().await;
    let token = format!("{uuid}:{}", "f".repeat(40));
    assert_eq!(say(&daemon.sharing_url(), &token, "GET", &format!("agreements/{uuid}"), None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_any_state_loses_nothing() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::POSTGRES_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let partner = FakePartner::start().await;
        partner.answer_always(Some((503, vec![], String::new())));
        let states = ["pending", "accepted", "declined", "inactive"];
        let mut ours = Vec::new();
        partner.answer_always(None);
        for state in states {
            let uuid = daemon.invite(&partner.url).await;
            partner.key(&uuid).await; // it has got the invite
            match state {
                "accepted" | "declined" => daemon.answered(&partner, &uuid, state).await,
                "inactive" => {
                    daemon.answered(&partner, &uuid, "accepted").await;
                    daemon.answered(&partner, &uuid, "inactive").await;
                }
                _ => {}
            }
            ours.push(uuid);
        }
        // Invites that could not be delivered, an acceptance and an end that could not be told.
        partner.answer_always(Some((503, vec![], String::new())));
        let waiting = daemon.invite(&partner.url).await;
        assert_eq!(forge(&daemon, "invited", &partner.url).await, 201);
        assert_eq!(forge(&daemon, "accepting", &partner.url).await, 201);
        daemon.post("agreements/accepting/accept", Value::Null).await;
        daemon.post(&format!("agreements/{}/deactivate", ours[1]), Value::Null).await;
        let before = daemon.get("agreements").await;
        daemon.stop().await;
        daemon.resume().await;
        let after = daemon.get("agreements").await;
        let stand = |list: &Value| -> Vec<_> {
            let rows = list.as_array().unwrap().iter();
            rows.map(|a| (a["uuid"].clone(), a["status"].clone(), a["accepting"].clone(), a["terms"].clone()))
                .collect()
        };
        assert_eq!(stand(&before), stand(&after));
        partner.answer_always(None);
        daemon.until_agreement(Some("accepting"), "accepted").await;
        until("what waited is out", async || {
            let received = partner.received();
            let has = |method: &str, uuid: &str, status: &str| {
                received
                    .iter()
                    .any(|r| r.method == method && r.path.ends_with(uuid) && r.body["status"] == status)
            };
            (has("POST", &waiting, "pending")
                && has("PUT", &ours[1], "inactive")
                && has("PUT", "accepting", "accepted"))
            .then_some(())
        })
        .await;
        daemon.post("agreements/invited/decline", Value::Null).await;
        until("the answer is out", async || {
            partner
                .received()
                .into_iter()
                .find(|r| r.path.ends_with("invited") && r.body["status"] == "declined")
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_long_over_is_forgotten_faster_than_a_busy_desk_makes_it() {
    let daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    let mut database = sqlx::SqliteConnection::connect(&daemon.config.store.url).await.unwrap();
    let old = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) \
        insert into seen (key, at) select 'old ' || i, 0 from n";
    sqlx::raw_sql(old).execute(&mut database).await.unwrap();
    until("nothing old is left", async || {
        let left = sqlx::query_scalar::<_, i64>("select count(*) from seen where at = 0");
        (left.fetch_one(&mut database).await.unwrap() == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_delivered_before_the_brokers_word_was_noted_waits_no_longer() {
    for pair in [Pair::SQLITE_EMBEDDED, Pair::POSTGRES_AMQP] {
        let mut daemon = TestDaemon::start("Acme", pair).await;
        let (_partner, uuid) = daemon.agreed().await;
        daemon.open_and_share(&uuid, "Lens is broken").await;
        daemon.until_quiet().await;
        daemon.stop().await;
        let sql = "insert into outbox (seq, daemon) select seq, 'one that was killed' from message where state = 'delivered'";
        let url = &daemon.config.store.url;
        let left = if url.starts_with("sqlite") {
            let mut database = sqlx::SqliteConnection::connect(url).await.unwrap();
            sqlx::query(sql).execute(&mut database).await.unwrap().rows_affected()
        } else {
            let mut database = sqlx::PgConnection::connect(url).await.unwrap();
            sqlx::query(sql).execute(&mut database).await.unwrap().rows_affected()
        };
        assert!(left > 0, "nothing was delivered");
        daemon.resume().await;
        daemon.until_quiet().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_agreement_that_is_pending_is_an_invite() {
    let lens = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let uuid = "d".repeat(40);
    let declared = declared(&uuid, &lens.sharing_url(), AgreementStatus::Pending);
    let mut acme = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.agreements = vec![declared];
    })
    .await;
    lens.until_agreement(Some(&uuid), "pending").await;
    lens.post(&format!("agreements/{uuid}/accept"), Value::Null).await;
    acme.until_agreement(Some(&uuid), "accepted").await;
    acme.open_and_share(&uuid, "Lens stuck").await;
    lens.until_desk("it crosses", |d| d.tickets.keys().next().cloned()).await;
    // The file still says pending: where it stands is no longer the file's word, and nobody is invited again.
    acme.stop().await;
    acme.resume().await;
    acme.until_quiet().await;
    assert_eq!(acme.get(&format!("agreements/{uuid}")).await["status"], "accepted");
}
