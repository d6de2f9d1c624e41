//! What happened to a ticket, in the order of time: what came in, what went out, what was held back and why.

use serde_json::{Value, json};

use crate::{
    domain::{Agreement, Channel, Message, MessageState},
    ports::Happened,
    wire::date::to_rfc3339,
};

/// The events and messages of a ticket as one list.
pub(super) fn of(history: &[Happened], messages: &[Message], agreements: &[Agreement]) -> Vec<Value> {
    let name = |uuid: &str| {
        let found = agreements.iter().find(|agreement| agreement.uuid.as_str() == uuid);
        found.map_or_else(|| uuid.to_owned(), |agreement| agreement.name.clone())
    };
    let mut lines: Vec<(i64, u8, Value)> = Vec::new();
    for happened in history {
        let mut line: Value = serde_json::from_str(&happened.what).unwrap_or_default();
        let partner = line.get("agreement").and_then(Value::as_str).map(&name);
        if let Value::Object(line) = &mut line {
            line.insert("at".to_owned(), to_rfc3339(happened.at).into());
            if let Some(partner) = partner {
                line.insert("partner".to_owned(), partner.into());
            }
        }
        lines.push((happened.at.millis(), 0, line));
    }
    for message in messages {
        let to = match message.kind.channel() {
            Channel::Partner => "partner",
            Channel::Command => "desk",
            Channel::Dead => "dead letters",
        };
        let line = json!({
            "at": to_rfc3339(message.created_at), "to": to, "what": message.kind.as_str(), "message": message.id,
            "agreement": message.agreement, "partner": message.agreement.as_ref().map(|uuid| name(uuid.as_str())),
            "state": message.state.as_str(), "attempts": message.attempts, "due_at": message.due_at.map(to_rfc3339),
            "answer": answer(message), "told": message.contents.properties.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        lines.push((message.created_at.millis(), 1, line));
    }
    lines.sort_by_key(|(at, kind, _)| (*at, *kind));
    lines.into_iter().map(|(_, _, line)| line).collect()
}

/// What the receiver said, in words.
fn answer(message: &Message) -> Option<String> {
    match (message.state, &message.error) {
        (_, Some(error)) => Some(error.clone()),
        (MessageState::Delivered, None) => Some("taken".to_owned()),
        (MessageState::Withdrawn, None) => Some("not sent: no longer needed".to_owned()),
        (MessageState::Pending | MessageState::Published, None) => Some("waiting".to_owned()),
        (MessageState::Parked, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_an_unknown_agreement_keeps_its_uuid() {
        let happened = Happened {
            at: crate::domain::Timestamp::from_millis(0),
            what: json!({"agreement": "gone", "what": "changed"}).to_string(),
        };
        let lines = of(&[happened], &[], &[]);
        assert_eq!(lines.first().and_then(|line| line.get("partner")), Some(&Value::from("gone")));
    }
}
