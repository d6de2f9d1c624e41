//! What this desk does to an agreement.

use super::{NewKey, Ruling};
use crate::{
    domain::{
        AccessKey, Agreement, AgreementChange, AgreementStatus, Direction, Doer, Jira, Kind, Local, Profile,
        Terms, Timestamp, Uuid,
    },
    engine::{Content, PartnerMessage, Refusal},
};

/// An invite that this desk sends.
#[derive(Clone, Debug)]
pub struct Invite {
    /// The new agreement's name on the network.
    pub uuid: Uuid,
    /// What this desk calls it.
    pub name: String,
    /// Who invites.
    pub by: Doer,
    /// The partner's dialect, where it is known beforehand.
    pub profile: Profile,
    /// What the partner is.
    pub kind: Kind,
    /// The partner's sharing URL; `None` for kind `queue`.
    pub url: Option<String>,
    /// What is offered.
    pub terms: Terms,
    /// The new secret; of a Jira, its two.
    pub access_key: AccessKey,
    /// Where its tickets go, in a Jira, and which words mean what there.
    pub jira: Option<(Jira, Local)>,
}

/// This desk invites a partner.
pub fn invite(invite: Invite, now: Timestamp) -> Ruling {
    let (jira, local) = invite.jira.map_or_else(Default::default, |(jira, local)| (Some(jira), local));
    let mut ruling = Ruling::of(Agreement {
        uuid: invite.uuid,
        name: invite.name,
        direction: Direction::Outbound,
        kind: invite.kind,
        url: invite.url,
        terms: invite.terms,
        profile: invite.profile,
        changed_by: Some(invite.by),
        jira,
        local,
        ..Agreement::pending(now)
    });
    ruling.access_key = Some(NewKey::Set(invite.access_key));
    ruling.say(Content::Partner(PartnerMessage::Invite));
    ruling
}

/// What this desk settles about a Jira has changed: it is looked at anew, and an agreement that waits for that is in force
/// once it checks out.
pub fn check_again(agreement: Agreement) -> Ruling {
    let mut ruling = Ruling::of(agreement);
    if !ruling.agreement.status.is_final() {
        ruling.say(Content::Partner(PartnerMessage::Invite));
    }
    ruling
}

/// An agreement of the configuration that is new here. A partner that is still to answer is invited; a Jira is looked at at once: who we
/// are there, and whether the credentials hold.
pub fn declare(agreement: Agreement) -> Ruling {
    let invites = agreement.status == AgreementStatus::Pending && agreement.direction == Direction::Outbound;
    if invites || agreement.kind == Kind::Jira { check_again(agreement) } else { Ruling::of(agreement) }
}

/// This desk accepts; it is done when the partner's URL has taken it.
///
/// # Errors
/// 409 where there is nothing to accept.
pub fn accept(mut agreement: Agreement, by: Doer, now: Timestamp) -> Result<Ruling, Refusal> {
    if agreement.is_accepted() || agreement.accepting {
        return Ok(Ruling::of(agreement));
    }
    agreement
        .clone()
        .advance(AgreementStatus::Accepted, agreement.direction.ours(), now)
        .map_err(conflict)?;
    let person = by.person.clone();
    // From a queue no answer comes back that could be waited for; whoever reads it has the key.
    let at_once = agreement.kind == Kind::Queue;
    if at_once {
        agreement.advance(AgreementStatus::Accepted, agreement.direction.ours(), now).map_err(conflict)?;
    }
    agreement.accepting = !at_once;
    agreement.changed_by = Some(by.clone());
    agreement.reason = None;
    agreement.updated_at = now;
    let mut ruling = Ruling::of(agreement);
    let status = Some(AgreementStatus::Accepted);
    ruling.tell_partner(AgreementChange { status, person, ..AgreementChange::default() });
    if at_once {
        let text = format!("the agreement with {} is in force", ruling.agreement.name);
        ruling.notice("agreement_accepted", text, Some(by));
    }
    Ok(ruling)
}

