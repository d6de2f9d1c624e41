//! Databases of older versions, and of newer ones.
//!
//! `fixtures/schema-1` is what a daemon of the tables' first form left, on both databases: ticket 9 shared and delivered, ticket 10
//! refused by the partner, ticket 7 and a change of it waiting for a partner that is away, a partner's ticket whose commands the
//! desk has not answered. None of it is ever written anew.

use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::support::{
    FakePartner, Pair, TestDaemon,
    servers::{new_database, postgres_url, unique},
    until,
};

const OUTBOUND: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// What stands for the partner's address in the fixtures.
const PARTNER: &str = "http://127.0.0.1:19199/sharing";

/// A database as the old version left it, its partner at this address; the URL, and what keeps it there.
async fn old_database(postgres: bool, partner: &str) -> (String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (name, url) = if postgres {
        let name = format!("old_{}", unique().replace('-', "_"));
        ("postgres", new_database(&postgres_url().await, &name).await)
    } else {
        ("sqlite", format!("sqlite:{}?mode=rwc", folder.path().join("old.db").display()))
    };
    let sql = std::fs::read_to_string(format!("tests/fixtures/schema-1/{name}.sql")).unwrap();
    run(&url, &sql.replace(PARTNER, partner)).await;
    (url.replace("?mode=rwc", ""), folder)
}

