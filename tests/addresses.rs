//! Which addresses partners' URLs may lead to: literal ones, names, redirects; what of a path is whose; and a partner that moves.

use crossdesk::{
    domain::{AccessKey, Profile, Uuid},
    partner::{Allowed, HttpPartner},
    ports::{Call, CallError, Method, Partner},
};
use std::time::Duration;

use crate::support::{FakePartner, Pair, Sender, TestDaemon, new_ticket, until};

fn call(base: &str, uuid: &str) -> Call {
    Call {
        trace: None,
        method: Method::Put,
        base: base.to_owned(),
        collection: "tickets",
        uuid: Uuid::new(uuid),
        body: Some("{}".to_owned()),
        token: Some((Uuid::new("a"), AccessKey::new("secret"))),
        profile: Profile::default(),
    }
}

fn partner(allowed: Allowed) -> HttpPartner {
    crossdesk::app::install_tls();
    HttpPartner::new(Duration::from_secs(5), allowed).unwrap()
}

#[tokio::test]
async fn a_name_is_judged_by_the_address_that_is_dialled() {
    for host in [
        "localhost",
        "localhost.",
        "ip6-localhost",
        "127.0.0.1.nip.example",
        "[::1]",
        "127.0.0.1",
        "2130706433",
    ] {
        let answer = partner(Allowed::Public).call(&call(&format!("https://{host}/sharing"), "t1")).await;
        assert!(answer.is_err(), "{host}: {answer:?}");
    }
    // A name that no text gives away: this machine's own, which leads to it and not to the world.
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap();
    let own = hosts
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split_whitespace().skip(1));
    let mut judged = 0;
    for name in own.filter(|name| *name != "localhost" && !name.contains(':')) {
        let answer = partner(Allowed::Public).call(&call(&format!("https://{name}/sharing"), "t1")).await;
        let Err(CallError::Unreachable(why)) = answer else { panic!("{name}: {answer:?}") };
        judged += usize::from(why.contains("no address that is allowed"));
    }
    assert!(judged > 0, "no name in /etc/hosts leads to this machine: {hosts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_leads_nowhere_else_and_a_uuid_is_one_part_of_a_path() {
    let (first, other) = (FakePartner::start().await, FakePartner::start().await);
    let to = |url: &str| (307, vec![("location", url.to_owned())], String::new());
    let partner = partner(Allowed::Private);
    first.answer_next([to(&format!("{}/tickets/t1", other.url))]);
    let answer = partner.call(&call(&first.url, "t1")).await.unwrap();
    assert_eq!((answer.status, other.received().len()), (307, 0), "another port is another host");
    first.answer_next([to(&format!("{}/tickets/t2", first.url))]);
    assert_eq!(partner.call(&call(&first.url, "t1")).await.unwrap().status, 200);
    assert!(first.received().pop().unwrap().path.ends_with("/tickets/t2"));
    for uuid in ["..", "../agreements/x", "..\\agreements\\x", "x?y=1", "x#y"] {
        partner.call(&call(&first.url, uuid)).await.unwrap();
        let path = first.received().pop().unwrap().path;
        assert!(
            path.contains("/tickets") && !path.contains("/agreements/x") && !path.contains('?'),
            "{uuid}: {path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_elsewhere_in_a_path_is_no_uuid() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    for uuid in ["..%5Cagreements%5Cx", "x%3Fy", "x%23y", "x%25y"] {
        assert_eq!(sender.ticket("POST", uuid, &new_ticket("x")).await, 422, "{uuid}");
    }
    until("nothing came of it", async || {
        (daemon.get("tickets").await == serde_json::json!([])).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_has_moved_gets_nothing_at_its_old_address() {
    let uuid = "d".repeat(40);
    let (old, new) = (FakePartner::start().await, FakePartner::start().await);
    let declared = |url: &str| {
        let agreement = serde_json::json!({"uuid": uuid, "name": "Lens Partner", "direction": "outbound",
            "kind": "third_party", "url": url, "access_key": "e".repeat(40), "status": "accepted"});
        vec![serde_json::from_value(agreement).unwrap()]
    };
    let mut daemon = TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |config| {
        config.agreements = declared(&old.url);
    })
    .await;
    daemon.until_agreement(Some(&uuid), "accepted").await;
    let id = daemon.open_and_share(&uuid, "Lens stuck").await;
    until("the ticket is out", async || old.tickets("POST").pop()).await;
    daemon.until_quiet().await;
    daemon.config.agreements = declared(&new.url);
    daemon.reload().await;
    until("its new address is known", async || {
        (daemon.get("agreements").await[0]["url"] == new.url).then_some(())
    })
    .await;
    let event = daemon.desk(|d| d.comment(&id, "Smith", "You have moved.", true));
    daemon.tell(&event).await;
    until("it is told where it is now", async || new.tickets("PUT").pop()).await;
    assert_eq!(old.tickets("PUT").len(), 0);
}
