//! The whole way, on all four pairs of store and broker: the same story each time.

use crate::on_all_pairs;

on_all_pairs!(the_whole_way, a_stopped_daemon_goes_on_where_it_was, tags_and_unshare);

pub(crate) mod stories {
    use serde_json::json;

    use crate::support::{Pair, TestDaemon, until};
    use crossdesk::{
        demo::{Habits, HelpDesk},
        domain::{CustomField, FieldType, Title},
    };

    fn comments(desk: &HelpDesk, id: &str) -> Vec<(String, bool)> {
        let ticket = desk.tickets.get(id);
        ticket.map(|t| t.comments.iter().map(|c| (c.body.clone(), c.public)).collect()).unwrap_or_default()
    }

    fn status(desk: &HelpDesk, id: &str) -> String {
        desk.tickets.get(id).map(|t| t.values["status"].as_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// Invite, accept, share, dummy user, comments both ways, fields, status both ways.
    pub(crate) async fn the_whole_way(pair: Pair) {
        let mut acme = TestDaemon::start("Acme", pair).await;
        let model = |kind, options: &[&str]| CustomField {
            title: Title::new("camera MODEL"),
            kind,
            options: options.iter().map(|o| (*o).to_owned()).collect(),
        };
        let mut lens = TestDaemon::with("Lens", pair, Habits::default(), |config| {
            let serial =
                CustomField { title: Title::new("Serial"), kind: FieldType::Integer, options: vec![] };
            config.desk.fields = vec![model(FieldType::Dropdown, &["X100", "X200"]), serial];
        })
        .await;
        let agreement = acme.agree_with(&lens).await;

        let fields = [("Camera model", json!("x100")), ("Serial", json!("none")), ("Colour", json!("red"))];
        let (id, opened) = acme.desk(|d| d.open(("77", "Joe User"), "Lens stuck", "It is stuck.", &fields));
        acme.tell(&opened).await;
        let shared = acme.desk(|d| d.share(&id, &agreement));
        acme.tell(&shared).await;
        let there = lens.until_desk("the ticket is there", |d| d.tickets.keys().next().cloned()).await;
        lens.until_desk("it has its comment", |d| {
            (comments(d, &there) == [("It is stuck.".to_owned(), true)]).then_some(())
        })
        .await;
        lens.desk(|d| {
            let ticket = &d.tickets[&there];
            assert_eq!(ticket.values["subject"], "Lens stuck");
            assert_eq!(ticket.requester.1, "Joe User");
            assert!(
                ticket.requester.0.starts_with("dummy-"),
                "the requester is a dummy: {:?}",
                ticket.requester
            );
            assert_eq!(ticket.fields.values().collect::<Vec<_>>(), [&json!("X100")]);
            let mut reasons: Vec<_> =
                d.not_synced.iter().map(|f| (f["title"].clone(), f["reason"].clone())).collect();
            reasons.sort_by_key(|(title, _)| title.to_string());
            assert_eq!(
                reasons,
                [(json!("Colour"), json!("unknown_field")), (json!("Serial"), json!("incompatible_type"))]
            );
            let colour = d.not_synced.iter().find(|f| f["title"] == "Colour").unwrap();
            assert_eq!(colour["detail"], "this desk has no custom field titled \"Colour\"");
        });

        let event = lens.desk(|d| d.comment(&there, "Lina", "Send it in.", true));
        lens.tell(&event).await;
        let event = acme.desk(|d| d.comment(&id, "Smith", "Good customer.", false));
        acme.tell(&event).await;
        let event = lens.desk(|d| d.set(&there, "status", "solved"));
        lens.tell(&event).await;
        acme.until_desk("it is solved here", |d| (status(d, &id) == "solved").then_some(())).await;
        let event = acme.desk(|d| d.set(&id, "status", "open"));
        acme.tell(&event).await;
        lens.until_desk("it is open there", |d| (status(d, &there) == "open").then_some(())).await;
        for (side, ticket) in [(&acme, &id), (&lens, &there)] {
            side.until_desk("all comments are on both sides, once", |d| {
                let mut all = comments(d, ticket);
                all.sort();
                let mut want = [("Good customer.", false), ("It is stuck.", true), ("Send it in.", true)]
                    .map(|(b, p)| (b.to_owned(), p));
                want.sort();
                (all == want).then_some(())
            })
            .await;
            side.until_quiet().await;
        }
        // Both know each other's number, and what did not sync is kept with its reason.
        let shown = acme.ticket(&id).await;
        assert_eq!(shown["shares"][0]["partner_ticket_id"], there.as_str());
        assert_eq!(shown["mergeable"], false);
        let shown = lens.get(&format!("tickets/{there}/explain")).await;
        assert_eq!(shown["ticket"]["shares"][0]["partner_ticket_id"], id.as_str());
        assert_eq!(shown["ticket"]["origin"]["url"], format!("https://desk.example/tickets/{id}"));
        assert_eq!(shown["ticket"]["issues"].as_array().unwrap().len(), 2);
        for side in [&acme, &lens] {
            assert_eq!(side.get("dead-letters").await, json!([]));
        }
        acme.stop().await;
        lens.stop().await;
    }

    /// What a daemon had not delivered when it stopped, it delivers after the start; what it heard meanwhile too.
    pub(crate) async fn a_stopped_daemon_goes_on_where_it_was(pair: Pair) {
        let mut acme = TestDaemon::start("Acme", pair).await;
        let mut lens = TestDaemon::start("Lens", pair).await;
        let agreement = acme.agree_with(&lens).await;
        let id = acme.open_and_share(&agreement, "Lens stuck").await;
        let there = lens.until_desk("the ticket is there", |d| d.tickets.keys().next().cloned()).await;
        acme.until_quiet().await;
        lens.until_quiet().await;

        lens.stop().await;
        for n in 1..=3 {
            let event = acme.desk(|d| d.comment(&id, "Smith", &format!("note {n}"), true));
            acme.tell(&event).await;
        }
        until("the first attempt has failed", async || {
            let story = acme.get(&format!("tickets/{id}/explain")).await;
            let messages = story["messages"].as_array()?.clone();
            messages
                .iter()
                .any(|m| m["type"] == "ticket.update" && m["attempts"].as_i64() > Some(0))
                .then_some(())
        })
        .await;
        acme.stop().await;
        lens.resume().await;
        acme.resume().await;
        lens.until_desk("the notes are there, in order, once", |d| {
            let bodies: Vec<_> = comments(d, &there).into_iter().map(|(body, _)| body).collect();
            (bodies == ["It is stuck.", "note 1", "note 2", "note 3"]).then_some(())
        })
        .await;
        acme.until_quiet().await;
        assert_eq!(acme.get("dead-letters").await, json!([]));
        acme.stop().await;
        lens.stop().await;
    }

    /// Tags travel one by one; unsharing keeps both tickets and stops the sync.
    pub(crate) async fn tags_and_unshare(pair: Pair) {
        let acme = TestDaemon::start("Acme", pair).await;
        let lens = TestDaemon::start("Lens", pair).await;
        let agreement = acme.agree_with(&lens).await;
        let id = acme.open_and_share(&agreement, "Lens stuck").await;
        let there = lens.until_desk("the ticket is there", |d| d.tickets.keys().next().cloned()).await;
        let tags = |d: &HelpDesk, id: &str| d.tickets[id].tags.iter().cloned().collect::<Vec<_>>();
        // Both at once: each keeps its own and gets the other's.
        let (one, other) = (acme.desk(|d| d.tag(&id, &["lens"])), lens.desk(|d| d.tag(&there, &["repair"])));
        tokio::join!(acme.tell(&one), lens.tell(&other));
        acme.until_desk("both tags here", |d| (tags(d, &id) == ["lens", "repair"]).then_some(())).await;
        lens.until_desk("both tags there", |d| (tags(d, &there) == ["lens", "repair"]).then_some(())).await;
        let event = acme.desk(|d| d.tag(&id, &["repair"]));
        acme.tell(&event).await;
        lens.until_desk("one is gone there too", |d| (tags(d, &there) == ["repair"]).then_some(())).await;

        acme.driver.ask(reqwest::Method::DELETE, &format!("tickets/{id}/share"), None).await.unwrap();
        until("the share has ended there", async || {
            let shown = lens.ticket(&there).await;
            (shown["shares"][0]["state"] == "ended" && shown["mergeable"] == true).then_some(())
        })
        .await;
        let event = acme.desk(|d| d.comment(&id, "Smith", "not for them", true));
        acme.tell(&event).await;
        acme.until_quiet().await;
        lens.until_quiet().await;
        assert_eq!(lens.desk(|d| comments(d, &there).len()), 1);
    }
}
