//! The request that a message is, and the questions that its answer may leave open: does the partner have it already, did it take
//! the new key?

use std::time::Duration;

use super::verdict::{Verdict, verdict};
use crate::{
    domain::{AccessKey, Agreement, AgreementStatus, Keys, Message, MessageType, Profile, Traceparent},
    flow::options::Options,
    ports::{Answer, Call, CallError, Method},
    wire::nhd,
};

/// Whom to call, with which keys.
#[derive(Clone)]
pub(super) struct Who {
    pub(super) agreement: Agreement,
    pub(super) keys: Option<Keys>,
}

/// How long after an agreement is in force the partner may not know it yet, since an answer was lost.
const SETTLED: Duration = Duration::from_secs(60);
/// How often it is given the time to hear of it.
const PATIENT: u32 = 2;

/// How the reason begins why a creation is tried again that was refused, while nobody knows yet what the partner has.
const UNDECIDED: &str = "whether the partner has it is not known yet: ";

/// Makes the call that a message is; what its answer means.
pub(super) async fn call(
    options: &Options,
    who: &Who,
    message: &Message,
    trace: Option<&Traceparent>,
) -> Verdict {
    let Some(mut request) = request(who, message) else {
        return Verdict::Park("the agreement has no URL or no access key".to_owned());
    };
    request.trace = trace.cloned();
    let mut result = options.partner.call(&request).await;
    if let (Ok(answer), Some((_, tried))) = (&result, &request.token)
        && matches!(answer.status, 401 | 403)
        && let Some(other) = other_key(options, who, tried).await
    {
        // The key is being changed: by us, and the answer that the partner has it was lost; or by the partner just now.
        request.token = Some((who.agreement.uuid.clone(), other));
        result = options.partner.call(&request).await;
    }
    let status = result.as_ref().ok().map(|answer| answer.status);
    let judged = verdict(message.kind, who.agreement.profile, &redacted(result, who, &request));
    let judged = match (judged, status) {
        (Verdict::Park(why), Some(status)) => {
            second_thoughts(options, who, message, &request, status, why).await
        }
        (judged, _) => judged,
    };
    match new_key(who, message) {
        Some(next) if judged == Verdict::Done => took_key(options, &request, next).await,
        _ => judged,
    }
}

/// What a refusal means that may be about something else: an answer that was lost, or one that the other side has not had yet.
async fn second_thoughts(
    options: &Options,
    who: &Who,
    message: &Message,
    request: &Call,
    status: u16,
    why: String,
) -> Verdict {
    let told = (message.kind == MessageType::AgreementUpdate)
        .then(|| nhd::read_agreement(message.body.as_bytes()).ok()?.status)
        .flatten();
    match told {
        // Nothing is left over there that could be ended.
        Some(told) if told.is_final() && matches!(status, 404 | 410) => Verdict::Done,
        // An earlier try may have been taken.
        Some(AgreementStatus::Accepted) if message.attempts > 0 => {
            has_accepted(options, who, request, why).await
        }
        // Accepting takes an answer, which the partner may not have had yet.
        None if status == 403
            && message.kind == MessageType::TicketCreate
            && message.attempts < PATIENT
            && options.clock.now().since(who.agreement.updated_at) < SETTLED =>
        {
            Verdict::Later { why, after: None }
        }
        _ => Verdict::Park(why),
    }
}

/// Whether the partner has the agreement as accepted, though it refuses to hear so again.
async fn has_accepted(options: &Options, who: &Who, refused: &Call, why: String) -> Verdict {
    let look = Call { method: Method::Get, body: None, ..refused.clone() };
    match redacted(options.partner.call(&look).await, who, &look) {
        Ok(answer) if (200..300).contains(&answer.status) => {
            match nhd::read_agreement(answer.text.as_bytes()) {
                Ok(told) if told.status == Some(AgreementStatus::Accepted) => Verdict::Done,
                _ => Verdict::Park(why),
            }
        }
        Ok(answer) if is_for_later(answer.status) => Verdict::Later { why, after: answer.retry_after },
        Ok(_) => Verdict::Park(why),
        Err(error) => Verdict::Later { why: error.to_string(), after: None },
    }
}

/// A partner may take the announcement of a new key and pass over the key: it is in force only where it opens something.
async fn took_key(options: &Options, announced: &Call, next: &AccessKey) -> Verdict {
    let token = announced.token.as_ref().map(|(agreement, _)| (agreement.clone(), next.clone()));
    let look = Call { method: Method::Get, body: None, token, ..announced.clone() };
    match options.partner.call(&look).await {
        Ok(answer) if matches!(answer.status, 401 | 403) => Verdict::Park(
            "the partner took the announcement of a new key, but not the key: the old one stays".to_owned(),
        ),
        Ok(answer) if is_for_later(answer.status) => Verdict::Later {
            why: "whether the new key opens the agreement is not known yet".to_owned(),
            after: answer.retry_after,
        },
        Ok(_) => Verdict::Done,
        Err(error) => Verdict::Later { why: error.to_string(), after: None },
    }
}

