//! The parts of a ticket that hold one value: what the diff compares, the echo expects and the agreement remembers.

use std::{cmp::Ordering, collections::BTreeSet, fmt, sync::Arc};

use litemap::LiteMap;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use super::named;

/// Any JSON value: partners and desks put anything into a custom field.
pub type Value = serde_json::Value;

/// A value that stands in many places at once: as the desk told it, as it was agreed, as it goes out.
pub type Shared = Arc<Value>;

/// A custom field's title. Two titles are the same when they differ in letter case alone, as in Zendesk's ticket sharing.
///
/// ```
/// use crossdesk::domain::Title;
/// assert_eq!(Title::new("Camera model"), Title::new("CAMERA Model"));
/// ```
#[derive(Clone, schemars::JsonSchema)]
#[schemars(transparent)]
pub struct Title(
    /// Behind the word that a field's name begins with among the parts of a ticket, so that this name is written as it stands.
    #[schemars(with = "String")]
    Arc<str>,
);

impl fmt::Debug for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Title").field(&self.as_str()).finish()
    }
}

impl Serialize for Title {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Title {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ReadTitle)
    }
}

struct ReadTitle;

impl Visitor<'_> for ReadTitle {
    type Value = Title;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the title of a custom field")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Title, E> {
        Ok(Title::new(text))
    }
}

impl Title {
    /// Takes the title as written; white space around it does not count.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let mut name = String::with_capacity(FIELD.len() + text.len());
        name.push_str(FIELD);
        name.push_str(text);
        Self(named(&name))
    }

    /// The title as written.
    pub fn as_str(&self) -> &str {
        self.0.get(FIELD.len()..).unwrap_or_default()
    }
}

impl PartialEq for Title {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Title {}
impl PartialOrd for Title {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Title {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.0 == other.0 {
            return Ordering::Equal;
        }
        let (mine, theirs) = (self.as_str(), other.as_str());
        // Hardly any title is anything but ASCII, and most differ in their first letters.
        let small = |byte: u8| byte.to_ascii_lowercase();
        let same = mine
            .bytes()
            .zip(theirs.bytes())
            .take_while(|(one, other)| one.is_ascii() && other.is_ascii() && small(*one) == small(*other));
        let same = same.count();
        match (mine.as_bytes().get(same), theirs.as_bytes().get(same)) {
            (Some(one), Some(other)) if one.is_ascii() && other.is_ascii() => small(*one).cmp(&small(*other)),
            _ => folded(mine, same).cmp(folded(theirs, same)),
        }
    }
}

/// The rest of a title as it counts.
fn folded(title: &str, from: usize) -> impl Iterator<Item = char> + '_ {
    title.get(from..).unwrap_or_default().chars().flat_map(char::to_lowercase)
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A part of a ticket that holds one value. Tags and comments are sets, and are treated element by element elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// One line that names the matter.
    Subject,
    /// `new open pending hold solved closed`.
    Status,
    /// The desk's own name for a status, as text.
    CustomStatus,
    /// `low normal high urgent`, or whatever the desk says.
    Priority,
    /// The assignee's name.
    Assignee,
    /// The requester's mail address.
    RequesterEmail,
    /// Who is in copy: a list of name and mail address.
    Ccs,
    /// A custom field, by title.
    Field(Title),
}

/// The tags of a ticket. The same set stands in many places at once, as a [`Shared`] value does.
pub type Tags = Arc<BTreeSet<String>>;

/// Something for each part of a ticket. A ticket has a dozen parts, which are looked through and copied with every event: a sorted
/// list is quicker at both than a tree.
pub type Parts<T> = LiteMap<Property, T>;

/// Finds a part that is likely to stand at a place: what is known of one ticket from several sides mostly has the same parts.
pub fn part_at<'a, T>(parts: &'a Parts<T>, place: usize, property: &Property) -> Option<&'a T> {
    match parts.get_indexed(place) {
        Some((there, value)) if there == property => Some(value),
        _ => parts.get(property),
    }
}

const FIELD: &str = "field:";

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Property {
    /// Parts that the partner is told to know, and that set nothing on its own ticket.
    pub const TOLD: [Self; 3] = [Self::Assignee, Self::RequesterEmail, Self::Ccs];
    /// Parts that only a crossdesk understands, as extra members.
    pub const EXTRA: [Self; 4] = [Self::Priority, Self::Assignee, Self::RequesterEmail, Self::Ccs];

    /// Its name among the parts of a ticket.
    pub fn name(&self) -> &str {
        match self {
            Self::Subject => "subject",
            Self::Status => "status",
            Self::CustomStatus => "custom_status",
            Self::Priority => "priority",
            Self::Assignee => "assignee",
            Self::RequesterEmail => "requester_email",
            Self::Ccs => "ccs",
            Self::Field(Title(name)) => name,
        }
    }
}

impl Serialize for Property {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Property {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ReadProperty)
    }
}

struct ReadProperty;

impl Visitor<'_> for ReadProperty {
    type Value = Property;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a part of a ticket")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Property, E> {
        Ok(match text {
            "subject" => Property::Subject,
            "status" => Property::Status,
            "custom_status" => Property::CustomStatus,
            "priority" => Property::Priority,
            "assignee" => Property::Assignee,
            "requester_email" => Property::RequesterEmail,
            "ccs" => Property::Ccs,
            other => match other.strip_prefix(FIELD) {
                Some(title) if title.trim() == title => Property::Field(Title(named(other))),
                Some(title) => Property::Field(Title::new(title)),
                None => return Err(Error::custom(format!("`{other}` is no part of a ticket"))),
            },
        })
    }
}
