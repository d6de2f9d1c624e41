//! An agreement is made, answered, changed or ended, by either side.

mod delivered;
mod ours;
mod theirs;

pub use delivered::{checked, delivered, health, troubled};
pub use ours::{Invite, accept, check_again, declare, end, expire, invite, moved, rotate_key, set_terms};
pub use theirs::{ALL_DECLINED, TAKEN_BACK, changed_by_partner, invited};

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
    /// Terms that only a crossdesk knows.
    pub extra: ExtraTerms,
    /// The name of `current_actor`.
    pub person: Option<String>,
    /// The writer's custom fields, where it is one of ours.
    pub fields: Option<Catalogue>,
}

/// Terms that only a crossdesk knows, as the wire tells them: what is absent is not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct ExtraTerms {
    /// Whether the priority crosses.
    pub priority: Option<bool>,
    /// Whether the assignee's name is told.
    pub assignee: Option<bool>,
    /// Whether the requester's mail address is told.
    pub requester_email: Option<bool>,
    /// Whether those in copy are told.
    pub ccs: Option<bool>,
}

impl Told {
    /// The terms that it offers: what is not said is the stricter.
    pub fn terms(&self) -> Terms {
        self.terms_over(Terms { comments: CommentTerms::PrivateOnly, ..Terms::default() })
    }

    fn says_terms(&self) -> bool {
        let plain = [self.allows_public_comments, self.sync_tags, self.sync_custom_fields];
        let extra = [self.extra.priority, self.extra.assignee, self.extra.requester_email, self.extra.ccs];
        plain.iter().chain(&extra).any(Option::is_some)
    }

    fn terms_over(&self, terms: Terms) -> Terms {
        let comments =
            |public| if public { CommentTerms::PublicAndPrivate } else { CommentTerms::PrivateOnly };
        Terms {
            comments: self.allows_public_comments.map_or(terms.comments, comments),
            sync_tags: self.sync_tags.unwrap_or(terms.sync_tags),
            sync_custom_fields: self.sync_custom_fields.unwrap_or(terms.sync_custom_fields),
            priority: self.extra.priority.unwrap_or(terms.priority),
            assignee: self.extra.assignee.unwrap_or(terms.assignee),
            requester_email: self.extra.requester_email.unwrap_or(terms.requester_email),
            ccs: self.extra.ccs.unwrap_or(terms.ccs),
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
    /// The partner has refused the next one.
    Dropped,
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
        let rekeys = change.rekeys;
        self.say(Content::Partner(PartnerMessage::Agreement(change)));
        if let Some(draft) = self.messages.last_mut() {
            draft.contents.rekeys = rekeys;
        }
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
