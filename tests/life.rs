//! The life of an agreement: every step by every party, in the domain, over the wire and by the API.

use crossdesk::domain::{Agreement, AgreementStatus, Party, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{FakePartner, Pair, Sender, TestDaemon, new_ticket, until};

const STATES: [&str; 4] = ["pending", "accepted", "declined", "inactive"];

#[test]
fn only_the_steps_of_its_life_are_taken() {
    use AgreementStatus::{Accepted, Declined, Inactive, Pending};
    let mut taken = Vec::new();
    for from in [Pending, Accepted, Declined, Inactive] {
        for to in [Pending, Accepted, Declined, Inactive] {
            for actor in [Party::Sender, Party::Receiver] {
                let mut agreement = Agreement::pending(Timestamp::default());
                agreement.status = from;
                let result = agreement.advance(to, actor, Timestamp::from_millis(1));
                match result {
                    Ok(true) => taken.push((from.as_str(), to.as_str(), actor.as_str())),
                    Ok(false) => assert_eq!(from, to),
                    Err(error) => {
                        assert_eq!(agreement.status, from, "a refused step changes nothing");
                        assert!(error.to_string().contains(from.as_str()));
                    }
                }
            }
        }
    }
    assert_eq!(taken, STEPS);
}

/// From, to, by whom: all steps that there are.
const STEPS: [(&str, &str, &str); 5] = [
    ("pending", "accepted", "receiver"),
    ("pending", "declined", "receiver"),
    ("pending", "inactive", "sender"),
    ("accepted", "inactive", "sender"),
    ("accepted", "inactive", "receiver"),
];

fn is_step(from: &str, to: &str, by: &str) -> bool {
    from == to || STEPS.contains(&(from, to, by))
}

/// An agreement with a partner that does as it is told, and what it takes to speak in the partner's name.
struct Other {
    partner: FakePartner,
    uuid: String,
    token: String,
    base: String,
    /// What the partner is.
    party: &'static str,
}

impl Other {
    /// The partner has invited this desk, or was invited.
    async fn of(daemon: &TestDaemon, partner: &FakePartner, party: &'static str) -> Self {
        let base = daemon.sharing_url();
        if party == "receiver" {
            let uuid = daemon.invite(&partner.url).await;
            let token = format!("{uuid}:{}", partner.key(&uuid).await);
            return Self { partner: partner.clone(), uuid, token, base, party };
        }
        let number = crate::support::servers::unique().replace('-', "0");
        let (uuid, key) = (format!("{number:0>40}"), format!("{number:a>40}"));
        let this = Self { partner: partner.clone(), token: format!("{uuid}:{key}"), uuid, base, party };
        let invite = json!({"uuid": this.uuid, "name": "Sender", "access_key": key, "status": "pending",
            "sender_url": partner.url, "allows_public_comments": true});
        assert_eq!(this.send("POST", &format!("agreements/{}", this.uuid), &invite).await.0, 201);
        this
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.request(method.parse().unwrap(), format!("{}/{path}", self.base));
        let request = request.header("X-Ticket-Sharing-Token", &self.token).body(body.to_string());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn put(&self, status: &str) -> u16 {
        self.send("PUT", &format!("agreements/{}", self.uuid), &json!({"status": status})).await.0
    }

    /// Brings the agreement there, by whoever may.
    async fn reach(&self, daemon: &TestDaemon, state: &str) {
        let act = |verb: &str| format!("agreements/{}/{verb}", self.uuid);
        let by_us = self.party == "sender";
        match state {
            "accepted" | "inactive" if by_us => drop(daemon.post(&act("accept"), Value::Null).await),
            "accepted" | "inactive" => assert_eq!(self.put("accepted").await, 200),
            "declined" if by_us => drop(daemon.post(&act("decline"), Value::Null).await),
            "declined" => assert_eq!(self.put("declined").await, 200),
            _ => {}
        }
        if state == "inactive" {
            daemon.until_agreement(Some(&self.uuid), "accepted").await;
            assert_eq!(self.put("inactive").await, 200);
        }
        daemon.until_agreement(Some(&self.uuid), state).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_wire_a_partner_takes_the_steps_that_are_its_own_and_no_other() {
    let daemon =
        TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |c| c.invites.per_minute = 600)
            .await;
    let partner = FakePartner::start().await;
    for party in ["sender", "receiver"] {
        for from in STATES {
            for to in STATES {
                let other = Other::of(&daemon, &partner, party).await;
                other.reach(&daemon, from).await;
                let step = is_step(from, to, party);
                assert_eq!(other.put(to).await, if step { 200 } else { 422 }, "{party}: {from} -> {to}");
                let expected = if step { to } else { from };
                let shown = daemon.get(&format!("agreements/{}", other.uuid)).await;
                assert_eq!(shown["status"], expected, "{party}: {from} -> {to}");
                let by = (step && to == "inactive" && from != to).then_some(party);
                assert!(by.is_none() || shown["deactivated_by"] == party, "{shown}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_the_api_this_desk_takes_the_steps_that_are_its_own_and_no_other() {
    let daemon =
        TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |c| c.invites.per_minute = 600)
            .await;
    let partner = FakePartner::start().await;
    for (theirs, ours) in [("sender", "receiver"), ("receiver", "sender")] {
        for from in STATES {
            for (verb, to) in [("accept", "accepted"), ("decline", "declined"), ("deactivate", "inactive")] {
                let other = Other::of(&daemon, &partner, theirs).await;
                other.reach(&daemon, from).await;
                let path = format!("agreements/{}/{verb}", other.uuid);
                let answer = daemon.driver.ask(Method::POST, &path, None).await;
                if is_step(from, to, ours) {
                    answer.unwrap();
                    daemon.until_agreement(Some(&other.uuid), to).await;
                    if from != to {
                        until("the partner is told", async || {
                            let told = other.partner.received().into_iter();
                            told.filter(|r| r.method == "PUT" && r.path.ends_with(&other.uuid))
                                .find(|r| r.body["status"] == to)
                        })
                        .await;
                    }
                } else {
                    let refused = answer.unwrap_err().to_string();
                    assert!(
                        refused.contains("409") && refused.contains(from),
                        "{ours}: {from} {verb}: {refused}"
                    );
                    assert_eq!(daemon.get(&format!("agreements/{}", other.uuid)).await["status"], from);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_an_agreement_that_is_not_in_force_every_request_about_tickets_is_refused() {
    let daemon =
        TestDaemon::with("Acme", Pair::SQLITE_EMBEDDED, Default::default(), |c| c.invites.per_minute = 600)
            .await;
    let partner = FakePartner::start().await;
    for party in ["sender", "receiver"] {
        for state in ["pending", "declined", "inactive"] {
            let other = Other::of(&daemon, &partner, party).await;
            other.reach(&daemon, state).await;
            for method in ["POST", "PUT", "GET", "DELETE"] {
                let (code, text) = other.send(method, "tickets/t1", &new_ticket("t1")).await;
                assert_eq!(code, 403, "{party} {state} {method}: {text}");
                assert!(text.contains(state), "{text}");
            }
        }
    }
    assert_eq!(daemon.desk(|d| d.tickets.len()), 0);
    // The receiver starts no shares, even under one in force.
    let other = Other::of(&daemon, &partner, "receiver").await;
    other.reach(&daemon, "accepted").await;
    let (code, text) = other.send("POST", "tickets/t1", &new_ticket("t1")).await;
    assert_eq!(code, 403, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_an_agreement_that_implementations_send_is_understood() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    let path = format!("agreements/{}", sender.uuid);
    let terms = |comments: &str, tags: bool, fields: bool| json!({"comments": comments, "sync_tags": tags, "sync_custom_fields": fields});
    let (public, private) = ("public_and_private", "private_only");
    // What the sender writes, the code, and the terms, name and status afterwards.
    let null = Value::Null;
    let cases = [
        // null and absent: not said, so unchanged
        (
            json!({"uuid": sender.uuid, "name": null, "sender_url": null, "receiver_url": null, "access_key": null, "status": null,
            "deactivated_by": null, "current_actor": null, "sync_tags": null, "sync_custom_fields": null,
            "allows_public_comments": null}),
            200,
            terms(public, true, true),
            "Sender",
        ),
        (json!({}), 200, terms(public, true, true), "Sender"),
        // the sender's own: terms, one by one, and the name
        (json!({"allows_public_comments": false}), 200, terms(private, true, true), "Sender"),
        (json!({"sync_tags": false}), 200, terms(private, false, true), "Sender"),
        (
            json!({"sync_custom_fields": false, "allows_public_comments": true}),
            200,
            terms(public, false, false),
            "Sender",
        ),
        (json!({"name": "Renamed"}), 200, terms(public, false, false), "Renamed"),
        // repeated, with an empty string where another writes null
        (json!({"status": "accepted", "deactivated_by": ""}), 200, terms(public, false, false), "Renamed"),
        // an actor of any shape, members that nobody knows
        (
            json!({"current_actor": {"uuid": "u", "name": "Ann", "role": "agent"}, "more": [1]}),
            200,
            terms(public, false, false),
            "Renamed",
        ),
        (json!({"current_actor": "Ann", "crossdesk": "what"}), 200, terms(public, false, false), "Renamed"),
        // another's uuid, a step that there is not, a status that nobody knows, another type
        (json!({"uuid": "f".repeat(40)}), 404, terms(public, false, false), "Renamed"),
        (json!({"status": "declined"}), 422, terms(public, false, false), "Renamed"),
        (json!({"status": "ssl_error"}), 422, terms(public, false, false), "Renamed"),
        (json!({"sync_tags": "yes"}), 422, terms(public, false, false), "Renamed"),
        (json!([]), 422, terms(public, false, false), "Renamed"),
        (null, 422, terms(public, false, false), "Renamed"),
    ];
    for (body, code, terms, name) in cases {
        let (status, text) = sender.send("PUT", &path, Some(&body), true).await;
        assert_eq!(status, code, "{body}: {text}");
        let shown = daemon.get(&path).await;
        assert_eq!(
            (&shown["terms"], shown["name"].as_str(), shown["status"].as_str()),
            (&terms, Some(name), Some("accepted")),
            "{body}"
        );
    }
    // A new key is in force at once, for both directions.
    let key = "9".repeat(40);
    assert_eq!(sender.send("PUT", &path, Some(&json!({"access_key": key})), true).await.0, 200);
    assert_eq!(sender.send("GET", &path, None, true).await.0, 403, "the old one opens nothing");
    let sender = Sender { key, ..sender };
    assert_eq!(sender.send("GET", &path, None, true).await.0, 200);
    assert_eq!(sender.ticket("POST", "t1", &new_ticket("t1")).await, 201);
    let id = daemon.until_desk("the ticket is here", |d| d.find("t1")).await;
    daemon.until_quiet().await;
    let event = daemon.desk(|d| d.comment(&id, "Lina", "Looking.", true));
    daemon.tell(&event).await;
    until("it goes out under the new key", async || {
        let put = sender.partner.received().pop().filter(|r| r.path.contains("/tickets/"))?;
        (put.headers["x-ticket-sharing-token"] == format!("{}:{}", sender.uuid, sender.key)).then_some(())
    })
    .await;
    // A receiver changes neither terms nor name nor key of ours.
    let (partner, uuid) = daemon.agreed().await;
    let before = daemon.get(&format!("agreements/{uuid}")).await;
    let theirs = Sender::of(&daemon, &partner, &uuid).await;
    let body = json!({"uuid": uuid, "name": "Receiver's name", "access_key": "0".repeat(40), "sync_tags": false, "status": "accepted"});
    assert_eq!(theirs.send("PUT", &format!("agreements/{uuid}"), Some(&body), true).await.0, 200);
    let after = daemon.get(&format!("agreements/{uuid}")).await;
    assert_eq!((&before["terms"], &before["name"]), (&after["terms"], &after["name"]));
    assert_eq!(
        theirs.send("GET", &format!("agreements/{uuid}"), None, true).await.0,
        200,
        "the key is the old one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_status_that_implementations_send_is_understood() {
    let daemon = TestDaemon::start("Lens", Pair::SQLITE_EMBEDDED).await;
    let sender = Sender::agreed(&daemon).await;
    // What a partner writes, and what the desk is asked to set.
    for (n, (theirs, ours)) in [
        (json!("new"), "new"),
        (json!("open"), "open"),
        (json!("pending"), "pending"),
        (json!("hold"), "hold"),
        (json!("solved"), "solved"),
        (json!("closed"), "closed"),
        (json!("resolved"), "solved"),
        (json!("Waiting for parts"), "open"),
        (json!(null), "open"),
    ]
    .into_iter()
    .enumerate()
    {
        let uuid = format!("s{n}");
        let mut ticket = new_ticket(&uuid);
        ticket["status"] = theirs.clone();
        assert_eq!(sender.ticket("POST", &uuid, &ticket).await, 201, "{theirs}");
        let id = daemon.until_desk("the ticket is here", |d| d.find(&uuid)).await;
        assert_eq!(daemon.desk(|d| d.tickets[&id].values["status"].clone()), ours, "{theirs}");
    }
}
