//! What happened to a ticket, as lines for people: the same story that `crossdesk ticket explain` tells.

use serde::Deserialize;
use serde_json::Value;

use super::words;
use crate::domain::{MessageType, Reason};

/// Which lines are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Show {
    /// All.
    #[default]
    All,
    /// What came from the desk and from partners.
    In,
    /// What went out.
    Out,
    /// What did not go as it should.
    Problems,
}

impl Show {
    pub(super) const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::All, "all", "Everything"),
        (Self::In, "in", "What came in"),
        (Self::Out, "out", "What went out"),
        (Self::Problems, "problems", "Problems"),
    ];

    fn has(self, line: &Line) -> bool {
        match self {
            Self::All => true,
            Self::In => !line.goes_out,
            Self::Out => line.goes_out,
            Self::Problems => line.is_trouble,
        }
    }
}

/// One line.
pub(super) struct Line {
    pub(super) at: String,
    /// The same as people read it, in UTC.
    pub(super) shown: String,
    pub(super) title: String,
    pub(super) details: Vec<String>,
    pub(super) goes_out: bool,
    pub(super) is_trouble: bool,
    /// A dead letter that can be tried again.
    pub(super) parked: Option<String>,
}

/// The lines that are wanted of a ticket's story, the newest first.
pub(super) fn lines(story: &[Value], show: Show) -> Vec<Line> {
    story.iter().rev().map(line).filter(|line| show.has(line)).collect()
}

fn line(told: &Value) -> Line {
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    let at = text("at").to_owned();
    if told.get("to").is_some() {
        return message(told, at);
    }
    let partner = text("partner");
    let who = match (text("from"), partner) {
        ("desk", _) => "The desk".to_owned(),
        ("partner" | "delivery", partner) => partner.to_owned(),
        ("admin", _) => "An administrator".to_owned(),
        ("clock", _) => "Time".to_owned(),
        (other, _) => other.to_owned(),
    };
    let mut details = Vec::new();
    let mut add = |label: &str, text: &str| {
        if !text.is_empty() {
            details.push(if label.is_empty() { text.to_owned() } else { format!("{label}: {text}") });
        }
    };
    add("By", text("actor"));
    add("By the rule", text("rule"));
    add("Wanted", text("wanted"));
    let list = |name: &str| told.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let changed: Vec<String> = list("changed").iter().filter_map(Value::as_str).map(words::part).collect();
    add("Changed", &changed.join(", "));
    for held in list("held_back") {
        let of = |name: &str| held.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let reason = Reason::parse(&of("reason"))
            .map_or_else(|| of("reason"), |reason| words::reason(reason).to_owned());
        add("Held back", &format!("{} – {reason}", words::part(&of("subject"))));
    }
    add("", text("error"));
    add("", text("reason"));
    let refused = text("outcome") == "refused" || text("status") == "failed" || text("from") == "delivery";
    let outcome = match text("outcome") {
        "applied" | "" => String::new(),
        other => format!(" ({other})"),
    };
    Line {
        shown: shown(&at),
        at,
        title: format!("{who}: {}{outcome}", text("what")),
        details,
        goes_out: false,
        is_trouble: refused || !list("held_back").is_empty(),
        parked: None,
    }
}

/// A moment to the second.
fn shown(at: &str) -> String {
    let second = at.split(['.', 'Z']).next().unwrap_or_default();
    second.replace('T', " ")
}

fn message(told: &Value, at: String) -> Line {
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    let to = match (text("to"), text("partner")) {
        ("partner" | "delivery", partner) => partner.to_owned(),
        ("desk", _) => "the desk".to_owned(),
        _ => "dead letters".to_owned(),
    };
    let kind = MessageType::parse(text("what"))
        .map_or_else(|| text("what").to_owned(), |kind| words::message(kind).to_owned());
    let mut details = Vec::new();
    let told_of: Vec<String> = told
        .get("told")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(words::part)
        .collect();
    if !told_of.is_empty() {
        details.push(format!("Told: {}", told_of.join(", ")));
    }
    let attempts = told.get("attempts").and_then(Value::as_u64).unwrap_or_default();
    let tried = if attempts > 1 { format!(", tried {attempts} times") } else { String::new() };
    details.push(format!("{}{tried}", text("answer")));
    let state = text("state");
    let parked = state == "parked";
    Line {
        shown: shown(&at),
        at,
        title: format!("To {to}: {kind} ({state})"),
        details,
        goes_out: true,
        is_trouble: parked || (state == "published" && attempts > 0 && text("answer") != "waiting"),
        parked: parked.then(|| text("message").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_story_is_told_newest_first_and_by_what_is_wanted_of_it() {
        let story = [
            json!({"at": "1", "from": "desk", "what": "changed", "actor": "Smith", "changed": ["status", "field:Serial"], "outcome": "applied"}),
            json!({"at": "2", "to": "partner", "partner": "Lens", "what": "ticket.update", "state": "parked", "answer": "422",
                "attempts": 3, "told": ["status"], "message": "t.1"}),
            json!({"at": "3", "from": "partner", "partner": "Lens", "what": "changed", "outcome": "applied",
                "held_back": [{"subject": "field:Serial", "reason": "unknown_field"}]}),
        ];
        let titles = |show| lines(&story, show).into_iter().map(|line| line.title).collect::<Vec<_>>();
        assert_eq!(
            titles(Show::All),
            ["Lens: changed", "To Lens: Change of a ticket (parked)", "The desk: changed"]
        );
        assert_eq!(titles(Show::Out).len(), 1);
        assert_eq!(titles(Show::Problems).len(), 2);
        let all = lines(&story, Show::All);
        let details: Vec<&str> = all.iter().flat_map(|line| &line.details).map(String::as_str).collect();
        assert_eq!(
            details,
            [
                "Held back: Serial – No such field",
                "Told: Status",
                "422, tried 3 times",
                "By: Smith",
                "Changed: Status, Serial"
            ]
        );
    }
}
