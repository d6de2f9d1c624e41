//! The parts of a ticket that hold one value: what the diff compares, the echo expects and the agreement remembers.

use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use litemap::LiteMap;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use super::{
    Word,
    name::{named, named_behind},
};

/// A custom field's title. Two titles are the same when they differ in letter case alone, as in Zendesk's ticket sharing.
///
/// ```
/// use crossdesk::domain::Title;
/// assert_eq!(Title::new("Camera model"), Title::new("CAMERA Model"));
/// ```
#[derive(Clone)]
pub struct Title {
    /// How it begins, in small letters: most titles are told apart by that.
    begins: u64,
    /// Behind the word that a field's name begins with among the parts of a ticket, so that this name is written as it stands.
    name: Arc<str>,
}

impl schemars::JsonSchema for Title {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

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
        Self::behind(named_behind(FIELD, text.trim()))
    }

    /// The title that stands in a name among the parts of a ticket.
    fn behind(name: Arc<str>) -> Self {
        let begins = beginning(name.get(FIELD.len()..).unwrap_or_default());
        Self { begins, name }
    }

    /// The title as written.
    pub fn as_str(&self) -> &str {
        self.name.get(FIELD.len()..).unwrap_or_default()
    }
}

/// The first bytes of a title as it counts, so that the smaller number is the smaller title.
fn beginning(title: &str) -> u64 {
    let mut bytes = [0; 8];
    if let Some(text) = title.as_bytes().get(..title.len().min(bytes.len())).filter(|text| text.is_ascii()) {
        for (byte, letter) in bytes.iter_mut().zip(text) {
            *byte = letter.to_ascii_lowercase();
        }
        return u64::from_be_bytes(bytes);
    }
    let small: String = folded(title).take(bytes.len()).collect();
    for (byte, letter) in bytes.iter_mut().zip(small.bytes()) {
        *byte = letter;
    }
    u64::from_be_bytes(bytes)
}

impl PartialEq for Title {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
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
        self.begins.cmp(&other.begins).then_with(|| {
            if self.name == other.name {
                return Ordering::Equal;
            }
            folded(self.as_str()).cmp(folded(other.as_str()))
        })
    }
}

/// A title as it counts.
fn folded(title: &str) -> impl Iterator<Item = char> + '_ {
    title.chars().flat_map(char::to_lowercase)
}

/// As it is compared: letter case does not count. In pieces of eight letters, since most titles are of two or three of these, and each
/// that is given to a hasher takes its time.
impl Hash for Title {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut pieces = |bytes: &[u8]| {
            for piece in bytes.chunks(8) {
                let mut number = [0; 8];
                for (byte, letter) in number.iter_mut().zip(piece) {
                    *byte = letter.to_ascii_lowercase();
                }
                state.write_u64(u64::from_be_bytes(number));
            }
            state.write_usize(bytes.len());
        };
        let title = self.as_str();
        if title.is_ascii() {
            return pieces(title.as_bytes());
        }
        pieces(folded(title).collect::<Word>().as_bytes());
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A part of a ticket that holds one value. Tags and comments are sets, and are treated element by element elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// Something for each part of a ticket. A ticket has a dozen parts, which are looked through with every event: a sorted
/// list is quicker at that than a tree.
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
            Self::Field(title) => &title.name,
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
                Some(title) if title.trim() == title => Property::Field(Title::behind(named(other))),
                Some(title) => Property::Field(Title::new(title)),
                None => return Err(Error::custom(format!("`{other}` is no part of a ticket"))),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_in_the_order_of_their_small_letters() {
        let titles = [
            "",
            "a",
            "AB",
            "Élan",
            "field 1",
            "Field 10",
            "field 2",
            "FIELD NUMBER ONE",
            "Field number two",
            "ÉLAN vital",
            "élan",
            "Zoë's camera",
            "ZOË'S CAMERA",
            "Straße",
            "STRASSE",
            "İzmir",
            "\u{212a}elvin",
            "kelvin",
            "日本語の題名",
            "日本語",
        ];
        let small = |title: &str| title.chars().flat_map(char::to_lowercase).collect::<String>();
        for (one, other) in titles.iter().flat_map(|one| titles.iter().map(move |other| (one, other))) {
            let order = Title::new(one).cmp(&Title::new(other));
            assert_eq!(order, small(one).cmp(&small(other)), "{one} and {other}");
        }
    }
}
