//! The admin pages as an administrator uses them: a real browser, a running daemon, partners that ask, fail and refuse.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Browser, FakePartner, Look, Pair, Sender, TestDaemon, new_ticket, say, until};

pub(crate) fn field(title: &str, kind: &str, options: &[&str]) -> crossdesk::domain::CustomField {
    serde_json::from_value(json!({"title": title, "type": kind, "options": options})).unwrap()
}

/// What a partner answers to everything.
pub(crate) fn refusing(status: u16) -> Option<crate::support::partner::Scripted> {
    Some((status, Vec::new(), "{\"error\": \"this desk does not take it\"}".to_owned()))
}

pub(crate) async fn camera_desk(name: &str) -> TestDaemon {
    TestDaemon::with(name, Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.desk.fields =
            vec![field("Camera model", "dropdown", &["X100", "X200"]), field("Serial", "integer", &[])];
    })
    .await
}

/// A partner invites the desk; its uuid, and what it is.
pub(crate) async fn invited(daemon: &TestDaemon, partner: &FakePartner, uuid: &str, name: &str) {
    let invite = json!({"uuid": uuid, "name": name, "access_key": "a".repeat(40), "status": "pending",
        "sender_url": partner.url, "receiver_url": daemon.sharing_url(), "allows_public_comments": true,
        "sync_tags": true, "sync_custom_fields": false});
    assert_eq!(
        say(&daemon.sharing_url(), "", "POST", &format!("agreements/{uuid}"), Some(&invite)).await.0,
        201
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_signs_in_reads_an_invite_and_decides() {
    let daemon = camera_desk("Lens").await;
    let (acme, other) = (FakePartner::start().await, FakePartner::start().await);
    invited(&daemon, &acme, &"1".repeat(40), "Acme Support").await;
    invited(&daemon, &other, &"2".repeat(40), "Somebody else").await;
    let browser = Browser::open(&daemon, Look::Light).await;
    browser.sign_in("a wrong token", "").await;
    browser.until_shows("That is not the admin token").await;
    browser.sign_in("test-token", "Anna").await;
    browser.until_shows("Invites without an answer").await;

    // What waits is where somebody looks for it; the terms stand in plain words.
    browser.press("Attention").await;
    browser.until_shows("Invites that wait for an answer").await;
    browser.press("Acme Support").await;
    browser.until_shows("Each becomes a ticket on your desk.").await;
    let text = browser.text().await;
    assert!(
        text.contains("Public and private comments cross")
            && text.contains("Custom fields of the same title stay"),
        "{text}"
    );
    browser.press("Decide later").await;
    browser.until_shows("The invite of Acme Support waits").await;
    browser.press("Acme Support").await;
    browser.press("Accept").await;
    browser.until_shows("Accepted. Acme Support is being told").await;
    // The page learns by itself that the partner has taken it.
    browser.until_shows("accepted Up").await;
    browser.press("Ticket sharing").await;
    browser.press("Somebody else").await;
    browser.press("Decline").await;
    browser.until_shows("The invite of Somebody else is declined.").await;
    let agreements = daemon.get("agreements").await.to_string();
    assert!(agreements.contains("\"person\":\"Anna\""), "the partner is told who did it: {agreements}");

    // From now on nobody is asked.
    browser.click("[name=decline_all_invites]").await;
    browser.press("Save").await;
    browser.until_shows("every invite is declined without anybody being asked").await;
    assert_eq!(daemon.get("settings").await["decline_all_invites"], true);

    // It ends with a question that says what stops.
    browser.press("Acme Support").await;
    browser.press("Deactivate").await;
    browser.until_shows("cross no more").await;
    browser.press("Keep it").await;
    browser.press("Deactivate").await;
    browser.press("Deactivate").await;
    browser.until_shows("The agreement with Acme Support has ended.").await;
    daemon.until_agreement(Some(&"1".repeat(40)), "inactive").await;
    browser.press("Sign out").await;
    browser.until_shows("Admin token").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_invites_partners_of_every_kind() {
    let daemon = camera_desk("Acme").await;
    let lens = camera_desk("Lens").await;
    let browser = Browser::signed_in(&daemon, Look::Light).await;
    browser.go("/agreements").await;
    browser.press("Add sharing invite").await;
    browser.fill("address", "not an address").await;
    browser.press("Send the invite").await;
    browser.until_shows("url:").await;
    browser.fill("address", &lens.sharing_url()).await;
    browser.fill("name", "Lens").await;
    browser.press("Private comments only").await;
    browser.press("Send the invite").await;
    browser.until_shows("Lens is invited").await;
    let uuid = lens.until_agreement(None, "pending").await["uuid"].as_str().unwrap().to_owned();
    let made = daemon.get(&format!("agreements/{uuid}")).await;
    assert_eq!(made["terms"]["comments"], "private_only", "{made}");
    assert_eq!(
        (made["terms"]["sync_tags"].as_bool(), made["changed_by"]["person"].as_str()),
        (Some(true), Some("Anna"))
    );
    lens.post(&format!("agreements/{uuid}/accept"), Value::Null).await;
    browser.until_shows("accepted Up").await;
    // Beside it stands which fields will sync; the partner can be asked at once.
    browser.press("Ask the partner now").await;
    browser.until_shows("Camera model").await;
    browser.until_shows("ok").await;

    // A bridge gets its token here, once.
    browser.go("/agreements/new").await;
    browser.press("A bridge on a queue").await;
    assert_eq!(
        browser.script("return document.getElementById('address').closest('[hidden]') !== null").await,
        true
    );
    browser.fill("name", "Bridge").await;
    browser.press("Send the invite").await;
    browser.until_shows("crossdesk.partner.").await;
    let token = browser.script("return document.querySelectorAll('main dd')[1].innerText").await;
    browser.press("I have kept it").await;
    browser.until_shows("Bridge on a queue").await;
    let shown = browser.text().await;
    assert!(!shown.contains(token.as_str().unwrap().split(':').nth(1).unwrap()), "{shown}");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_found_by_either_number_shows_both_sides_and_keeps_itself_up_to_date() {
    let daemon = camera_desk("Acme").await;
    let (partner, uuid) = daemon.agreed().await;
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    daemon.until_quiet().await;
    let name = daemon.ticket(&id).await["uuid"].as_str().unwrap().to_owned();
    let sender = Sender::of(&daemon, &partner, &uuid).await;
    let update = json!({"original_id": "L-77", "status": "pending",
        "custom_fields": {"Camera model": "X100", "Serial": "seven"}});
    assert_eq!(sender.ticket("PUT", &name, &update).await, 200);
    daemon.until_quiet().await;

    let browser = Browser::signed_in(&daemon, Look::Light).await;
    browser.press("Tickets").await;
    browser.until_shows("Lens stuck").await;
    for number in [id.as_str(), "L-77", &name] {
        browser.go("/tickets").await;
        browser.fill("q", number).await;
        browser.press("Find").await;
        browser.until_shows("What happened").await;
        assert_eq!(browser.path().await, format!("/tickets/{name}"));
    }
    browser.go("/tickets?q=4711-no-such").await;
    browser.until_shows("No shared ticket has the number or uuid").await;
    browser.go(&format!("/tickets?agreement={uuid}")).await;
    browser.press(&id).await;
    // Both sides, and what does not fit, with its reason.
    browser.until_shows("Field of another type").await;
    let row = async |part: &str| {
        let script = format!(
            "return [...document.querySelectorAll('.sides tr')].find(row => row.innerText.startsWith('{part}'))?.innerText ?? ''"
        );
        browser.script(&script).await.as_str().unwrap().to_owned()
    };
    assert!(row("Status").await.contains("pending\tpending\tIn sync"), "{}", row("Status").await);
    assert!(row("Camera model").await.contains("X100\tX100\tIn sync"), "{}", row("Camera model").await);
    // Nobody touches the page, and it shows what the partner does.
    assert_eq!(sender.ticket("PUT", &name, &json!({"status": "solved"})).await, 200);
    until("the page shows it by itself", async || {
        row("Status").await.contains("solved\tsolved\tIn sync").then_some(())
    })
    .await;
    // The timeline, and a part of it.
    browser.press("What went out").await;
    browser.until_shows("To Partner: New shared ticket").await;
    let all = browser.script("return document.querySelectorAll('.story li.came').length").await;
    assert_eq!(all, 0);
    browser.press("Problems").await;
    browser.until_shows("Held back: Serial").await;

    // It can be unshared, after a question, and shared again.
    browser.press("Unshare").await;
    browser.say_yes().await;
    browser.until_shows("The ticket is not shared any more").await;
    browser.press("Share").await;
    browser.until_shows("The ticket is shared; its message is on its way.").await;
    until("it goes out anew", async || (partner.tickets("POST").len() == 2).then_some(())).await;

    // A ticket that the partner refuses waits for a person, here as under Attention.
    partner.answer_always(refusing(422));
    let event = daemon.desk(|desk| desk.set(&id, "subject", "Lens stuck again"));
    daemon.tell(&event).await;
    until("it is parked", async || (daemon.get("dead-letters").await.as_array()?.len() == 1).then_some(()))
        .await;
    partner.answer_always(None);
    browser.go(&format!("/tickets/{id}?show=problems")).await;
    browser.press("Send again").await;
    browser.until_shows("1 message is sent again").await;
    until("the partner has it", async || {
        partner.tickets("PUT").iter().any(|put| put["subject"] == "Lens stuck again").then_some(())
    })
    .await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_person_stands_with_its_reason_and_its_remedy_and_is_settled_there() {
    let daemon = camera_desk("Lens").await;
    daemon.desk(|desk| desk.required_to_solve = Some("Cause".into()));
    let sender = Sender::agreed(&daemon).await;
    let browser = Browser::signed_in(&daemon, Look::Light).await;
    browser.go("/attention").await;
    browser.until_shows("Nothing needs a person now.").await;

    // A field that fits nothing, and a status that the desk refuses; the page shows them by itself.
    let id = sender.share(&daemon, "t1").await;
    let update = json!({"custom_fields": {"Serial": "seven"}, "status": "solved"});
    assert_eq!(sender.ticket("PUT", "t1", &update).await, 200);
    browser.until_shows("Serial: Field of another type").await;
    browser.until_shows("field Cause is required to solve").await;
    browser.until_shows("Mend on the desk what it says, then try again.").await;
    browser.press("1 ticket").await;
    browser.until_shows("Try again on all of them").await;
    // Once it is mended on the desk.
    daemon.desk(|desk| desk.required_to_solve = None);
    browser.press("Try again on all of them").await;
    browser.until_shows("All is through.").await;
    daemon
        .until_desk("it is solved now", |desk| (desk.tickets[&id].values["status"] == "solved").then_some(()))
        .await;
    browser.go("/attention").await;
    browser.until_shows("Serial: Field of another type").await;
    until("what the desk refused is settled", async || {
        (!browser.text().await.contains("What the desk refused")).then_some(())
    })
    .await;

    // Messages that a partner refuses: one dropped, all the others sent again, more than one page of them.
    sender.partner.answer_always(refusing(422));
    let mut all = vec![id];
    for n in 2..40 {
        assert_eq!(sender.ticket("POST", &format!("t{n}"), &new_ticket(&format!("t{n}"))).await, 201);
        all.push(daemon.until_desk("the ticket is here", |desk| desk.find(&format!("t{n}"))).await);
    }
    daemon.until_quiet().await;
    for id in &all {
        let event = daemon.desk(|desk| desk.set(id, "subject", "Changed here"));
        daemon.tell(&event).await;
    }
    until("all of them are parked", async || {
        (daemon.get("dead-letters").await.as_array()?.len() == 39).then_some(())
    })
    .await;
    browser.go("/attention").await;
    browser.until_shows("Mend what the partner says").await;
    browser.press("Drop what is ticked").await;
    browser.until_shows("tick the messages that it is about first").await;
    browser.press("Back").await;
    browser.click("td input[type=checkbox]").await;
    browser.press("Drop what is ticked").await;
    browser.until_shows("1 message is dropped.").await;
    browser.press("More").await;
    browser.until_shows("38").await;
    sender.partner.answer_always(None);
    browser.press("Send all again (38)").await;
    browser.until_shows("38 of 38 done").await;
    browser.until_shows("All is through.").await;
    until("the partner has them", async || (sender.partner.tickets("PUT").len() >= 38 + 39).then_some(()))
        .await;

    // A partner that is away is said, with what waits for it.
    sender.partner.answer_always(refusing(503));
    let event = daemon.desk(|desk| desk.set(&all[0], "subject", "Changed again"));
    daemon.tell(&event).await;
    browser.go("/attention").await;
    browser.until_shows("Partners that fail").await;
    browser.until_shows("1 messages wait, and go out by themselves").await;
    sender.partner.answer_always(None);
    until("it is well again", async || (!browser.text().await.contains("Partners that fail")).then_some(()))
        .await;
    browser.close().await;
}

/// Whoever has no script, or whose browser runs none, can do the same.
#[tokio::test(flavor = "multi_thread")]
async fn everything_works_without_scripts() {
    let daemon = camera_desk("Lens").await;
    let acme = FakePartner::start().await;
    let uuid = "4".repeat(40);
    invited(&daemon, &acme, &uuid, "Acme").await;
    let base = format!("http://{}", daemon.config.admin.listen);
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let form = async |cookie: &str, path: &str, body: String| {
        let request = client.request(Method::POST, format!("{base}{path}")).header("cookie", cookie);
        request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap()
    };
    let signed =
        client.post(format!("{base}/login")).header("content-type", "application/x-www-form-urlencoded");
    let signed = signed.body("token=test-token&person=Anna").send().await.unwrap();
    let cookie = signed.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let page = async |path: &str| {
        let answer = client.get(format!("{base}{path}")).header("cookie", &cookie).send().await.unwrap();
        answer.text().await.unwrap()
    };
    let shown = page(&format!("/agreements/{uuid}")).await;
    let csrf = shown.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    // A form of no session of ours changes nothing.
    let forged = form(&cookie, &format!("/agreements/{uuid}/accept"), "csrf=0".to_owned()).await;
    assert_eq!(forged.status(), 403);
    assert!(forged.text().await.unwrap().contains("That form is out of date"));
    assert_eq!(form("", &format!("/agreements/{uuid}/accept"), format!("csrf={csrf}")).await.status(), 401);
    assert_eq!(daemon.get(&format!("agreements/{uuid}")).await["status"], "pending");
    let accepted = form(&cookie, &format!("/agreements/{uuid}/accept"), format!("csrf={csrf}")).await;
    assert_eq!(accepted.status(), 303);
    daemon.until_agreement(Some(&uuid), "accepted").await;
    assert!(page("/agreements").await.contains("Accepted. Acme is being told"));
    assert!(!page("/agreements").await.contains("Accepted. Acme is being told"), "it is said once");
    for path in [
        "/tickets?after=%FF",
        "/tickets?agreement=%00",
        "/attention?after=x",
        "/agreements?accepted=-1",
        "/work/7",
        "/agreements/%00",
    ] {
        let shown = page(path).await;
        assert!(shown.contains("<!doctype html>") && !shown.contains("panicked"), "{path}: {shown}");
    }
}
