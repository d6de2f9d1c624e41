//! Our own commands coming back as desk events: nothing may be sent for them, and nothing that people do may be lost for it.

use crossdesk::demo::Habits;
use serde_json::{Value, json};

use crate::support::{Pair, Sender, TestDaemon, new_ticket, until};

const HABITS: [Habits; 4] = [
    Habits { completes: true, names_commands: true, normalises: false },
    Habits { completes: true, names_commands: false, normalises: false },
    Habits { completes: false, names_commands: true, normalises: false },
    Habits { completes: false, names_commands: false, normalises: false },
];

fn status(daemon: &TestDaemon) -> Option<String> {
    daemon.desk(|desk| desk.tickets.values().next().map(|t| t.values["status"].as_str().unwrap().to_owned()))
}

/// Everything that the partner was told of the ticket.
fn told(sender: &Sender) -> Vec<Value> {
    sender.partner.tickets("PUT")
}

/// The first change of a status that the partner is told.
async fn edit(sender: &Sender) -> Value {
    until("the edit is out", async || told(sender).into_iter().find(|put| put.get("status").is_some())).await
}

async fn desk_has_ticket(daemon: &TestDaemon) -> String {
    let id = daemon.until_desk("the ticket is here", |d| d.tickets.keys().next().cloned()).await;
    until("its number is known", async || {
        let list = daemon.get("tickets").await;
        (list[0]["id"] == id.as_str()).then_some(())
    })
    .await;
    id
}

