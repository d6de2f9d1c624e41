//! What a partner's answer means for the message that it answers.

use std::time::Duration;

use crate::{
    domain::{MessageType, Profile},
    ports::{Answer, CallError},
};

/// What to do with a message after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Done,
    /// Try again later.
    Later {
        /// Why.
        why: String,
        /// Not before this long.
        after: Option<Duration>,
    },
    /// The partner fails, perhaps on this message alone: try it again later.
    Fails(String),
    /// It is refused for good.
    Park(String),
    /// Try again at once, in the other dialect.
    Speak(Profile),
    /// An earlier attempt may have succeeded unheard: ask whether the partner has it.
    Ask(String),
}

/// Judges an attempt.
///
/// ```
/// use crossdesk::{domain::{MessageType, Profile}, flow::{Verdict, verdict}, ports::Answer};
/// let answer = |status| Ok(Answer { status, text: String::new(), is_page: false, retry_after: None });
/// let judge = |status| verdict(MessageType::TicketUpdate, Profile::Standard, &answer(status));
/// assert_eq!(judge(200), Verdict::Done);
/// assert!(matches!(judge(503), Verdict::Later { .. }));
/// assert!(matches!(judge(500), Verdict::Fails(_)));
/// assert!(matches!(judge(422), Verdict::Park(_)));
/// assert_eq!(judge(412), Verdict::Speak(Profile::RequestTracker));
/// ```
pub fn verdict(kind: MessageType, profile: Profile, result: &Result<Answer, CallError>) -> Verdict {
    let answer = match result {
        Ok(answer) => answer,
        Err(CallError::Unreachable(why)) => return Verdict::Later { why: why.clone(), after: None },
        Err(CallError::Forbidden(why)) => return Verdict::Park(why.clone()),
    };
    let words = || {
        let text = answer.text.trim();
        let (status, dots) = (answer.status, if text.is_empty() { "" } else { ": " });
        format!("the partner answered {status}{dots}{}", text.chars().take(300).collect::<String>())
    };
    match answer.status {
        // Request Tracker answers its internal failures with 200 and a page (protocol: RT's answers).
        200..=299 if answer.is_page && profile == Profile::RequestTracker => Verdict::Park(words()),
        200..=299 => Verdict::Done,
        // It cannot unshare, or has nothing to unshare: either way nothing is left to do.
        404 | 405 | 410 if kind == MessageType::TicketUnshare => Verdict::Done,
        412 if profile == Profile::Standard => Verdict::Speak(Profile::RequestTracker),
        500 | 502 | 504 if answer.retry_after.is_none() => Verdict::Fails(words()),
        408 | 425 | 429 | 500..=599 => Verdict::Later { why: words(), after: answer.retry_after },
        // That it exists already (409 is the usual word for that), or that it will not do.
        409 | 422 if matches!(kind, MessageType::TicketCreate | MessageType::AgreementInvite) => {
            Verdict::Ask(words())
        }
        _ => Verdict::Park(words()),
    }
}
