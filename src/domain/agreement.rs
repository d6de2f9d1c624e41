//! The sharing agreement: who shares with whom, on what terms, and the only ways that it can change.

use serde::{Deserialize, Serialize};

use super::{Doer, Jira, Local, Timestamp, Uuid};

/// Which side of an agreement this desk is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// This desk invited: it is the sender, and starts shares.
    Outbound,
    /// This desk was invited: it is the receiver.
    Inbound,
}

/// One of the two parties of an agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// Whoever invited.
    Sender,
    /// Whoever was invited.
    Receiver,
}

impl Direction {
    /// The party that this desk is.
    pub fn ours(self) -> Party {
        match self {
            Self::Outbound => Party::Sender,
            Self::Inbound => Party::Receiver,
        }
    }

    /// The party that the partner is.
    pub fn theirs(self) -> Party {
        match self {
            Self::Outbound => Party::Receiver,
            Self::Inbound => Party::Sender,
        }
    }
}

/// What the partner is, and so how it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A Zendesk; `url` is its domain.
    Zendesk,
    /// A Jira; `url` is its server.
    Jira,
    /// Anything that speaks the Networked Help Desk protocol; `url` is its sharing URL.
    ThirdParty,
    /// A bridge that consumes the partner queue itself; no URL.
    Queue,
}

/// The dialect of the protocol that the partner's server wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// `application/json`, every member, no version header needed.
    #[default]
    Standard,
    /// Request Tracker's extension: version header, `text/x-json`, token on the invite too, no DELETE.
    RequestTracker,
}

/// Where an agreement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgreementStatus {
    /// Invited, not answered.
    Pending,
    /// In force.
    Accepted,
    /// Refused by the receiver; final.
    Declined,
    /// Ended by either side; final.
    Inactive,
}

/// Which comments cross, and whether the status does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommentTerms {
    /// Public and private comments, and the status.
    #[default]
    PublicAndPrivate,
    /// What the receiver writes arrives private, and no status crosses once the ticket is there.
    PrivateOnly,
}

/// What the sender offers and both sides keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a term of its own, as the wire has it")]
pub struct Terms {
    /// Comments, and with them the status.
    pub comments: CommentTerms,
    /// Whether tags cross.
    pub sync_tags: bool,
    /// Whether custom fields cross.
    pub sync_custom_fields: bool,
    /// Whether the priority crosses; of these four, other implementations know nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub priority: bool,
    /// Whether the partner is told the assignee's name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub assignee: bool,
    /// Whether the partner is told the requester's mail address.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub requester_email: bool,
    /// Whether the partner is told who is in copy.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ccs: bool,
}

/// A change of an agreement that is to be told to the partner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgreementChange {
    /// The new status.
    pub status: Option<AgreementStatus>,
    /// Who ended it.
    pub deactivated_by: Option<Party>,
    /// The new terms.
    pub terms: Option<Terms>,
    /// The person who did it, where known.
    pub person: Option<String>,
    /// A new access key goes with it; it is put in at delivery.
    pub rekeys: bool,
}

/// A partner that fails, altogether or on one ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failing {
    /// Since when.
    pub since: Timestamp,
    /// The desk has been told.
    pub told: bool,
}

/// What a configuration file said of an agreement, as digests: what has changed in it since is told from that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredAs {
    /// Everything but the key.
    pub form: String,
    /// The key.
    pub key: String,
}