/// A partner has shared its ticket, and the desk has not answered yet: the partner, and the command that waits.
async fn unanswered_creation(daemon: &TestDaemon) -> (Sender, Value) {
    daemon.stop_desk();
    let sender = Sender::agreed(daemon).await;
    assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
    let commands = daemon.get("commands").await;
    let create = commands.as_array().unwrap().iter().find(|c| c["type"] == "crossdesk.ticket.create");
    let create = create.unwrap().clone();
    (sender, create)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_quick_changes_by_the_partner_do_not_ping_pong_whatever_the_desks_habits() {
    for habits in HABITS {
        for amqp in [false, true] {
            let pair = Pair { postgres: false, amqp };
            let mut daemon = TestDaemon::with("Lens", pair, habits, |config| {
                config.desk.command_timeout = "1s".to_owned();
            })
            .await;
            let sender = Sender::agreed(&daemon).await;
            assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
            desk_has_ticket(&daemon).await;
            // The desk is busy, so both commands are open when it does the first.
            daemon.stop_desk();
            for word in ["pending", "solved"] {
                assert_eq!(sender.ticket("PUT", "t1", &json!({"status": word})).await, 200);
            }
            daemon.start_desk().await;
            until("the desk has done both", async || (status(&daemon)? == "solved").then_some(())).await;
            daemon_is_settled(&daemon, habits).await;
            let statuses: Vec<_> =
                told(&sender).into_iter().filter(|put| put.get("status").is_some()).collect();
            assert_eq!(statuses, Vec::<Value>::new(), "{habits:?}, amqp {amqp}");
            daemon.stop().await;
        }
    }
}

/// The desk's commands are answered, or have run out.
async fn daemon_is_settled(daemon: &TestDaemon, habits: Habits) {
    until("nothing is waited for", async || {
        let list = daemon.get("tickets").await;
        let waiting = &list[0]["waiting_for_desk"];
        (waiting["commands"] == json!([]) && waiting["held_comments"] == 0).then_some(())
    })
    .await;
    if habits.completes {
        daemon.until_quiet().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_by_command_come_back_as_events_and_are_never_sent_back() {
    for habits in HABITS {
        let mut daemon = TestDaemon::with("Lens", Pair::SQLITE_AMQP, habits, |config| {
            config.desk.command_timeout = "1s".to_owned();
        })
        .await;
        let sender = Sender::agreed(&daemon).await;
        assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
        let id = desk_has_ticket(&daemon).await;
        let comment = |n: u32| json!({"uuid": format!("c{n}"), "author": {"uuid": "kim", "name": "Kim", "role": "agent"}, "body": format!("words {n}"), "public": n == 2});
        assert_eq!(sender.ticket("PUT", "t1", &json!({"comments": [comment(2), comment(3)]})).await, 200);
        daemon.until_desk("they are here", |d| (d.tickets[&id].comments.len() == 3).then_some(())).await;
        daemon_is_settled(&daemon, habits).await;
        // A person's answer, with everything else in the event again, is the one thing that goes out.
        let event = daemon.desk(|d| d.comment(&id, "Lina", "Thanks.", true));
        daemon.tell(&event).await;
        let put = until("the answer is out", async || told(&sender).pop()).await;
        daemon_is_settled(&daemon, habits).await;
        let bodies: Vec<_> = told(&sender)
            .iter()
            .flat_map(|put| put["comments"].as_array().cloned().unwrap_or_default())
            .map(|c| c["body"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(bodies, ["Thanks."], "{habits:?}: {put}");
        let privacy: Vec<_> = daemon.desk(|d| d.tickets[&id].comments.iter().map(|c| c.public).collect());
        assert_eq!(privacy, [true, true, false, true]);
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_does_while_a_command_is_open_waits_and_counts_then() {
    let habits = Habits { completes: true, names_commands: false, normalises: false };
    let mut daemon = TestDaemon::with("Lens", Pair::SQLITE_EMBEDDED, habits, |_| {}).await;
    let sender = Sender::agreed(&daemon).await;
    sender.ticket("POST", "t1", &new_ticket("t1")).await;
    let id = desk_has_ticket(&daemon).await;
    daemon.stop_desk();
    sender.ticket("PUT", "t1", &json!({"status": "pending"})).await;
    // An agent is faster than the command; then the desk does the command; then the agent sets it again.
    let event = daemon.desk(|d| d.set(&id, "status", "hold"));
    daemon.tell(&event).await;
    let shown = daemon.ticket(&id).await;
    assert_eq!(shown["waiting_for_desk"]["held_values"], json!(["status"]));
    assert!(told(&sender).iter().all(|put| put.get("status").is_none()));
    daemon.start_desk().await;
    until("the command is done", async || (status(&daemon)? == "pending").then_some(())).await;
    daemon_is_settled(&daemon, habits).await;
    let event = daemon.desk(|d| d.set(&id, "status", "solved"));
    daemon.tell(&event).await;
    until("the last word is out", async || told(&sender).pop().filter(|put| put["status"] == "solved")).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_last_words_are_told_before_the_share_ends_though_they_wait_behind_a_comment_of_ours() {
    let mut daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let (partner, uuid) = daemon.agreed().await;
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    let post = until("it is out", async || partner.tickets("POST").pop()).await;
    let ticket = post["uuid"].as_str().unwrap().to_owned();
    daemon.until_quiet().await;
    daemon.stop_desk();
    let theirs = Sender::of(&daemon, &partner, &uuid).await;
    let comment =
        json!({"uuid": "theirs", "author": {"uuid": "m", "name": "M"}, "body": "Any news?", "public": true});
    assert_eq!(theirs.ticket("PUT", &ticket, &json!({"comments": [comment]})).await, 200);
    let event = daemon.desk(|d| d.comment(&id, "Lina", "It is on its way to you.", true));
    daemon.tell(&event).await;
    assert!(partner.tickets("PUT").iter().all(|put| put.get("comments").is_none()), "it waits");
    let unshared = json!({"specversion": "1.0", "id": "u1", "source": "test", "type": "helpdesk.ticket.unshared",
        "data": {"ticket": {"id": id}}});
    daemon.tell(&unshared).await;
    until("the partner is told", async || partner.tickets("DELETE").pop()).await;
    let told: Vec<Value> =
        partner.tickets("PUT").into_iter().filter_map(|put| put.get("comments").cloned()).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0][0]["body"], "It is on its way to you.");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_edited_before_the_desk_named_the_ticket_is_told() {
    let mut daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let (sender, create) = unanswered_creation(&daemon).await;
    let event = json!({"specversion": "1.0", "id": "e5", "source": "test", "type": "helpdesk.ticket.changed",
        "data": {"ticket": {"id": "77", "revision": 5, "via": "ticket_sharing", "status": "pending", "subject": "Edited"}}});
    daemon.tell(&event).await;
    let answer = json!({"specversion": "1.0", "id": "f1", "source": "test", "type": "helpdesk.command.completed",
        "data": {"command_id": create["id"], "status": "done", "ticket_id": "77", "revision": 1}});
    daemon.tell(&answer).await;
    let put = edit(&sender).await;
    assert_eq!((&put["status"], &put["subject"]), (&json!("pending"), &json!("Edited")));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_desk_without_revisions_what_follows_the_creation_is_an_edit() {
    let mut daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let (sender, create) = unanswered_creation(&daemon).await;
    let event = |id: &str, data: Value| json!({"specversion": "1.0", "id": id, "source": "test", "type": "helpdesk.ticket.changed", "data": data});
    let made =
        json!({"ticket": {"id": "77", "via": "ticket_sharing", "status": "new"}, "command_id": create["id"]});
    daemon.tell(&event("e1", made)).await;
    let edited = json!({"ticket": {"id": "77", "via": "ticket_sharing", "status": "pending"}});
    daemon.tell(&event("e2", edited)).await;
    let answer = json!({"specversion": "1.0", "id": "f1", "source": "test", "type": "helpdesk.command.completed",
        "data": {"command_id": create["id"], "status": "done", "ticket_id": "77"}});
    daemon.tell(&answer).await;
    let put = edit(&sender).await;
    assert_eq!(put["status"], "pending");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_the_desk_refuses_is_kept_as_an_issue_and_not_sent_back() {
    let mut daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    sender.ticket("POST", "t1", &new_ticket("t1")).await;
    let id = desk_has_ticket(&daemon).await;
    daemon.until_quiet().await;
    daemon.stop_desk();
    sender.ticket("PUT", "t1", &json!({"status": "solved"})).await;
    let command = daemon.get("commands").await[0].clone();
    assert_eq!(command["type"], "crossdesk.ticket.update");
    let answer = json!({"specversion": "1.0", "id": "f1", "source": "test", "type": "helpdesk.command.completed",
        "data": {"command_id": command["id"], "status": "failed", "error": "field X is required to solve"}});
    daemon.tell(&answer).await;
    let event = daemon.desk(|d| d.comment(&id, "Lina", "Not yet.", true));
    daemon.tell(&event).await;
    let put = until("the comment is out", async || told(&sender).pop()).await;
    assert_eq!(put.get("status"), None, "the old status is not sent back: {put}");
    let issues = daemon.ticket(&id).await["issues"].clone();
    assert_eq!(issues[0]["reason"], "command_failed");
    assert!(issues[0]["detail"].as_str().unwrap().contains("field X is required to solve"));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_seen_does_nothing_and_an_older_one_undoes_nothing() {
    let mut daemon = TestDaemon::start("Lens", Pair::SQLITE_AMQP).await;
    let sender = Sender::agreed(&daemon).await;
    sender.ticket("POST", "t1", &new_ticket("t1")).await;
    let id = desk_has_ticket(&daemon).await;
    daemon.until_quiet().await;
    let older = daemon.desk(|d| d.set(&id, "status", "pending"));
    let newer = daemon.desk(|d| d.set(&id, "status", "hold"));
    for event in [&newer, &older, &newer, &older] {
        daemon.tell(event).await;
    }
    let last = daemon.desk(|d| d.comment(&id, "Lina", "That is all.", true));
    daemon.tell(&last).await;
    until("the last word is out", async || told(&sender).pop().filter(|put| put.get("comments").is_some()))
        .await;
    let statuses: Vec<_> = told(&sender).iter().filter_map(|put| put.get("status").cloned()).collect();
    assert_eq!(statuses, [json!("hold")]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_the_desk_made_and_did_not_number_is_unshared_and_said_so() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let (sender, create) = unanswered_creation(&daemon).await;
    let answer = json!({"specversion": "1.0", "id": "f1", "source": "test", "type": "helpdesk.command.completed",
        "data": {"command_id": create["id"], "status": "done"}});
    daemon.tell(&answer).await;
    until("the partner is told", async || sender.partner.tickets("DELETE").pop()).await;
    let shown = daemon.get("tickets").await[0].clone();
    assert_eq!(shown["shares"][0]["state"], "ended");
    assert_eq!(shown["issues"][0]["reason"], "command_failed");
    assert_eq!(sender.ticket("PUT", "t1", &json!({"status": "solved"})).await, 410);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_cannot_keep_a_comment_from_others_by_using_its_name_first() {
    for pair in Pair::STORES {
        let daemon = TestDaemon::start("Acme", pair).await;
        let (partner, uuid) = daemon.agreed().await;
        let id = daemon.open_and_share(&uuid, "Lens stuck").await;
        let post = until("it is out", async || partner.tickets("POST").pop()).await;
        let ticket = post["uuid"].as_str().unwrap();
        let theirs = Sender::of(&daemon, &partner, &uuid).await;
        // The names of the desk's next comments can be computed by everybody.
        let names = crossdesk::domain::Namespace::of(&daemon.sharing_url());
        let forged: Vec<Value> = (1..20)
            .map(|n| json!({"uuid": names.comment(&format!("{id}-{n}")), "author": {"uuid": "m", "name": "M"}, "body": "me first", "public": true}))
            .collect();
        assert_eq!(theirs.ticket("PUT", ticket, &json!({"comments": forged})).await, 200);
        daemon.until_desk("they are here", |d| (d.tickets[&id].comments.len() == 20).then_some(())).await;
        daemon.until_quiet().await;
        let event = daemon.desk(|d| {
            let event = d.comment(&id, "Lina", "The desk's own words.", true);
            let own = d.tickets[&id].comments.last().unwrap().id.clone();
            let name = names.comment(&own).to_string();
            (event, own, name)
        });
        let (event, own, name) = event;
        // Whatever the desk calls its comments, this one's name was used before.
        let squat = json!({"comments": [{"uuid": name, "author": {"uuid": "m", "name": "M"}, "body": "squat", "public": true}]});
        assert_eq!(theirs.ticket("PUT", ticket, &squat).await, 200);
        daemon.until_quiet().await;
        for _ in 0..2 {
            daemon.tell(&event).await;
        }
        let mut again = event.clone();
        again["id"] = json!(format!("again-{own}"));
        daemon.tell(&again).await;
        let put = until("the desk's words are out", async || {
            partner
                .tickets("PUT")
                .into_iter()
                .find(|put| put["comments"][0]["body"] == "The desk's own words.")
        })
        .await;
        assert_ne!(put["comments"][0]["uuid"], name.as_str());
        daemon.until_quiet().await;
        let count = partner
            .tickets("PUT")
            .iter()
            .filter(|put| put["comments"][0]["body"] == "The desk's own words.")
            .count();
        assert_eq!(count, 1, "said again, it is known by the desk's id");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_that_had_to_wait_is_not_overtaken_by_the_next() {
    let habits = Habits { completes: false, names_commands: true, normalises: false };
    let mut daemon = TestDaemon::with("Lens", Pair::SQLITE_AMQP, habits, |_| {}).await;
    let sender = Sender::agreed(&daemon).await;
    assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
    let id = desk_has_ticket(&daemon).await;
    daemon_is_settled(&daemon, habits).await;
    daemon.stop_desk();
    let theirs = json!({"comments": [{"uuid": "c2", "author": {"uuid": "kim", "name": "Kim"}, "body": "theirs", "public": true}]});
    assert_eq!(sender.ticket("PUT", "t1", &theirs).await, 200);
    // While the command is open, this may be what the desk made of it.
    let event = daemon.desk(|d| d.comment(&id, "Lina", "first", true));
    daemon.tell(&event).await;
    until("it waits", async || {
        (daemon.get("tickets").await[0]["waiting_for_desk"]["held_comments"] == 1).then_some(())
    })
    .await;
    // The desk does the command, and says so in an event alone; no answer ever comes.
    daemon.start_desk().await;
    daemon.until_desk("it is done", |d| (d.tickets[&id].comments.len() == 3).then_some(())).await;
    let event = daemon.desk(|d| d.comment(&id, "Lina", "second", true));
    daemon.tell(&event).await;
    let said = || -> Vec<Value> {
        let puts = told(&sender).into_iter().filter_map(|put| put["comments"].as_array().cloned());
        puts.flatten().map(|comment| comment["body"].clone()).collect()
    };
    until("both are out", async || (said().len() == 2).then_some(())).await;
    assert_eq!(said(), ["first", "second"]);
}
