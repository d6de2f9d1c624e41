//! The admin pages for everybody: by day and by night, on a phone, and for those who do not see them.

use serde_json::json;

use crate::{
    browsing::{camera_desk, invited, refusing},
    support::{Browser, FakePartner, Look, Sender, TestDaemon, until},
};

/// Every page looks as it should to everybody: by day, by night, on a phone, and to those who do not see it.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_can_be_used_by_everybody() {
    let daemon = camera_desk("Acme Support").await;
    let (partner, uuid) = daemon.agreed().await;
    let sender = Sender::agreed(&daemon).await;
    for (uuid, name) in [(&uuid, "Lens Partner"), (&sender.uuid, "Photo Lab")] {
        daemon.edit(uuid, json!({"name": name})).await;
    }
    let jira = FakePartner::start().await;
    invited(&daemon, &jira, &"3".repeat(40), "Photo Service").await;
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    let number = sender.share(&daemon, "t1").await;
    assert_eq!(
        sender
            .ticket("PUT", "t1", &json!({"custom_fields": {"Serial": "seven"}, "original_id": "4711"}))
            .await,
        200
    );
    let said = Sender::of(&daemon, &partner, &uuid).await;
    let name = daemon.ticket(&id).await["uuid"].as_str().unwrap().to_owned();
    let update = json!({"original_id": "L-77", "status": "pending", "custom_fields": {"Camera model": "X100", "Serial": "seven"}});
    assert_eq!(said.ticket("PUT", &name, &update).await, 200);
    daemon.until_quiet().await;
    partner.answer_always(refusing(422));
    let event = daemon.desk(|desk| desk.comment(&id, "Smith", "Which firmware?", true));
    daemon.tell(&event).await;
    until("it is parked", async || (daemon.get("dead-letters").await.as_array()?.len() == 1).then_some(()))
        .await;
    some_hours(&daemon).await;
    let pages = [
        ("overview", "/".to_owned()),
        ("agreements", "/agreements".to_owned()),
        ("agreement", format!("/agreements/{uuid}")),
        ("invite", format!("/agreements/{}", "3".repeat(40))),
        ("deactivate", format!("/agreements/{uuid}/deactivate")),
        ("new-invite", "/agreements/new".to_owned()),
        ("tickets", "/tickets".to_owned()),
        ("ticket", format!("/tickets/{id}")),
        ("received", format!("/tickets/{number}")),
        ("attention", "/attention".to_owned()),
        (
            "trouble",
            format!("/attention/trouble?agreement={uuid}&subject=field:Serial&reason=incompatible_type"),
        ),
        ("problem", "/tickets/none".to_owned()),
    ];
    let look = async |look: Look| {
        let browser = Browser::open(&daemon, look).await;
        browser.look_at("login").await;
        browser.sign_in("test-token", "Anna").await;
        browser.until_shows("Overview").await;
        let dark = browser.script("return matchMedia('(prefers-color-scheme: dark)').matches").await;
        assert_eq!(dark, look == Look::Dark);
        for (name, path) in &pages {
            browser.go(path).await;
            browser.look_at(name).await;
        }
        browser.close().await;
    };
    look(Look::Light).await;
    look(Look::Dark).await;
    look(Look::Phone).await;
}

/// What the charts of the last hours are made of: minutes as the daemon keeps them.
async fn some_hours(daemon: &TestDaemon) {
    let store = crossdesk::store::open(&daemon.config.store.url, None, "").unwrap();
    store.prepare().await.unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let now = i64::try_from(now).unwrap() / 60_000;
    for before in 0..360_i64 {
        let wave = (before % 97 - 48).abs();
        let minute = crossdesk::ports::Minute {
            at: crossdesk::domain::Timestamp::from_millis((now - before) * 60_000),
            events: 20 + wave * 3,
            delivered: 15 + wave * 2,
            failed: i64::from(before % 41 == 0) * 6,
            lag: (15 + wave * 2) * (80 + wave),
            lagged: 15 + wave * 2,
            waiting: wave / 4,
        };
        store.keep_minute(&minute, crossdesk::domain::Timestamp::from_millis(0)).await.unwrap();
    }
}
