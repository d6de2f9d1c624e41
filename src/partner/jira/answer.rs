//! An answer of a Jira, and what it says when it refuses something, in one line.

use serde_json::Value;

use crate::{ports::Setback, wire::jira};

/// How many of its words are repeated.
const WORDS: usize = 400;

/// An answer that is neither about the credentials nor for later.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answered {
    pub(super) fn is_done(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body of what was done.
    ///
    /// # Errors
    /// Jira's own words for why it was not.
    pub(super) fn done(self, what: &str) -> Result<Value, Setback> {
        if self.is_done() { Ok(self.body) } else { Err(self.refused(what)) }
    }

    /// What was wanted, and what Jira said to it.
    pub(super) fn words(&self, what: &str) -> String {
        let said = line(&jira::refusal(&self.body).0);
        let comma = if said.is_empty() { "" } else { ", " };
        format!("{what}: it answered {}{comma}{said}", self.status)
    }

    /// The same as a refusal.
    pub(super) fn refused(&self, what: &str) -> Setback {
        Setback::Refused(self.words(what))
    }
}

/// Its words as one line, and no more of them than anybody reads.
pub(super) fn line(said: &str) -> String {
    said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS).collect()
}
