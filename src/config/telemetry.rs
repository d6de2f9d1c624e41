//! The sections on what the daemon tells of itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fault::{Check, wrong};

/// `[log]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error warn info debug trace`, or a filter such as `crossdesk=debug`.
    pub level: String,
    /// How many lines of one kind are written in a minute; how many more there were is said after it. 0: all.
    pub per_minute: u32,
}

/// How much can be told.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Log {
    /// A word that is no level would be taken for the name of a part of the program, and nothing else be told.
    pub(super) fn check(&self) -> Check {
        let is_level = |word: &str| LEVELS.contains(&word.to_ascii_lowercase().as_str());
        let fits = |part: &str| is_level(part.rsplit_once('=').map_or(part, |(_, level)| level));
        if self.level.split(',').all(fits) {
            return Ok(());
        }
        let why = format!(
            "\"{}\" is neither {} nor a filter such as crossdesk=debug",
            self.level,
            LEVELS.join(" ")
        );
        wrong("log.level", why)
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), per_minute: 600 }
    }
}

/// `[trace]`
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Trace {
    /// Where an OpenTelemetry collector takes OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`. Empty: no traces.
    pub otlp_url: String,
    /// What lets this daemon in there, sent as a bearer token. Empty: none.
    pub token: String,
    /// The part of the traces that begin here which is recorded, 0 to 1; whoever began one elsewhere has decided already.
    pub sample: f64,
}

impl Default for Trace {
    fn default() -> Self {
        Self { otlp_url: String::new(), token: String::new(), sample: 0.1 }
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("sample", &self.sample).finish_non_exhaustive()
    }
}
