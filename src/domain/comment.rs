//! A comment, and its privacy, which only ever grows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Person, Timestamp, Uuid, Word};

/// Who may read a comment. Ordered: private is less than public, and [`Privacy::limited_to`] takes the lesser.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// Agents alone. What nobody has marked is private.
    #[default]
    Private,
    /// The requester too.
    Public,
}

impl Privacy {
    /// `public` as desks and partners write it: only a clear `true` is public.
    ///
    /// ```
    /// use crossdesk::domain::Privacy;
    /// assert_eq!(Privacy::from_flag(None), Privacy::Private);
    /// assert_eq!(Privacy::from_flag(Some(true)), Privacy::Public);
    /// ```
    pub fn from_flag(public: Option<bool>) -> Self {
        if public == Some(true) { Self::Public } else { Self::Private }
    }

    /// Whether everybody may read it.
    pub fn is_public(self) -> bool {
        self == Self::Public
    }

    /// The stricter of the two. There is no way to the other side.
    #[must_use]
    pub fn limited_to(self, limit: Self) -> Self {
        self.min(limit)
    }
}

/// A file that hangs on a comment; fetched by its URL, never by this daemon.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attachment {
    /// Where it can be fetched.
    pub url: String,
    /// What to call it.
    pub filename: String,
    /// Its media type, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

/// A comment. Its privacy is set when it is read from the wire, and from then on can only be narrowed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Comment {
    /// The network's name for it.
    pub uuid: Uuid,
    /// The desk's id, where it has one here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Word>,
    /// Who wrote it.
    pub author: Person,
    /// What it says, as text.
    pub body: String,
    /// What it says, as HTML, where the author's side has that too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html_body: Option<String>,
    privacy: Privacy,
    /// When it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authored_at: Option<Timestamp>,
    /// Files that hang on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

impl Comment {
    /// A comment as somebody wrote it.
    pub fn new(uuid: Uuid, author: Person, body: String, privacy: Privacy) -> Self {
        Self {
            uuid,
            id: None,
            author,
            body,
            html_body: None,
            privacy,
            authored_at: None,
            attachments: Vec::new(),
        }
    }

    /// Who may read it.
    pub fn privacy(&self) -> Privacy {
        self.privacy
    }

    /// The same comment for those alone who may read it; it is copied only where that changes it.
    #[must_use]
    pub fn limited(mut self: Arc<Self>, limit: Privacy) -> Arc<Self> {
        if self.privacy > limit {
            Arc::make_mut(&mut self).limit(limit);
        }
        self
    }

    /// Narrows who may read it; a private comment stays private whatever the limit.
    pub fn limit(&mut self, limit: Privacy) {
        self.privacy = self.privacy.limited_to(limit);
    }
}
