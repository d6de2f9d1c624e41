//! Which tickets issues stand for, as far as that was asked: Data Center does not show it in a search.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Of how many issues it is remembered.
const ISSUES: usize = 20_000;

/// The uuid of a ticket, by the address of a Jira and the id of an issue there.
#[derive(Debug, Default)]
pub(super) struct Marks(Mutex<HashMap<(String, String), String>>);

impl Marks {
    /// Whether an issue is known to stand for another ticket than this.
    pub(super) fn is_anothers(&self, base: &str, issue: &str, ticket: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(base.to_owned(), issue.to_owned())).is_some_and(|stands_for| stands_for != ticket)
    }

    /// Keeps which ticket an issue stands for.
    pub(super) fn keep(&self, base: &str, issue: &str, ticket: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ISSUES {
            known.clear();
        }
        known.insert((base.to_owned(), issue.to_owned()), ticket.to_owned());
    }
}
