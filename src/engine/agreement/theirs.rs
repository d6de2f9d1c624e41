//! What a partner does to an agreement.

use super::{NewKey, Ruling, Told};
use crate::{
    domain::{
        AccessKey, Agreement, AgreementChange, AgreementStatus, Direction, Doer, Party, Timestamp, Uuid,
    },
    engine::{Desk, Refusal},
};

/// How long a partner's name may be.
const NAME: usize = 200;
/// How much of a URL is shown.
const URL: usize = 500;
/// Why an invite is declined that nobody was asked about.
pub const ALL_DECLINED: &str = "all invites are declined";
/// Why an invite ended that its sender took back before anybody had answered.
pub const TAKEN_BACK: &str = "the invite was taken back";

/// A partner invites this desk. Anybody may write an invite, so nothing is in force before the sender's own URL has taken
/// our acceptance.
///
/// # Errors
/// 422 where it cannot be used: no key, no sender, another desk's invite, or not `pending`.
pub fn invited(
    uuid: Uuid,
    told: &Told,
    desk: &Desk,
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
    if told.receiver_url.as_deref().is_some_and(|said| !same_url(said, &desk.sharing_url)) {
        return refuse(format!("receiver_url is not this desk's sharing URL, {}", desk.sharing_url));
    }
    let said = told.name.clone().filter(|name| !name.trim().is_empty());
    let name: String = said.unwrap_or_else(|| url.clone()).chars().take(NAME).collect();
    let by = Doer { party: Party::Sender, desk: name.clone(), person: told.person.clone() };
    let mut ruling = Ruling::of(Agreement {
        uuid,
        name,
        direction: Direction::Inbound,
        url: Some(url),
        terms: told.terms(),
        changed_by: Some(by.clone()),
        ..Agreement::pending(now)
    });
    ruling.access_key = Some(NewKey::Set(key));
    ruling.partner_fields.clone_from(&told.fields);
    if decline_all {
        ruling.agreement.status = AgreementStatus::Declined;
        ruling.agreement.reason = Some(ALL_DECLINED.to_owned());
        ruling.agreement.changed_by =
            Some(Doer { party: Party::Receiver, desk: desk.name.clone(), person: None });
        ruling.partner_fields = None;
        let status = Some(AgreementStatus::Declined);
        ruling.tell_partner(AgreementChange { status, ..AgreementChange::default() });
    } else {
        let name = ruling.agreement.name.clone();
        ruling.notice(
            "agreement_invited",
            format!("{name} invites this desk to receive its tickets"),
            Some(by),
        );
    }
    Ok(ruling)
}

fn same_url(one: &str, other: &str) -> bool {
    one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
}

/// The partner of an agreement in force names another URL of its own than the one that it is called at: that is told once. Whoever has its
/// key could say so, and many a server does not know how it is reached from outside: a person decides.
fn says_it_moved(agreement: &mut Agreement, told: &Told) -> Option<String> {
    let theirs = match agreement.direction.theirs() {
        Party::Sender => &told.sender_url,
        Party::Receiver => &told.receiver_url,
    };
    let (known, said) = (agreement.url.as_deref()?, theirs.as_deref().filter(|url| !url.is_empty())?);
    if !agreement.is_accepted() {
        return None;
    }
    let elsewhere = !same_url(known, said);
    let shown: String = said.chars().filter(|c| !c.is_control()).take(URL).collect();
    let said = elsewhere.then_some(shown);
    if agreement.said_url == said {
        return None;
    }
    agreement.said_url = said;
    let (name, said) = (&agreement.name, agreement.said_url.as_ref()?);
    let known = agreement.url.as_deref().unwrap_or_default();
    let mend = if agreement.declared {
        "change it in the configuration".to_owned()
    } else {
        format!("crossdesk agreement edit {} --partner-url URL", agreement.uuid)
    };
    Some(format!(
        "{name} says that its sharing URL is {said}; it is still called at {known}. If it has moved: {mend}"
    ))
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
    let unanswered = agreement.status == AgreementStatus::Pending;
    let advanced = match told.status {
        Some(status) => {
            agreement.advance(status, actor, now).map_err(|e| Refusal::new(422, e.to_string()))?
        }
        None => false,
    };
    let by = Doer { party: actor, desk: agreement.name.clone(), person: told.person.clone() };
    let mut ruling = Ruling::of(agreement);
    ruling.partner_fields.clone_from(&told.fields);
    if advanced {
        let name = ruling.agreement.name.clone();
        ruling.agreement.changed_by = Some(by.clone());
        let (kind, what) = match ruling.agreement.status {
            AgreementStatus::Accepted => {
                ("agreement_accepted", "accepted the agreement: tickets can be shared")
            }
            AgreementStatus::Declined => ("agreement_declined", "declined the agreement"),
            _ => ("agreement_deactivated", "ended the agreement: nothing is shared or synced any more"),
        };
        ruling.withdraw = !ruling.agreement.is_accepted();
        if unanswered && actor == Party::Sender {
            ruling.agreement.reason = Some(TAKEN_BACK.to_owned());
        }
        ruling.notice(kind, format!("{name} {what}"), Some(by.clone()));
    }
    if let Some(text) = says_it_moved(&mut ruling.agreement, told) {
        ruling.notice("agreement_changed", text, Some(by.clone()));
    }
    if actor == Party::Sender && !ruling.agreement.status.is_final() {
        let terms = told.terms_over(ruling.agreement.terms);
        if told.says_terms() && terms != ruling.agreement.terms {
            ruling.agreement.terms = terms;
            ruling.agreement.updated_at = now;
            // Anybody can invite; what an invite says is looked at when it is answered.
            if !unanswered {
                let text = format!("{} changed the terms of the agreement", ruling.agreement.name);
                ruling.notice("agreement_changed", text, Some(by));
            }
        }
        if let Some(name) = told
            .name
            .clone()
            .filter(|name| !name.is_empty() && !ruling.agreement.own_name && *name != ruling.agreement.name)
        {
            ruling.agreement.name = name.chars().take(NAME).collect();
            ruling.agreement.updated_at = now;
        }
        let key = told.access_key.clone().filter(|key| !key.reveal().is_empty() && key != known_key);
        ruling.access_key = key.map(NewKey::Set);
    }
    Ok(ruling)
}
