//! One message tried: the call, what its answer means, and the note of it.

use std::sync::{Arc, PoisonError};

use super::{
    change::{self, AgreementAction, Attempted, Change, Done},
    errand,
    hooks::Hooks,
    options::Options,
    pipeline::Pipeline,
    verdict::{Verdict, verdict},
};
use crate::{
    domain::{AccessKey, Agreement, Keys, Kind, Message, MessageType, Profile, Timestamp, Traceparent},
    engine::Refusal,
    ports::{Answer, Call, CallError, MessageFilter, Method, StoreError},
    telemetry::{Span, Step, metric},
    wire::{nhd, says_too_much},
};

/// How the reason begins why a creation is tried again that was refused, while nobody knows yet what the partner has.
const UNDECIDED: &str = "whether the partner has it is not known yet: ";

/// Whom to call, with which keys.
#[derive(Clone)]
pub(super) struct Who {
    pub(super) agreement: Agreement,
    pub(super) keys: Option<Keys>,
}

/// What came of an attempt.
pub(super) enum CameOfIt {
    /// The partner has it.
    Done,
    /// To be tried again then.
    Later(Timestamp),
    /// Refused for good, or given up.
    Parked,
}

/// A message that was tried.
pub(super) struct Tried {
    pub(super) message: Arc<Message>,
    pub(super) came_of_it: CameOfIt,
    /// The receiver has said something, whatever it said.
    pub(super) answered: bool,
    /// What came of it, to be written; nothing where it need not have been tried. A refusal where nobody knows whether it may be.
    pub(super) note: Result<Option<Change>, Refusal>,
    /// The issue that stands for its ticket: what waited for it to be known is let go once the note is written.
    pub(super) issue: Option<(Arc<Who>, String)>,
}

/// A message that was tried, and whether what came of it is safe.
pub(super) struct Noted {
    pub(super) message: Arc<Message>,
    pub(super) came_of_it: CameOfIt,
    pub(super) answered: bool,
    pub(super) written: change::Answer,
}

impl Tried {
    fn not(message: Message, note: Result<Option<Change>, Refusal>) -> Self {
        let message = Arc::new(message);
        Self { message, came_of_it: CameOfIt::Done, answered: false, note, issue: None }
    }

    /// One that need no longer be sent, as its row says.
    pub(super) fn over(message: Message) -> Self {
        Self::not(message, Ok(None))
    }

    /// One of an agreement that has ended. It may have been written beside that end, which then did not withdraw it.
    fn withdrawn(message: Message) -> Self {
        let note = Change::Drop(Box::new(message.clone()));
        Self::not(message, Ok(Some(note)))
    }

    /// One that says what the terms let cross no more: what it tells is worked out anew.
    fn untold(message: Message) -> Self {
        let note = Change::Retell(Box::new(message.clone()));
        Self::not(message, Ok(Some(note)))
    }

    /// One whose row cannot be read: it may have been withdrawn, so it stays where it is.
    pub(super) fn unknown(message: Message, error: &StoreError) -> Self {
        Self::not(message, Err(Refusal::new(503, error.to_string())))
    }

    /// Has what came of it written, before the queue is acknowledged; when the daemon is stopping it is tried again after the
    /// start.
    pub(super) async fn note(self, options: &Options, pipeline: &Pipeline) -> Noted {
        let Self { message, came_of_it, answered, note, issue } = self;
        let written = match note {
            Ok(Some(note)) => pipeline.submit_one(note).await,
            Ok(None) => Ok(Done::default()),
            Err(refusal) => Err(refusal),
        };
        if let Some((who, issue)) = issue.filter(|_| written.is_ok()) {
            // What cannot be written now is taken up later.
            let _later = Hooks::new(options.clone(), pipeline.clone()).release(&who.agreement, &issue).await;
        }
        Noted { message, came_of_it, answered, written }
    }
}