async fn run(url: &str, sql: &str) {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    if url.starts_with("postgres") {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// A daemon on such a database; what is in it may be of any age.
async fn daemon_on(url: &str) -> TestDaemon {
    let (url, ever) = (url.to_owned(), "73000days".to_owned());
    TestDaemon::with("New Desk", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.store.url = url;
        // Names of comments and people are made of it: it stays what it was.
        config.desk.sharing_url = "http://127.0.0.1:18085/sharing".to_owned();
        config.http.listen = "127.0.0.1:0".parse().unwrap();
        config.admin.listen = "127.0.0.1:0".parse().unwrap();
        config.store.keep.clone_from(&ever);
        config.delivery.retry.give_up_after = "36500days".to_owned();
        config.desk.command_timeout = "36500days".to_owned();
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_version_left_goes_on_where_it_stood() {
    for postgres in [false, true] {
        let partner = FakePartner::start().await;
        let (url, _folder) = old_database(postgres, &partner.url).await;
        let daemon = daemon_on(&url).await;

        // What waited for the partner comes, in order.
        let seven = "db3ad01b3dc53bf3ceda0053473c556385c307d2";
        let waited = until("what waited is delivered", async || {
            let of_seven = partner.received().into_iter().filter(|request| request.path.ends_with(seven));
            Some(of_seven.collect::<Vec<_>>()).filter(|got| got.len() >= 2)
        })
        .await;
        assert_eq!((waited[0].method.as_str(), waited[1].method.as_str()), ("POST", "PUT"), "{postgres}");
        assert_eq!(waited[1].body["comments"][0]["body"], "third");

        // What was delivered is known: only what is new is told.
        let event = json!({"specversion": "1.0", "id": "e100", "source": "old-desk", "type": "helpdesk.ticket.changed",
            "time": "2026-11-25T10:15:30Z", "data": {"ticket": {"id": "9", "revision": 100, "subject": "Delivered before",
            "status": "pending", "requester": {"id": "5", "name": "Jane", "role": "end-user"}, "tags": ["vip"]},
            "comments": [{"id": "c1", "body": "first", "public": true, "author": {"id": "9", "name": "Smith", "role": "agent"}}],
            "actor": {"id": "9", "name": "Smith", "role": "agent"}}});
        daemon.post("events", event).await;
        let changed = until("the change is delivered", async || {
            partner
                .received()
                .into_iter()
                .find(|request| request.method == "PUT" && request.body["status"] == "pending")
        })
        .await;
        assert_eq!(changed.body["comments"], Value::Null, "{}", changed.body);
        assert_eq!(changed.body["subject"], Value::Null, "{}", changed.body);

        // What a person has to look at is still there, and can be tried again.
        let dead = daemon.get("dead-letters").await;
        let dead = dead.as_array().and_then(|dead| dead.first()).cloned().unwrap();
        daemon.post(&format!("dead-letters/{}/replay", dead["id"].as_str().unwrap()), json!({})).await;
        until("the refused ticket is delivered", async || {
            partner.tickets("POST").into_iter().find(|ticket| ticket["subject"] == "Refused before")
        })
        .await;

        // What the desk was asked is answered, and comes to its end.
        let commands = daemon.get("commands").await;
        let commands = commands.as_array().unwrap();
        let create = commands.iter().find(|command| command["type"] == "crossdesk.ticket.create").unwrap();
        let done = json!({"specversion": "1.0", "id": "done", "source": "old-desk", "type": "helpdesk.command.completed",
            "time": "2026-11-25T10:16:30Z", "data": {"command_id": create["id"], "status": "done", "ticket_id": "55"}});
        daemon.post("events", done).await;
        let ticket = daemon.ticket("55").await;
        assert_eq!(ticket["subject"], "From the partner", "{ticket}");
        assert_eq!(ticket["uuid"], "00000000000000000000000000000000000a0001");
        let explained = daemon.get("tickets/9/explain").await;
        assert!(explained.to_string().contains("e1"), "its history begins before the upgrade: {explained}");
        let agreements = daemon.get("agreements").await;
        assert!(agreements.to_string().contains(OUTBOUND), "{agreements}");
    }
}

fn check(url: &str) -> (bool, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_crossdesk"))
        .arg("check")
        .env("CROSSDESK_STORE__URL", url)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_how_the_tables_stand_and_an_older_version_works_beside_a_newer_one() {
    for postgres in [false, true] {
        let partner = FakePartner::start().await;
        let (url, _folder) = old_database(postgres, &partner.url).await;
        let (fine, said) = check(&url);
        assert!(fine && said.contains("older version's") && said.contains("recorded"), "{said}");
        let mut daemon = daemon_on(&url).await;
        let (fine, said) = check(&url);
        assert!(fine && !said.contains("version"), "{said}");
        daemon.stop().await;

        // A newer version has been here.
        let newer = if postgres {
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
             values (99, 'newer', true, 'x'::bytea, 1)"
        } else {
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (99, 'newer', 1, x'00', 1)"
        };
        run(&url, newer).await;
        run(&url, "alter table message add column of_a_newer_version text").await;
        let (fine, said) = check(&url);
        assert!(fine && said.contains("newer version"), "{said}");
        daemon.resume().await;
        let ticket = daemon.ticket("9").await;
        assert_eq!(ticket["subject"], "Delivered before", "{ticket}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (fine, said) = check(&format!("sqlite:{}", folder.path().join("new.db").display()));
    assert!(fine && said.contains("empty"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_older_versions_cannot_work_beside_waits_until_they_are_gone() {
    let partner = FakePartner::start().await;
    let (url, _folder) = old_database(true, &partner.url).await;
    let older = tokio::spawn({
        let url = url.clone();
        async move {
            loop {
                let beat = "insert into daemon (name, beat, holding) values ('older', 1, '[]') \
                    on conflict (name) do update set beat = daemon.beat + 1";
                run(&url, beat).await;
            }
        }
    });
    let mut daemon = TestDaemon::start("New Desk", Pair::SQLITE_EMBEDDED).await;
    daemon.stop().await;
    daemon.config.store.url.clone_from(&url);
    daemon.resume_without_waiting().await;
    let readyz = format!("http://{}/readyz", daemon.config.admin.listen);
    let ready = async || reqwest::get(&readyz).await.ok()?.text().await.ok();
    let why = until("it says what it waits for", async || {
        ready().await.filter(|text| text.contains("older version"))
    })
    .await;
    assert!(why.contains("daemon older") && why.contains("stop all daemons"), "{why}");
    older.abort();
    until("it goes on", async || {
        let answer = reqwest::get(&readyz).await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
}
