//! Messages that were written under terms which have become narrower since: what no longer crosses is taken out of them.

use serde_json::{Map, Value};

use crate::{
    domain::{Agreement, CommentTerms, Direction, Property, Title},
    engine::{crosses, may_be_told},
};

/// The body of a message about a ticket without what the agreement lets cross no more; `None` where all of it still may. `creates`:
/// it tells the partner of the ticket.
pub fn narrowed(body: &str, agreement: &Agreement, creates: bool) -> Option<String> {
    let Ok(Value::Object(before)) = serde_json::from_str(body) else { return None };
    let mut ticket = before.clone();
    for (member, property) in [("status", Property::Status), ("custom_status", Property::CustomStatus)] {
        if !crosses(&property, agreement, !creates) {
            ticket.remove(member);
        }
    }
    if !agreement.terms.sync_tags {
        ticket.remove("tags");
    }
    inside(&mut ticket, "custom_fields", |fields| {
        fields.retain(|title, _| may_be_told(&Title::new(title), agreement));
    });
    inside(&mut ticket, "crossdesk", |extra| {
        for property in Property::EXTRA.iter().filter(|property| !crosses(property, agreement, !creates)) {
            extra.remove(&property.to_string());
        }
        if !agreement.terms.sync_tags {
            extra.remove("tags_added");
            extra.remove("tags_removed");
        }
    });
    let by_receiver = agreement.direction == Direction::Inbound;
    if by_receiver && agreement.terms.comments == CommentTerms::PrivateOnly {
        let comments = ticket.get_mut("comments").and_then(Value::as_array_mut);
        for comment in comments.into_iter().flatten().filter_map(Value::as_object_mut) {
            comment.insert("public".to_owned(), Value::Bool(false));
        }
    }
    (ticket != before).then(|| Value::Object(ticket).to_string())
}

/// Does something with an object inside of one, and leaves no empty one behind.
fn inside(object: &mut Map<String, Value>, member: &str, act: impl FnOnce(&mut Map<String, Value>)) {
    if let Some(Value::Object(inner)) = object.get_mut(member) {
        act(inner);
        if inner.is_empty() {
            object.remove(member);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Terms, Timestamp};

    #[test]
    fn what_the_terms_let_cross_no_more_is_taken_out() {
        let body = r#"{"uuid":"t","subject":"Lens","status":"open","tags":["vip"],"custom_fields":{"Model":"X","Cost":5},
            "comments":[{"uuid":"c","body":"b","public":true}],"crossdesk":{"seq":2,"tags_added":["vip"],"priority":"high"}}"#;
        let wide = Terms { sync_tags: true, sync_custom_fields: true, priority: true, ..Terms::default() };
        let mut agreement = Agreement { terms: wide, ..Agreement::pending(Timestamp::default()) };
        agreement.direction = Direction::Inbound;
        assert_eq!(narrowed(body, &agreement, false), None);

        let rule = serde_json::from_value(serde_json::json!({"title": "Cost", "direction": "never"}));
        agreement.local.fields.extend(rule.ok());
        let said = |agreement: &Agreement, creates| -> Value {
            let body = narrowed(body, agreement, creates).unwrap_or_default();
            serde_json::from_str(&body).unwrap_or_default()
        };
        assert_eq!(said(&agreement, false)["custom_fields"], serde_json::json!({"Model": "X"}));

        agreement.terms = Terms { comments: CommentTerms::PrivateOnly, ..Terms::default() };
        assert_eq!(
            said(&agreement, false),
            serde_json::json!({"uuid": "t", "subject": "Lens", "comments": [{"uuid": "c", "body": "b", "public": false}],
                "crossdesk": {"seq": 2}})
        );
        assert_eq!(said(&agreement, true)["status"], "open", "a new ticket tells its first status");
    }
}
