//! How long a decision takes: no broker, no database, no network.
//!
//! ```sh
//! cargo bench --bench engine
//! ```
//! An event of 1.2 KB, read already, on a ticket that is shared under one agreement: on one that nobody shares, one that tells
//! nothing new, one that changes the status, one with a comment, one with 40 custom fields that all change; and 1,000 sharing
//! rules of which none holds. Each decision begins from the ticket as it is kept, copy and all.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a bench that finds what it does not expect ends there and then"
)]
#![allow(dead_code, clippy::allow_attributes, reason = "the bench uses a part of what another stands on")]

#[path = "pipeline/events.rs"]
mod events;

use std::{collections::HashMap, hint::black_box, sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use crossdesk::{
    domain::{
        Agreement, AgreementStatus, Catalogue, Direction, EventBody, Namespace, Quick, Terms, TicketEvent,
        Timestamp, Uuid,
    },
    engine::{Case, Context, Desk, Stored, outgoing, rules, rules::Rule, sharing},
    wire,
};
use serde_json::{Value, json};

fn event(text: &str, ours: &Namespace) -> TicketEvent {
    match wire::desk::decode(text.as_bytes(), ours).expect("an event").body {
        EventBody::Changed(ticket) | EventBody::Shared(ticket, _) => ticket,
        other => panic!("an event of another kind: {other:?}"),
    }
}

/// An event with some of its ticket's members in place of the usual.
fn with(number: usize, members: &Value, ours: &Namespace) -> TicketEvent {
    let mut whole: Value = serde_json::from_str(&events::shared(number)).unwrap();
    for (name, value) in members.as_object().unwrap() {
        whole["data"]["ticket"][name] = value.clone();
    }
    event(&whole.to_string(), ours)
}

fn decisions(criterion: &mut Criterion) {
    let ours = Namespace::of("bench.example/sharing");
    let desk = Desk {
        name: "Bench".to_owned(),
        sharing_url: "https://bench.example/sharing".to_owned(),
        namespace: ours.clone(),
        ticket_url: None,
        command_timeout: Duration::from_secs(60),
        takes_commands: false,
    };
    let agreement = Agreement {
        uuid: Uuid::new(events::agreement(0)),
        name: "Partner".to_owned(),
        direction: Direction::Outbound,
        status: AgreementStatus::Accepted,
        terms: Terms { sync_tags: true, sync_custom_fields: true, ..Terms::default() },
        ..Agreement::pending(Timestamp::default())
    };
    let agreements = Quick::from_iter([(agreement.uuid.clone(), agreement.clone())]);
    let (users, references, catalogue) = (Quick::default(), HashMap::new(), Catalogue::default());
    let ctx = Context {
        now: Timestamp::from_millis(1_795_428_930_000),
        desk: &desk,
        agreements: &agreements,
        users: &users,
        references: &references,
        catalogue: &catalogue,
        event_at: None,
    };
    let first = with(0, &json!({}), &ours);
    let mut shared = Case::new(ours.ticket(&first.id));
    shared.ticket.id = Some(first.id.clone());
    sharing::share(&mut shared, &agreement, Some(&first), &ctx).expect("shared");
    let forty = |value: &str| -> Value {
        (0..40).map(|n| json!({"title": format!("Field {n}"), "value": format!("{value} {n}")})).collect()
    };
    let many = with(0, &json!({"revision": 1, "custom_fields": forty("old")}), &ours);
    let mut wide = shared.clone();
    outgoing::ticket_changed(&mut wide, &many, &ctx);
    let stored = |case: Case| Arc::new(Stored::new(case.ticket, case.shares));
    let (shared, wide) = (stored(shared), stored(wide));

    let mut commented: Value = serde_json::from_str(&events::shared(0)).unwrap();
    commented["data"]["ticket"]["revision"] = json!(2);
    commented["data"]["comments"] = json!([{"id": "c1", "body": "The lens is stuck again. ".repeat(12), "public": true,
        "author": {"id": "9", "name": "Agent Smith", "role": "agent"}}]);
    let cases = [
        ("no change", &shared, with(0, &json!({"revision": 1}), &ours)),
        ("status", &shared, with(0, &json!({"revision": 2, "status": "pending"}), &ours)),
        ("comment", &shared, event(&commented.to_string(), &ours)),
        ("40 fields", &wide, with(0, &json!({"revision": 2, "custom_fields": forty("new")}), &ours)),
    ];
    for (name, stored, event) in &cases {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut case = Case::loaded(Arc::clone(stored));
                let decision = outgoing::ticket_changed(&mut case, black_box(event), &ctx);
                (case, decision)
            });
        });
    }
    criterion.bench_function("read an event", |bencher| {
        let text = events::changed(1, "");
        bencher.iter(|| wire::desk::decode(black_box(text.as_bytes()), &ours));
    });
    criterion.bench_function("not shared, no rules", |bencher| {
        bencher.iter(|| rules::first_match(&[], black_box(&first)).is_none());
    });
    let thousand: Vec<Rule> = (0..1000)
        .map(|n| {
            Rule::new(&format!("rule {n}"), &format!("\"tag-{n}\" in ticket.tags"), "Partner")
                .expect("a rule")
        })
        .collect();
    criterion.bench_function("not shared, 1,000 rules", |bencher| {
        bencher.iter(|| rules::first_match(&thousand, black_box(&first)).is_none());
    });
}

criterion_group!(engine, decisions);
criterion_main!(engine);
