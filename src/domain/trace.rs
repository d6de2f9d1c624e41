//! Where a change stands in a distributed trace.

use serde::{Deserialize, Serialize};

/// A place in a trace, as W3C Trace Context writes it: `00-<trace>-<span>-<flags>`, 55 characters of lower-case hex and dashes.
///
/// ```
/// use crossdesk::domain::Traceparent;
/// let place = Traceparent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
/// assert_eq!(place.ids().0, "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert!(place.is_sampled());
/// assert!(Traceparent::parse("00-00000000000000000000000000000000-00f067aa0ba902b7-01").is_none());
/// assert!(Traceparent::parse("x").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traceparent(String);

impl Traceparent {
    /// Reads a header's value. Of a later version of the format, what this one knows is kept; anything else is no place.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let is_set = |part: &str| part.bytes().any(|b| b != b'0');
        let is_ours = version != "00" || parts.next().is_none();
        let is_well = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
        (is_well && version != "ff" && is_ours && is_set(trace) && is_set(span))
            .then(|| Self(["00", trace, span, flags].join("-")))
    }

    /// The header's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trace's id and the span's, in hex.
    pub fn ids(&self) -> (&str, &str) {
        let mut parts = self.0.split('-').skip(1);
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }

    /// Whether whoever began it records it.
    pub fn is_sampled(&self) -> bool {
        let flags = self.0.rsplit('-').next().and_then(|flags| u8::from_str_radix(flags, 16).ok());
        flags.is_some_and(|flags| flags & 1 == 1)
    }
}
