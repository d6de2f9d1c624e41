//! One command brought to a desk that takes them over HTTP, and what its answer means.
//!
//! Taken is not done: that the desk says with `helpdesk.command.completed`, as it does on a queue.

use std::{sync::Arc, time::Duration};

use super::attempt::{CameOfIt, Tried, is_over};
use crate::{
    domain::{Completion, CompletionStatus, DeskEvent, EventBody, Message, Revision, Timestamp, lasting},
    flow::{
        change::{Attempted, Change},
        options::Options,
    },
    ports::{Answer, CallError, DeskHook},
    telemetry::{Span, Step},
};

/// How long a desk's address may say that nothing is there.
const NOBODY_THERE: Duration = Duration::from_secs(3600);
/// How many words of an answer are kept.
const WORDS: usize = 300;

/// Brings a command.
pub(super) async fn bring(
    options: &Options,
    hook: &dyn DeskHook,
    mut message: Message,
    fresh: bool,
) -> Tried {
    if !fresh {
        match is_over(options, &message).await {
            Ok(true) => return Tried::over(message),
            Ok(false) => {}
            Err(error) => return Tried::unknown(message, &error),
        }
    }
    let mut span = Span::follow("bring command", Step::Called, message.contents.trace.as_ref());
    span.set("messaging.message.id", &message.id);
    span.set("crossdesk.message.type", message.kind.as_str());
    let (id, place) = (message.id.to_string(), span.place());
    let result = hook.send(&id, options.clock.now(), &message.body, place.as_ref()).await;
    match &result {
        Ok(answer) => span.set("http.response.status_code", answer.status),
        Err(error) => span.fail(error),
    }
    drop(span);
    let now = options.clock.now();
    message.attempts += 1;
    let answered = result.is_ok();
    let (change, came_of_it) = match judge(&result, now.since(message.created_at)) {
        Judged::Taken => (Change::Attempt(Arc::new(message.clone()), Attempted::Taken), CameOfIt::Done),
        Judged::Refused(why) => (refused(&message, why, now), CameOfIt::Done),
        Judged::Later(why) if now.since(message.created_at) > options.give_up_after => {
            let reason = format!("given up after {}: {why}", lasting(options.give_up_after));
            (refused(&message, reason, now), CameOfIt::Done)
        }
        Judged::Later(why) => {
            let after = result.as_ref().ok().and_then(|answer| answer.retry_after);
            let due_at = now.plus(options.retry.wait_after(message.attempts, after));
            tracing::warn!(
                ticket.uuid = %message.id.owner, command.id = %message.id, kind = message.kind.as_str(),
                attempts = message.attempts, error = why, "the desk did not take a command; it is brought again"
            );
            message.due_at = Some(due_at);
            message.error = Some(why.clone());
            let later = Attempted::Later { due_at, error: Some(why) };
            (Change::Attempt(Arc::new(message.clone()), later), CameOfIt::Later(due_at))
        }
    };
    Tried { message: Arc::new(message), came_of_it, answered, note: Ok(Some(change)), issue: None }
}

enum Judged {
    Taken,
    Refused(String),
    Later(String),
}

/// A desk refuses a command by saying that it is unusable; whatever else it answers may be a matter of its address, its doors or
/// its day, and is tried again. An address where nothing is for so long that nobody can be about to put it right is a refusal too.
/// A conflict is the command itself, which it has had: its answer was lost.
fn judge(result: &Result<Answer, CallError>, age: Duration) -> Judged {
    let answer = match result {
        Ok(answer) => answer,
        Err(error) => return Judged::Later(error.to_string()),
    };
    let said: String = answer.text.trim().chars().take(WORDS).collect();
    let dots = if said.is_empty() { "" } else { ": " };
    let words = format!("the desk answered {}{dots}{said}", answer.status);
    match answer.status {
        200..=299 | 409 => Judged::Taken,
        400 | 413 | 415 | 422 => Judged::Refused(words),
        404 | 405 | 410 if age > NOBODY_THERE => Judged::Refused(words),
        _ => Judged::Later(words),
    }
}

/// The desk's refusal, as it would tell it in an event.
fn refused(message: &Message, why: String, now: Timestamp) -> Change {
    tracing::warn!(
        ticket.uuid = %message.id.owner, command.id = %message.id, kind = message.kind.as_str(),
        attempts = message.attempts, error = why, "the desk refused a command"
    );
    let completion = Completion {
        command_id: message.id.clone(),
        status: CompletionStatus::Failed,
        error: Some(why),
        revision: Revision::default(),
        ticket_id: None,
        users: Default::default(),
        comments: Default::default(),
    };
    let event = DeskEvent {
        key: format!("crossdesk {} refused", message.id),
        time: Some(now),
        body: EventBody::Completed(completion),
        trace: message.contents.trace.clone(),
    };
    Change::Event { event: Box::new(event), raw: String::new(), came: None }
}
