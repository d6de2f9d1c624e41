//! Lengths of time: as people write them, and as they are used.

use std::time::Duration;

/// A length of time as people write it: `24h`, `90m`.
///
/// # Errors
/// It is none, and how one is written.
pub fn read_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("\"{text}\" is no duration; write it like 10s, 5m or 72h"))
}

fn duration(text: &str) -> Duration {
    // Checked before anything is run; the fallback is never seen.
    humantime::parse_duration(text).unwrap_or(Duration::from_secs(10))
}

impl super::Retry {
    /// The first wait.
    pub fn initial(&self) -> Duration {
        duration(&self.initial)
    }
    /// The longest wait.
    pub fn max(&self) -> Duration {
        duration(&self.max)
    }
    /// After this long a message is parked.
    pub fn give_up_after(&self) -> Duration {
        duration(&self.give_up_after)
    }
}

impl super::Desk {
    /// After how long an unanswered command is taken as done.
    pub fn command_timeout(&self) -> Duration {
        duration(&self.command_timeout)
    }
}

impl super::Delivery {
    /// After how long of failing the desk is told of a partner.
    pub fn notify_after(&self) -> Duration {
        duration(&self.notify_after)
    }
    /// How long a partner has to answer.
    pub fn timeout(&self) -> Duration {
        duration(&self.timeout)
    }
}

impl super::Limits {
    /// How long a client may take to send its headers.
    pub fn header_timeout(&self) -> Duration {
        duration(&self.header_timeout)
    }
    /// How long a client may take to send a body.
    pub fn body_timeout(&self) -> Duration {
        duration(&self.body_timeout)
    }
}

impl super::Invites {
    /// After how long an invite that nobody answers is declined.
    pub fn expire_after(&self) -> Duration {
        duration(&self.expire_after)
    }
}

impl super::guard::Reconcile {
    /// How often; `None`: never by itself.
    pub fn every(&self) -> Option<Duration> {
        Some(duration(&self.every)).filter(|every| !every.is_zero())
    }
}

impl super::Store {
    /// How long messages are kept after they ended.
    pub fn keep(&self) -> Duration {
        duration(&self.keep)
    }
    /// How long events are kept as they came; `None`: they are not.
    pub fn record(&self) -> Option<Duration> {
        Some(duration(&self.record)).filter(|record| !record.is_zero())
    }
}
