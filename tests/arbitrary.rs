//! The readers of everything that comes from outside, with whatever may come: they answer, and never panic; and what they
//! read keeps what is promised.

use std::collections::BTreeMap;

use crossdesk::{
    config,
    domain::{Namespace, Privacy, Uuid},
    wire::{date, desk, nhd},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Any JSON, with the names that the readers know among the keys.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "1.0",
            "helpdesk.ticket.changed",
            "helpdesk.command.completed",
            "open",
            "accepted",
            "2026-01-05T10:00:00Z",
            "done",
            "ticket_sharing",
            "agent",
            "\u{0}",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let key = prop::sample::select(vec![
            "specversion",
            "id",
            "source",
            "type",
            "time",
            "data",
            "ticket",
            "uuid",
            "revision",
            "subject",
            "status",
            "tags",
            "requester",
            "custom_fields",
            "title",
            "value",
            "via",
            "comments",
            "author",
            "body",
            "html_body",
            "public",
            "attachments",
            "url",
            "filename",
            "actor",
            "name",
            "role",
            "command_id",
            "users",
            "fields",
            "options",
            "crossdesk",
            "seq",
            "seen",
            "terms",
            "access_key",
            "sender_url",
            "receiver_url",
            "current_actor",
            "agreement",
            "ccs",
            "assignee",
            "requested_at",
            "original_id",
            "custom_status",
            "priority",
            "deactivated_by",
            "allows_public_comments",
            "sync_tags",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..9).prop_map(|pairs| Value::Object(
                pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>()
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_of_any_kind_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let ours = Namespace::of("desk.example/sharing");
        let _read = desk::decode(&bytes, &ours).is_ok();
        let _read = nhd::read_agreement(&bytes).is_ok();
        let _read = nhd::read_ticket(&bytes, &Uuid::new("t"), Privacy::Private).is_ok();
        let text = String::from_utf8_lossy(&bytes);
        let _read = date::parse(&text);
        let _read = config::load(&text, "file.toml", &BTreeMap::new()).is_ok();
    }

    #[test]
    fn json_of_any_shape_is_answered(value in any_json()) {
        let (ours, text) = (Namespace::of("desk.example/sharing"), value.to_string());
        let _read = desk::decode(text.as_bytes(), &ours).is_ok();
        let event = json!({"specversion": "1.0", "id": "e", "source": "s", "type": "helpdesk.ticket.changed", "data": value});
        let _read = desk::decode(event.to_string().as_bytes(), &ours).is_ok();
        let event = json!({"specversion": "1.0", "id": "e", "source": "s", "type": "helpdesk.command.completed", "data": value});
        let _read = desk::decode(event.to_string().as_bytes(), &ours).is_ok();
        let _read = nhd::read_agreement(text.as_bytes()).is_ok();
        let _read = nhd::read_ticket(text.as_bytes(), &Uuid::new("t"), Privacy::Private).is_ok();
    }

    #[test]
    fn what_is_read_can_be_written_and_read_again_and_private_stays_private(value in any_json()) {
        let uuid = Uuid::new("t");
        let mut value = value;
        if let Value::Object(object) = &mut value {
            object.insert("uuid".to_owned(), "t".into());
        }
        if let Ok(update) = nhd::read_ticket(value.to_string().as_bytes(), &uuid, Privacy::Private) {
            let marked: Vec<bool> = value["comments"].as_array().into_iter().flatten().map(|c| c["public"] == true).collect();
            for (comment, marked) in update.comments.iter().zip(marked) {
                prop_assert_eq!(comment.privacy().is_public(), marked);
            }
            let again = nhd::read_ticket(nhd::ticket(&update).as_bytes(), &uuid, Privacy::Private).unwrap();
            prop_assert_eq!(&again.properties, &update.properties);
            prop_assert_eq!(again.comments.len(), update.comments.len());
            for (one, other) in again.comments.iter().zip(&update.comments) {
                prop_assert_eq!((&one.uuid, one.privacy()), (&other.uuid, other.privacy()));
            }
        }
    }

    #[test]
    fn dates_of_any_form_are_answered(text in "[0-9TZ:+. a-zA-Z,-]{0,40}") {
        if let Some(at) = date::parse(&text) {
            // What is read is an instant that can be written in the form that everybody understands.
            prop_assert!(date::parse(&date::to_wire(at)).is_some());
        }
    }
}
