//! Several daemons on one broker and one database: they share the work, and do each other's when one is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::*,
    types::{AMQPValue, FieldTable},
};
use serde_json::{Value, json};
use sha2::Digest as _;
use sqlx::Connection as _;

use crate::support::{
    FakePartner,
    servers::{free_port, new_database, running_postgres, running_rabbit},
    until,
    wait::LIMIT,
};

const AGREEMENT: &str = "000000000000000000000000000000000000c0de";
const TICKETS: usize = 24;

/// A daemon as a process of its own.
struct Member {
    child: Child,
    admin: u16,
}

impl Member {
    fn start(folder: &Path, name: &str, database: &str, broker: &str, shards: u16) -> Self {
        let (partners, admin) = (free_port(), free_port());
        let mut text = String::new();
        write!(
            text,
            "[desk]\nsharing_url = \"http://127.0.0.1:1/sharing\"\n[store]\nurl = \"{database}\"\ndaemon = \"{name}\"\n\
             [broker]\nurl = \"{broker}\"\nqueue_type = \"classic\"\nevents_shards = {shards}\n\
             [http]\nlisten = \"127.0.0.1:{partners}\"\n[admin]\nlisten = \"127.0.0.1:{admin}\"\ntoken = \"t\"\n\
             [log]\nlevel = \"warn\"\n[[agreements]]\nuuid = \"{AGREEMENT}\"\nname = \"Bridge\"\ndirection = \"outbound\"\n\
             kind = \"queue\"\naccess_key = \"{AGREEMENT}\"\nstatus = \"accepted\"\n"
        )
        .unwrap();
        Self::run(folder, name, &text, admin)
    }

    /// A daemon whose agreement is with a partner over HTTP.
    fn towards(folder: &Path, name: &str, database: &str, broker: &str, partner: &str) -> Self {
        let (partners, admin) = (free_port(), free_port());
        let text = format!(
            "[desk]\nsharing_url = \"http://127.0.0.1:1/sharing\"\n[store]\nurl = \"{database}\"\ndaemon = \"{name}\"\n\
             [broker]\nurl = \"{broker}\"\nqueue_type = \"classic\"\n[http]\nlisten = \"127.0.0.1:{partners}\"\n\
             [admin]\nlisten = \"127.0.0.1:{admin}\"\ntoken = \"t\"\n[log]\nlevel = \"warn\"\n\
             [delivery]\nallow_private_partners = true\ntimeout = \"30s\"\nretry = {{ initial = \"2s\", max = \"2s\" }}\n\
             [[agreements]]\nuuid = \"{AGREEMENT}\"\nname = \"Slow\"\ndirection = \"outbound\"\nkind = \"third_party\"\n\
             url = \"{partner}\"\naccess_key = \"{AGREEMENT}\"\nstatus = \"accepted\"\n"
        );
        Self::run(folder, name, &text, admin)
    }

