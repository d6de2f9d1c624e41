//! What came of telling the partner.

use std::time::Duration;

use super::Ruling;
use crate::domain::{Agreement, AgreementStatus, Failing, Timestamp, lasting};

/// How the reason begins that is only for the time being.
const UNREACHABLE: &str = "the partner cannot be reached";

/// The partner has taken a message about the agreement.
pub fn delivered(mut agreement: Agreement, now: Timestamp) -> Ruling {
    if agreement.accepting {
        let ours = agreement.direction.ours();
        if agreement.advance(AgreementStatus::Accepted, ours, now) == Ok(true) {
            let mut ruling = Ruling::of(agreement);
            let text = format!("the agreement with {} is in force", ruling.agreement.name);
            let by = ruling.agreement.changed_by.clone();
            ruling.notice("agreement_accepted", text, by);
            return ruling;
        }
    }
    // Why it ended stays; that it could not be told for a while does not matter any more.
    if !agreement.status.is_final()
        || agreement.reason.as_deref().is_some_and(|reason| reason.starts_with(UNREACHABLE))
    {
        agreement.reason = None;
    }
    Ruling::of(agreement)
}

/// A Jira has been looked at, and has everything that tickets need. It speaks of no agreements: this is its yes.
pub fn checked(mut agreement: Agreement, now: Timestamp) -> Ruling {
    let theirs = agreement.direction.theirs();
    if agreement.status == AgreementStatus::Pending
        && agreement.advance(AgreementStatus::Accepted, theirs, now) == Ok(true)
    {
        let mut ruling = Ruling::of(agreement);
        let text = format!("the agreement with {} is in force", ruling.agreement.name);
        ruling.notice("agreement_accepted", text, None);
        return ruling;
    }
    delivered(agreement, now)
}

/// The partner fails, or has answered again: the desk is told once it has failed for `patience`, and when that is over.
pub fn health(mut agreement: Agreement, failure: Option<&str>, patience: Duration, now: Timestamp) -> Ruling {
    match (failure, agreement.failing) {
        (Some(_), None) => agreement.failing = Some(Failing { since: now, told: false }),
        (Some(why), Some(failing)) if !failing.told && now.since(failing.since) >= patience => {
            agreement.failing = Some(Failing { told: true, ..failing });
            let mut ruling = Ruling::of(agreement);
            let text = format!(
                "{} has been failing for {}; its tickets wait: {why}",
                ruling.agreement.name,
                lasting(now.since(failing.since))
            );
            ruling.notice("partner_failing", text, None);
            return ruling;
        }
        (None, Some(failing)) => {
            agreement.failing = None;
            let mut ruling = Ruling::of(agreement);
            if failing.told {
                let text = format!("{} answers again; what waited is being delivered", ruling.agreement.name);
                ruling.notice("partner_back", text, None);
            }
            return ruling;
        }
        _ => {}
    }
    Ruling::of(agreement)
}

/// The partner has refused a message about the agreement, or cannot be reached for it: it stays where it stands, and says so.
pub fn troubled(mut agreement: Agreement, reason: String, for_good: bool, now: Timestamp) -> Ruling {
    if for_good {
        agreement.accepting = false;
    }
    let reason = if for_good { reason } else { format!("{UNREACHABLE}, and is tried again: {reason}") };
    let kept = agreement.reason.as_deref().is_some_and(|reason| !reason.starts_with(UNREACHABLE));
    if !(agreement.status.is_final() && kept) {
        agreement.reason = Some(reason);
    }
    agreement.updated_at = now;
    Ruling::of(agreement)
}