/// Tries a message, in the other dialect too where the partner asks for it.
pub(super) async fn make(
    options: &Options,
    pipeline: &Pipeline,
    mut who: Arc<Who>,
    mut message: Message,
    fresh: bool,
) -> Tried {
    let ended =
        || pipeline.ended.read().unwrap_or_else(PoisonError::into_inner).contains(&who.agreement.uuid);
    // An agreement that has ended has withdrawn what was on its way, whoever has it in hand.
    if !message.kind.is_about_agreement() && (who.agreement.status.is_final() || ended()) {
        return Tried::withdrawn(message);
    }
    if !fresh {
        match is_over(options, &message).await {
            Ok(true) => return Tried::over(message),
            Ok(false) => {}
            Err(error) => return Tried::unknown(message, &error),
        }
    }
    // What was tried may have arrived: it is not reduced any more, only followed.
    let waits = message.attempts == 0 && message.created_at <= who.agreement.updated_at;
    if waits && says_too_much(&message, &who.agreement) {
        return Tried::untold(message);
    }
    let begun = options.clock.now();
    let mut span = Span::follow("deliver", Step::Called, message.contents.trace.as_ref());
    span.set("messaging.message.id", &message.id);
    span.set("crossdesk.message.type", message.kind.as_str());
    span.set("crossdesk.agreement.uuid", &who.agreement.uuid);
    span.set("crossdesk.attempt", message.attempts + 1);
    let place = span.place();
    let (judged, carried) = match who.agreement.kind {
        Kind::Jira => errand::run(options, pipeline, &who.agreement, who.keys.as_ref(), &message).await,
        _ => (speak(options, pipeline, &mut who, &message, place.as_ref()).await, None),
    };
    let now = options.clock.now();
    message.attempts += 1;
    let answered = !matches!(judged, Verdict::Later { .. });
    let (mut attempted, came_of_it) = conclude(options, &mut message, judged, now);
    let issue = carried.as_ref().and_then(|carried| carried.issue.clone());
    if matches!(attempted, Attempted::Delivered) {
        attempted = match carried {
            Some(carried) => Attempted::Carried(Box::new(carried)),
            None if new_key(&who, &message).is_some() => Attempted::Rekeyed,
            None => Attempted::Delivered,
        };
    }
    let outcome = match came_of_it {
        CameOfIt::Done => "delivered",
        CameOfIt::Later(_) => "retry",
        CameOfIt::Parked => "parked",
    };
    let lag = message.event_at.filter(|_| outcome == "delivered").map(|event| now.since(event));
    options.tally.delivery(outcome == "delivered", lag);
    metric::delivery(&who.agreement.uuid, outcome, answered, now.since(begun), lag);
    tell(&who, &message, outcome, &attempted);
    span.set("crossdesk.outcome", outcome);
    if let Attempted::Later { error: Some(why), .. } | Attempted::Parked(why) = &attempted {
        span.fail(why);
    }
    drop(span);
    let message = Arc::new(message);
    let note = Ok(Some(Change::Attempt(message.clone(), attempted)));
    Tried { message, came_of_it, answered, note, issue: issue.map(|issue| (who, issue.id)) }
}

/// Speaks the protocol, in the other dialect where the partner asks for it.
async fn speak(
    options: &Options,
    pipeline: &Pipeline,
    who: &mut Arc<Who>,
    message: &Message,
    trace: Option<&Traceparent>,
) -> Verdict {
    let mut judged = call(options, who, message, trace).await;
    if let Verdict::Speak(profile) = judged {
        Arc::make_mut(who).agreement.profile = profile;
        judged = call(options, who, message, trace).await;
        if judged == Verdict::Done {
            let speak = Change::Agreement(who.agreement.uuid.clone(), AgreementAction::Speak(profile));
            // Without the note it is found out again the next time.
            let _noted = pipeline.submit_one(speak).await;
        }
    }
    match judged {
        Verdict::Ask(why) => ask(options, who, message, why).await,
        judged => judged,
    }
}

/// Whether the row of a message says that it need no longer be sent.
pub(super) async fn is_over(options: &Options, message: &Message) -> Result<bool, StoreError> {
    let rows = options.store.messages(MessageFilter::Ids(vec![message.id.clone()]), 1).await?;
    Ok(rows.first().is_none_or(|row| row.state.is_final()))
}

