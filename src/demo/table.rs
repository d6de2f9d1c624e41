//! Two tickets next to each other, in text.

use serde_json::Value;

use super::desk::HelpDesk;

const WIDTH: usize = 44;

/// Draws both.
pub(super) fn side_by_side(left: (&HelpDesk, &str), right: (&HelpDesk, &str)) -> String {
    let (left, right) = (lines(left.0, left.1), lines(right.0, right.1));
    let cell = |lines: &[String], at: usize| lines.get(at).map(|line| clip(line)).unwrap_or_default();
    let line = |at| format!("  {:<WIDTH$} │ {}\n", cell(&left, at), cell(&right, at));
    (0..left.len().max(right.len())).map(line).collect()
}

fn clip(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        line.to_owned()
    } else {
        line.chars().take(WIDTH - 1).chain("…".chars()).collect()
    }
}

fn lines(desk: &HelpDesk, id: &str) -> Vec<String> {
    let Some(ticket) = desk.tickets.get(id) else { return vec![format!("{}: no ticket", desk.name)] };
    let value = |key: &str| ticket.values.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut lines = vec![
        format!("{} #{id}", desk.name),
        "─".repeat(WIDTH),
        format!("Subject    {}", value("subject")),
        format!("Status     {}", value("status")),
        format!("Requester  {}", ticket.requester.1),
    ];
    for (title, value) in &ticket.fields {
        lines.push(format!("{title}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    }
    for comment in &ticket.comments {
        let mark = if comment.public { "" } else { " (private)" };
        lines.push(format!("{}{mark}: {}", comment.author.1, comment.body));
    }
    lines
}
