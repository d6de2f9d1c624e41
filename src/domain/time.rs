//! Instants, as milliseconds since 1970 in UTC: what both databases keep and what every comparison uses.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant in UTC, to the millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant so many milliseconds after 1970-01-01T00:00:00Z.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The instant `after` later; at the end of time it stays there.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The instant `before` earlier.
    #[must_use]
    pub fn minus(self, before: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(before.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long it is from `earlier` to here; zero if it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// How long something has lasted, in words: `40 seconds`, `15 minutes`, `72 hours`.
pub fn lasting(time: Duration) -> String {
    let (seconds, minutes) = (time.as_secs(), time.as_secs() / 60);
    match minutes {
        0 | 1 => format!("{seconds} second{}", if seconds == 1 { "" } else { "s" }),
        2..120 => format!("{minutes} minutes"),
        _ => format!("{} hours", minutes / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_the_unit_that_suits_it() {
        let told = [0, 1, 119, 120, 7199, 7200, 259_200].map(|seconds| lasting(Duration::from_secs(seconds)));
        let words =
            ["0 seconds", "1 second", "119 seconds", "2 minutes", "119 minutes", "2 hours", "72 hours"];
        assert_eq!(told, words);
    }
}