/// What a verdict means for a message of its age.
fn conclude(
    options: &Options,
    message: &mut Message,
    judged: Verdict,
    now: Timestamp,
) -> (Attempted, CameOfIt) {
    let too_old = now.since(message.created_at) > options.give_up_after;
    let reason = match judged {
        Verdict::Done => return (Attempted::Delivered, CameOfIt::Done),
        Verdict::Later { why, after } if !too_old => {
            let due_at = now.plus(options.retry.wait_after(message.attempts, after));
            message.due_at = Some(due_at);
            message.error = Some(why.clone());
            return (Attempted::Later { due_at, error: Some(why) }, CameOfIt::Later(due_at));
        }
        Verdict::Later { why, .. } => {
            format!("given up after {} hours: {why}", options.give_up_after.as_secs() / 3600)
        }
        Verdict::Park(why) | Verdict::Ask(why) => why,
        Verdict::Speak(_) => "the partner speaks no known dialect".to_owned(),
    };
    (Attempted::Parked(reason), CameOfIt::Parked)
}

fn tell(who: &Who, message: &Message, outcome: &'static str, attempted: &Attempted) {
    let error = match attempted {
        Attempted::Delivered | Attempted::Rekeyed | Attempted::Carried(_) | Attempted::Taken => {
            tracing::debug!(
                agreement.uuid = %who.agreement.uuid, ticket.uuid = %message.id.owner, message.id = %message.id,
                kind = message.kind.as_str(), attempts = message.attempts, "delivered"
            );
            return;
        }
        Attempted::Later { error, .. } => error.clone().unwrap_or_default(),
        Attempted::Parked(why) => why.clone(),
    };
    tracing::warn!(
        agreement.uuid = %who.agreement.uuid, ticket.uuid = %message.id.owner, message.id = %message.id,
        kind = message.kind.as_str(), attempts = message.attempts, outcome, error, "not delivered"
    );
}

async fn call(options: &Options, who: &Who, message: &Message, trace: Option<&Traceparent>) -> Verdict {
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
    let judged = verdict(message.kind, who.agreement.profile, &redacted(result, who, &request));
    match new_key(who, message) {
        Some(next) if judged == Verdict::Done => took_key(options, &request, next).await,
        _ => judged,
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
    let hide = |text: String| keys.clone().fold(text, |text, key| text.replace(key.reveal(), "…"));
    result.map(|answer| Answer { text: hide(answer.text), ..answer })
}

/// A key that the partner may know the agreement by, other than the one that it has just refused.
async fn other_key(options: &Options, who: &Who, refused: &AccessKey) -> Option<AccessKey> {
    let now = options.store.access_keys(&who.agreement.uuid).await.ok().flatten()?;
    now.next.into_iter().chain([now.current]).find(|key| key != refused)
}

/// The new key that a message carries.
fn new_key<'a>(who: &'a Who, message: &Message) -> Option<&'a AccessKey> {
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
async fn ask(options: &Options, who: &Who, message: &Message, refused: String) -> Verdict {
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
    let later = |why: &str, after| {
        let why = if unheard { why.to_owned() } else { format!("{UNDECIDED}{why}") };
        Verdict::Later { why, after }
    };
    let renewed = message.kind == MessageType::TicketCreate && message.contents.seq > 1;
    match result {
        // What it has may be of an earlier share, and as it was then.
        Ok(answer) if (200..300).contains(&answer.status) && !answer.is_page && renewed => {
            let update = Call { method: Method::Put, body: Some(message.body.clone()), ..look };
            let result = redacted(options.partner.call(&update).await, who, &update);
            match verdict(MessageType::TicketUpdate, who.agreement.profile, &result) {
                Verdict::Later { why, after } => later(&why, after),
                judged => judged,
            }
        }
        Ok(answer) if (200..300).contains(&answer.status) && !answer.is_page => Verdict::Done,
        // It tells nobody what it has: that it refuses what may have reached it before means that it did.
        Ok(answer) if matches!(answer.status, 405 | 501) && unheard => Verdict::Done,
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
