//! One message tried: the call, what its answer means, and the note of it.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use super::{
    calling::{self, Who},
    errand,
    verdict::Verdict,
};
use crate::{
    domain::{Kind, Message, Timestamp, Traceparent, lasting},
    engine::Refusal,
    flow::{
        change::{self, AgreementAction, Attempted, Change, Done},
        inbound::Hooks,
        options::Options,
        pipeline::Pipeline,
    },
    ports::{MessageFilter, StoreError},
    telemetry::{Span, Step, metric},
    wire::says_too_much,
};

/// What came of an attempt.
pub(super) enum CameOfIt {
    /// The partner has it.
    Done,
    /// To be tried again then.
    Later(Timestamp),
    /// To be tried again then, for the partner fails, perhaps on this ticket alone.
    Fails(Timestamp),
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

    /// The partner fails on its ticket while it takes others': told so, and not of the partner as a whole.
    pub(super) fn is_its_tickets_matter(&mut self) {
        if let Ok(Some(Change::Attempt(_, attempted))) = &mut self.note
            && let Attempted::Later { due_at, error: Some(why) } = attempted
        {
            *attempted = Attempted::Fails { due_at: *due_at, why: std::mem::take(why) };
        }
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
    let answered = !matches!(judged, Verdict::Later { .. } | Verdict::Fails(_));
    let (mut attempted, came_of_it) = conclude(options, &mut message, judged, now);
    let issue = carried.as_ref().and_then(|carried| carried.issue.clone());
    if matches!(attempted, Attempted::Delivered) {
        attempted = match carried {
            Some(carried) => Attempted::Carried(Box::new(carried)),
            None if calling::new_key(&who, &message).is_some() => Attempted::Rekeyed,
            None => Attempted::Delivered,
        };
    }
    let outcome = match came_of_it {
        CameOfIt::Done => "delivered",
        CameOfIt::Later(_) | CameOfIt::Fails(_) => "retry",
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
    let mut judged = calling::call(options, who, message, trace).await;
    if let Verdict::Speak(profile) = judged {
        Arc::make_mut(who).agreement.profile = profile;
        judged = calling::call(options, who, message, trace).await;
        if judged == Verdict::Done {
            let speak = Change::Agreement(who.agreement.uuid.clone(), AgreementAction::Speak(profile));
            // Without the note it is found out again the next time.
            let _noted = pipeline.submit_one(speak).await;
        }
    }
    match judged {
        Verdict::Ask(why) => calling::ask(options, who, message, why).await,
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
            let (attempted, due_at) = again(options, message, why, after, now);
            return (attempted, CameOfIt::Later(due_at));
        }
        Verdict::Fails(why) if !too_old => {
            let (attempted, due_at) = again(options, message, why, None, now);
            return (attempted, CameOfIt::Fails(due_at));
        }
        Verdict::Later { why, .. } | Verdict::Fails(why) => {
            format!("given up after {}: {why}", lasting(options.give_up_after))
        }
        Verdict::Park(why) | Verdict::Ask(why) => why,
        Verdict::Speak(_) => "the partner speaks no known dialect".to_owned(),
    };
    (Attempted::Parked(reason), CameOfIt::Parked)
}

/// It is tried again, at a time.
fn again(
    options: &Options,
    message: &mut Message,
    why: String,
    after: Option<Duration>,
    now: Timestamp,
) -> (Attempted, Timestamp) {
    let due_at = now.plus(options.retry.wait_after(message.attempts, after));
    message.due_at = Some(due_at);
    message.error = Some(why.clone());
    (Attempted::Later { due_at, error: Some(why) }, due_at)
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
        Attempted::Fails { why, .. } | Attempted::Parked(why) => why.clone(),
    };
    tracing::warn!(
        agreement.uuid = %who.agreement.uuid, ticket.uuid = %message.id.owner, message.id = %message.id,
        kind = message.kind.as_str(), attempts = message.attempts, outcome, error, "not delivered"
    );
}
