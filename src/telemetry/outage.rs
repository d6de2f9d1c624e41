//! Something that the daemon needs is away: said once when it begins, once when it ends.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// What every part of the daemon needs: said once, whoever notices.
#[derive(Debug)]
pub struct Outages {
    /// The broker.
    pub broker: Outage,
    /// The database.
    pub store: Outage,
    /// Why what has been decided cannot be written now, while that is so: a database may be there to read and yet take nothing.
    unwritten: Mutex<Option<String>>,
    /// Why a message of the broker's could not be read, and when that was last so.
    unreadable: Mutex<Option<(String, Instant)>>,
}

/// How long a message that cannot be read is told of: as long as it is tried again and again.
const TOLD: Duration = Duration::from_secs(30);

impl Outages {
    /// A message of the broker's cannot be read.
    pub fn cannot_read(&self, error: &dyn std::fmt::Display) {
        let now = (error.to_string(), Instant::now());
        *self.unreadable.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Why a message of the broker's cannot be read, if that has been so lately.
    pub fn unreadable(&self) -> Option<String> {
        let last = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).clone();
        last.filter(|(_, at)| at.elapsed() < TOLD).map(|(why, _)| why)
    }

    /// Something could not be written, and is tried again.
    pub fn cannot_write(&self, error: &dyn std::fmt::Display) {
        *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        self.store.failed(error);
    }

    /// What was decided is written, or given up.
    pub fn has_written(&self) {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Why what has been decided cannot be written now.
    pub fn unwritten(&self) -> Option<String> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Default for Outages {
    fn default() -> Self {
        Self {
            broker: Outage::of("the broker"),
            store: Outage::of("the database"),
            unwritten: Mutex::default(),
            unreadable: Mutex::default(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_nothing_can_be_written_is_known_as_long_as_it_is_so() {
        let outages = Outages::default();
        assert_eq!(outages.unwritten(), None);
        outages.cannot_write(&"the disk is full");
        assert_eq!(outages.unwritten().as_deref(), Some("the disk is full"));
        outages.has_written();
        assert_eq!(outages.unwritten(), None);
    }
}
