//! Messages that were written under terms which have become narrower since.

use serde_json::{Map, Value};

use crate::{
    domain::{Agreement, CommentTerms, Direction, Message, MessageType, Property, Title},
    engine::{crosses, may_be_told},
};

/// Whether a message about a ticket says anything that its agreement does not let cross any more.
pub fn says_too_much(message: &Message, agreement: &Agreement) -> bool {
    let begun = match message.kind {
        MessageType::TicketCreate => false,
        MessageType::TicketUpdate => true,
        _ => return false,
    };
    let Ok(Value::Object(ticket)) = serde_json::from_str(&message.body) else { return false };
    let told = |property: &Property| crosses(property, agreement, begun);
    let none = Map::new();
    let inside = |member: &str| ticket.get(member).and_then(Value::as_object).unwrap_or(&none);
    let (fields, extra) = (inside("custom_fields"), inside("crossdesk"));
    let status = ["status", "custom_status"].iter().any(|member| ticket.contains_key(*member));
    let tags = ticket.contains_key("tags");
    let by_receiver = agreement.direction == Direction::Inbound;
    let private = by_receiver && agreement.terms.comments == CommentTerms::PrivateOnly;
    let comments = ticket.get("comments").and_then(Value::as_array);
    (status && !told(&Property::Status))
        || (tags && !agreement.terms.sync_tags)
        || fields.keys().any(|title| !may_be_told(&Title::new(title), agreement))
        || Property::EXTRA.iter().any(|property| extra.contains_key(&property.to_string()) && !told(property))
        || (private && comments.into_iter().flatten().any(|comment| comment["public"] == true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Contents, MessageId, MessageState, Terms, Timestamp, Uuid};

    fn update(body: &str) -> Message {
        let now = Timestamp::default();
        Message {
            seq: 0,
            before: None,
            id: MessageId { owner: Uuid::new("t"), n: 2 },
            agreement: None,
            kind: MessageType::TicketUpdate,
            state: MessageState::Published,
            body: body.to_owned(),
            contents: Contents::default(),
            attempts: 0,
            due_at: None,
            error: None,
            event_at: None,
            created_at: now,
            updated_at: now,
            cause: None,
            bridged: false,
        }
    }

    #[test]
    fn each_part_is_too_much_without_its_term() {
        let wide = Terms { sync_tags: true, sync_custom_fields: true, priority: true, ..Terms::default() };
        let agreed = |terms| {
            let agreement = Agreement { terms, ..Agreement::pending(Timestamp::default()) };
            Agreement { direction: Direction::Inbound, ..agreement }
        };
        let narrow = agreed(Terms { comments: CommentTerms::PrivateOnly, ..Terms::default() });
        for body in [
            r#"{"status":"open"}"#,
            r#"{"tags":[]}"#,
            r#"{"custom_fields":{"Model":"X"}}"#,
            r#"{"comments":[{"uuid":"c","public":true}]}"#,
            r#"{"crossdesk":{"seq":2,"priority":"high"}}"#,
        ] {
            assert!(!says_too_much(&update(body), &agreed(wide)), "{body}");
            assert!(says_too_much(&update(body), &narrow), "{body}");
        }
        let plain = r#"{"subject":"Lens","comments":[{"uuid":"c","public":false}],"crossdesk":{"seq":2}}"#;
        assert!(!says_too_much(&update(plain), &narrow));
        let first = Message { kind: MessageType::TicketCreate, ..update(r#"{"status":"open"}"#) };
        assert!(!says_too_much(&first, &narrow), "a new ticket tells its first status");

        let mut ruled = agreed(wide);
        let rule = serde_json::from_value(serde_json::json!({"title": "Model", "direction": "never"}));
        ruled.local.fields.extend(rule.ok());
        assert!(says_too_much(&update(r#"{"custom_fields":{"Model":"X"}}"#), &ruled));
        // A priority may cross in a field though fields do not.
        let mut urgency = agreed(Terms { priority: true, ..Terms::default() });
        urgency.local.priority_field = Some(Title::new("Urgency"));
        assert!(!says_too_much(&update(r#"{"custom_fields":{"Urgency":"high"}}"#), &urgency));
    }
}
