//! Small readers for what senders write in more than one way.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

use crate::domain::Word;

/// An id that some write as text and some as a number.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
    optional_id(deserializer)?.ok_or_else(|| Error::custom("the id is null"))
}

/// The same where it may be null.
pub(super) fn optional_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Word>, D::Error> {
    deserializer.deserialize_any(ReadId)
}

/// The same, as a schema says it.
#[derive(schemars::JsonSchema)]
#[schemars(untagged, inline)]
#[expect(dead_code, reason = "it is there for its schema")]
pub(super) enum AnyId {
    Text(String),
    Number(i64),
}

struct ReadId;

impl Visitor<'_> for ReadId {
    type Value = Option<Word>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id: text, or a whole number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string().into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string().into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// A list that may be null.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Those members of a list that are there: some write null for one that they have lost.
pub(super) fn some_of<'de, D: Deserializer<'de>, T: Deserialize<'de>, L: FromIterator<T>>(
    deserializer: D,
) -> Result<Option<L>, D::Error> {
    let members = Option::<Vec<Option<T>>>::deserialize(deserializer)?;
    Ok(members.map(|members| members.into_iter().flatten().collect()))
}

/// Something that nothing depends on: of another shape, it is as good as absent.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

/// A partner's HTML without anything that runs, loads or deceives: it ends up in an agent's browser. An address without a host would
/// lead to the desk's own, where the agent is signed in.
pub(super) fn safe_html(html: &str) -> String {
    ammonia::Builder::default().url_relative(ammonia::UrlRelative::Deny).clean(html).to_string()
}

/// The words of HTML.
pub(super) fn plain(html: &str) -> String {
    let bare = ammonia::Builder::empty().clean(html).to_string();
    let bare = bare.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ");
    bare.replace("&quot;", "\"").replace("&amp;", "&")
}

/// JSON without the character U+0000, which PostgreSQL's texts cannot hold: it becomes the replacement character.
pub(super) fn without_nul(bytes: &[u8]) -> Cow<'_, [u8]> {
    const NUL: &[u8] = b"\\u0000";
    // Hardly anything has a backslash at all, and that is seen at once.
    if !bytes.contains(&b'\\') || !bytes.windows(NUL.len()).any(|window| window == NUL) {
        return Cow::Borrowed(bytes);
    }
    // What is no text is refused by whoever reads it.
    let Ok(text) = str::from_utf8(bytes) else { return Cow::Borrowed(bytes) };
    let (mut clean, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        clean.push_str(plain);
        // A backslash takes the character behind it along: of two, the second begins nothing.
        let (escape, behind) = match escape.strip_prefix("\\u0000") {
            Some(behind) => ("\\ufffd", behind),
            None => escape.split_at(escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end)),
        };
        clean.push_str(escape);
        rest = behind;
    }
    clean.push_str(rest);
    Cow::Owned(clean.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_leads_nowhere_on_the_desk_itself() {
        let said = "<a href=\"/logout\">a</a><img src=\"//evil.example/x\"><img src=\"/admin/delete?id=1\"><a href=\"https://ok.example/\">b</a>";
        let clean = safe_html(said);
        assert!(!clean.contains("logout") && !clean.contains("evil") && !clean.contains("admin"), "{clean}");
        assert!(clean.contains("https://ok.example/"), "{clean}");
    }

    #[test]
    fn what_is_no_text_is_not_made_one() {
        let broken = b"{\"a\":\"\\u0000\xff\"}";
        assert_eq!(without_nul(broken), &broken[..]);
        assert_eq!(without_nul(br#"{"a":"\u0000\\u0000"}"#), &br#"{"a":"\ufffd\\u0000"}"#[..]);
    }
}
