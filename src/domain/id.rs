//! Names of things: network uuids, the desk's own ids, and how the first are made from the second.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::Word;

/// A map by names. An event looks up some dozens; the standard library's hasher would take a microsecond for all of them.
pub type Quick<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// A set of names.
pub type QuickSet<K> = HashSet<K, foldhash::fast::RandomState>;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident($text:ty)) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name($text);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<$text>) -> Self {
                Self(text.into())
            }
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&$name> for $text {
            fn from(name: &$name) -> Self {
                name.0.clone()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

text_id! {
    /// A name on the network, of an agreement, a ticket, a comment or a person. Opaque: partners may use any text,
    /// though most use 40 lower-case hex digits (protocol: identifiers).
    Uuid(Arc<str>)
}
text_id! {
    /// The desk's own id of a ticket, as its events write it.
    TicketId(Word)
}

/// What may stand in a part of a URL's path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl TicketId {
    /// The link to the ticket on its desk, where `{id}` stands for its number.
    ///
    /// ```
    /// # use crossdesk::domain::TicketId;
    /// let link = TicketId::new("A/7 b").link("https://desk.example/tickets/{id}");
    /// assert_eq!(link, "https://desk.example/tickets/A%2F7%20b");
    /// ```
    pub fn link(&self, pattern: &str) -> String {
        pattern.replace("{id}", &utf8_percent_encode(&self.0, PLAIN).to_string())
    }
}
text_id! {
    /// The desk's own id of a person.
    UserId(Word)
}

/// The text that all our uuids hash: the sharing URL without its scheme.
///
/// ```
/// use crossdesk::domain::{Namespace, TicketId};
/// let ours = Namespace::of("https://mycompany.net/sharing/");
/// assert_eq!(ours.ticket(&TicketId::new("1")).as_str(), "ed46838bfb41461e4f3b16ba471162c8e2764260");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// The namespace of a sharing URL; a trailing slash does not count.
    pub fn of(sharing_url: &str) -> Self {
        let bare = sharing_url.split_once("://").map_or(sharing_url, |(_, rest)| rest);
        Self(bare.trim_end_matches('/').to_owned())
    }

    /// The uuid of one of our tickets.
    pub fn ticket(&self, id: &TicketId) -> Uuid {
        self.hash("tickets", id.as_str())
    }

    /// The uuid of one of our desk's people.
    pub fn user(&self, id: &str) -> Uuid {
        self.hash("users", id)
    }

    /// The uuid of a comment that was written on our desk.
    pub fn comment(&self, id: &str) -> Uuid {
        self.hash("comments", id)
    }

    /// The uuid of a new agreement, from a seed that never comes twice.
    pub fn agreement(&self, seed: &str) -> Uuid {
        self.hash("agreements", seed)
    }

    fn hash(&self, kind: &str, id: &str) -> Uuid {
        Uuid::hash(&[self.0.as_str(), "/", kind, "/", id])
    }
}

impl Uuid {
    /// The hash of a text that comes in parts.
    pub(super) fn hash(parts: &[&str]) -> Self {
        let mut sha = Sha1::new();
        for part in parts {
            sha.update(part.as_bytes());
        }
        let mut text = [0; 40];
        match hex::encode_to_slice(sha.finalize(), &mut text) {
            Ok(()) => Self::new(str::from_utf8(&text).unwrap_or_default()),
            Err(_) => unreachable!("a SHA-1 has twenty bytes"),
        }
    }
}

/// The id of a message or command: whose it is (a ticket's or an agreement's uuid), and its number there.
///
/// It is stable over every retry, orders the messages of its owner, and leads from a completion straight to the ticket.
///
/// ```
/// use crossdesk::domain::{MessageId, Uuid};
/// let id = MessageId { owner: Uuid::new("ed46838b"), n: 3 };
/// assert_eq!(MessageId::parse("ed46838b.3"), Some(id));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId {
    /// The ticket or agreement that the message is about.
    pub owner: Uuid,
    /// Its number among the owner's messages, from 1.
    pub n: i64,
}

impl MessageId {
    /// Reads the form that [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, n) = text.rsplit_once('.')?;
        Some(Self { owner: Uuid::new(owner), n: n.parse().ok()? })
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.owner, self.n)
    }
}

impl Serialize for MessageId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a message id is <uuid>.<number>"))
    }
}
