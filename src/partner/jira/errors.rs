//! What a Jira says when it refuses something, in one line.

use super::session::Answered;
use crate::{ports::Setback, wire::jira};

/// How many of its words are repeated.
const WORDS: usize = 400;

/// What was wanted, and what Jira said to it.
pub(super) fn words(what: &str, answered: &Answered) -> String {
    let said = line(&jira::refusal(&answered.body).0);
    if said.is_empty() {
        format!("{what}: it answered {}", answered.status)
    } else {
        format!("{what}: it answered {}, {said}", answered.status)
    }
}

/// Its words as one line, and no more of them than anybody reads.
pub(super) fn line(said: &str) -> String {
    said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS).collect()
}

/// The same as a refusal.
pub(super) fn refused(what: &str, answered: &Answered) -> Setback {
    Setback::Refused(words(what, answered))
}
