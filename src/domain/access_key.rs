//! The secret of an agreement, which no log, error or page can show by accident.

use std::fmt;

/// The shared secret of an agreement. It prints as dots.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey(String);

impl AccessKey {
    /// Takes the key.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// A text without the key, in whatever letters it stands there.
    ///
    /// ```
    /// # use crossdesk::domain::AccessKey;
    /// let key = AccessKey::new("abcdef");
    /// assert_eq!(key.hidden_in("é key ABCdef, again abcDEF!".to_owned()), "é key …, again …!");
    /// ```
    pub fn hidden_in(&self, text: String) -> String {
        let (low, key) = (text.to_ascii_lowercase(), self.0.to_ascii_lowercase());
        if key.is_empty() || !low.contains(&key) {
            return text;
        }
        let (mut clean, mut at) = (String::with_capacity(text.len()), 0);
        for (found, _) in low.match_indices(&key) {
            clean.push_str(text.get(at..found).unwrap_or_default());
            clean.push('…');
            at = found + key.len();
        }
        clean + text.get(at..).unwrap_or_default()
    }

    /// The key itself: for comparing and for the wire, never for a log.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// The keys of an agreement: the one in force, and, while a new one is on its way to the partner, that one too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The key in force.
    pub current: AccessKey,
    /// The key that is to take its place once the partner has it.
    pub next: Option<AccessKey>,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey(…)")
    }
}