    fn run(folder: &Path, name: &str, text: &str, admin: u16) -> Self {
        let config = folder.join(format!("{name}.toml"));
        std::fs::write(&config, text).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_crossdesk"))
            .args(["run", "--config", config.to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, admin }
    }

    async fn until_ready(&self) {
        let url = format!("http://127.0.0.1:{}/readyz", self.admin);
        until("a daemon is ready", async || {
            reqwest::get(&url).await.ok().filter(|answer| answer.status().is_success()).map(drop)
        })
        .await;
    }

    /// How many events it has applied.
    async fn applied(&self) -> Option<u64> {
        let url = format!("http://127.0.0.1:{}/metrics", self.admin);
        let text = reqwest::get(&url).await.ok()?.text().await.ok()?;
        let line = text.lines().find(|line| {
            line.starts_with("crossdesk_events_total") && line.contains("outcome=\"applied\"")
        })?;
        line.rsplit(' ').next()?.parse().ok()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The desk: publishes with the header by which events are spread.
async fn tell(channel: &Channel, n: usize, kind: &str, ticket: usize, comment: &Value) {
    let event = json!({"specversion": "1.0", "id": format!("{kind}-{n}"), "source": "desk", "type": kind,
        "time": "2026-11-23T10:15:30Z", "data": {"agreement": AGREEMENT,
        "ticket": {"id": ticket.to_string(), "revision": n, "subject": "Lens stuck", "status": "open"},
        "comments": comment, "actor": {"id": "9", "name": "Smith", "role": "agent"}}});
    let mut headers = FieldTable::default();
    headers.insert("ticket".into(), AMQPValue::LongString(ticket.to_string().into()));
    let properties = BasicProperties::default().with_delivery_mode(2).with_headers(headers);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let body = event.to_string();
    let confirm = channel
        .basic_publish("helpdesk.events".into(), kind.into(), options, body.as_bytes(), properties)
        .await
        .unwrap();
    assert!(matches!(confirm.await.unwrap(), lapin::Confirmation::Ack(None)), "an event found no queue");
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_share_the_work_keep_the_order_and_take_over_from_one_that_is_killed() {
    let ((rabbit, _broker), (postgres, _database)) = tokio::join!(running_rabbit(), running_postgres());
    let database = new_database(&postgres.url, "company").await;
    let folder = tempfile::tempdir().unwrap();
    let mut crew: Vec<Member> = ["anna", "bert", "carl"]
        .iter()
        .map(|name| Member::start(folder.path(), name, &database, &rabbit.url, 4))
        .collect();
    for member in &crew {
        member.until_ready().await;
    }
    let connection = Connection::connect(&rabbit.url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut n = 0;
    for ticket in 0..TICKETS {
        tell(&channel, n, "helpdesk.ticket.shared", ticket, &json!([])).await;
        n += 1;
    }
    let say = async |rounds: std::ops::Range<usize>, n: &mut usize| {
        for round in rounds {
            for ticket in 0..TICKETS {
                let comment = json!([{"id": format!("{ticket}-{round}"), "body": format!("{ticket} {round}"), "public": true,
                    "author": {"id": "9", "name": "Smith", "role": "agent"}}]);
                tell(&channel, *n, "helpdesk.ticket.changed", ticket, &comment).await;
                *n += 1;
            }
        }
    };
    // Until all of them work: they find each other within seconds.
    let mut rounds = 0;
    let begun = tokio::time::Instant::now();
    loop {
        say(rounds..rounds + 1, &mut n).await;
        rounds += 1;
        let mut idle = 0;
        for member in &crew {
            idle += usize::from(member.applied().await.is_none_or(|count| count == 0));
        }
        if idle == 0 {
            break;
        }
        assert!(begun.elapsed() < LIMIT, "{idle} daemons have nothing to do");
    }
    say(rounds..rounds + 5, &mut n).await;
    crew.remove(0);
    say(rounds + 5..rounds + 10, &mut n).await;
    let rounds = rounds + 10;

    // What the partner's bridge gets: all of it, each ticket's in order, whatever comes twice.
    let taking = connection.create_channel().await.unwrap();
    let queue = format!("crossdesk.partner.{AGREEMENT}");
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut deliveries =
        taking.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default()).await.unwrap();
    let mut ids = BTreeSet::new();
    let mut said: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let all = tokio::time::timeout(LIMIT, async {
        while said.values().map(Vec::len).sum::<usize>() < TICKETS * rounds {
            let delivery = deliveries.next().await.unwrap().unwrap();
            if !ids.insert(delivery.properties.message_id().clone().unwrap().to_string()) {
                continue;
            }
            let body: Value = serde_json::from_slice(&delivery.data).unwrap();
            for comment in body["comments"].as_array().into_iter().flatten() {
                let words: Vec<usize> =
                    comment["body"].as_str().unwrap().split(' ').map(|word| word.parse().unwrap()).collect();
                said.entry(words[0]).or_default().push(words[1]);
            }
        }
    });
    let in_time = all.await.is_ok();
    let lacking: Vec<_> = said.iter().filter(|(_, said)| said.len() < rounds).collect();
    assert!(in_time, "something never came: {lacking:?}");
    for (ticket, said) in &said {
        assert_eq!(*said, (0..rounds).collect::<Vec<_>>(), "ticket {ticket}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_queues_again_and_no_event_goes_where_nobody_looks() {
    let (rabbit, _broker) = running_rabbit().await;
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("test.db").display());
    let connection = Connection::connect(&rabbit.url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut told = 0;
    for shards in [4, 2, 1, 3] {
        let member = Member::start(folder.path(), "anna", &database, &rabbit.url, shards);
        member.until_ready().await;
        let before = member.applied().await.unwrap_or_default();
        for _ in 0..8 {
            tell(&channel, told, "helpdesk.ticket.shared", told, &json!([])).await;
            told += 1;
        }
        until("all are applied", async || member.applied().await.filter(|count| *count == before + 8)).await;
    }
}

/// Whose a partner is among daemons: the one whose name and the agreement's make the largest hash.
fn whose<'a>(names: &[&'a str]) -> &'a str {
    let weight = |name: &&&str| sha2::Sha256::digest(format!("{name}\n{AGREEMENT}").as_bytes());
    names.iter().max_by_key(weight).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_is_one_daemons_alone_even_while_it_moves_to_another() {
    let ((rabbit, _broker), (postgres, _database)) = tokio::join!(running_rabbit(), running_postgres());
    let database = new_database(&postgres.url, "moves").await;
    let (folder, partner) = (tempfile::tempdir().unwrap(), FakePartner::start().await);
    // The second takes the partner over as soon as it is there.
    let second = whose(&["anna", "bert"]);
    let first = if second == "anna" { "bert" } else { "anna" };
    let member = |name| Member::towards(folder.path(), name, &database, &rabbit.url, &partner.url);
    let one = member(first);
    one.until_ready().await;
    let connection = Connection::connect(&rabbit.url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    // It is refused once, and waits in vain for its second answer: what is to be tried again anybody could find in the database.
    partner.answer_next([(503, Vec::new(), String::new())]);
    tell(&channel, 0, "helpdesk.ticket.shared", 1, &json!([])).await;
    until("the first try", async || (partner.received().len() == 1).then_some(())).await;
    let gate = partner.hold();
    until("the second try", async || (partner.received().len() == 2).then_some(())).await;
    let two = member(second);
    two.until_ready().await;
    let mut store = sqlx::PgConnection::connect(&database).await.unwrap();
    // Long enough to begin, had it not seen that the first is not done: it beats once a second.
    until("the second daemon has looked around", async || {
        let beat: Option<i64> = sqlx::query_scalar("select beat from daemon where name = $1")
            .bind(second)
            .fetch_optional(&mut store)
            .await
            .unwrap();
        beat.filter(|beat| *beat >= 8).map(drop)
    })
    .await;
    assert_eq!(partner.received().len(), 2, "the second daemon has tried it too");
    let holding: String = sqlx::query_scalar("select holding from daemon where name = $1")
        .bind(first)
        .fetch_one(&mut store)
        .await
        .unwrap();
    assert_eq!(holding, format!("[\"{AGREEMENT}\"]"));
    gate.add_permits(1000);
    // Then it is the second's.
    tell(&channel, 1, "helpdesk.ticket.shared", 2, &json!([])).await;
    until("the next ticket", async || (partner.tickets("POST").len() == 3).then_some(())).await;
    drop(one);
    tell(&channel, 2, "helpdesk.ticket.shared", 3, &json!([])).await;
    until("one more", async || (partner.tickets("POST").len() == 4).then_some(())).await;
}