/// An answer in which no key of the agreement stands, though the partner may have repeated what it was sent.
fn redacted(result: Result<Answer, CallError>, who: &Who, call: &Call) -> Result<Answer, CallError> {
    let known = who.keys.iter().flat_map(|keys| [Some(&keys.current), keys.next.as_ref()]).flatten();
    let keys = known.chain(call.token.iter().map(|(_, key)| key));
    let hide = |text: String| keys.clone().fold(text, |text, key| key.hidden_in(text));
    result.map(|answer| Answer { text: hide(answer.text), ..answer })
}

/// A key that the partner may know the agreement by, other than the one that it has just refused.
async fn other_key(options: &Options, who: &Who, refused: &AccessKey) -> Option<AccessKey> {
    let now = options.store.access_keys(&who.agreement.uuid).await.ok().flatten()?;
    now.next.into_iter().chain([now.current]).find(|key| key != refused)
}

/// The new key that a message carries.
pub(super) fn new_key<'a>(who: &'a Who, message: &Message) -> Option<&'a AccessKey> {
    let next = who.keys.as_ref()?.next.as_ref();
    next.filter(|_| message.contents.rekeys)
}

fn request(who: &Who, message: &Message) -> Option<Call> {
    let (base, key) = (who.agreement.url.clone()?, who.keys.as_ref()?.current.clone());
    let (method, collection) = match message.kind {
        MessageType::AgreementInvite => (Method::Post, "agreements"),
        MessageType::AgreementUpdate => (Method::Put, "agreements"),
        MessageType::TicketCreate => (Method::Post, "tickets"),
        MessageType::TicketUpdate => (Method::Put, "tickets"),
        MessageType::TicketUnshare => (Method::Delete, "tickets"),
        _ => return None,
    };
    let invite = message.kind == MessageType::AgreementInvite;
    let body = match (message.kind, new_key(who, message)) {
        (MessageType::TicketUnshare, _) => None,
        (MessageType::AgreementInvite, _) => Some(nhd::with_access_key(&message.body, key.reveal())),
        (_, Some(next)) => Some(nhd::with_access_key(&message.body, next.reveal())),
        _ => Some(message.body.clone()),
    };
    // Request Tracker wants the token on the invite too (protocol: headers); others must not see one there.
    let token = (!invite || who.agreement.profile == Profile::RequestTracker)
        .then(|| (who.agreement.uuid.clone(), key));
    let uuid = message.id.owner.clone();
    Some(Call { method, base, collection, uuid, body, token, profile: who.agreement.profile, trace: None })
}

/// Asks whether the partner already has what a refused creation would have made: an earlier answer may have been lost.
pub(super) async fn ask(options: &Options, who: &Who, message: &Message, refused: String) -> Verdict {
    let Some(create) = request(who, message) else { return Verdict::Park(refused) };
    let token = who.keys.as_ref().map(|keys| (who.agreement.uuid.clone(), keys.current.clone()));
    let mut look = Call { method: Method::Get, body: None, token, ..create };
    let mut result = options.partner.call(&look).await;
    if let (Ok(answer), Some((agreement, tried))) = (&result, &look.token)
        && matches!(answer.status, 401 | 403)
        && let Some(other) = other_key(options, who, tried).await
    {
        look.token = Some((agreement.clone(), other));
        result = options.partner.call(&look).await;
    }
    // An earlier try stayed without an answer, and was not refused as this one is.
    let unheard =
        message.attempts > 0 && !message.error.as_ref().is_some_and(|why| why.starts_with(UNDECIDED));
    let words = |why: &str| if unheard { why.to_owned() } else { format!("{UNDECIDED}{why}") };
    let later = |why: &str, after| Verdict::Later { why: words(why), after };
    let renewed = message.kind == MessageType::TicketCreate && message.contents.seq > 1;
    match result {
        // What it has may be of an earlier share, and as it was then.
        Ok(answer) if (200..300).contains(&answer.status) && !answer.is_page && renewed => {
            let update = Call { method: Method::Put, body: Some(message.body.clone()), ..look };
            let result = redacted(options.partner.call(&update).await, who, &update);
            match verdict(MessageType::TicketUpdate, who.agreement.profile, &result) {
                Verdict::Later { why, after } => later(&why, after),
                Verdict::Fails(why) => Verdict::Fails(words(&why)),
                judged => judged,
            }
        }
        Ok(answer) if (200..300).contains(&answer.status) && !answer.is_page => Verdict::Done,
        // It tells nobody what it has: that it refuses what may have reached it before means that it did.
        Ok(answer) if matches!(answer.status, 405 | 501) && unheard => Verdict::Done,
        Ok(answer) if answer.retry_after.is_none() && matches!(answer.status, 500 | 502 | 504) => {
            Verdict::Fails(words(&refused))
        }
        Ok(answer) if answer.status != 501 && is_for_later(answer.status) => {
            later(&refused, answer.retry_after)
        }
        Ok(_) => Verdict::Park(refused),
        Err(_) => later(&refused, None),
    }
}

/// Whether an answer says nothing of what was asked: whoever gave it may do so later.
fn is_for_later(status: u16) -> bool {
    matches!(status, 408 | 425 | 429) || status >= 500
}