/// A sharing agreement. The access key is not in it: it lives in the store, and meets messages at delivery only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The network's name for it.
    pub uuid: Uuid,
    /// What this desk calls it.
    pub name: String,
    /// Which side this desk is on.
    pub direction: Direction,
    /// What the partner is.
    pub kind: Kind,
    /// The partner's sharing URL; `None` for kind `queue`.
    pub url: Option<String>,
    /// Where it stands.
    pub status: AgreementStatus,
    /// Who ended it, once it is inactive.
    pub deactivated_by: Option<Party>,
    /// Why it stands where it stands, in words: a refusal, an unreachable partner.
    pub reason: Option<String>,
    /// What crosses.
    pub terms: Terms,
    /// The partner's dialect.
    pub profile: Profile,
    /// We have said yes and wait for the partner's 2xx.
    pub accepting: bool,
    /// Who last moved it along its life.
    pub changed_by: Option<Doer>,
    /// What this side alone settles.
    pub local: Local,
    /// Where its tickets go in a Jira; of kind `jira` alone.
    pub jira: Option<Jira>,
    /// This side has given it a name of its own.
    pub own_name: bool,
    /// Since when its partner fails, if it does.
    pub failing: Option<Failing>,
    /// Where the partner last said that it is, if that is elsewhere than where it is called.
    pub said_url: Option<String>,
    /// What its configuration file last said of it.
    pub declared_as: Option<DeclaredAs>,
    /// Written in the configuration file.
    pub declared: bool,
    /// When it was made here.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts its messages, for their ids.
    pub messages: i64,
    /// Counts its writes, so that two writers cannot undo each other.
    pub version: i64,
}

/// A step that the life of an agreement does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("agreement {uuid} is {from}, and {actor} cannot make it {to}")]
pub struct IllegalTransition {
    /// The agreement.
    pub uuid: Uuid,
    /// Where it stands.
    pub from: &'static str,
    /// What was wanted.
    pub to: &'static str,
    /// Who wanted it.
    pub actor: &'static str,
}

impl AgreementStatus {
    /// The word on the wire and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Inactive => "inactive",
        }
    }

    /// Nothing comes after it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Declined | Self::Inactive)
    }
}

impl Party {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Receiver => "receiver",
        }
    }
}

impl Agreement {
    /// Where the numbers of its messages begin: far from those of tickets, since anybody can name an agreement as a ticket
    /// of ours will be named one day.
    pub const MESSAGES_FROM: i64 = 1 << 40;

    /// One that somebody has just proposed to this desk: all that is not said is as it is for most.
    pub fn pending(now: Timestamp) -> Self {
        Self {
            uuid: Uuid::new(""),
            name: String::new(),
            direction: Direction::Inbound,
            kind: Kind::ThirdParty,
            url: None,
            status: AgreementStatus::Pending,
            deactivated_by: None,
            reason: None,
            terms: Terms::default(),
            profile: Profile::default(),
            accepting: false,
            changed_by: None,
            local: Local::default(),
            jira: None,
            own_name: false,
            failing: None,
            said_url: None,
            declared_as: None,
            declared: false,
            created_at: now,
            updated_at: now,
            messages: Self::MESSAGES_FROM,
            version: 0,
        }
    }

    /// Whether tickets may cross under it.
    pub fn is_accepted(&self) -> bool {
        self.status == AgreementStatus::Accepted
    }

    /// Moves it along its life on behalf of `actor`; saying again what is already so changes nothing.
    ///
    /// # Errors
    /// [`IllegalTransition`] for every step that the life does not have: only the receiver accepts or declines, only the
    /// sender cancels an invite, nothing leaves a final state.
    pub fn advance(
        &mut self,
        to: AgreementStatus,
        actor: Party,
        now: Timestamp,
    ) -> Result<bool, IllegalTransition> {
        use AgreementStatus::{Accepted, Declined, Inactive, Pending};
        match (self.status, to, actor) {
            (from, to, _) if from == to => return Ok(false),
            (Pending, Accepted | Declined, Party::Receiver)
            | (Pending, Inactive, Party::Sender)
            | (Accepted, Inactive, _) => {}
            (from, to, actor) => {
                let (from, to, actor) = (from.as_str(), to.as_str(), actor.as_str());
                return Err(IllegalTransition { uuid: self.uuid.clone(), from, to, actor });
            }
        }
        self.deactivated_by = (to == Inactive).then_some(actor);
        self.status = to;
        self.accepting = false;
        self.reason = None;
        self.updated_at = now;
        Ok(true)
    }
}
