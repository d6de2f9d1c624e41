//! Instants in the forms that desks and partners write (protocol: dates).

use jiff::{
    Timestamp as Instant, Zoned,
    civil::{Date, DateTime},
    fmt::{rfc2822, strtime},
    tz::TimeZone,
};

use crate::domain::Timestamp;

/// The one form that every known implementation reads: `2010-11-24 14:13:54 -0800`, whole seconds.
const SAFE: &str = "%Y-%m-%d %H:%M:%S %z";

/// Reads an instant: the safe form, ISO 8601 with offset or without, RFC 2822, or a day alone. Without a zone it is UTC.
///
/// ```
/// use crossdesk::wire::date::{parse, to_wire};
/// let at = parse("2010-11-24 14:13:54 -0800").unwrap();
/// assert_eq!(parse("2010-11-24T22:13:54Z"), Some(at));
/// assert_eq!(parse("Wed, 24 Nov 2010 14:13:54 -0800"), Some(at));
/// assert_eq!(to_wire(at), "2010-11-24 22:13:54 +0000");
/// assert_eq!(parse("2010-11-24T14:13:54.000-0800"), Some(at)); // as Jira writes it
/// assert_eq!(parse("garbage"), None);
/// ```
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let instant = text
        .parse::<Instant>()
        .ok()
        .or_else(|| Instant::strptime(SAFE, text).ok())
        .or_else(|| rfc2822::parse(text).ok().map(|zoned: Zoned| zoned.timestamp()))
        .or_else(|| text.parse::<DateTime>().ok().and_then(utc))
        .or_else(|| text.parse::<Date>().ok().and_then(|day| utc(day.into())))?;
    Some(Timestamp::from_millis(instant.as_millisecond()))
}

fn utc(at: DateTime) -> Option<Instant> {
    at.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn instant(at: Timestamp) -> Instant {
    Instant::from_millisecond(at.millis()).unwrap_or(Instant::UNIX_EPOCH)
}

/// Writes an instant for a partner.
pub fn to_wire(at: Timestamp) -> String {
    strtime::format(SAFE, &instant(at).to_zoned(TimeZone::UTC)).unwrap_or_default()
}

/// Writes an instant for the desk, the API and people: RFC 3339 in UTC.
pub fn to_rfc3339(at: Timestamp) -> String {
    instant(at).to_string()
}
