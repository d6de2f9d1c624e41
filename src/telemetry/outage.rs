//! Something that the daemon needs is away: said once when it begins, once when it ends.

use std::sync::atomic::{AtomicBool, Ordering};

/// What every part of the daemon needs: said once, whoever notices.
#[derive(Debug)]
pub struct Outages {
    /// The broker.
    pub broker: Outage,
    /// The database.
    pub store: Outage,
}

impl Default for Outages {
    fn default() -> Self {
        Self { broker: Outage::of("the broker"), store: Outage::of("the database") }
    }
}

/// Whether something is away.
#[derive(Debug)]
pub struct Outage {
    what: &'static str,
    away: AtomicBool,
}

impl Outage {
    /// Watches something, so far well.
    pub fn of(what: &'static str) -> Self {
        Self { what, away: AtomicBool::new(false) }
    }

    /// It failed.
    pub fn failed(&self, error: &dyn std::fmt::Display) {
        if !self.away.swap(true, Ordering::Relaxed) {
            tracing::warn!(what = self.what, error = %error, "{} is away; retrying until it is back, nothing is lost", self.what);
        }
    }

    /// It works.
    pub fn works(&self) {
        if self.away.swap(false, Ordering::Relaxed) {
            tracing::info!(what = self.what, "{} is back", self.what);
        }
    }
}
