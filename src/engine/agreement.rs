//! An agreement is made, answered, changed or ended, by either side.

use crate::domain::{
    AccessKey, Agreement, AgreementChange, AgreementStatus, Command, CommentTerms, Contents, Direction, Kind,
    MessageId, Notice, Profile, Terms, Timestamp, Uuid,
};

use super::{Content, Draft, PartnerMessage, Refusal};

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

/// What is to be written because of a change of an agreement.
#[derive(Clone, Debug)]
pub struct Ruling {
    /// The agreement as it now is.
    pub agreement: Agreement,
    /// Messages, in order.
    pub messages: Vec<Draft>,
    /// A key that is new.
    pub access_key: Option<AccessKey>,
    /// Whether ticket messages under it need no longer be sent.
    pub withdraw: bool,
}

impl Ruling {
    fn of(agreement: Agreement) -> Self {
        Self { agreement, messages: Vec::new(), access_key: None, withdraw: false }
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

    fn notice(&mut self, kind: &'static str, text: String) {
        let agreement = Some((self.agreement.uuid.clone(), self.agreement.name.clone()));
        self.say(Content::Command(Command::Notice(Notice { kind, text, agreement, ticket: None })));
    }
}

/// The agreement as it is, with nothing to say to anybody.
pub fn unchanged(agreement: Agreement) -> Ruling {
    Ruling::of(agreement)
}

/// An invite that this desk sends.
#[derive(Clone, Debug)]
pub struct Invite {
    /// The new agreement's name on the network.
    pub uuid: Uuid,
    /// What this desk calls it.
    pub name: String,
    /// What the partner is.
    pub kind: Kind,
    /// The partner's sharing URL; `None` for kind `queue`.
    pub url: Option<String>,
    /// What is offered.
    pub terms: Terms,
    /// The new secret.
    pub access_key: AccessKey,
}

/// This desk invites a partner.
pub fn invite(invite: Invite, now: Timestamp) -> Ruling {
    let mut ruling = Ruling::of(Agreement {
        uuid: invite.uuid,
        name: invite.name,
        direction: Direction::Outbound,
        kind: invite.kind,
        url: invite.url,
        status: AgreementStatus::Pending,
        deactivated_by: None,
        reason: None,
        terms: invite.terms,
        profile: Profile::default(),
        accepting: false,
        declared: false,
        created_at: now,
        updated_at: now,
        messages: 0,
        version: 0,
    });
    ruling.access_key = Some(invite.access_key);
    ruling.say(Content::Partner(PartnerMessage::Invite));
    ruling
}

/// A partner invites this desk. Anybody may write an invite, so nothing is in force before the sender's own URL has taken
/// our acceptance.
///
/// # Errors
/// 422 where it cannot be used: no key, no sender, another desk's invite, or not `pending`.
pub fn invited(
    uuid: Uuid,
    told: &Told,
    sharing_url: &str,
    decline_all: bool,
    now: Timestamp,
) -> Result<Ruling, Refusal> {
    let refuse = |reason: String| Err(Refusal::new(422, reason));
    if told.uuid.as_ref().is_some_and(|said| !said.as_str().eq_ignore_ascii_case(uuid.as_str())) {
        return refuse(format!("the uuid in the body is not {uuid}, the one in the path"));
    }
    if told.status.is_some_and(|status| status != AgreementStatus::Pending) {
        return refuse("an invite is pending; only the receiver may accept it".to_owned());
    }
    let Some(url) = told.sender_url.clone().filter(|url| !url.is_empty()) else {
        return refuse("sender_url is missing: it is where the answer goes".to_owned());
    };
    let Some(key) = told.access_key.clone().filter(|key| !key.reveal().is_empty()) else {
        return refuse("access_key is missing: it is the agreement's secret".to_owned());
    };
    if told.receiver_url.as_deref().is_some_and(|said| !same_url(said, sharing_url)) {
        return refuse(format!("receiver_url is not this desk's sharing URL, {sharing_url}"));
    }
    let mut ruling = Ruling::of(Agreement {
        uuid,
        name: told.name.clone().unwrap_or_else(|| url.clone()),
        direction: Direction::Inbound,
        kind: Kind::ThirdParty,
        url: Some(url),
        status: AgreementStatus::Pending,
        deactivated_by: None,
        reason: None,
        terms: told.terms(),
        profile: Profile::default(),
        accepting: false,
        declared: false,
        created_at: now,
        updated_at: now,
        messages: 0,
        version: 0,
    });
    ruling.access_key = Some(key);
    if decline_all {
        ruling.agreement.status = AgreementStatus::Declined;
        let status = Some(AgreementStatus::Declined);
        ruling.tell_partner(AgreementChange { status, ..AgreementChange::default() });
    } else {
        let name = ruling.agreement.name.clone();
        ruling.notice("agreement_invited", format!("{name} invites this desk to receive its tickets"));
    }
    Ok(ruling)
}

fn same_url(one: &str, other: &str) -> bool {
    one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
}

/// The partner changes an agreement: its status, and, where it is the sender, terms, name and key. What is null, absent
/// or as it was is no change.
///
/// # Errors
/// 422 for a step that the agreement's life does not have, and for a uuid that is another's.
pub fn changed_by_partner(
    mut agreement: Agreement,
    told: &Told,
    known_key: &AccessKey,
    now: Timestamp,
) -> Result<Ruling, Refusal> {
    if told.uuid.as_ref().is_some_and(|said| !said.as_str().eq_ignore_ascii_case(agreement.uuid.as_str())) {
        let reason = format!("the uuid in the body is not {}, the one in the path", agreement.uuid);
        return Err(Refusal::new(404, reason));
    }
    let actor = agreement.direction.theirs();
    let advanced = match told.status {
        Some(status) => {
            agreement.advance(status, actor, now).map_err(|e| Refusal::new(422, e.to_string()))?
        }
        None => false,
    };
    let mut ruling = Ruling::of(agreement);
    if advanced {
        let name = ruling.agreement.name.clone();
        let (kind, what) = match ruling.agreement.status {
            AgreementStatus::Accepted => {
                ("agreement_accepted", "accepted the agreement: tickets can be shared")
            }
            AgreementStatus::Declined => ("agreement_declined", "declined the agreement"),
            _ => ("agreement_deactivated", "ended the agreement: nothing is shared or synced any more"),
        };
        ruling.withdraw = !ruling.agreement.is_accepted();
        ruling.notice(kind, format!("{name} {what}"));
    }
    if actor == crate::domain::Party::Sender && !ruling.agreement.status.is_final() {
        let terms = told.terms_over(ruling.agreement.terms);
        if told.says_terms() && terms != ruling.agreement.terms {
            ruling.agreement.terms = terms;
            ruling.agreement.updated_at = now;
            let text = format!("{} changed the terms of the agreement", ruling.agreement.name);
            ruling.notice("agreement_changed", text);
        }
        if let Some(name) =
            told.name.clone().filter(|name| !name.is_empty() && *name != ruling.agreement.name)
        {
            ruling.agreement.name = name;
            ruling.agreement.updated_at = now;
        }
        ruling.access_key =
            told.access_key.clone().filter(|key| !key.reveal().is_empty() && key != known_key);
    }
    Ok(ruling)
}

/// This desk accepts; it is done when the partner's URL has taken it.
///
/// # Errors
/// 409 where there is nothing to accept.
pub fn accept(mut agreement: Agreement, now: Timestamp) -> Result<Ruling, Refusal> {
    if agreement.is_accepted() || agreement.accepting {
        return Ok(Ruling::of(agreement));
    }
    agreement
        .clone()
        .advance(AgreementStatus::Accepted, agreement.direction.ours(), now)
        .map_err(conflict)?;
    agreement.accepting = true;
    agreement.reason = None;
    agreement.updated_at = now;
    let mut ruling = Ruling::of(agreement);
    let status = Some(AgreementStatus::Accepted);
    ruling.tell_partner(AgreementChange { status, ..AgreementChange::default() });
    Ok(ruling)
}

/// This desk declines an invite, or ends an agreement; the partner is told.
///
/// # Errors
/// 409 for a step that the agreement's life does not have.
pub fn end(mut agreement: Agreement, to: AgreementStatus, now: Timestamp) -> Result<Ruling, Refusal> {
    let ours = agreement.direction.ours();
    if agreement.accepting {
        let reason = "it is being accepted: wait until the partner has answered, then deactivate it";
        return Err(Refusal::new(409, reason));
    }
    let changed = agreement.advance(to, ours, now).map_err(conflict)?;
    let mut ruling = Ruling::of(agreement);
    if changed {
        let deactivated_by = (to == AgreementStatus::Inactive).then_some(ours);
        ruling.tell_partner(AgreementChange { status: Some(to), deactivated_by, terms: None });
        ruling.withdraw = true;
    }
    Ok(ruling)
}

/// This desk, the sender, changes the terms; the partner is told.
///
/// # Errors
/// 409 where this desk is not the sender, or the agreement has ended.
pub fn set_terms(mut agreement: Agreement, terms: Terms, now: Timestamp) -> Result<Ruling, Refusal> {
    if agreement.direction != Direction::Outbound {
        return Err(Refusal::new(409, "only the sender of an agreement sets its terms"));
    }
    if agreement.status.is_final() {
        return Err(Refusal::new(409, format!("the agreement is {}", agreement.status.as_str())));
    }
    let changed = agreement.terms != terms;
    agreement.terms = terms;
    agreement.updated_at = now;
    let mut ruling = Ruling::of(agreement);
    if changed {
        ruling.tell_partner(AgreementChange { terms: Some(terms), ..AgreementChange::default() });
    }
    Ok(ruling)
}

/// The partner has taken a message about the agreement.
pub fn delivered(mut agreement: Agreement, now: Timestamp) -> Ruling {
    if agreement.accepting {
        let ours = agreement.direction.ours();
        if agreement.advance(AgreementStatus::Accepted, ours, now) == Ok(true) {
            let mut ruling = Ruling::of(agreement);
            let text = format!("the agreement with {} is in force", ruling.agreement.name);
            ruling.notice("agreement_accepted", text);
            return ruling;
        }
    }
    agreement.reason = None;
    Ruling::of(agreement)
}

/// The partner has refused a message about the agreement, or cannot be reached for it: it stays where it stands, and says so.
pub fn troubled(mut agreement: Agreement, reason: String, for_good: bool, now: Timestamp) -> Ruling {
    if for_good {
        agreement.accepting = false;
    }
    agreement.reason = Some(reason);
    agreement.updated_at = now;
    Ruling::of(agreement)
}

fn conflict(error: crate::domain::IllegalTransition) -> Refusal {
    Refusal::new(409, error.to_string())
}
