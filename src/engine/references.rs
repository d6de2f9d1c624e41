//! Numbers of tickets in comments: `#4711` here is another number at the partner's.

use std::collections::HashMap;

use crate::domain::{Comment, TicketId, Uuid};

/// The numbers that a text mentions, as `#4711`.
pub fn mentioned(text: &str) -> impl Iterator<Item = TicketId> + '_ {
    pieces(text).filter_map(|(_, number)| number.map(TicketId::new))
}

/// The text in pieces: what stands before a number, and the number.
fn pieces(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let left = rest?;
        let mut from = 0;
        while let Some(at) = left.get(from..)?.find('#').map(|at| from + at + 1) {
            let tail = left.get(at..)?;
            let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
            let before = left.get(..at - 1).and_then(|text| text.chars().next_back());
            // Not in the middle of a word or an address: `#4711abc`, `page#12`, `&#39;`.
            let free = before.is_none_or(|c| !c.is_alphanumeric() && !"&/#".contains(c));
            let ends = tail.get(digits..)?.chars().next().is_none_or(|c| !c.is_alphanumeric() && c != ';');
            if digits > 0 && free && ends {
                rest = left.get(at + digits..);
                return Some((left.get(..at)?, left.get(at..at + digits)));
            }
            from = at;
        }
        rest = None;
        Some((left, None))
    })
}

/// Writes the partner's numbers in place of ours, where they are known; the rest stays as it is.
pub(super) fn rewrite(comment: &mut Comment, agreement: &Uuid, known: &HashMap<(Uuid, TicketId), String>) {
    if known.is_empty() {
        return;
    }
    comment.body = rewritten(&comment.body, agreement, known);
    comment.html_body = comment.html_body.as_deref().map(|html| rewritten(html, agreement, known));
}

fn rewritten(text: &str, agreement: &Uuid, known: &HashMap<(Uuid, TicketId), String>) -> String {
    let mut written = String::with_capacity(text.len());
    for (before, number) in pieces(text) {
        written.push_str(before);
        if let Some(number) = number {
            let theirs = known.get(&(agreement.clone(), TicketId::new(number)));
            written.push_str(theirs.map_or(number, String::as_str));
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_stand_for_themselves_are_mentioned() {
        let text = "See #4711, (#12) and #9; not page#3, #4x, &#39; or ##5 – nor #.";
        let found: Vec<String> = mentioned(text).map(|id| id.to_string()).collect();
        assert_eq!(found, ["4711", "12"]);
        let (agreement, known) =
            (Uuid::new("a"), HashMap::from([((Uuid::new("a"), TicketId::new("12")), "88".to_owned())]));
        assert_eq!(rewritten(text, &agreement, &known), text.replace("#12", "#88"));
        assert_eq!(rewritten(text, &Uuid::new("b"), &known), text, "what is not known stays");
    }
}