/// This desk declines an invite, or ends an agreement; the partner is told.
///
/// # Errors
/// 409 for a step that the agreement's life does not have.
pub fn end(
    mut agreement: Agreement,
    to: AgreementStatus,
    by: Doer,
    now: Timestamp,
) -> Result<Ruling, Refusal> {
    let ours = agreement.direction.ours();
    if agreement.accepting {
        let reason = "it is being accepted: wait until the partner has answered, then deactivate it";
        return Err(Refusal::new(409, reason));
    }
    let changed = agreement.advance(to, ours, now).map_err(conflict)?;
    let mut ruling = Ruling::of(agreement);
    if changed {
        let deactivated_by = (to == AgreementStatus::Inactive).then_some(ours);
        let (status, person) = (Some(to), by.person.clone());
        ruling.tell_partner(AgreementChange { status, deactivated_by, person, ..AgreementChange::default() });
        ruling.withdraw = true;
        ruling.agreement.changed_by = Some(by.clone());
        let (kind, what) = match to {
            AgreementStatus::Declined => ("agreement_declined", "this desk declined the invite of"),
            _ => ("agreement_deactivated", "this desk ended the agreement with"),
        };
        let text = format!("{what} {}", ruling.agreement.name);
        ruling.notice(kind, text, Some(by));
    }
    Ok(ruling)
}

/// The partner has moved: from the next try on it is called there, with what waits for it. A Jira knows no invites, so one that is not in
/// force yet may be given another address.
///
/// # Errors
/// 409 where the agreement is not in force, since an invite says where it goes to, or where the configuration says where the partner is.
pub fn moved(mut agreement: Agreement, url: String, now: Timestamp) -> Result<Agreement, Refusal> {
    if agreement.url.as_ref() == Some(&url) {
        return Ok(agreement);
    }
    if agreement.declared {
        return Err(Refusal::new(409, "the agreement stands in the configuration: change its url there"));
    }
    let (status, is_jira) = (agreement.status, agreement.kind == Kind::Jira);
    if status.is_final() || !(is_jira || agreement.is_accepted()) {
        let anew = match agreement.direction {
            Direction::Outbound => "end it, if it has not ended, and invite the partner at its new address",
            Direction::Inbound => "the partner invites again from its new address",
        };
        return Err(Refusal::new(409, format!("the agreement is {}: {anew}", status.as_str())));
    }
    agreement.url = Some(url);
    agreement.updated_at = now;
    Ok(agreement)
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

/// Nobody has answered the invite for so long that it has lapsed: it is declined, and the partner told.
pub fn expire(mut agreement: Agreement, desk: &str, now: Timestamp) -> Ruling {
    let before = agreement.clone();
    let ours = agreement.direction.ours();
    if agreement.accepting || agreement.advance(AgreementStatus::Declined, ours, now) != Ok(true) {
        return Ruling::of(before);
    }
    agreement.changed_by = Some(Doer { party: ours, desk: desk.to_owned(), person: None });
    let mut ruling = Ruling::of(agreement);
    let status = Some(AgreementStatus::Declined);
    ruling.tell_partner(AgreementChange { status, ..AgreementChange::default() });
    let text = format!("the invite of {} has expired: nobody here answered it", ruling.agreement.name);
    ruling.agreement.reason = Some("the invite has expired: nobody here answered it".to_owned());
    let by = ruling.agreement.changed_by.clone();
    ruling.notice("agreement_declined", text, by);
    ruling
}

/// This desk, the sender, gives the agreement a new access key. A bridge's is in force at once; another partner is told it,
/// under the old one, and it is in force when the partner has taken it.
///
/// # Errors
/// 409 where this desk is not the sender, the agreement is not in force, an earlier new key is still on its way, or a
/// partner of this kind is not known to take one.
pub fn rotate_key(
    agreement: Agreement,
    key: AccessKey,
    on_its_way: bool,
    now: Timestamp,
) -> Result<Ruling, Refusal> {
    if agreement.direction != Direction::Outbound {
        return Err(Refusal::new(
            409,
            "only the sender of an agreement gives it a new key: ask the partner to",
        ));
    }
    if !agreement.is_accepted() {
        let status = agreement.status.as_str();
        return Err(Refusal::new(
            409,
            format!("the agreement is {status}: only one in force gets a new key"),
        ));
    }
    if on_its_way {
        return Err(Refusal::new(
            409,
            "a new key is on its way to the partner already: wait until it has it",
        ));
    }
    let mut ruling = Ruling::of(Agreement { updated_at: now, ..agreement });
    match ruling.agreement.kind {
        Kind::Queue => ruling.access_key = Some(NewKey::Set(key)),
        Kind::ThirdParty => {
            ruling.access_key = Some(NewKey::Next(key));
            ruling.tell_partner(AgreementChange { rekeys: true, ..AgreementChange::default() });
        }
        Kind::Zendesk | Kind::Jira => {
            let reason = "a partner of this kind is not known to take a new key: make a new agreement, and end this one";
            return Err(Refusal::new(409, reason));
        }
    }
    Ok(ruling)
}

fn conflict(error: crate::domain::IllegalTransition) -> Refusal {
    Refusal::new(409, error.to_string())
}
