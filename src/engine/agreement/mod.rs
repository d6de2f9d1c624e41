//! An agreement is made, answered, changed or ended, by either side.

mod delivered;
mod ours;
mod theirs;

pub use delivered::{delivered, troubled};
pub use ours::{Invite, accept, end, expire, invite, rotate_key, set_terms};
pub use theirs::{changed_by_partner, invited};

use crate::domain::{
    AccessKey, Agreement, AgreementChange, AgreementStatus, Catalogue, Command, CommentTerms, Contents, Doer,
    MessageId, Notice, Terms, Uuid,
};

use super::{Content, Draft, PartnerMessage};

/// An agreement as the wire tells it: null and absent are the same, "not said".
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Its name on the wire.
    pub uuid: Option<Uuid>,
    /// The writer's name, or the sender's.
    pub name: Option<String>,
    /// The sender's sharing URL.
    pub sender_url: Option<String>,
    /// The receiver's sharing URL.
    pub receiver_url: Option<String>,
    /// The shared secret.
    pub access_key: Option<AccessKey>,
    /// The status.
    pub status: Option<AgreementStatus>,
    /// `allows_public_comments`.
    pub allows_public_comments: Option<bool>,
    /// `sync_tags`.
    pub sync_tags: Option<bool>,
    /// `sync_custom_fields`.
    pub sync_custom_fields: Option<bool>,
    /// The name of `current_actor`.
    pub person: Option<String>,
    /// The writer's custom fields, where it is one of ours.
    pub fields: Option<Catalogue>,
}

impl Told {
    /// The terms that it offers: what is not said is the stricter.
    pub fn terms(&self) -> Terms {
        let public = self.allows_public_comments == Some(true);
        Terms {
            comments: if public { CommentTerms::PublicAndPrivate } else { CommentTerms::PrivateOnly },
            sync_tags: self.sync_tags == Some(true),
            sync_custom_fields: self.sync_custom_fields == Some(true),
        }
    }

    fn says_terms(&self) -> bool {
        self.allows_public_comments.is_some() || self.sync_tags.is_some() || self.sync_custom_fields.is_some()
    }

    fn terms_over(&self, terms: Terms) -> Terms {
        let said = self.terms();
        Terms {
            comments: self.allows_public_comments.map_or(terms.comments, |_| said.comments),
            sync_tags: self.sync_tags.unwrap_or(terms.sync_tags),
            sync_custom_fields: self.sync_custom_fields.unwrap_or(terms.sync_custom_fields),
        }
    }
}

/// What becomes of a new access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewKey {
    /// It is in force at once.
    Set(AccessKey),
    /// It is in force once the partner has it.
    Next(AccessKey),
    /// The partner has the next one.
    Promoted,
}

/// What is to be written because of a change of an agreement.
#[derive(Clone, Debug)]
pub struct Ruling {
    /// The agreement as it now is.
    pub agreement: Agreement,
    /// Messages, in order.
    pub messages: Vec<Draft>,
    /// A key that is new.
    pub access_key: Option<NewKey>,
    /// The partner's custom fields, as it has just told them.
    pub partner_fields: Option<Catalogue>,
    /// Whether ticket messages under it need no longer be sent.
    pub withdraw: bool,
}

impl Ruling {
    fn of(agreement: Agreement) -> Self {
        Self { agreement, messages: Vec::new(), access_key: None, partner_fields: None, withdraw: false }
    }

    fn say(&mut self, content: Content) {
        self.agreement.messages += 1;
        let id = MessageId { owner: self.agreement.uuid.clone(), n: self.agreement.messages };
        let agreement = Some(self.agreement.uuid.clone());
        self.messages.push(Draft { id, agreement, content, contents: Contents::default(), event_at: None });
    }

    fn tell_partner(&mut self, change: AgreementChange) {
        self.say(Content::Partner(PartnerMessage::Agreement(change)));
    }

    fn notice(&mut self, kind: &'static str, text: String, by: Option<Doer>) {
        let agreement = Some((self.agreement.uuid.clone(), self.agreement.name.clone()));
        self.say(Content::Command(Command::Notice(Notice { kind, text, agreement, ticket: None, by })));
    }
}

/// The agreement as it is, with nothing to say to anybody.
pub fn unchanged(agreement: Agreement) -> Ruling {
    Ruling::of(agreement)
}
